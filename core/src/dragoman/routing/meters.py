"""How much went to a deployment in the last minute."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Meter"]

_SPAN = 60.0  # seconds
_SLICES = 60


class Meter:
    """Counts over any 60 seconds, in slices of one second: what is left out was longer ago than that.

    An amount is forgotten between 60 and 61 seconds after it came, never earlier: who keeps within a limit
    here keeps within it wherever the upstream's minute begins.
    """

    __slots__ = ("_slices", "total")

    def __init__(self) -> None:
        self._slices: deque[list[float]] = deque()  # [slice, amount]
        self.total = 0.0

    def add(self, now: float, amount: float) -> None:
        """Count an amount."""
        place = math.floor(now)
        slices = self._slices
        if slices and slices[-1][0] >= place:
            slices[-1][1] += amount
        else:
            slices.append([place, amount])
        self.total += amount

    def correct(self, then: float, now: float, amount: float) -> None:
        """Count what an estimate made at `then` was too small by, or take back by what it was too large.

        What is taken back is taken from its own slice: it must not count for less than nothing later.
        """
        if amount > 0:
            self.add(now, amount)
        place = math.floor(then)
        for one in reversed(self._slices):
            if amount < 0 and one[0] == place:
                one[1] += amount
                self.total += amount
                return

    def read(self, now: float) -> float:
        """Return what was counted in the last minute."""
        slices = self._slices
        oldest = math.floor(now) - _SLICES
        while slices and slices[0][0] < oldest:
            self.total -= slices.popleft()[1]
        if not slices:
            self.total = 0.0
        return max(0.0, self.total)

    def room_at(self, now: float, limit: float, needed: float) -> float:
        """Return the first moment at which `needed` more stay within the limit, if nothing else comes."""
        excess = self.read(now) + needed - limit
        for place, amount in self._slices:
            if excess <= 0:
                break
            excess -= amount
            now = max(now, place + _SLICES + 1)
        return now
