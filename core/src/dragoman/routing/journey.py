"""One call on its way: which deployment is asked next, after what, and when there is nowhere left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dragoman.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    BadRequestError,
    DragomanError,
    UnprocessableEntityError,
)
from dragoman.network.timeouts import timeout_error
from dragoman.routing.bookings import Booking
from dragoman.routing.choices import Choices
from dragoman.routing.itinerary import Itinerary
from dragoman.routing.limits import attempt_limits, call_limit
from dragoman.routing.reports import AttemptReport
from dragoman.routing.verdicts import may_be_sent_again, verdict_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman.attempts.call import Call
    from dragoman.network.timeouts import Timeout
    from dragoman.routing.deployments import Deployment, StreamRecovery
    from dragoman.routing.fleet import Fleet, RouteOptions
    from dragoman.routing.loads import Load
    from dragoman.routing.reports import Outcome
    from dragoman.routing.stops import Stop

__all__ = ["Journey", "Leg"]

_FIRST_WAIT = 0.5  # seconds before the first retry of a deployment; doubled with each one
_LONGEST_BACKOFF = 8.0
_LONGEST_WAIT = 10.0  # an upstream that wants more is left for the next target
_LONGEST_RETRY_AFTER = 120.0  # what is waited for when there is no other target
_PROBE_WATCH = 0.25  # how soon to look again when another call is probing
_WRONG_IN_ITSELF = {BadRequestError, UnprocessableEntityError}  # not their subclasses: those are a target's


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Where to go now. Its place among the deployment's calls is taken; the journey must hear how it ends."""

    deployment: Deployment
    model: str
    """``provider/model``"""
    call: Call
    timeout: Timeout
    """Limits for this attempt; `total` is what is left of the whole call."""
    number: int
    """Counts the attempts of the call, from 1."""


