"""The choices of one call: whom to ask at a stop, whom never again, and what stands in the way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dragoman.errors import APIError, BadRequestError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from dragoman.routing.fleet import RouteOptions
    from dragoman.routing.loads import Load
    from dragoman.routing.stops import Stop

__all__ = ["Choices", "Obstacles"]

_WIDTH = 10  # deployments of one group that one call tries
_UNKNOWN_WAIT = 1.0  # seconds: what a caller is told to wait for a place among parallel requests


class Choices:
    """Whom one call may ask. Asked only under the fleet's lock."""

    def __init__(self, options: RouteOptions, home: Load | None, deadline: float) -> None:
        self.options = options
        self.home = home
        """The deployment that the call is bound to."""
        self.planned: Load | None = None
        """The one for which the call was prepared before it began."""
        self.out: set[Load] = set()
        """Not to be asked again in this call."""
        self.unfit: set[str] = set()
        """Models that refuse this request, wherever they run."""
        self._deadline = deadline

    def at(self, stop: Stop, now: float, longest: float) -> Load | float | None:
        """Return whom to ask at a stop, or how long to wait there, `longest` at most; None: nobody."""
        if stop.left:
            return None
        if self.home in stop.again:
            # What binds a call to its home counts more than the time that another would save.
            found = self.again(stop, now, longest, [self.home])
            if found is not None:
                return found
        return self.fresh(stop, now) or self.again(stop, now, longest)

    def fresh(self, stop: Stop, now: float) -> Load | None:
        """Return somebody who was not asked yet."""
        if stop.left or len(stop.tried) >= _WIDTH:
            return None
        excluded = self._excluded(stop)
        tokens, lone = self.options.tokens, stop.lone
        for bound in (self.home, self.planned):
            if bound is None or bound in excluded or not any(bound in pool for pool in stop.pools):
                continue
            if bound.blocked_until(now, tokens, lone=lone) is None:
                return bound
        for pool in stop.pools:
            found = pool.choose(now, tokens=tokens, excluded=excluded, sticky=self.options.sticky, lone=lone)
            if found is not None:
                return found
        return None

    def again(
        self, stop: Stop, now: float, longest: float, loads: Iterable[Load] | None = None
    ) -> Load | float | None:
        """Return somebody who may be asked once more, or how long to wait before that."""
        if stop.left or stop.repeats >= stop.allowed:
            return None
        able = [
            load
            for load in (stop.again if loads is None else loads)
            if load.blocked_until(now, self.options.tokens, lone=stop.lone) is None
        ]
        if not able:
            return None
        soonest = min(able, key=stop.again.__getitem__)
        wait = stop.again[soonest] - now
        if wait <= 0:
            return soonest
        return wait if wait <= longest and now + wait < self._deadline else None

    def anyone(self, stop: Stop) -> Load | None:
        """Return somebody who could be asked, if nothing stood in the way."""
        if stop.left or len(stop.tried) >= _WIDTH:
            return None
        excluded = self._excluded(stop)
        return next((load for load in stop.loads() if load not in excluded), None)

    def obstacles(self, stops: Iterable[Stop], now: float) -> Obstacles:
        """Return why those who were not asked yet cannot be."""
        found = Obstacles()
        tokens = self.options.tokens
        for stop in stops:
            if self.anyone(stop) is None:
                continue
            excluded = self._excluded(stop)
            for load in stop.loads():
                if load in excluded:
                    continue
                limited = load.limited_until(now, tokens)
                blocked = load.blocked_until(now, tokens, lone=stop.lone)
                if limited is not None:
                    found.limited.append(limited)
                elif blocked is not None:
                    found.resting.append((blocked, stop))
        return found

    def _excluded(self, stop: Stop) -> Collection[Load]:
        if self.unfit and not stop.overrides:
            unfit = {load for load in stop.loads() if stop.model(load) in self.unfit}
            return stop.tried | self.out | unfit
        return stop.tried | self.out if self.out else stop.tried


class Obstacles:
    """When what stands in the way of a call will be gone; infinity is not known."""

    def __init__(self) -> None:
        self.limited: list[float] = []
        """The operator's limits."""
        self.resting: list[tuple[float, Stop]] = []
        """Open circuits."""

    def refusal(self, name: str, tags: Collection[str], now: float) -> APIError:
        """Return what a caller is told who has met nothing else."""
        moments = [*self.limited, *(moment for moment, _ in self.resting)]
        if not moments:
            shown = ", ".join(sorted(tags)) or "none"
            return BadRequestError(
                f"no deployment of {name!r} fits the tags of the call ({shown})",
                param="tags",
                code="no_deployment_for_tags",
            )
        soonest = min(moments)
        wait = _UNKNOWN_WAIT if soonest == math.inf else max(0.0, soonest - now)
        reason, code = (
            ("is at its limits", "rate_limit_exceeded")
            if self.limited
            else ("has just failed and rests", "no_deployment_available")
        )
        return RateLimitError(
            f"every deployment of {name!r} {reason}; try again in {math.ceil(wait)} s",
            code=code,
            retry_after=wait,
        )
