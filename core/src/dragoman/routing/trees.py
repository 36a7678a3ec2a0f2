"""Two trees over the places of a pool: one to draw by weight, one to find the lowest score.

Both cost the logarithm of the number of places, whatever changes.
"""

from __future__ import annotations

import math

__all__ = ["ScoreTree", "WeightTree"]

_LAST = (math.inf, math.inf)


class WeightTree:
    """Draws places by weight."""

    __slots__ = ("_nodes", "_size")

    def __init__(self, places: int) -> None:
        self._size = places
        self._nodes = [0.0] * (2 * places)

    @property
    def total(self) -> float:
        """The weights of all places."""
        return self._nodes[1]

    def set(self, place: int, weight: float) -> None:
        """Set the weight of a place; 0 takes it out."""
        nodes = self._nodes
        node = place + self._size
        nodes[node] = weight
        while node > 1:
            node >>= 1
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1]

    def draw(self, share: float) -> int:
        """Return the place at a share of the total weight, which is from 0 to below 1."""
        nodes = self._nodes
        rest = share * nodes[1]
        node = 1
        while node < self._size:
            node *= 2
            if rest >= nodes[node] and nodes[node + 1] > 0.0:
                rest -= nodes[node]
                node += 1
        return node - self._size


class ScoreTree:
    """Finds the place with the lowest score, the lower tie-breaker among equals."""

    __slots__ = ("_nodes", "_scores", "_size")

    def __init__(self, places: int) -> None:
        self._size = places
        self._scores = [_LAST] * places
        self._nodes = [0] * places + list(range(places))  # the winner's place
        for node in range(places - 1, 0, -1):
            self._nodes[node] = self._nodes[2 * node]

    def set(self, place: int, score: float, tie: float = 0.0) -> None:
        """Set the score of a place; infinity takes it out."""
        scores, nodes = self._scores, self._nodes
        scores[place] = (score, tie)
        node = place + self._size
        while node > 1:
            node >>= 1
            left, right = nodes[2 * node], nodes[2 * node + 1]
            nodes[node] = left if scores[left] <= scores[right] else right

    def score(self, place: int) -> float:
        """Return the score that was set."""
        return self._scores[place][0]

    def lowest(self) -> int | None:
        """Return the place with the lowest score; None where all are out."""
        place = self._nodes[1]
        return None if self._scores[place][0] == math.inf else place
