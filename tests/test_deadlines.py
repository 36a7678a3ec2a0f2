"""``total_timeout``: a call ends by it, whatever its attempts, waits and fallbacks are at."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.failover.callers import ask
from tests.failover.cells import Cell
from tests.failover.outcomes import Outcome
from tests.failover.profiles import FAST
from tests.failover.served import serve
from tests.failover.settings import QUESTION, target_of
from tests.failover.upstream import FaultyUpstream

import dragoman

_LIMIT = 0.8  # seconds
_SOON = _LIMIT + 0.7  # a busy machine
_WAYS = {
    "refused again and again": ("fb-s04", "fb-s02"),
    "silent": ("fb-s06", "fb-s06"),
    "refused, then silent": ("fb-s04", "fb-s06"),
    "stalled in the middle": ("fb-s09", "fb-s09"),
}


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream(FAST) as faulty:
        yield faulty


def _config(upstream, who):
    """Return a config in which each way has a model, with a limit of its own or the router's."""
    models, fallbacks = [], []
    for place, (name, (primary, backup)) in enumerate(_WAYS.items()):
        cell = Cell(
            scenario="limit", provider="anthropic", fallback_provider="openai", streamed=True, mode=who
        )
        own = {"total_timeout": _LIMIT} if place % 2 else {}
        params = {**target_of(cell, upstream.url, "anthropic", primary), **own}
        models.append({"model_name": name, "litellm_params": params})
        params = target_of(cell, upstream.url, "openai", backup)
        models.append({"model_name": f"backup of {name}", "litellm_params": params})
        fallbacks.append({name: [f"backup of {name}"]})
    settings = {"num_retries": 10, "total_timeout": _LIMIT, "fallbacks": fallbacks}
    return {"model_list": models, "router_settings": settings}


async def _timed(awaited):
    began = time.monotonic()
    return await awaited, time.monotonic() - began


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_a_routers_calls_end_by_it(upstream, streamed):
    async def play():
        config = _config(upstream, f"router-{streamed}")
        async with dragoman.Router(config["model_list"], **config["router_settings"]) as router:
            outcomes = [Outcome(streamed=streamed) for _ in _WAYS]
            calls = [
                _timed(ask(router.aresponses, outcome, {"model": name}))
                for outcome, name in zip(outcomes, _WAYS, strict=True)
            ]
            return outcomes, await asyncio.gather(*calls)

    outcomes, timed = asyncio.run(play())
    for name, outcome, (_, seconds) in zip(_WAYS, outcomes, timed, strict=True):
        assert outcome.failure is not None, name
        assert seconds < _SOON, name


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_a_servers_calls_end_by_it(upstream, streamed):
    async def play():
        # A server for each: two calls of one deployment would open its circuit, and end by that.
        async with serve(_config(upstream, f"server-{streamed}")) as http:
            calls = [
                _timed(
                    http.post("/v1/responses", json={"model": name, "input": QUESTION, "stream": streamed})
                )
                for name in _WAYS
            ]
            return await asyncio.gather(*calls)

    for name, (answer, seconds) in zip(_WAYS, asyncio.run(play()), strict=True):
        assert answer.status_code in {408, 429, 503} or "response.failed" in answer.text, name
        assert seconds < _SOON, name