class Journey:
    """One call. Ask ``next`` where to go, say how it went, ask again; ``cancelled`` ends it at any moment.

    It is made by ``Fleet.journey``, which plans the first leg: `call` is there from the beginning. A journey
    belongs to one thread or task; what it shares with others it changes under the fleet's lock.
    """

    def __init__(
        self,
        fleet: Fleet,
        name: str,
        prepare: Callable[[Deployment, str], Call],
        options: RouteOptions,
    ) -> None:
        """Plan the first leg (see ``Fleet.journey``)."""
        self.attempts: list[AttemptReport] = []
        """What was tried so far, the current attempt included."""
        self.moved = False
        """Whether the current leg is at another account than the one that the call is bound to."""
        self.call: Call
        """The call of the current leg; before the first one, of the planned."""
        self._deployment: Deployment
        self._fleet = fleet
        self._prepare = prepare
        self._options = options
        self._home = options.home
        self._booking: Booking | None = None
        self._ended = False
        self._legs = 0
        self._original: DragomanError | None = None
        """What the caller is told if nothing helps."""
        self._original_passes = False
        self._patience: float | None = None
        """How long open circuits are waited for."""
        with fleet.lock:
            self._itinerary = Itinerary(fleet, name, options)
            self._limit = call_limit(options.timeout, self._itinerary.first.group, fleet.settings)
            self._deadline = math.inf if self._limit is None else fleet.clock() + self._limit
            self._choices = Choices(options, fleet.load(options.home), self._deadline)
        self._plan()

    # ---- what is asked ------------------------------------------------------------------------------

    @property
    def asked(self) -> str:
        """The model as the caller named it."""
        return self._itinerary.first.asked

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the call, sorted."""
        return tuple(sorted(self._options.tags))

    @property
    def recovery(self) -> StreamRecovery:
        """What becomes of a stream that breaks after output began: the call's word, else the deployment's."""
        own = self.deployment.stream_recovery
        return self._options.stream_recovery or own or self._fleet.settings.stream_recovery

    @property
    def deployment(self) -> Deployment:
        """Who is asked, or was last; before the first leg, who is planned to be."""
        return self._deployment

    @property
    def timeout(self) -> Timeout:
        """Limits for an attempt there."""
        return attempt_limits(
            self._options.timeout,
            self._deployment,
            self._fleet.settings,
            streamed=self._options.streamed,
            left=self._limit,
        )

    @property
    def mends_policy(self) -> bool:
        """Whether an answer that a content policy has blocked here may still come from another model."""
        most = self._fleet.settings.max_attempts
        return (most is None or self._legs < most) and self._itinerary.mends_policy

    def bind(self, deployment: str | None) -> None:
        """Bind the call to a deployment, by its id, where the options did not; before the first ``next``.

        It goes there as long as that deployment can be had, and is one that may serve it.
        """
        if self._options.home is None and deployment is not None:
            with self._fleet.lock:
                self._choices.home = self._fleet.load(deployment)
            if self._choices.home is not None:
                self._home = deployment

    def next(self) -> Leg | float:
        """Return where to go now, or how many seconds to wait before asking again.

        Raises:
            APIError: there is nowhere left: the failure of the model that was asked for, or what the
                operator's limits say. `retry_after` holds where they are the reason.
        """
        if self._ended:
            raise RuntimeError("this journey has ended")
        if self._booking is not None:
            self._original = self._original or APIConnectionError(
                f"the attempt at {self._booking.report.model} was given up before it had ended",
                code="abandoned",
            )
            self._end("abandoned")
        while True:
            with self._fleet.lock:
                step = self._step()
            if not isinstance(step, Booking):
                return step
            try:
                leg = self._leg(step)
            except DragomanError as error:
                step.withdraw()
                self._booking = None
                self._unsent(step.stop, step.load, step.report, error)
            except BaseException:
                self.cancelled()
                raise
            else:
                return leg

    # ---- what is told -------------------------------------------------------------------------------

    def first_event(self) -> None:
        """Note that the first event with content has come."""
        if self._booking is not None:
            self._booking.first_event()

    def succeeded(self, usage: Mapping[str, Any] | None = None) -> None:
        """End the call well."""
        self._end("success", usage=usage)
        self._ended = True

    def failed(self, error: APIError, *, usage: Mapping[str, Any] | None = None) -> None:
        """End the current attempt; ``next`` decides what follows."""
        booking = self._booking
        if booking is not None:
            self._end("timeout" if isinstance(error, APITimeoutError) else "failed", error, usage)
            self._learn(booking.stop, booking.load, error)

    def declined(self, error: APIError) -> None:
        """End the current attempt, which asked for more than the caller did and was refused.

        The deployment may be asked again at once, for what the caller asked.
        """
        booking = self._booking
        if booking is not None:
            self._end("failed", error)
            stop = booking.stop
            stop.again[booking.load] = self._fleet.clock()
            stop.allowed = max(stop.allowed, stop.repeats + 1)

    def withdrawn(self) -> None:
        """Take the current attempt back, as if it had never begun: nothing was sent."""
        booking, self._booking = self._booking, None
        if booking is not None:
            booking.withdraw()
            self.attempts.remove(booking.report)

    def cancelled(self, usage: Mapping[str, Any] | None = None) -> None:
        """End the call and release everything; harmless at any moment, also twice.

        Args:
            usage: what the attempt had taken that was under way; it may be said later.
        """
        self._end("cancelled", usage=usage)
        self._ended = True
        if usage and self.attempts and self.attempts[-1].outcome == "cancelled":
            self.attempts[-1].usage = usage

    def _end(
        self, outcome: Outcome, error: APIError | None = None, usage: Mapping[str, Any] | None = None
    ) -> None:
        booking, self._booking = self._booking, None
        if booking is not None:
            booking.end(outcome, error, usage, deadline=self._deadline)

    # ---- choosing, under the lock -------------------------------------------------------------------

    def _step(self) -> Booking | float:
        now = self._fleet.clock()
        if now >= self._deadline:
            raise self._original or timeout_error("total", self._limit)
        itinerary = self._itinerary
        while (stop := itinerary.current) is not None:
            found = self._choices.at(stop, now, _LONGEST_WAIT) if self._may_stay() else None
            if isinstance(found, float):
                return found
            if found is not None:
                self._booking = Booking(self._fleet, stop, found, self._options)
                self.attempts.append(self._booking.report)
                return self._booking
            itinerary.advance()
        return self._nowhere(now)

    def _may_stay(self) -> bool:
        """Tell whether the budget allows an attempt, keeping one back for each fallback to come."""
        most = self._fleet.settings.max_attempts
        return most is None or self._legs == 0 or self._legs + self._itinerary.ahead < most

    def _nowhere(self, now: float) -> float:
        """Return how long to wait where every target is out; raise where waiting does not help."""
        itinerary, choices = self._itinerary, self._choices
        if self._may_stay():
            for stop in itinerary.passed:
                wait = choices.again(stop, now, _LONGEST_RETRY_AFTER)
                if isinstance(wait, float):
                    itinerary.go_back(stop)
                    return wait
        obstacles = choices.obstacles(itinerary.passed, now)
        if obstacles.resting and self._may_stay():
            soonest, stop = min(obstacles.resting, key=lambda one: one[0])
            if self._patience is None:
                self._patience = now + _LONGEST_WAIT
            wait = _PROBE_WATCH if soonest == math.inf else soonest - now
            if now + wait <= self._patience and now + wait < self._deadline:
                itinerary.go_back(stop)
                return wait
        raise self._original or obstacles.refusal(itinerary.first.asked, self._options.tags, now)

    # ---- learning -----------------------------------------------------------------------------------

    def _learn(self, stop: Stop, load: Load, error: APIError) -> None:
        """Draw the conclusions for the rest of the call."""
        verdict = verdict_on(error)
        stop.kind = verdict.fallbacks
        passes = verdict.again or verdict.counts
        bound = verdict.fallbacks == "content_policy"
        first = stop is self._itinerary.first
        if self._original is None or bound or (first and (passes or not self._original_passes)):
            self._original, self._original_passes = error, passes or bound
        if bound:
            self._itinerary.bind_to_policy()
        if may_be_sent_again(error, verdict):
            stop.again[load] = self._fleet.clock() + self._wait(stop, error)
            stop.allowed = self._fleet.retries(load.deployment, verdict, self._options)
            return
        if verdict.leaves == "deployment":
            self._choices.out.add(load)
        else:
            self._choices.unfit.add(stop.model(load))
        if verdict.leaves == "group":
            stop.left = True

    def _wait(self, stop: Stop, error: APIError) -> float:
        """Return how long to wait before the same deployment is asked again."""
        least = self._fleet.settings.retry_after
        if error.retry_after is not None:
            return max(error.retry_after, least)
        longest = min(_LONGEST_BACKOFF, _FIRST_WAIT * 2.0**stop.repeats)
        return max(longest * self._fleet.random.uniform(0.5, 1.0), least)

    # ---- preparing ----------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Prepare the call of the first leg, without taking a place.

        Raises:
            DragomanError: the request is wrong in itself, or no target can take it.
        """
        itinerary, choices = self._itinerary, self._choices
        while True:
            with self._fleet.lock:
                now = self._fleet.clock()
                while (stop := itinerary.current) is not None:
                    load = choices.fresh(stop, now) or choices.anyone(stop)
                    if load is not None:
                        break
                    itinerary.advance()
                else:
                    obstacles = choices.obstacles((), now)
                    raise self._original or obstacles.refusal(itinerary.first.asked, self._options.tags, now)
            try:
                self._deployment, self.call = self._called(stop, load)
            except DragomanError as error:
                if type(error) in _WRONG_IN_ITSELF:
                    raise
                report = AttemptReport(model=stop.model(load), deployment=load.deployment.id)
                self.attempts.append(report)
                self._unsent(stop, load, report, error)
            else:
                choices.planned = load
                return

    def _leg(self, booking: Booking) -> Leg:
        stop, load = booking.stop, booking.load
        self._deployment, self.call = self._called(stop, load)
        booking.report.call, booking.report.prices = self.call, self._deployment.prices or None
        home = self._choices.home
        known = _account(home.deployment) if home is not None else None
        self.moved = self._home not in {None, self._deployment.id} and known != _account(self._deployment)
        self._legs += 1
        return Leg(
            deployment=self._deployment,
            model=booking.report.model,
            call=self.call,
            timeout=attempt_limits(
                self._options.timeout,
                load.deployment,
                self._fleet.settings,
                streamed=self._options.streamed,
                left=None if self._limit is None else self._deadline - self._fleet.clock(),
            ),
            number=self._legs,
        )

    def _called(self, stop: Stop, load: Load) -> tuple[Deployment, Call]:
        if load not in stop.calls:
            deployment = stop.deployment(load)
            stop.calls[load] = deployment, self._prepare(deployment, stop.model(load))
        return stop.calls[load]

    def _unsent(self, stop: Stop, load: Load, report: AttemptReport, error: DragomanError) -> None:
        """Note that a call could not be prepared for a deployment: nothing was sent."""
        report.outcome, report.status = "failed", getattr(error, "status_code", None)
        report.code = getattr(error, "code", None) or type(error).__name__
        stop.tried.add(load)
        self._choices.out.add(load)
        if isinstance(error, BadRequestError):
            self._choices.unfit.add(stop.model(load))
        if self._original is None:
            self._original = error


def _account(deployment: Deployment) -> tuple[object, ...]:
    """Return what tells the account of one deployment from that of another."""
    given = deployment.arguments
    told = (given.get(name) for name in ("settings", "api_key", "api_base"))
    return (deployment.model.partition("/")[0], *told)
