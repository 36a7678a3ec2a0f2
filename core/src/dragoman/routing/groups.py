"""A group: the deployments of one name, by order and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.routing.loads import Load
from dragoman.routing.pools import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from dragoman.routing.deployments import Deployment
    from dragoman.routing.settings import RoutingSettings
    from dragoman.routing.strategies import Strategy

__all__ = ["Group"]

_DEFAULT_TAG = "default"
_KEPT = 64  # selections by tags that are kept


class Group:
    """Deployments that share the calls for a name."""

    def __init__(
        self,
        name: str,
        deployments: Sequence[Deployment],
        settings: RoutingSettings,
        strategy: Strategy,
        random: Random,
        *,
        adhoc: bool = False,
    ) -> None:
        self.name = name
        self.adhoc = adhoc
        """Whether nobody has set it up: it is known because somebody called it so."""
        totals = [one.total_timeout for one in deployments if one.total_timeout is not None]
        self.total_timeout = min(totals, default=None)
        """Seconds that a call for this name may take altogether."""
        weights = _weights(deployments)
        self.loads = [
            Load(deployment, weight) for deployment, weight in zip(deployments, weights, strict=True)
        ]
        self._settings = settings
        self._strategy = strategy
        self._random = random
        self._tags = frozenset().union(*(deployment.tags for deployment in deployments))
        self._selections: dict[frozenset[str], list[Pool]] = {}

    def pools(self, tags: frozenset[str] = frozenset()) -> list[Pool]:
        """Return the deployments for calls with these tags, by order; none where no deployment fits.

        As LiteLLM does: a call with tags goes to deployments that have one of them (or all, as the settings
        say), else to those tagged "default"; a call without goes to "default" ones, or to all where there are
        none.
        """
        filtering = self._settings.enable_tag_filtering
        # What no deployment has is all the same: the number of selections stays small.
        key = (tags & self._tags) | {""} if filtering and tags else frozenset[str]()
        if key not in self._selections:
            if len(self._selections) >= _KEPT:
                for pool in self._selections.pop(next(iter(self._selections))):
                    pool.retire()
            chosen = self._tagged(tags) if filtering else self.loads
            orders = sorted({load.deployment.order for load in chosen})
            self._selections[key] = [
                Pool(
                    [load for load in chosen if load.deployment.order == order], self._strategy, self._random
                )
                for order in orders
            ]
        return self._selections[key]

    def _tagged(self, tags: frozenset[str]) -> list[Load]:
        default = [load for load in self.loads if _DEFAULT_TAG in load.deployment.tags]
        if not tags:
            return default or self.loads
        any_fits = self._settings.tag_filtering_match_any
        fit = [
            load
            for load in self.loads
            if (load.deployment.tags & tags if any_fits else load.deployment.tags >= tags)
        ]
        return fit or default


def _weights(deployments: Sequence[Deployment]) -> list[float]:
    """Return each one's weight: as it is given, else by the limit that all of them have, else 1."""
    if all(one.weight is None for one in deployments):
        for limits in ([one.rpm for one in deployments], [one.tpm for one in deployments]):
            if None not in limits:
                return [float(limit) for limit in limits if limit is not None]
    return [1.0 if one.weight is None else one.weight for one in deployments]
