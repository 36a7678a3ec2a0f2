"""One request at the upstream, and the verbs for what is done to its connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.failover.story import TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.failover.profiles import Profile
    from tests.failover.story import Refusal, Wire

__all__ = ["CallerLeft", "Exchange", "Try"]

Ending = Literal["answered", "refused", "reset", "cut", "left"]
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True, kw_only=True)
class Try:
    """One request that came in."""

    began: float
    model: str
    provider: str
    streamed: bool
    body: dict[str, Any]
    kept: bool
    """Whether its connection had served another one before."""
    ending: Ending | None = None
    """None while it lasts; "left": the caller hung up."""
    ended: float | None = None

    @property
    def size(self) -> int:
        """How large the question is, in characters."""
        return len(json.dumps(self.body))


class CallerLeft(Exception):  # noqa: N818 - nothing is wrong
    """The caller has hung up."""


@dataclass
class Exchange:
    """One request and what is done to its connection: the verbs of the faults."""

    profile: Profile
    wire: Wire
    one: Try
    earlier: list[Try]
    """Those for the same model, in the same cell."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    over: bool = field(default=False, init=False)
    """Whether the connection cannot be used again."""

    def end(self, ending: Ending, *, whole: bool = False) -> None:
        """Note how it ended; `whole`: HTTP finds nothing wrong, so that the connection stays."""
        self.one.ending, self.one.ended = ending, time.monotonic()
        self.over = self.over or not (whole or ending in {"answered", "refused"})

    async def refuse(self, kind: str, retry_after: float | None = None) -> None:
        """Answer with a refusal."""
        refusal: Refusal = self.wire.refusal(kind, retry_after)
        body, content_type = json.dumps(refusal.body).encode(), "application/json"
        if refusal.status == 200 and self.one.streamed:
            body, content_type = self.wire.encode(refusal.event, body), self.wire.stream_type
        await self._head(refusal.status, content_type, len(body), **refusal.headers)
        await self._send(body)
        self.end("refused")

    async def answer(self, story: Sequence[str] = TOKENS) -> None:
        """Tell a story, or the rest of it where the request has the beginning."""
        role, text = self.wire.last_turn(self.one.body)
        tokens = list(story)
        if role == "assistant" and "".join(story).startswith(text):
            said = len(text)
            while tokens and said >= len(tokens[0]):
                said -= len(tokens.pop(0))
            if tokens:
                tokens[0] = tokens[0][said:]
        if not self.one.streamed:
            await self.whole(tokens)
        else:
            await self._head(200, self.wire.stream_type, None)
            await self.frames(b"".join(self._frames(tokens)) + self.wire.end)
            await self.finish()
        self.end("answered")

    async def whole(self, tokens: Sequence[str] = TOKENS, **headers: str) -> None:
        """Send an unstreamed answer."""
        body = self._body(tokens)
        await self._head(200, "application/json", len(body), **headers)
        await self._send(body)

    async def begin_stream(self, place: int) -> None:
        """Send the events up to so many tokens, one by one."""
        await self._head(200, self.wire.stream_type, None)
        for frame in self._frames()[: self.wire.opening + place]:
            await self.frames(frame)
            await self.hold(self.profile.pace)

    async def rest_of_stream(self, place: int) -> None:
        """Send the events after so many tokens, and the end."""
        await self.frames(b"".join(self._frames()[self.wire.opening + place :]) + self.wire.end)
        await self.finish()

    async def begin_whole(self, share: float) -> None:
        """Send the beginning of an unstreamed answer."""
        body = self._body()
        await self._head(200, "application/json", len(body))
        await self._send(body[: int(share * len(body))])

    async def late(self, seconds: float) -> None:
        """Send an answer whose headers come at once and whose content comes late."""
        if self.one.streamed:
            await self.begin_stream(-self.wire.opening)
            await self.hold(seconds)
            await self.frames(b"".join(self._frames()) + self.wire.end)
            await self.finish()
        else:
            await self.begin_whole(0)
            await self.hold(seconds)
            await self._send(self._body())
        self.end("answered")

    async def broken(self, place: int) -> None:
        """Send an answer with one event, or all of it, in broken JSON; HTTP finds nothing wrong."""
        if self.one.streamed:
            await self._head(200, self.wire.stream_type, None)
            await self.frames(b"".join(self.wire.broken(self.one.model, TOKENS, place)) + self.wire.end)
            await self.finish()
        else:
            body = self._body()
            await self._head(200, "application/json", len(body) // 2)
            await self._send(body[: len(body) // 2])
        self.end("answered")

    async def never_closed(self, seconds: float) -> None:
        """Send an answer to its own end mark; neither a [DONE], nor the end of HTTP's body, nor a close."""
        if self.one.streamed:
            await self._head(200, self.wire.stream_type, None)
            await self.frames(b"".join(self._frames()))
        else:
            await self.whole(connection="close")
        self.end("answered")
        self.over = True
        await self.hold(seconds)

    async def frames(self, data: bytes) -> None:
        """Send a piece of a stream."""
        await self._send(b"%x\r\n%b\r\n" % (len(data), data))

    async def finish(self) -> None:
        """End a stream as HTTP has it."""
        await self._send(b"0\r\n\r\n")

    async def hold(self, seconds: float) -> None:
        """Say nothing for so long.

        Raises:
            CallerLeft: the caller has hung up.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.reader.read(1), seconds)
            raise CallerLeft

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()

    def _body(self, tokens: Sequence[str] = TOKENS) -> bytes:
        return json.dumps(self.wire.whole(self.one.model, tokens)).encode()

    def _frames(self, tokens: Sequence[str] = TOKENS) -> tuple[bytes, ...]:
        return self.wire.frames(self.one.model, tokens)

    async def _head(self, status: int, content_type: str, length: int | None, **headers: str) -> None:
        size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        lines = [f"HTTP/1.1 {status} Faulty", f"content-type: {content_type}", size]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self._send("\r\n".join([*lines, "", ""]).encode())

    async def _send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
