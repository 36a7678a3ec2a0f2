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

from dragoman.accounts import Account
from dragoman.brackets import new_id
from dragoman.chains import Recalled, needs_store, recall, remember, with_ids
from dragoman.errors import APIError, BadRequestError, DragomanError, ServiceUnavailableError
from dragoman.listeners import heard, tell
from dragoman.logs import log_as_the_environment_says
from dragoman.records import Stopwatch, record_of
from dragoman.recovery import Delivery, MismatchError
from dragoman.snapshots import initial_response
from dragoman.stream_errors import failed_events
from dragoman.summaries import whole_response
from dragoman.types import LIFECYCLE_EVENTS, TERMINAL_EVENTS
from dragoman.windows import shorten

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from dragoman.calls import Call
    from dragoman.drivers import Driver
    from dragoman.keeper import Keeper
    from dragoman.records import Mode, Operation, Outcome
    from dragoman.routing import Journey, Leg
    from dragoman.session import Session
    from dragoman.state import Transaction
    from dragoman.types import Event
    from dragoman.windows import Shortened

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
        self.account = Account()
        """What it takes and costs."""
        self.mode: Mode = mode or _mode(self.request)
        self.over = False
        """Whether the call has its record: nothing more comes of it."""
        self.watch = Stopwatch(chunks=self.mode == "stream" and heard())
        self._driver = driver
        self._delivery = self._new_delivery()
        self._session: Session | None = None
        self._recalled: Recalled | None = None
        self._shortened: dict[Call, Shortened | None] = {}

    async def events(self) -> AsyncGenerator[Event]:
        """Yield the events of the response; the last one when the turn is remembered.

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
                    for event in ending:
                        yield await self._concluded(event)
                    return
                async with contextlib.aclosing(self._attempt(leg)) as events:
                    async for event in events:
                        yield event
        except DragomanError as error:
            self.error = error if isinstance(error, APIError) else None
            self._tell("failed")
            raise
        finally:
            self.journey.cancelled()  # whoever leaves in the middle; else nothing is under way
            if self.response is not None:
                self._tell()

    async def _attempt(self, leg: Leg) -> AsyncGenerator[Event]:
        """Yield what the caller is told of one attempt; its failure is the journey's to deal with."""
        journey, delivery = self.journey, self._delivery
        failing: list[Event] = []
        awaited = True
        note, now = self.watch.chunks, time.monotonic
        try:
            session = self._session = await self._new_session(leg)
            async with contextlib.aclosing(self._driver.events(session, leg.timeout)) as events:
                async for event in events:
                    if session.failing:
                        failing.append(event)
                        continue
                    if awaited and event["type"] not in LIFECYCLE_EVENTS:
                        awaited = False
                        journey.first_event()
                        self.watch.first_event()
                    if note is not None and event["type"].endswith(".delta"):
                        note.append(now())
                    if event["type"] in TERMINAL_EVENTS:
                        journey.attempts[-1].request_id = session.request_id
                        journey.succeeded(self.account.usage(event["response"].get("usage")))
                        self.error = None
                        for told in delivery.finish(event):
                            yield await self._concluded(told)
                    else:
                        for told in delivery.take(event):
                            yield told
        except MismatchError:
            journey.cancelled()
            delivery.give_up()
        except APIError as error:
            if self.response is not None:
                raise  # it was whole, but could not be remembered
            journey.failed(error)
        else:
            failure = session.error
            if failure is not None:
                for told in delivery.broke(failing, session.ending):
                    yield told
                journey.failed(failure, usage=session.response["usage"])
                self.error = failure
            elif self.response is None:  # an answer of its own kind, that has no last event
                journey.succeeded(None)
                self.error, self.response = None, session.response

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
        return self.account.usage(None) if self.response is None else self.response.get("usage")

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
        self.journey.cancelled()
        self.error = problem
        session, delivery = self._session, self._delivery
        if self.response is None and session is not None and session.accepted and not session.closed:
            events = session.abort(problem)
            ending = [*delivery.broke(events, session.ending), *delivery.end(None)]
        else:
            ending = list(delivery.end(None))
        if not ending and delivery.told:
            so_far = self.response or self.initial_response()
            ending = list(delivery.numbered(failed_events(so_far, problem)))
        if ending:
            self._complete(ending[-1]["response"])
        self._tell(outcome)
        return ending

    async def keep(self, last: Event | None = None) -> None:
        """Remember the response as it stands.

        Args:
            last: the event that ended it by itself.

        Raises:
            APIError: the store is not there.
        """
        memory, response = self.memory, self.response
        if memory is None or response is None or not self.stores:
            return
        input_items = with_ids(self.request.get("input"))

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

        await self._driver.operate(memory.keeper, operation)

    async def _next_leg(self) -> Leg:
        """Return the next attempt to make, when its time has come.

        Raises:
            APIError: there is none.
        """
        if self.error is not None and not self._delivery.open:
            raise self.error
        while isinstance(step := self.journey.next(), float):
            await self._driver.sleep(step)
        self._delivery.begin()
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
                self.account.add(short.summary, call, leg.deployment)
        return replace(call, request=recalled.put_into(call.request)).session(
            history=recalled.history,
            moved=self.journey.moved,
            shortened=self._shortened[call],
            response_id=self.response_id if self.memory is not None else None,
            stored=self.stores,
            created_at=self.created_at,
        )

    async def _concluded(self, event: Event) -> Event:
        """Return an event; the last one when what it ends is remembered."""
        if event["type"] in TERMINAL_EVENTS:
            self._complete(event["response"])
            await self._keep_or_warn(event)
        return event

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
        journey, account = self.journey, self.account
        if self.response is None:
            account.close(response, journey.call, journey.deployment)
            response["usage"] = account.usage(response.get("usage"))
        self.response = response
        # A copy: the events that were told before share the one that is there.
        added = response["dragoman"] = dict(response["dragoman"])
        added["attempts"] = [report.as_json() for report in journey.attempts]
        added["cost"] = None if account.cost is None else account.cost.as_json()

    def _tell(self, outcome: Outcome | None = None) -> None:
        """Tell the record of the call, once; `outcome`: where the response does not say it."""
        if not self.over:
            self.over = True
            if self.response is None:
                self.account.close(None, self.journey.call, self.journey.deployment)
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
