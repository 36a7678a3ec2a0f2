"""The endpoints beside the API: which models there are, whether the server is well, what it offers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dragoman.errors import APIError
from dragoman_server.model_access import allowed_models, check_model
from dragoman_server.openapi import document

if TYPE_CHECKING:
    from dragoman.state import Transaction
    from dragoman_server.exchange import Exchange

__all__ = ["Readiness", "describe", "list_models", "live", "retrieve_model"]

_GOOD_FOR = 1.0  # seconds: whoever may ask without a key must not keep the store busy


async def list_models(exchange: Exchange) -> None:
    """``GET /models``."""
    # The first call imports providers' modules.
    models = await asyncio.to_thread(allowed_models, exchange.owner, exchange.service.fleet)
    await exchange.answer({"object": "list", "data": models})


async def retrieve_model(exchange: Exchange) -> None:
    """``GET /models/{model}``."""
    fleet = exchange.service.fleet
    check_model(exchange.owner, fleet, exchange.path["model"], "model")
    await exchange.answer(fleet.model(exchange.path["model"]))


async def describe(exchange: Exchange) -> None:
    """``GET /openapi.json``."""
    locked = exchange.service.keyring.locked
    await exchange.answer(await asyncio.to_thread(document, locked=locked))


async def live(exchange: Exchange) -> None:
    """``GET /health/live``: the process answers."""
    await exchange.answer({"status": "ok"})


class Readiness:
    """``GET /health/ready``: it can do its work."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._ready = False

    async def __call__(self, exchange: Exchange) -> None:
        """Answer 200, or 503 where the store cannot be used."""
        if time.monotonic() - self._asked > _GOOD_FOR:
            try:
                await exchange.service.operate(_nothing)
            except APIError:
                self._ready = False
            else:
                self._ready = True
            self._asked = time.monotonic()
        if self._ready:
            await exchange.answer({"status": "ok"})
        else:
            await exchange.answer({"status": "the store of responses cannot be used"}, 503)


def _nothing(transaction: Transaction) -> None:
    """Do nothing: beginning and ending say what there is to know."""
    transaction.get_response("", "none")
