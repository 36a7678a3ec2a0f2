"""Responses that are made in the background: started, followed, resumed and cancelled (asyncio).

A background turn runs as a task of its own; nobody has to wait for it. Its events are numbered and kept, so
that whoever comes later, or comes back, reads what was missed and then the live rest. The process that makes
a response holds a lease on it: where a lease runs out, the process is gone, and the response has failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.chains import find_response, remember, with_ids
from dragoman.errors import APIError, BadRequestError, InternalServerError, StreamInterruptedError
from dragoman.snapshots import initial_response
from dragoman.turns import TERMINAL_EVENTS, error_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dragoman.state import StoredResponse, Transaction
    from dragoman.turns import Memory, Turn
    from dragoman.types import Event

__all__ = ["Background", "fail_abandoned"]

_SAVED_EVERY = 0.25  # seconds between writes of events; whoever follows in this process waits for none
_LEASE = 60.0  # seconds
_LOST = {"code": "server_error", "message": "the process that made this response ended before it was done"}


def fail_abandoned(transaction: Transaction, now: float) -> int:
    """Fail the responses whose process is gone; return how many there were."""
    abandoned = [stored for stored in transaction.get_unfinished() if (stored.lease_until or 0) <= now]
    for stored in abandoned:
        transaction.put_response(_ended(stored, "failed", _LOST))
    return len(abandoned)


class _Job:
    """One background response of this process: its events so far, and who waits for more."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.events: list[Event] = []
        self.saved = 0
        self.over = False
        self.cancelled = False
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

    async def start(self, turn: Turn) -> dict[str, Any]:
        """Keep a turn as queued, and begin it; return the Response as it stands.

        Raises:
            BadRequestError: the request is wrong, or its history is not there.
            ServiceUnavailableError: the store is not there.
        """
        memory, call = turn.memory, turn.call
        if memory is None or not turn.stores:
            raise BadRequestError(
                "background needs the response to be stored: leave out store=False", param="background"
            )
        await turn.prepare()
        queued = initial_response(
            call.request,
            response_id=turn.response_id,
            provider=call.provider.name,
            model=call.target.model,
            stored=True,
        )
        queued["status"] = "queued"
        keep = partial(
            remember,
            owner=memory.owner,
            request=call.request,
            response=queued,
            retention=memory.retention,
            input_items=with_ids(call.request.get("input")),
            lease_until=time.time() + _LEASE,
        )
        await memory.keeper.arun(keep)
        job = self._jobs[turn.response_id] = _Job(turn)
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
        if job is not None:
            async for event in job.follow(after):
                yield event
            return
        for event in await memory.keeper.arun(lambda transaction: transaction.get_events(response_id, after)):
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
        end = partial(_end, owner=memory.owner, response_id=response_id, status="cancelled", error=None)
        return await memory.keeper.arun(end)

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
            status = "cancelled" if job.cancelled else "failed"
            failure = problem if isinstance(problem, APIError) else _interrupted(problem)
            error = None if job.cancelled else error_of(failure)
            for event in job.turn.interrupt(failure):
                if event["type"] not in TERMINAL_EVENTS and not (job.cancelled and event["type"] == "error"):
                    job.add(event)
            output = job.turn.partial_output()
            end = partial(
                _end,
                owner=memory.owner, response_id=response_id, status=status, error=error, output=output,
            )  # fmt: skip
            with contextlib.suppress(APIError):  # the lease runs out
                job.tell("response.failed", await asyncio.shield(memory.keeper.arun(end)))
        finally:
            saver.cancel()
            await asyncio.wait([saver])
            with contextlib.suppress(APIError):
                await asyncio.shield(self._flush(job, memory))
            job.end()
            self._jobs.pop(response_id, None)

    async def _save(self, job: _Job, memory: Memory) -> None:
        """Write events and renew the lease, until the response is over."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(_SAVED_EVERY)
            with contextlib.suppress(APIError):  # tried again with the next events
                await self._flush(job, memory)
                if time.monotonic() - renewed > _LEASE / 3:
                    await memory.keeper.arun(partial(_renew, response_id=job.turn.response_id))
                    renewed = time.monotonic()

    async def _flush(self, job: _Job, memory: Memory) -> None:
        fresh = job.events[job.saved :]
        if fresh:
            response_id = job.turn.response_id
            await memory.keeper.arun(lambda transaction: transaction.add_events(response_id, fresh))
            job.saved += len(fresh)


def _interrupted(problem: BaseException) -> APIError:
    """Return why a response ended that no upstream ended."""
    if isinstance(problem, asyncio.CancelledError):
        return StreamInterruptedError(_LOST["message"], code="server_error")
    return InternalServerError(f"{type(problem).__name__}: {problem}", code="server_error", retryable=False)


def _check_background(stored: StoredResponse, param: str) -> None:
    if not stored.response.get("background"):
        raise BadRequestError(
            "only responses that were made with background=true can be streamed again or cancelled",
            param=param,
            code="not_a_background_response",
        )


def _renew(transaction: Transaction, response_id: str) -> None:
    transaction.renew(response_id, time.time() + _LEASE)


def _end(
    transaction: Transaction,
    *,
    owner: str,
    response_id: str,
    status: str,
    error: dict[str, Any] | None,
    output: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """End a response that is not over; return it."""
    stored = find_response(transaction, owner, response_id)
    if not stored.finished:
        stored = _ended(stored, status, error, output)
        transaction.put_response(stored)
    return stored.response


def _ended(
    stored: StoredResponse,
    status: str,
    error: dict[str, Any] | None,
    output: list[dict[str, Any]] | None = None,
) -> StoredResponse:
    response = {**stored.response, "status": status, "error": error}
    if output:
        response["output"] = output
    return replace(stored, response=response, lease_until=None)
