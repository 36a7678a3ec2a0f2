"""One call from its history to what is remembered of it: recall, attempt, retry, remember.

Written once, as coroutines, for sync and async callers alike: what differs is the driver, which knows how to
wait. A blocking driver never suspends, so ``at_once`` can run a coroutine of it without an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dragoman.brackets import new_id
from dragoman.chains import needs_store, recall, remember, with_ids
from dragoman.errors import APIError, BadRequestError, ProviderError
from dragoman.stream_errors import error_event, response_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from dragoman.attempt import Attempt
    from dragoman.calls import Call
    from dragoman.keeper import Keeper
    from dragoman.session import Session
    from dragoman.state import Transaction
    from dragoman.timeouts import Timeout
    from dragoman.transport import AsyncTransport, Transport
    from dragoman.types import Event, Item

__all__ = [
    "TERMINAL_EVENTS",
    "AsyncDriver",
    "BlockingDriver",
    "Driver",
    "Memory",
    "Turn",
    "at_once",
    "error_of",
]

_Result = TypeVar("_Result")
TERMINAL_EVENTS = frozenset({"response.completed", "response.failed", "response.incomplete"})
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0
_LONGEST_RETRY_AFTER = 120.0
_MONTH = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Where turns are kept, and whose they are."""

    keeper: Keeper
    owner: str = ""
    retention: float | None = _MONTH
    """Seconds that a response is kept; None: for good."""
    foreign_ids: bool = False
    """Whether ids that nobody here made are passed on to an upstream that may know them."""


class Driver(Protocol):
    """How a turn waits."""

    def events(self, attempt: Attempt, timeout: Timeout) -> AsyncGenerator[Event]:
        """Carry out an attempt; yield its events."""

    async def operate(self, keeper: Keeper, operation: Callable[[Transaction], _Result]) -> _Result:
        """Carry out an operation on a store."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class BlockingDriver:
    """Waits by blocking the thread."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def events(self, attempt: Attempt, timeout: Timeout) -> AsyncGenerator[Event]:
        """Carry out an attempt."""
        with contextlib.closing(self._transport.events(attempt, timeout)) as events:
            for event in events:
                yield event

    async def operate(self, keeper: Keeper, operation: Callable[[Transaction], _Result]) -> _Result:
        """Carry out an operation on a store."""
        return keeper.run(operation)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)  # noqa: ASYNC251 - there is no event loop


class AsyncDriver:
    """Waits on the event loop."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.events = transport.events

    async def operate(self, keeper: Keeper, operation: Callable[[Transaction], _Result]) -> _Result:
        """Carry out an operation on a store."""
        return await keeper.arun(operation)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def at_once(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Return the result of a coroutine that a blocking driver carries: it never waits for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking call tried to wait for an event loop")


class Turn:
    """One call. Its events come from ``events``; `session` is the attempt that they come from."""

    def __init__(self, call: Call, driver: Driver, memory: Memory | None = None) -> None:
        """Get ready; nothing is sent or read yet.

        Args:
            call: what is asked, of whom.
            driver: how to wait.
            memory: where it is remembered; None: nowhere, and what refers to history is the upstream's.
        """
        self.call = call
        self.memory = memory
        self.response_id = new_id("resp")
        """The id of the response, unless only the upstream remembers it."""
        self.stores = memory is not None and call.request.get("store") is not False
        """Whether the response will be found under it."""
        self.session: Session | None = None
        self._driver = driver
        self._history: list[Item] | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """Yield the events of the response; the last one when the turn is remembered.

        Raises:
            APIError: the request was refused or could not be sent, also after the retries that the call
                allows; or the turn could not be remembered.
        """
        await self.prepare()
        history, own_id = self._history or [], self.response_id if self.memory is not None else None
        attempt = 0
        while True:
            session = self.session = self.call.session(
                history=history, response_id=own_id, stored=self.stores
            )
            events = self._driver.events(session, self.call.timeout)
            try:
                first = await anext(events, None)
                break
            except APIError as error:
                wait = _seconds_to_retry(error, attempt, self.call.retries)
                if wait is None:
                    raise
                attempt += 1
                await self._driver.sleep(wait)
        async with contextlib.aclosing(events):
            event = first
            while event is not None:
                if event["type"] in TERMINAL_EVENTS:
                    await self._remember(event["response"])
                yield event
                event = await anext(events, None)

    # ---- memory

    async def prepare(self) -> None:
        """Read the history, where there is one; ``events`` does so by itself.

        Raises:
            BadRequestError: what the request continues is not there.
        """
        if self._history is None:
            self._history = await self._recall()

    def interrupt(self, problem: APIError) -> list[Event]:
        """End a response whose events are no longer read; return the events that end it.

        They close what is open, then tell the error and the failed response. Nothing is remembered by this.
        """
        if self.session is None or not self.session.accepted:
            return [error_event({}, _as_said(problem))]
        return self.session.abort(problem)

    def partial_output(self) -> list[Item]:
        """Return what an interrupted response has, ended as it stands."""
        if self.session is None or not self.session.accepted:
            return []
        output: list[Item] = self.session.response["output"]
        return output

    async def _recall(self) -> list[Item]:
        memory, request = self.memory, self.call.request
        if memory is None or not needs_store(request):
            return []
        try:
            return await self._driver.operate(
                memory.keeper, partial(recall, owner=memory.owner, request=request)
            )
        except BadRequestError as error:
            unknown = error.code == "previous_response_not_found"
            native = self.call.provider.info_for(self.call.target).native
            if not (unknown and native and memory.foreign_ids):
                raise
            self.memory, self.stores = None, False  # the upstream's own history, under its own ids
            return []

    async def _remember(self, response: dict[str, Any]) -> None:
        memory, request = self.memory, self.call.request
        if memory is None or not self.stores:
            return
        keep = partial(
            remember,
            owner=memory.owner,
            request=request,
            response=response,
            retention=memory.retention,
            input_items=with_ids(request.get("input")),
        )
        await self._driver.operate(memory.keeper, keep)


def error_of(problem: APIError) -> dict[str, Any]:
    """Return the `error` of a response that failed for this."""
    return response_error(_as_said(problem))


def _as_said(problem: APIError) -> ProviderError:
    return ProviderError(
        message=problem.message,
        status=problem.status_code,
        type=problem.type,
        code=problem.code,
        param=problem.param,
    )


def _seconds_to_retry(error: APIError, attempt: int, retries: int) -> float | None:
    """Return how long to wait before trying again; None where that is not allowed or cannot help.

    The upstream's own wish counts, up to two minutes; else the wait doubles, with jitter.
    """
    if attempt >= retries or not error.retryable:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_RETRY_AFTER else None
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
