"""Those who ask dragoman's server, with any HTTP client, and the server itself in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from tests.failover.cells import ROUNDS
from tests.failover.outcomes import Failure, Outcome
from tests.failover.settings import QUESTION, fallbacks_of, model_list_of, router_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tests.failover.cells import Cell
    from tests.failover.upstream import FaultyUpstream

__all__ = ["ServerCaller", "ask_served", "read_events", "serve", "served"]


class ServerCaller:
    """Whoever speaks HTTP."""

    def __init__(self, cell: Cell, http: httpx.AsyncClient) -> None:
        self._cell, self._http = cell, http

    async def ask(self, *, healthy: bool = False) -> Outcome:
        outcome = Outcome(streamed=self._cell.streamed)
        await ask_served(self._http, outcome, f"{self._cell.key}-{'healthy' if healthy else 'm'}")
        return outcome

    async def close(self) -> None:
        """Leave it to those who opened it."""


async def ask_served(http: httpx.AsyncClient, outcome: Outcome, model: str) -> None:
    """Ask a server once; note what came of it."""
    body = {"model": model, "input": QUESTION, "stream": outcome.streamed}
    try:
        async with http.stream("POST", "/v1/responses", json=body) as answer:
            said = (await answer.aread()).decode()
        if answer.status_code != 200:
            outcome.failure = _failure(answer.status_code, json.loads(said)["error"])
        elif outcome.streamed:
            read_events(said, outcome)
        else:
            outcome.response = json.loads(said)
            if outcome.response["status"] == "failed":
                outcome.failure = _failure(200, outcome.response["error"])
    except (httpx.HTTPError, ValueError, KeyError) as problem:
        outcome.crash = f"{type(problem).__name__}: {problem}"


def _failure(status: int, error: dict[str, Any]) -> Failure:
    return Failure(status=status, code=error.get("code"), message=str(error.get("message")))


def read_events(said: str, outcome: Outcome) -> None:
    """Note the events of a streamed answer."""
    *blocks, last, nothing = said.split("\n\n")
    if nothing or last != "data: [DONE]":
        raise ValueError(f"the stream ends in {said[-200:]!r}")
    for block in blocks:
        if block.startswith(":"):
            continue
        name, _, data = block.partition("\n")
        event = json.loads(data.removeprefix("data: "))
        if name != f"event: {event['type']}":
            raise ValueError(f"{name!r} is above {event['type']}")
        outcome.events.append(event)
        if event["type"] == "error":
            outcome.failure = _failure(200, event["error"])
    outcome.response = outcome.events[-1]["response"]


@contextlib.asynccontextmanager
async def served(
    cells: Iterable[Cell], upstream: FaultyUpstream, *, streamed: bool
) -> AsyncIterator[httpx.AsyncClient]:
    """Run ``dragoman serve`` with a config.yaml for these cells."""
    model_list, fallbacks = [], []
    for cell in (replace(cell, round=number) for cell in cells for number in range(ROUNDS)):
        prefix = f"{cell.key}-"
        model_list += model_list_of(cell, upstream.url, prefix=prefix)
        fallbacks += fallbacks_of(cell, prefix=prefix)
    settings = {**router_settings(upstream.profile, streamed=streamed), "fallbacks": fallbacks}
    async with serve({"model_list": model_list, "router_settings": settings}) as http:
        yield http


@contextlib.asynccontextmanager
async def serve(config: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Run ``dragoman serve`` with a config.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.touch(0o600)
        path.write_text(json.dumps(config))  # which is YAML too
        command = [sys.executable, "-m", "dragoman_cli", "serve", "--config", str(path), "--port", "0"]
        process = await asyncio.create_subprocess_exec(
            *command, "--log-level", "error", stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            ready = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
            if "listens on " not in ready:
                raise RuntimeError(f"the server did not start: {ready!r}")
            url = ready.partition("listens on ")[2].split()[0]
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(base_url=url, timeout=None, limits=limits) as http:
                yield http
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
