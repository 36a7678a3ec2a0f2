"""The stops of a call: the groups that it may visit, and what it has met at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.attempts.call import Call
    from dragoman.routing.deployments import Deployment
    from dragoman.routing.groups import Group
    from dragoman.routing.loads import Load
    from dragoman.routing.names import Found
    from dragoman.routing.pools import Pool
    from dragoman.routing.settings import Fallback, RoutingSettings
    from dragoman.routing.verdicts import FallbackKind

__all__ = ["Stop", "fallbacks_of", "split_fallback"]

_ANY = "*"


@dataclass(slots=True, eq=False)
class Stop:
    """One group on the way of a call."""

    asked: str
    """The name that led here."""
    found: Found
    group: Group
    pools: list[Pool]
    """What of the group may serve the call, by order."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    lone: bool = False
    """Whether one deployment is all there is, so that its circuit keeps nobody out."""
    left: bool = False
    """Whether nobody here can help any more."""
    lined_up: FallbackKind | None = None
    """Which of its fallbacks stand in line."""
    kind: FallbackKind = "general"
    """Which of its fallbacks may help."""
    tried: set[Load] = field(default_factory=set)
    again: dict[Load, float] = field(default_factory=dict)
    """Who may be asked again, and from when on."""
    repeats: int = 0
    """How often one was."""
    allowed: int = 0
    """How often one may be, after what has happened last."""
    calls: dict[Load, tuple[Deployment, Call]] = field(default_factory=dict)

    def loads(self) -> list[Load]:
        """Return all deployments that may serve the call."""
        return [load for pool in self.pools for load in pool.loads]

    def __len__(self) -> int:
        """Return how many those are."""
        return sum(len(pool.loads) for pool in self.pools)

    def model(self, load: Load) -> str:
        """Return what a deployment is asked for: ``provider/model``."""
        return self.found.fill(load.deployment.model)

    def deployment(self, load: Load) -> Deployment:
        """Return a deployment, with what the fallback changes."""
        return replace(load.deployment, overrides=self.overrides) if self.overrides else load.deployment


def split_fallback(fallback: Fallback) -> tuple[str, Mapping[str, Any]]:
    """Return the model of a fallback, and what else it changes."""
    if not isinstance(fallback, Mapping):
        return fallback, {}
    return fallback["model"], {name: value for name, value in fallback.items() if name != "model"}


def fallbacks_of(
    stop: Stop, kind: FallbackKind, settings: RoutingSettings, own: Sequence[Fallback] | None
) -> Sequence[Fallback]:
    """Return where to go after a stop.

    Args:
        stop: what has failed.
        kind: which list.
        settings: the fleet's.
        own: the caller's general fallbacks, in place of the settings'.
    """
    if kind == "content_policy":
        return _listed(settings.content_policy_fallbacks, stop)
    if kind == "context_window" and (listed := _listed(settings.context_window_fallbacks, stop)):
        return listed
    if own is not None:
        return own
    return _listed(settings.fallbacks, stop) or settings.default_fallbacks


def _listed(fallbacks: Mapping[str, tuple[Fallback, ...]], stop: Stop) -> tuple[Fallback, ...]:
    names = (stop.asked, stop.found.name, _ANY) if fallbacks else ()
    return next((fallbacks[name] for name in names if name in fallbacks), ())
