"""``GET /responses`` as a WebSocket: turns by frames, one after the other, or at once on several lanes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from dragoman.errors import APIError, BadRequestError, RateLimitError
from dragoman_server.failures import caller_left, server_stops
from dragoman_server.websocket_handshake import chosen_subprotocol
from dragoman_server.websocket_memory import ConnectionMemory
from dragoman_server.websocket_turns import (
    CallerLeftError,
    SocketTurns,
    error_frame,
    read_frame,
    steering_refused,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.types import Event
    from dragoman_server.exchange import Exchange

__all__ = ["STOPPING", "serve"]

STOPPING = "dragoman.stopping"
"""The ASGI message that says that the server stops: what runs may end, nothing new begins."""
_NORMAL, _RESTARTS, _POLICY = 1000, 1012, 1008  # why a connection is closed (RFC 6455 and its registry)
_LONGEST_STREAM_ID = 128
_ASIDE = ""
"""The lane of frames that are answered at once, whatever runs; no `stream_id` is called so."""


async def serve(exchange: Exchange, subprotocols: Sequence[str]) -> None:
    """Accept a WebSocket and serve it until it ends."""
    exchange.started = True
    await exchange.send(
        {
            "type": "websocket.accept",
            "subprotocol": chosen_subprotocol(subprotocols),
            "headers": [(b"x-request-id", exchange.request_id.encode())],
        }
    )
    await _Connection(exchange).run()


class _Lane:
    """Frames with one `stream_id`, or with none: answered in their order."""

    def __init__(self, turns: SocketTurns) -> None:
        self.turns = turns
        # What waits, with its stream_id; an error is an answer that is known already.
        self.waiting: deque[tuple[str | None, dict[str, Any] | APIError]] = deque()
        self.task: asyncio.Task[None] | None = None


class _Connection:
    """One WebSocket."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._limits = exchange.service.limits
        self._memory = ConnectionMemory()
        self._lanes: dict[str | None, _Lane] = {}  # the least recently used first
        self._gone = False
        self._ending: tuple[APIError, int] | None = (
            None  # why no more turns begin, and the code to close with
        )
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Answer frames until the caller leaves, the time is over, or the server stops."""
        reading = asyncio.create_task(self._read())
        reading.add_done_callback(lambda _: self._over.set())
        timer = asyncio.get_running_loop().call_later(self._limits.connection, self._end, _too_old(), _NORMAL)
        try:
            await self._over.wait()
        except asyncio.CancelledError:  # the time that a stopping server gives is over
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            self._ending = (server_stops(), _RESTARTS)
        timer.cancel()
        reading.cancel()
        if running := self._running():
            for lane in running:
                lane.cancel()
            await asyncio.wait(running)
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        if not self._gone and self._ending is not None:
            await self._close(*self._ending)

    async def _close(self, error: APIError, code: int) -> None:
        with contextlib.suppress(CallerLeftError):
            if code != _RESTARTS:  # no turn is open: a frame that tells why is nobody's answer
                await self._send(None, error_frame(error))
            await self._pass_on({"type": "websocket.close", "code": code, "reason": error.code or ""})

    # ---- frames in ----------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Hand frames to their lanes, at once: only who always reads notices a caller that leaves."""
        while True:
            message = await self._exchange.receive()
            if message["type"] == STOPPING:
                self._end(server_stops(), _RESTARTS)
            elif message["type"] == "websocket.disconnect":
                self._gone = True
                return
            else:
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        """Put a frame where its answer is due: also a bad one is answered after those before it."""
        name: str | None = None
        frame: dict[str, Any] | APIError
        try:
            frame = read_frame(message, self._limits)
            name = _lane_name(frame)
            lane = self._aside() if frame.get("type") == "response.steer" else self._lane(name)
        except APIError as problem:
            frame = problem
            lane = self._lane(None) if name is None else self._aside()
        if sum(len(known.waiting) for known in self._lanes.values()) >= self._limits.waiting:
            self._ending = (_too_many_frames(self._limits.waiting), _POLICY)
            self._over.set()
            return
        lane.waiting.append((name, frame))
        if lane.task is None:
            lane.task = asyncio.create_task(self._work(lane))

    def _lane(self, name: str | None) -> _Lane:
        """Return a lane; where there are too many, the one that is idle longest is forgotten for it.

        Raises:
            RateLimitError: turns run on all of them.
        """
        lane = self._lanes.pop(name, None)
        if lane is None:
            if name is not None:
                self._make_room()
            lane = self._new_lane(name)
        self._lanes[name] = lane
        return lane

    def _aside(self) -> _Lane:
        return self._lanes.setdefault(_ASIDE, self._new_lane(None))

    def _make_room(self) -> None:
        lanes = {name: lane for name, lane in self._lanes.items() if name is not None and name != _ASIDE}
        if len(lanes) < self._limits.lanes:
            return
        idle = next((name for name, lane in lanes.items() if lane.task is None), None)
        if idle is None:
            raise RateLimitError(
                f"Turns run on {len(lanes)} lanes of this connection, the most there may be: wait for one.",
                code="too_many_lanes",
                param="stream_id",
            )
        del self._lanes[idle]
        self._memory.forget(idle)

    def _new_lane(self, name: str | None) -> _Lane:
        service = self._exchange.service
        authenticate = partial(service.authenticate, self._exchange.headers)
        return _Lane(SocketTurns(service, authenticate, self._memory, name, partial(self._send, name)))

    # ---- turns --------------------------------------------------------------------------------------

    async def _work(self, lane: _Lane) -> None:
        """Answer the frames of a lane until none waits."""
        try:
            while lane.waiting:
                await self._answer(lane, *lane.waiting.popleft())
        except CallerLeftError:
            self._gone = True
            self._over.set()
        except asyncio.CancelledError:
            with contextlib.suppress(CallerLeftError):
                for name, _ in lane.waiting:
                    await self._send(name, error_frame(self._why()))
            raise
        finally:
            lane.task = None
            self._end_if_idle()

    async def _answer(self, lane: _Lane, name: str | None, frame: dict[str, Any] | APIError) -> None:
        if self._ending is not None:
            frame = self._ending[0]
        if isinstance(frame, APIError):
            await self._send(name, error_frame(frame))
        elif frame.get("type") == "response.create":
            await lane.turns.run(frame, why=self._why)
        elif frame.get("type") == "response.steer":
            await self._send(name, steering_refused(frame))
        else:
            shown = repr(frame.get("type"))[:80]
            unknown = BadRequestError(
                f"type must be 'response.create', not {shown}.", param="type", code="invalid_value"
            )
            await self._send(name, error_frame(unknown))

    def _why(self) -> APIError:
        """Return why a turn is cut."""
        return caller_left() if self._gone or self._ending is None else self._ending[0]

    # ---- the end ------------------------------------------------------------------------------------

    def _end(self, error: APIError, code: int) -> None:
        """Begin no more turns; close when those that run have ended."""
        if self._ending is None:
            self._ending = (error, code)
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._ending is not None and not self._running():
            self._over.set()

    def _running(self) -> list[asyncio.Task[None]]:
        return [lane.task for lane in self._lanes.values() if lane.task is not None]

    # ---- frames out ---------------------------------------------------------------------------------

    async def _send(self, name: str | None, event: Event) -> None:
        """Send a frame of a lane."""
        told = event if name is None else {**event, "stream_id": name}
        await self._pass_on({"type": "websocket.send", "text": to_json(told).decode()})

    async def _pass_on(self, message: dict[str, Any]) -> None:
        if self._gone:
            raise CallerLeftError
        try:
            await self._exchange.send(message)
        except (OSError, RuntimeError) as problem:  # servers say it differently that a connection is closed
            raise CallerLeftError from problem


def _lane_name(frame: dict[str, Any]) -> str | None:
    name = frame.get("stream_id")
    if name is None or (isinstance(name, str) and 0 < len(name) <= _LONGEST_STREAM_ID):
        return name
    raise BadRequestError(
        f"stream_id must be a string of 1 to {_LONGEST_STREAM_ID} characters.",
        param="stream_id",
        code="invalid_value",
    )


def _too_old() -> APIError:
    return BadRequestError(
        "This connection is as old as connections get: open another one, and send all of the input there.",
        code="websocket_connection_limit_reached",
    )


def _too_many_frames(most: int) -> APIError:
    return RateLimitError(
        f"More than {most} frames wait on this connection: send the next when a turn has ended.",
        code="too_many_waiting_frames",
    )
