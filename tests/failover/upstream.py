"""An upstream that breaks on purpose, in the way that the model's name asks for, over real sockets.

It speaks the wires of ``tests.failover.wires`` under ``/{cell}{base}``: what is counted ("the first try
fails") is counted for each cell and model.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.failover.exchanges import CallerLeft, Exchange, Try
from tests.failover.faults import FAULTS
from tests.failover.wires import WIRES

if TYPE_CHECKING:
    from typing import Self

    from tests.failover.profiles import Profile
    from tests.failover.story import Wire

__all__ = ["FaultyUpstream"]


class FaultyUpstream:
    """The server, in a thread of its own; use it with ``with``."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.url = ""
        self._tries: dict[str, list[Try]] = defaultdict(list)
        self._problems: list[Exception] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def tries(self, cell: str) -> list[Try]:
        """Return what has come in for a cell so far, in order."""
        return list(self._tries[cell])

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the upstream did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        if self._problems:
            raise ExceptionGroup("the upstream broke down by itself", self._problems)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                with contextlib.suppress(
                    ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
                ):
                    await self._connection(reader, writer)
            finally:
                writer.close()
                try:
                    await writer.wait_closed()
                except (OSError, asyncio.CancelledError):
                    writer.transport.abort()  # what nobody reads cannot be sent
                connections.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for place in itertools.count():
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            path = unquote(line.split(" ")[1].partition("?")[0])
            _, cell, *rest = path.split("/")
            wire, model, streamed = _asked("/".join(rest), body)
            began = time.monotonic()
            tries = self._tries[cell]
            earlier = [one for one in tries if one.model == model]
            one = Try(
                began=began, model=model, provider=wire.provider, streamed=streamed, body=body, kept=place > 0
            )
            tries.append(one)
            exchange = Exchange(self.profile, wire, one, earlier, reader, writer)
            try:
                await FAULTS[model](exchange)
            except (CallerLeft, ConnectionError):
                exchange.end(one.ending or "left")
                return
            if exchange.over:
                return


def _asked(path: str, body: dict[str, Any]) -> tuple[Wire, str, bool]:
    """Return wire, model, and whether a stream is wanted."""
    if path.endswith(("v1/responses", "v1/messages")):
        wire = WIRES["openai" if path.endswith("responses") else "anthropic"]
        return wire, body["model"], body.get("stream") is True
    if path.startswith("model/"):
        _, model, verb = path.split("/")
        return WIRES["bedrock"], model, verb == "converse-stream"
    model, _, verb = path.rpartition("/")[2].partition(":")
    return WIRES["gemini"], model, verb == "streamGenerateContent"
