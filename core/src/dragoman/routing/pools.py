"""A pool: deployments among which a strategy chooses, however many they are, in a few microseconds."""

from __future__ import annotations

import hashlib
import heapq
import math
from functools import lru_cache
from typing import TYPE_CHECKING

from dragoman.routing.trees import ScoreTree, WeightTree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from random import Random

    from dragoman.routing.loads import Load
    from dragoman.routing.strategies import Strategy

__all__ = ["Pool"]

_LOOKED_AT = 2  # deployments whose score is renewed with every choice: scores change with time, too
_BRANCH = 32  # deployments in one branch of rendezvous hashing
_NO_WEIGHT = 1e-9
_MASK = 0xFFFFFFFF
_REMEMBERED = 1024  # texts whose preferences are kept


class Pool:
    """Deployments of one order that may serve the same calls.

    Those that cannot be had are parked: found out of reach when they are drawn, they are out of the tree
    until their time has come or something about them has changed. So nobody counts all of them at each call.
    """

    def __init__(self, loads: Sequence[Load], strategy: Strategy, random: Random) -> None:
        self.loads = tuple(loads)
        self._strategy = strategy
        self._random = random
        self._drawn = strategy.drawn
        self._weights = WeightTree(len(loads))
        self._scores = ScoreTree(len(loads))
        self._parked: dict[int, float] = {}  # place -> until when
        self._returns: list[tuple[float, int]] = []  # heap
        self._next_look = 0
        self._places = {load: place for place, load in enumerate(loads)}
        evenly = not any(load.weight for load in loads)
        self._weight = [1.0 if evenly else load.weight for load in loads]
        self._salts: list[int] = []
        self._preferences = lru_cache(maxsize=_REMEMBERED)(self._prefer)
        self._branches: list[range] = []
        self._branch_salts: list[int] = []
        self._shares: list[float] = []
        for place, load in enumerate(loads):
            load.pools.append((self, place))
            self._put_back(place, 0.0)

    def __contains__(self, load: object) -> bool:
        """Tell whether a deployment is one of these."""
        return load in self._places

    def choose(
        self,
        now: float,
        *,
        tokens: int = 0,
        excluded: Collection[Load] = (),
        sticky: str | None = None,
        lone: bool = False,
    ) -> Load | None:
        """Return the deployment for a call; None where none can be had.

        Args:
            now: the time.
            tokens: how many the call will need.
            excluded: deployments that are not to be had for it.
            sticky: calls with the same text get the same deployment as long as it can be had.
            lone: whether there is no other place to go (see ``Load.blocked_until``).
        """
        if lone or sticky is not None:
            order = self.loads if sticky is None else self._ranked(sticky)
            fits = (load for load in order if load not in excluded)
            return next((load for load in fits if load.blocked_until(now, tokens, lone=lone) is None), None)
        while self._returns and self._returns[0][0] <= now:
            moment, place = heapq.heappop(self._returns)
            if self._parked.get(place) == moment:
                del self._parked[place]
                self._put_back(place, now)
        out = sorted(self._places[load] for load in excluded if load in self._places)
        for place in out:
            self._take_out(place)
        try:
            pick = self._lowest if self._drawn is None else self._drawn_by_weight
            return pick(now, tokens, out)
        finally:
            for place in out:
                if place not in self._parked:
                    self._put_back(place, now)

    def changed(self, place: int, now: float) -> None:
        """Hear that something about a deployment has changed: it is looked at anew."""
        if self._parked.pop(place, None) is not None or self._drawn is None:
            self._put_back(place, now)

    def retire(self) -> None:
        """Hear of changes no more."""
        for place, load in enumerate(self.loads):
            load.pools.remove((self, place))

    # ---- choosing

    def _drawn_by_weight(self, now: float, tokens: int, out: list[int]) -> Load | None:
        best = None
        lowest = math.inf
        for _ in range(self._drawn or 1):
            while self._weights.total > 0.0:
                place = self._weights.draw(self._random.random())
                if self._reachable(place, now, tokens, out):
                    load = self.loads[place]
                    score = self._strategy.score(load, now)
                    if score < lowest:
                        best, lowest = load, score
                    break
        if best is not None:
            return best
        # Those of no weight are for when no other can be had.
        spare = (
            load for place, load in enumerate(self.loads) if not self._weight[place] and place not in out
        )
        return next((load for load in spare if load.blocked_until(now, tokens) is None), None)

    def _lowest(self, now: float, tokens: int, out: list[int]) -> Load | None:
        for _ in range(min(_LOOKED_AT, len(self.loads))):
            self._next_look = (self._next_look + 1) % len(self.loads)
            if self._next_look not in self._parked and self._next_look not in out:
                self._put_back(self._next_look, now)
        while (place := self._scores.lowest()) is not None:
            if self._reachable(place, now, tokens, out):
                return self.loads[place]
        return None

    def _reachable(self, place: int, now: float, tokens: int, out: list[int]) -> bool:
        load = self.loads[place]
        until = load.blocked_until(now, tokens)
        if until is None:
            return True
        until = load.blocked_until(now)
        if until is None:
            out.append(place)  # only this call is too large for it
        else:
            self._parked[place] = until
            if until < math.inf:
                heapq.heappush(self._returns, (until, place))
        self._take_out(place)
        return False

    def _take_out(self, place: int) -> None:
        if self._drawn is None:
            self._scores.set(place, math.inf)
        else:
            self._weights.set(place, 0.0)

    def _put_back(self, place: int, now: float) -> None:
        if self._drawn is not None:
            self._weights.set(place, self._weight[place])
            return
        # A race of exponentials: the first among equals is drawn by weight.
        tie = -math.log(1.0 - self._random.random()) / max(self._weight[place], _NO_WEIGHT)
        self._scores.set(place, self._strategy.score(self.loads[place], now), tie)

    # ---- rendezvous

    def _ranked(self, sticky: str) -> Iterator[Load]:
        """Yield the deployments in the order in which calls with this text prefer them.

        Weighted rendezvous hashing: when one cannot be had its calls spread over the others, and no others
        move. In two steps where there are many: branches first, then the deployments of a branch.
        """
        if not self._salts:
            self._prepare_ranking()
        key, branches, nearest = self._preferences(sticky)
        for place in nearest:
            yield self.loads[place]
        for branch in branches[1:]:
            for place in _by_preference(key, self._branches[branch], self._salts, self._weight):
                yield self.loads[place]

    def _prefer(self, sticky: str) -> tuple[int, list[int], list[int]]:
        """Return a text's number, the branches and the first branch's places, as it prefers them."""
        key = _hash(sticky)
        branches = _by_preference(key, self._branch_salts, self._branch_salts, self._shares)
        nearest = _by_preference(key, self._branches[branches[0]], self._salts, self._weight)
        return key, branches, nearest

    def _prepare_ranking(self) -> None:
        self._salts = [_hash(load.deployment.id) for load in self.loads]
        starts = range(0, len(self.loads), _BRANCH)
        self._branches = [range(start, min(start + _BRANCH, len(self.loads))) for start in starts]
        self._branch_salts = list(range(len(self._branches)))
        self._shares = [sum(self._weight[place] for place in branch) for branch in self._branches]


def _by_preference(
    key: int, places: Sequence[int], salts: Sequence[int], weights: Sequence[float]
) -> list[int]:
    """Return places, those that a key prefers first."""
    ranked = []
    for place in places:
        share = ((hash((key, salts[place])) & _MASK) + 1) / (_MASK + 2)
        ranked.append((math.log(share) / (weights[place] or _NO_WEIGHT), place))
    ranked.sort(reverse=True)
    return [place for _, place in ranked]


def _hash(text: str) -> int:
    """Return a number that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")
