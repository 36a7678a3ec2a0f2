"""One call from its history to what is remembered of it: recall, attempts, remember.

Where to go next is the journey's to say, what the caller is told the delivery's; a turn carries it out, with
a driver that knows how to wait.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.compaction.summaries import whole_response
from dragoman.compaction.windows import shorten
from dragoman.errors import APIError, BadRequestError, DragomanError, ServiceUnavailableError
from dragoman.events.batches import RawEvents, count_deltas, events_of, has_content
from dragoman.events.brackets import new_id
from dragoman.events.snapshots import initial_response
from dragoman.events.stream_errors import failed_events
from dragoman.memory.chains import Recalled, needs_store, recall, remember, with_ids
from dragoman.records.bills import Bill
from dragoman.records.ledger import enter, enter_alone, entry_of, warn_of_missing
from dragoman.records.listeners import heard, tell
from dragoman.records.logs import log_as_the_environment_says
from dragoman.records.record import Stopwatch, record_of
from dragoman.turns.continuations import continued_request, may_continue, not_continued
from dragoman.turns.recovery import Delivery
from dragoman.turns.splices import MismatchError
from dragoman.types import TERMINAL_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from dragoman.attempts.call import Call
    from dragoman.attempts.session import Session
    from dragoman.compaction.windows import Shortened
    from dragoman.events.batches import Batch
    from dragoman.memory.keeper import Keeper
    from dragoman.network.drivers import Driver
    from dragoman.records.record import Mode, Operation, Outcome
    from dragoman.routing import Journey, Leg
    from dragoman.state import LedgerEntry, Transaction
    from dragoman.types import Event

__all__ = ["Memory", "Turn"]

log_as_the_environment_says()  # once, before the first call

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
    may_forget: bool = False
    """Whether a response is given, unstored, while the store cannot keep it, with a warning."""
    entered: Callable[[Transaction, LedgerEntry], None] | None = None
    """Is told of each call's end, in the transaction that enters it (see ``ledger.enter``)."""


