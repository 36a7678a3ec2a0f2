"""One turn over a WebSocket: from its frame to the frames that answer it.

A response that has begun ends with its own last event, a failed one with ``response.failed`` alone, which has
what had arrived; a turn that is refused is one ``error`` frame. So every turn has exactly one last frame:
clients count them.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIStatusError, BadRequestError
from dragoman.types import TERMINAL_EVENTS
from dragoman_server.bodies import check_entries, parse_object
from dragoman_server.exchange import error_body
from dragoman_server.failures import abandon, as_api_error, caller_left
from dragoman_server.key_limits import KeyLimitError
from dragoman_server.websocket_memory import continuing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dragoman.errors import APIError
    from dragoman.turns.turn import Turn
    from dragoman.types import Event
    from dragoman_server.admissions import Admission
    from dragoman_server.authentication import Owner
    from dragoman_server.gateway import Limits
    from dragoman_server.service import Service
    from dragoman_server.websocket_memory import Chain, ConnectionMemory

__all__ = ["CallerLeftError", "SocketTurns", "error_frame", "read_frame", "steering_refused"]

_NOT_ASKED = frozenset({"type", "generate", "stream_id", "stream", "stream_options", "background"})
"""Fields of a frame that no upstream is asked: its own, and HTTP's, which clients send out of habit."""


class CallerLeftError(Exception):
    """A frame could not be sent: nobody is there."""


def read_frame(message: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return what a message says.

    Raises:
        APIError: it is too large, no JSON object, or nested too deep.
    """
    text = message.get("text")
    if text is None:
        raise BadRequestError("Frames must be text: JSON, not binary.", code="invalid_frame")
    data = text.encode()
    if len(data) > limits.body:
        raise APIStatusError(
            f"The frame is larger than {limits.body} bytes, the limit of this server.",
            status_code=413,
            code="request_too_large",
            type="invalid_request_error",
        )
    return parse_object(data, limits, "frame")


def error_frame(error: APIError) -> Event:
    """Return the frame that refuses a turn, in every form that clients read."""
    told = error_body(error)["error"]
    told["code"] = told["code"] or told["type"]
    headers = {"x-should-retry": "true" if error.retryable else "false"}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
        headers["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    if isinstance(error, KeyLimitError):
        headers |= {name.decode(): value.decode() for name, value in error.headers}
    flat = {name: told[name] for name in ("code", "message", "param")}
    return {
        "type": "error",
        "sequence_number": 0,
        "status": error.status_code,
        **flat,
        "error": {**told, "headers": headers},
    }


def steering_refused(frame: dict[str, Any]) -> Event:
    """Return the answer to ``response.steer``: what was sent comes back, to be sent as a turn of its own."""
    return {
        "type": "response.steer.failed",
        "sequence_number": 0,
        "error": {
            "code": "steering_not_supported",
            "message": "Responses that run are not steered here: send the input with response.create.",
            "type": "invalid_request_error",
        },
        "steer": {name: frame.get(name) for name in ("input", "previous_response_id")},
    }


class SocketTurns:
    """Carries out the turns of one lane, one after the other."""

    def __init__(
        self,
        service: Service,
        authenticate: Callable[[], Awaitable[Owner]],
        memory: ConnectionMemory,
        lane: str | None,
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        """Get ready.

        Args:
            service: the server's.
            authenticate: tells whose turns they are, and raises where they are nobody's any more.
            memory: the connection's.
            lane: the `stream_id` of the frames, or None.
            send: sends a frame of this lane; raises CallerLeftError.
        """
        self._service = service
        self._authenticate = authenticate
        self._memory = memory
        self._lane = lane
        self._send = send
        self._told: int | None = None  # the number of the last event
        self._last: Event = {}

    async def run(self, frame: dict[str, Any], *, why: Callable[[], APIError]) -> None:
        """Carry out a turn and send its frames.

        Args:
            frame: a ``response.create``.
            why: tells, when this task is cancelled, for what reason.

        Raises:
            CallerLeftError: what had arrived is kept.
        """
        self._told, self._last = None, {}
        turn: Turn | None = None
        admission: Admission | None = None
        response: dict[str, Any] | None = None
        try:
            generate = _flag(frame, "generate")
            body = {name: value for name, value in frame.items() if name not in _NOT_ASKED}
            body["stream"] = True
            check_entries(body, self._service.limits)
            # The key may have ended since the connection was opened.
            admission = self._service.admission(await self._authenticate())
            turn = self._service.turn(body, admission, "websocket")
            chain = self._memory.find(turn.request.get("previous_response_id"))
            if chain is not None:
                continuing(turn, chain)
            await admission.admit_turn(turn, asks=generate)
            response = await (self._carry_out(turn) if generate else self._warm_up(turn))
        except asyncio.CancelledError:
            await self._fail(turn, why())
            raise
        except CallerLeftError:
            if turn is not None:
                await abandon(turn, caller_left())
            raise
        except Exception as failure:
            self._memory.evict(frame.get("previous_response_id"))
            await self._fail(turn, as_api_error(failure))
        else:
            self._settle(turn, response, chain)
            # The last frame is sent when the next turn may refer to this one.
            await self._tell(self._last)
        finally:
            if turn is not None and admission is not None:
                await admission.leave_turn(turn)

    async def _carry_out(self, turn: Turn) -> dict[str, Any]:
        """Send all events but the last; return the response."""
        async with aclosing(turn.events()) as events:
            async for event in events:
                if event["type"] in TERMINAL_EVENTS:
                    self._last = event
                elif event["type"] != "error":  # response.failed follows, and says it too
                    await self._tell(event)
        response: dict[str, Any] = self._last["response"]
        return response

    async def _warm_up(self, turn: Turn) -> dict[str, Any]:
        """Make a response without asking a model: there is something to continue."""
        await turn.prepare()
        created = turn.announce()
        done = {"status": "completed", "completed_at": int(time.time())}
        response = turn.response = {**created["response"], **done}
        await turn.keep()
        await self._tell(created)
        self._last = {"type": "response.completed", "sequence_number": 1, "response": response}
        return response

    def _settle(self, turn: Turn, response: dict[str, Any], before: Chain | None) -> None:
        if response["status"] == "failed":
            self._memory.evict(turn.request.get("previous_response_id"))
        else:
            self._memory.keep(self._lane, turn, response, before)

    async def _fail(self, turn: Turn | None, problem: APIError) -> None:
        """Keep what had arrived, and tell, with one last frame."""
        last = () if turn is None else await abandon(turn, problem)
        if self._told is None or not last:
            await self._send(error_frame(problem))
            return
        for event in last:
            if event["type"] != "error":
                await self._tell(event)

    async def _tell(self, event: Event) -> None:
        """Send an event, numbered without gaps."""
        self._told = 0 if self._told is None else self._told + 1
        await self._send({**event, "sequence_number": self._told})


def _flag(frame: dict[str, Any], name: str) -> bool:
    value = frame.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequestError(f"{name} must be true or false.", param=name, code="invalid_type")
    return value is not False
