"""A booking: what an attempt that is under way holds of a deployment, and gives back when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.routing.reports import AttemptReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import APIError
    from dragoman.routing.fleet import Fleet, RouteOptions
    from dragoman.routing.loads import Load
    from dragoman.routing.reports import Outcome
    from dragoman.routing.stops import Stop

__all__ = ["Booking"]


class Booking:
    """A place among a deployment's calls, from its making to ``end``. Made under the fleet's lock."""

    def __init__(self, fleet: Fleet, stop: Stop, load: Load, options: RouteOptions) -> None:
        self.stop = stop
        self.load = load
        self.report = AttemptReport(model=stop.model(load), deployment=load.deployment.id)
        self._fleet = fleet
        self._options = options
        self._started = fleet.clock()
        if load in stop.tried:
            stop.repeats += 1
        stop.tried.add(load)
        stop.again.pop(load, None)
        self._probe = load.enter(self._started, options.tokens, lone=stop.lone)

    def first_event(self) -> None:
        """Note that the first event with content has come."""
        if self.report.first_event is None:
            self.report.first_event = self._fleet.clock() - self._started

    def end(
        self,
        outcome: Outcome,
        error: APIError | None = None,
        usage: Mapping[str, Any] | None = None,
        *,
        deadline: float,
    ) -> None:
        """Give the place back, and tell the deployment's circuit and meters what came of it."""
        now, load, report, fleet = self._fleet.clock(), self.load, self.report, self._fleet
        report.outcome, report.duration, report.usage = outcome, now - self._started, usage
        if error is not None:
            report.status, report.code = error.status_code, error.code or type(error).__name__
            report.request_id = error.request_id
        taken = _tokens(usage)
        with fleet.lock:
            if taken is not None:
                load.tokens.correct(self._started, now, taken - self._options.tokens)
            if outcome == "success":
                load.breaker.succeed(now, probe=self._probe)
            elif error is not None and fleet.blames(error, self._options, adhoc=self.stop.group.adhoc):
                fleet.blame(load, error, now, probe=self._probe, deadline=deadline)
            else:
                load.breaker.leave(probe=self._probe)
            if outcome == "success":
                load.measure(now, report.first_event or report.duration)
            elif outcome == "timeout":
                load.measure(now, max(report.duration, load.latency(now)))
            load.leave(now)

    def withdraw(self) -> None:
        """Give the place back as if it had never been taken: nothing was sent."""
        now, load = self._fleet.clock(), self.load
        with self._fleet.lock:
            load.requests.correct(self._started, now, -1)
            load.tokens.correct(self._started, now, -self._options.tokens)
            load.breaker.leave(probe=self._probe)
            load.leave(now)


def _tokens(usage: Mapping[str, Any] | None) -> float | None:
    """Return the tokens that an answer took, where it says so."""
    if not usage:
        return None
    total = usage.get("total_tokens")
    if total is None:
        total = (usage.get("input_tokens") or 0) + (usage.get("output_tokens") or 0)
    return float(total)
