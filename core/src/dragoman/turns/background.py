"""Responses that are made in the background: started, followed, resumed and cancelled (asyncio).

A background turn runs as a task of its own; nobody has to wait for it. Its events are numbered and kept, so
that whoever comes later, or comes back, reads what was missed and then the live rest, in any process that has
the same store. What the store knows of it is in ``dragoman.memory.leases``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.errors import (
    APIError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    StreamInterruptedError,
)
from dragoman.events.stream_errors import as_said, response_error
from dragoman.memory.chains import find_response, remember, with_ids
from dragoman.memory.leases import LOST, end, last_event, look, new_lease, save
from dragoman.types import TERMINAL_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from dragoman.records.record import Outcome
    from dragoman.state import StoredResponse, Transaction
    from dragoman.turns.turn import Memory, Turn
    from dragoman.types import Event

__all__ = ["Background"]

_SAVED_EVERY = 0.25  # seconds between writes of events; whoever follows in this process waits for none
_RENEWED_EVERY = 2.0  # seconds; then a response that another process has ended is made no further
_POLLED_EVERY = 0.25  # seconds between looks at what another process makes


class _Job:
    """One background response of this process: its events so far, and who waits for more."""

    def __init__(self, turn: Turn, ended: Callable[[], Awaitable[None]] | None) -> None:
        self.turn = turn
        self.ended = ended
        self.events: list[Event] = []
        self.saved = 0
        self.over = False
        self.cancelled = False
        self.kept = False  # whether its end is kept, or about to be
        self.task: asyncio.Task[None] | None = None
        self._more = asyncio.Event()

    def tell(self, type_: str, response: dict[str, Any]) -> None:
        """Add an event of our own."""
        self.add({"type": type_, "response": response})

    def add(self, event: Event) -> None:
        """Add an event, numbered anew."""
        self.events.append({**event, "sequence_number": len(self.events)})
        self._wake()

    def end(self) -> None:
        """Nothing follows."""
        self.over = True
        self._wake()

    def keep_end(self, transaction: Transaction, event: Event) -> None:
        """Keep the last event and those before it that are not kept yet, as the response itself is kept."""
        last = {**event, "sequence_number": len(self.events)}
        transaction.add_events(self.turn.response_id, [*self.events[self.saved :], last])
        self.kept = True

    async def follow(self, after: int) -> AsyncGenerator[Event]:
        """Yield the events behind a number, as they come."""
        place = after + 1
        while True:
            more = self._more
            while place < len(self.events):
                yield self.events[place]
                place += 1
            if self.over:
                return
            await more.wait()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()


class Background:
    """The background responses of one process, on one event loop."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    @property
    def running(self) -> int:
        """How many are being made."""
        return len(self._jobs)

    async def start(self, turn: Turn, *, over: Callable[[], Awaitable[None]] | None = None) -> dict[str, Any]:
        """Keep a turn as queued, and begin it; return the Response as it stands.

        Args:
            turn: not begun.
            over: is awaited when the turn has ended, if it could be begun.

        Raises:
            BadRequestError: the request is wrong, or its history is not there.
            ServiceUnavailableError: the store is not there.
        """
        memory = turn.memory
        if memory is None or not turn.stores:
            raise BadRequestError(
                "background needs the response to be stored: leave out store=False", param="background"
            )
        try:
            return await self._queue(turn, memory, over)
        except APIError as problem:
            turn.interrupt(problem, "failed")  # it has its record, as every call
            await turn.settle()
            raise

    async def _queue(
        self, turn: Turn, memory: Memory, over: Callable[[], Awaitable[None]] | None
    ) -> dict[str, Any]:
        await turn.prepare()
        request = turn.request
        queued = {**turn.initial_response(), "status": "queued"}
        keep = partial(
            remember,
            owner=memory.owner,
            request=request,
            response=queued,
            retention=memory.retention,
            input_items=with_ids(request.get("input")),
            lease_until=new_lease(),
        )
        await memory.keeper.arun(keep)
        job = self._jobs[turn.response_id] = _Job(turn, over)
        turn.keep_end = job.keep_end
        job.tell("response.created", queued)  # at once: whoever follows it need not wait for the upstream
        job.tell("response.queued", queued)
        job.task = asyncio.create_task(self._run(job, memory))
        return queued

    async def events(self, memory: Memory, response_id: str, *, after: int = -1) -> AsyncGenerator[Event]:
        """Yield a response's events behind a sequence number: what was kept, then what comes.

        Raises:
            NotFoundError: this owner has no such response.
            BadRequestError: it was not made in the background, so its events were not kept.
        """
        find = partial(find_response, owner=memory.owner, response_id=response_id)
        _check_background(await memory.keeper.arun(find), "stream")
        job = self._jobs.get(response_id)
        following = _follow_elsewhere(memory, response_id, after) if job is None else job.follow(after)
        async with contextlib.aclosing(following):
            async for event in following:
                yield event

    async def cancel(self, memory: Memory, response_id: str) -> dict[str, Any]:
        """Cancel a response; return it. One that is over stays as it is.

        Raises:
            NotFoundError: this owner has no such response.
            BadRequestError: it was not made in the background.
        """
        find = partial(find_response, owner=memory.owner, response_id=response_id)
        stored = await memory.keeper.arun(find)
        _check_background(stored, "response_id")
        job = self._jobs.get(response_id)
        if job is not None and job.task is not None:
            job.cancelled = True
            job.task.cancel()
            await asyncio.wait([job.task])
        cancel = partial(end, owner=memory.owner, response_id=response_id, status="cancelled", error=None)
        return await memory.keeper.arun(cancel)

    async def close(self) -> None:
        """Stop what runs; each response fails, and keeps what had arrived."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: _Job, memory: Memory) -> None:
        response_id = job.turn.response_id
        saver = asyncio.create_task(self._save(job, memory))
        try:
            async for event in job.turn.events():
                if event["type"] != "response.created":  # told at the start
                    job.add(event)
        except (Exception, asyncio.CancelledError) as problem:
            job.kept = True  # by what follows; nobody else need stop it
            status: Outcome = "cancelled" if job.cancelled else "failed"
            failure = problem if isinstance(problem, APIError) else _interrupted(problem)
            error = None if job.cancelled else response_error(as_said(failure))
            for event in job.turn.interrupt(failure, status):
                if event["type"] not in TERMINAL_EVENTS and not (job.cancelled and event["type"] == "error"):
                    job.add(event)
            keep = partial(
                _end_and_enter,
                entering=job.turn.entering(),
                owner=memory.owner, response_id=response_id, status=status, error=error,
                partly=job.turn.response, events=job.events[job.saved :],
            )  # fmt: skip
            with contextlib.suppress(APIError):  # the lease runs out
                ended = await asyncio.shield(memory.keeper.arun(keep))
                if ended is not None:
                    job.add(last_event(ended))
        finally:
            saver.cancel()
            job.end()
            self._jobs.pop(response_id, None)
            if job.ended is not None:
                await job.ended()

    async def _save(self, job: _Job, memory: Memory) -> None:
        """Write events and renew the lease, until the response is over, wherever it was ended."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(_SAVED_EVERY)
            fresh = job.events[job.saved :]
            if not fresh and time.monotonic() - renewed < _RENEWED_EVERY:
                continue
            keep = partial(save, owner=memory.owner, response_id=job.turn.response_id, events=fresh)
            try:
                goes_on = await memory.keeper.arun(keep)
            except APIError:
                continue  # tried again with the next events
            if not goes_on:
                if job.task is not None and not job.kept:
                    job.task.cancel()
                return
            job.saved += len(fresh)
            renewed = time.monotonic()


