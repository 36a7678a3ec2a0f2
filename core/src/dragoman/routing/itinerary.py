"""Where a call may go: its stops, in the order in which they are visited, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.routing.accounts import account_mark
from dragoman.routing.stops import Stop, fallbacks_of, split_fallback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.routing.fleet import Fleet, RouteOptions
    from dragoman.routing.settings import Fallback
    from dragoman.routing.verdicts import FallbackKind

__all__ = ["Itinerary"]


class Itinerary:
    """The stops of one call. A stop's fallbacks are lined up when the call leaves it."""

    def __init__(self, fleet: Fleet, name: str, options: RouteOptions) -> None:
        """Begin at a name.

        Raises:
            NotFoundError: nothing serves it.
        """
        self._fleet = fleet
        self._options = options
        self._waiting: list[Fallback] = []
        self._visited: set[tuple[str, str]] = set()
        self._bound_by_policy = False
        self.passed: list[Stop] = []
        """The stops that were left."""
        self.current: Stop | None = None
        self._visit(name, {}, required=True)
        self.first: Stop = self.current  # type: ignore[assignment]
        self.first.lone = len(self.first) == 1 and not self._next_after(self.first, "general")

    @property
    def ahead(self) -> int:
        """How many fallbacks may still be gone to, as far as can be seen."""
        stop = self.current
        after = [] if stop is None or stop.lined_up == stop.kind else self._next_after(stop, stop.kind)
        left = self._fleet.settings.max_fallbacks - (len(self._visited) - 1)
        return max(0, min(len(after) + len(self._waiting), left))

    @property
    def mends_policy(self) -> bool:
        """Whether there is somewhere to go with what a content policy has refused here."""
        stop = self.current
        if stop is None or len(self._visited) > self._fleet.settings.max_fallbacks:
            return False
        after = self._next_after(stop, "content_policy")
        return any(self._new_visit(*split_fallback(one)) for one in after)

    def bind_to_policy(self) -> None:
        """From now on only go where a content policy's refusal may go."""
        self._bound_by_policy = True
        self._waiting.clear()

    def advance(self) -> None:
        """Leave the current stop for the next one."""
        stop = self.current
        if stop is not None:
            self.passed.append(stop)
            if stop.lined_up != stop.kind:
                stop.lined_up = stop.kind
                self._waiting[:0] = self._next_after(stop, stop.kind)
        self.current = None
        while (
            self._waiting
            and self.current is None
            and len(self._visited) <= self._fleet.settings.max_fallbacks
        ):
            name, overrides = split_fallback(self._waiting.pop(0))
            self._visit(name, overrides)

    def go_back(self, stop: Stop) -> None:
        """Go to a stop that was left once more."""
        self.passed.remove(stop)
        self.current = stop

    def _next_after(self, stop: Stop, kind: FallbackKind) -> Sequence[Fallback]:
        if self._options.disable_fallbacks:
            return ()
        kind = "content_policy" if self._bound_by_policy else kind
        return fallbacks_of(stop, kind, self._fleet.settings, self._options.fallbacks)

    def _new_visit(
        self, name: str, overrides: Mapping[str, Any], *, required: bool = False
    ) -> tuple[str, str] | None:
        """Return what is visited once, under whichever name; None where it was, or must not be."""
        known = self._fleet.settings.model_group_alias.get(name, name)
        visit = known, repr(sorted(overrides.items(), key=lambda item: item[0])) if overrides else ""
        allows = self._options.allows
        allowed = required or allows is None or allows(name) or allows(known)
        return visit if allowed and visit not in self._visited else None

    def _visit(self, name: str, overrides: Mapping[str, Any], *, required: bool = False) -> None:
        visit = self._new_visit(name, overrides, required=required)
        if visit is None:
            return
        known = visit[0]
        account = self._options.account + account_mark(overrides)
        served = self._fleet.serving(known, required=required, account=account)
        if served is not None:
            self._visited.add(visit)
            found, group = served
            self.current = Stop(
                asked=name,
                found=found,
                group=group,
                pools=group.pools(self._options.tags),
                overrides=overrides,
            )
