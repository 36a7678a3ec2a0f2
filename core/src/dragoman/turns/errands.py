"""Calls beside the responses: a count of tokens, a compaction. Each has one record, as a response has."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from dragoman.errors import APIError, StreamInterruptedError
from dragoman.events.brackets import new_id
from dragoman.memory.chains import Recalled, needs_store, recall
from dragoman.records.bills import Bill
from dragoman.records.ledger import enter_alone, entry_of
from dragoman.records.listeners import heard, tell
from dragoman.records.record import Stopwatch, record_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from dragoman.attempts.attempt import Attempt
    from dragoman.network.drivers import Driver
    from dragoman.records.record import Mode, Operation, Outcome
    from dragoman.routing import Journey, Leg
    from dragoman.turns.turn import Memory

__all__ = ["Errand"]


class Errand:
    """One such call: a block whose end, whichever it is, is its record. It makes one attempt.

    ::

        with Errand("input_tokens", journey, memory) as errand:
            recalled = await errand.recall(driver)
            leg = await errand.leg(driver)
            await errand.ask(leg.call.token_count(recalled), driver)
            errand.answered()
    """

    mode: Mode = "whole"

    def __init__(self, operation: Operation, journey: Journey, memory: Memory | None) -> None:
        """Begin.

        Args:
            operation: what it is, for the record.
            journey: whom to ask.
            memory: where what the request refers to is found, and whose it is; None: nowhere.
        """
        self.operation = operation
        self.journey = journey
        self.memory = memory
        self.owner = memory.owner if memory is not None else ""
        """Whose it is."""
        self.request: Mapping[str, Any] = journey.call.request
        """What the caller asked for."""
        self.response_id = new_id("resp")
        self.response: dict[str, Any] | None = None
        """What was answered, where that is made like a response."""
        self.error: APIError | None = None
        """Why it failed, or was left; None where it did not."""
        self.url: str | None = None
        """What was called last; None: nothing."""
        self.usage: Mapping[str, Any] | None = None
        """What is to be paid for."""
        self.bill = Bill()
        self.watch = Stopwatch()
        self._leg: Leg | None = None

    async def recall(self, driver: Driver, *, foreign_items: bool = False) -> Recalled:
        """Return what the request refers to (see ``dragoman.memory.chains.recall``).

        Raises:
            BadRequestError: what it continues is not there.
            NotFoundError: the same for an item that it refers to.
        """
        memory, request = self.memory, self.request
        if memory is None or not needs_store(request):
            return Recalled([], request.get("input"))
        find = partial(recall, owner=memory.owner, request=request, foreign_items=foreign_items)
        return await driver.operate(memory.keeper, find)

    async def leg(self, driver: Driver) -> Leg:
        """Return whom to ask, when the time for it has come.

        Raises:
            APIError: nobody can be asked.
        """
        while isinstance(step := self.journey.next(), float):
            await driver.sleep(step)
        self._leg = step
        return step

    async def ask(self, attempt: Attempt, driver: Driver) -> None:
        """Carry out an attempt of the leg, whose answer has no events.

        Raises:
            APIError: it was refused, or failed.
        """
        assert self._leg is not None  # noqa: S101 - nobody else makes attempts
        try:
            async with aclosing(driver.batches(attempt, self._leg.timeout)) as batches:
                async for _ in batches:
                    pass
            await driver.plugins()
        finally:
            self.url = attempt.url or self.url

    def answered(self) -> None:
        """Note that the attempt went well, and that nothing is to be paid for it."""
        self.journey.succeeded()

    def paid(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Note that the attempt went well; return what to tell of it, as a response's `dragoman` does.

        Args:
            answer: the response that is paid for, or what is known of it: `usage`, `model`.
        """
        journey, call = self.journey, self.journey.call
        self.usage = answer.get("usage")
        journey.succeeded(self.usage)
        self.bill.close(answer, call, journey.deployment)
        cost = self.bill.cost
        return {
            "provider": call.target.provider,
            "model": call.target.model,
            "attempts": [report.as_json() for report in journey.attempts],
            "cost": None if cost is None else cost.as_json(),
        }

    async def enter(self, driver: Driver) -> None:
        """Enter what was paid in the ledger, before the caller is told."""
        if self.memory is not None:
            await enter_alone(driver, self.memory, entry_of(self, "completed"))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell the record of the call."""
        outcome: Outcome = "completed" if error is None else "failed"
        if isinstance(error, APIError):
            self.error = error
            self.journey.failed(error)
        elif isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)):
            outcome = "cancelled"
            self.error = self.error or StreamInterruptedError(
                "the call was given up before its end", code="stream_interrupted"
            )
        self.journey.cancelled()  # where nothing has ended it yet
        if heard():
            self.watch.stop()
            tell(partial(record_of, self, outcome), self.watch.contexts)