class Turn:
    """One call: its events come from ``events``, from whichever attempts."""

    operation: Operation = "responses"

    def __init__(
        self, journey: Journey, driver: Driver, memory: Memory | None = None, *, mode: Mode | None = None
    ) -> None:
        """Get ready; nothing is sent or read yet.

        Args:
            journey: what is asked, and of whom.
            driver: how to wait.
            memory: where it is remembered; None: nowhere, and what refers to history is the upstream's.
            mode: how its caller is answered; None: as the request says.
        """
        self.journey = journey
        self.request = journey.call.request
        """What the caller asked for."""
        self.memory = memory
        self.response_id = new_id("resp")
        """The id of the response, unless only the upstream remembers it."""
        self.stores = memory is not None and self.request.get("store") is not False
        """Whether the response will be found under it."""
        self.created_at = int(time.time())
        """Of the response, whichever attempt makes it."""
        self.response: dict[str, Any] | None = None
        """The Response; None before its end."""
        self.error: APIError | None = None
        """Why it failed; None where it did not."""
        self.keep_end: Callable[[Transaction, Event], None] | None = None
        """Keeps more in the transaction that remembers the turn; it is given the last event."""
        self.bill = Bill()
        """What it takes and costs."""
        self.owner = memory.owner if memory is not None else ""
        """Whose it is."""
        self.mode: Mode = mode or _mode(self.request)
        self.over = False
        """Whether the call has its record: nothing more comes of it."""
        self.watch = Stopwatch(chunks=self.mode == "stream" and heard())
        self._driver = driver
        self._books = memory  # where the call is entered, also where an upstream remembers it
        self._settled = memory is None  # whether it was entered; or could not be, and that is told
        self._outcome: Outcome | None = None  # where the response does not say it
        self._delivery = self._new_delivery()
        self._session: Session | None = None
        self._beginning = ""  # of the answer, where an attempt is given it
        self._recalled: Recalled | None = None
        self._shortened: dict[Call, Shortened | None] = {}

    async def events(self) -> AsyncGenerator[Event]:
        """Yield the events of the response, as dicts (see ``batches``)."""
        async with contextlib.aclosing(self.batches()) as batches:
            async for batch in batches:
                for event in events_of(batch):
                    yield event

    async def batches(self) -> AsyncGenerator[Batch]:
        """Yield the events of the response by the batch; the last one when the turn is remembered.

        Raises:
            APIError: no target took the request; or the turn could not be remembered.
        """
        try:
            await self.prepare()
            while self.response is None:
                try:
                    leg = await self._next_leg()
                except APIError as error:
                    self.error = error
                    ending = self._delivery.end(error)
                    if not ending:
                        raise
                    async for batch in self._concluded(ending):
                        yield batch
                    return
                async with contextlib.aclosing(self._attempt(leg)) as batches:
                    async for batch in batches:
                        yield batch
            await self.settle()
        except DragomanError as error:
            self.error = error if isinstance(error, APIError) else None
            await self._refuse()
            raise
        finally:
            self.journey.cancelled()  # whoever leaves in the middle; else nothing is under way
            if self.response is not None:
                self._tell()

    async def _attempt(self, leg: Leg) -> AsyncGenerator[Batch]:
        """Yield what the caller is told of one attempt; its failure is the journey's to deal with."""
        journey, delivery = self.journey, self._delivery
        failing: list[Event] = []
        awaited = True
        note = self.watch.came if self.watch.chunks is not None else None
        try:
            session = self._session = await self._new_session(leg)
            async with contextlib.aclosing(self._driver.batches(session, leg.timeout)) as batches:
                async for batch in batches:
                    if session.failing:
                        failing += events_of(batch)
                        continue
                    if awaited and has_content(batch):
                        awaited = False
                        journey.first_event()
                        self.watch.first_event()
                    if note is not None:
                        note(count_deltas(batch))
                    last = batch[-1]
                    if isinstance(last, RawEvents) or last["type"] not in TERMINAL_EVENTS:
                        for told in delivery.take(batch):
                            yield told
                    else:
                        for told in delivery.take(batch[:-1]):
                            yield told
                        if not self._stands(session, last):
                            return
                        async for told in self._concluded(delivery.finish(last)):
                            yield told
        except MismatchError:
            if delivery.declined():
                journey.declined(not_continued())
            else:
                journey.cancelled()
                delivery.give_up()
        except APIError as error:
            if self.response is not None:
                raise  # it was whole, but could not be remembered
            if isinstance(error, BadRequestError) and delivery.declined():
                journey.declined(error)
            else:
                journey.failed(error)
        else:
            failure = session.error
            if failure is not None:
                told = delivery.broke(failing, session.ending)
                if told:
                    yield told
                journey.failed(failure, usage=session.response["usage"])
                self.error = failure
            elif self.response is None:  # an answer of its own kind, that has no last event
                journey.succeeded(None)
                self.error, self.response = None, session.response

    def _stands(self, session: Session, last: Event) -> bool:
        """Take note of an attempt's whole answer; tell whether it is the call's."""
        response, refusal = last["response"], self._delivery.refusal(last)
        if refusal is not None and self.journey.mends_policy:
            refusal.request_id = session.request_id
            self._delivery.refused(response, refusal)
            self.journey.failed(refusal, usage=response.get("usage"))
            self.error = refusal
            return False
        self.journey.attempts[-1].request_id = session.request_id
        self.journey.succeeded(self.bill.usage(response.get("usage")))
        self.error = None
        return True

    async def prepare(self) -> Recalled:
        """Read what the request refers to; ``events`` does so by itself.

        Raises:
            BadRequestError: what the request continues is not there.
            NotFoundError: the same for an item that it refers to.
        """
        if self._recalled is None:
            self._recalled = await self._recall()
            self.journey.bind(self._recalled.home)
            self.request = self._recalled.put_into(self.request)
        return self._recalled

    @property
    def url(self) -> str | None:
        """What the last attempt called; None where none did."""
        return None if self._session is None else self._session.url

    @property
    def usage(self) -> dict[str, Any] | None:
        """What it took so far; what failed attempts took stands with them."""
        return self.bill.usage(None) if self.response is None else self.response.get("usage")

    def announce(self) -> Event:
        """Return ``response.created``, though no upstream has accepted yet; only before all other events."""
        return self._delivery.announce(self.initial_response())

    def initial_response(self) -> dict[str, Any]:
        """Return the Response as it is before any upstream has accepted."""
        call = self.journey.call
        return initial_response(
            self.request,
            response_id=self.response_id,
            provider=call.provider.name,
            model=call.target.model,
            stored=self.stores,
            created_at=self.created_at,
        )

    def interrupt(self, problem: APIError, outcome: Outcome = "cancelled") -> Sequence[Event]:
        """End a response whose events are no longer read; return the events that end it.

        None, where nobody was told of it. What had arrived is in `response` then; nothing is remembered.
        """
        self.error = problem
        session, delivery = self._session, self._delivery
        if self.response is None and session is not None and session.accepted and not session.closed:
            events = session.abort(problem)
            self.journey.cancelled(session.response["usage"])
            ending = [*delivery.broke(events, session.ending), *delivery.end(None)]
        else:
            self.journey.cancelled()
            ending = list(delivery.end(None))
        if not ending and delivery.told:
            so_far = self.response or self.initial_response()
            ending = list(delivery.numbered(failed_events(so_far, problem)))
        if ending:
            self._complete(ending[-1]["response"])
        self._tell(outcome)
        return ending

    async def keep(self, last: Event | None = None) -> None:
        """Remember the response as it stands, and enter the call; one that is not stored is only entered.

        Args:
            last: the event that ended it by itself.

        Raises:
            APIError: the store is not there.
        """
        memory, response = self.memory, self.response
        if memory is None or response is None or not self.stores:
            await self.settle()
            return
        input_items = with_ids(self.request.get("input"))
        settled, entry = self._settled, self._due()

        def operation(transaction: Transaction) -> None:
            remember(
                transaction,
                memory.owner,
                self.request,
                response,
                retention=memory.retention,
                input_items=input_items,
            )
            if last is not None and self.keep_end is not None:
                self.keep_end(transaction, last)
            if entry is not None:
                enter(transaction, entry, memory.entered)

        try:
            await self._driver.operate(memory.keeper, operation)
        except ServiceUnavailableError as problem:
            if entry is not None:
                warn_of_missing(entry, problem)
            raise
        except DragomanError:
            self._settled = settled  # refused, so it is not entered either
            raise

    async def settle(self) -> None:
        """Enter the call, if nothing has yet; where the store is not there, a warning is logged."""
        if self._books is not None and (entry := self._due()) is not None:
            await enter_alone(self._driver, self._books, entry)

    def entering(self) -> Callable[[Transaction, Outcome | None], None]:
        """Return what enters the call, for the transaction that keeps its end; it has to be carried out.

        It takes how the response has ended where that is known better: elsewhere, before.
        """
        books, entry = self._books, self._due()

        def operation(transaction: Transaction, outcome: Outcome | None = None) -> None:
            if books is not None and entry is not None:
                enter(transaction, replace(entry, outcome=outcome or entry.outcome), books.entered)

        return operation

    def _due(self) -> LedgerEntry | None:
        """Return the call's entry, once: whoever gets it sees to it."""
        if self._settled:
            return None
        self._settled = True
        self._close_bill()
        return entry_of(self, self._outcome)

    async def _next_leg(self) -> Leg:
        """Return the next attempt to make, when its time has come.

        Raises:
            APIError: there is none.
        """
        if self.error is not None and not self._delivery.open:
            raise self.error
        while isinstance(step := self.journey.next(), float):
            await self._driver.sleep(step)
        text = self._delivery.to_continue
        self._beginning = text if text and may_continue(step.call) else ""
        self._delivery.begin(self._beginning)
        return step

    def _new_delivery(self) -> Delivery:
        # Whoever reads no events is told of whole answers alone.
        read = self.request.get("stream") or self.request.get("background")
        recovery = self.journey.recovery if read else "buffer"
        return Delivery(recovery, settled_id=self.memory is not None)

    async def _new_session(self, leg: Leg) -> Session:
        call, recalled = leg.call, await self.prepare()
        if call not in self._shortened:
            ask = partial(whole_response, driver=self._driver, timeout=leg.timeout)
            short = self._shortened[call] = await shorten(call, recalled, ask)
            if short is not None:
                self.bill.add(short.summary, call, leg.deployment)
        request = continued_request(recalled.put_into(call.request), self._beginning)
        own = call if request is call.request else replace(call, request=request)
        return own.session(
            history=recalled.history,
            moved=self.journey.moved,
            shortened=self._shortened[call],
            response_id=self.response_id if self.memory is not None else None,
            stored=self.stores,
            created_at=self.created_at,
            quiet=self.mode == "whole",
        )

    async def _concluded(self, events: Sequence[Event]) -> AsyncGenerator[Batch]:
        """Yield events that end the response; the last one when it is remembered."""
        *before, last = events
        if before and self.stores:
            yield before  # need not wait for the store, nor be lost with it
            events = (last,)
        await self._driver.plugins()
        self._complete(last["response"])
        await self._keep_or_warn(last)
        yield events

    async def _refuse(self) -> None:
        """Conclude a call that is refused; a background response is entered with its end."""
        self._outcome = "failed"
        await self._driver.plugins()
        if self.keep_end is None:
            await self.settle()
        self._tell("failed")

    async def _keep_or_warn(self, last: Event) -> None:
        try:
            await self.keep(last)
        except ServiceUnavailableError as problem:
            memory, request, response = self.memory, self.request, self.response
            if memory is None or not memory.may_forget or needs_store(request) or request.get("background"):
                raise
            assert response is not None  # noqa: S101 - it could not be kept
            self.stores = response["store"] = False
            warning = {"message": f"the response was not stored: {problem.message}", "param": "store"}
            added = response["dragoman"]
            response["dragoman"] = {**added, "warnings": [*added["warnings"], warning]}

    def _complete(self, response: dict[str, Any]) -> None:
        """Take a response as the final one; add what only now is known."""
        journey, bill = self.journey, self.bill
        if self.response is None:
            bill.close(response, journey.call, journey.deployment)
            response["usage"] = bill.usage(response.get("usage"))
        self.response = response
        # A copy: the events that were told before share the one that is there.
        added = response["dragoman"] = dict(response["dragoman"])
        added["attempts"] = [report.as_json() for report in journey.attempts]
        added["cost"] = None if bill.cost is None else bill.cost.as_json()

    def _close_bill(self) -> None:
        if self.response is None:
            self.bill.close(None, self.journey.call, self.journey.deployment)

    def _tell(self, outcome: Outcome | None = None) -> None:
        """Tell the record of the call, once; `outcome`: where the response does not say it."""
        if not self.over:
            self.over = True
            self._outcome = outcome
            self._close_bill()
            if heard():
                self.watch.stop()
                tell(partial(record_of, self, outcome), self.watch.contexts)

    async def _recall(self) -> Recalled:
        memory, request = self.memory, self.request
        nothing = Recalled([], request.get("input"))
        if memory is None or not needs_store(request):
            return nothing
        call = self.journey.call
        foreign = call.provider.info_for(call.target).native and memory.foreign_ids
        find = partial(recall, owner=memory.owner, request=request, foreign_items=foreign)
        try:
            return await self._driver.operate(memory.keeper, find)
        except BadRequestError as error:
            if not (foreign and error.code == "previous_response_not_found"):
                raise
            self.memory, self.stores = None, False  # the upstream's own history, under its own ids
            self._delivery = self._new_delivery()
            return nothing


def _mode(request: Mapping[str, Any]) -> Mode:
    """Return how a request wants to be answered; background work may be followed as a stream."""
    if request.get("background"):
        return "background"
    return "stream" if request.get("stream") else "whole"