def _end_and_enter(
    transaction: Transaction, *, entering: Callable[[Transaction, Outcome | None], None], **ending: Any
) -> dict[str, Any] | None:
    """End a response (see ``end``) and enter what it took, also where it was ended or deleted elsewhere."""
    try:
        ended = end(transaction, **ending)
    except NotFoundError:
        ended = None
    entering(transaction, None if ended is None else ended["status"])
    return ended


async def _follow_elsewhere(memory: Memory, response_id: str, after: int) -> AsyncGenerator[Event]:
    """Yield the events of a response that is over, or that another process makes."""
    over = False
    while not over:
        see = partial(look, owner=memory.owner, response_id=response_id, after=after)
        try:
            events, over = await memory.keeper.arun(see)
        except NotFoundError:
            return  # deleted meanwhile
        for event in events:
            after = event["sequence_number"]
            yield event
        if not over:
            await asyncio.sleep(_POLLED_EVERY)


def _interrupted(problem: BaseException) -> APIError:
    """Return why a response ended that no upstream ended."""
    if isinstance(problem, asyncio.CancelledError):
        return StreamInterruptedError(LOST["message"], code="server_error")
    return InternalServerError(f"{type(problem).__name__}: {problem}", code="server_error", retryable=False)


def _check_background(stored: StoredResponse, param: str) -> None:
    if not stored.response.get("background"):
        raise BadRequestError(
            "only responses that were made with background=true can be streamed again or cancelled",
            param=param,
            code="not_a_background_response",
        )
