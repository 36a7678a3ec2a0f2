"""The circuit of one deployment: closed, open, and half open for exactly one probe."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

__all__ = ["Breaker"]

_WINDOW = 60.0  # seconds
_SLICE = 5.0
_SHARE = 0.5  # of what was tried has to have failed


class Breaker:
    """Opens when at least half of a minute's attempts, and more than a number of them, have failed."""

    __slots__ = ("_slices", "open", "probing", "until")

    def __init__(self) -> None:
        self.open = False
        self.until = 0.0
        """When an open circuit lets a probe through."""
        self.probing = False
        self._slices: deque[list[float]] = deque()  # [slice, successes, failures]

    def blocked_until(self, now: float) -> float | None:
        """Return when a call may pass: None is now; infinity is when the probe that runs has ended."""
        if not self.open:
            return None
        if self.probing:
            return math.inf
        return self.until if now < self.until else None

    def enter(self) -> bool:
        """Let a call pass; tell whether it is the probe."""
        if self.open:
            self.probing = True
        return self.open

    def leave(self, *, probe: bool) -> None:
        """Note that a call has ended and told nothing: the next one may be the probe."""
        if probe:
            self.probing = False

    def succeed(self, now: float, *, probe: bool) -> None:
        """Note a success; a probe's closes the circuit."""
        if probe:
            self.open = self.probing = False
            self._slices.clear()
        elif not self.open:
            self._note(now, 1)

    def fail(self, now: float, *, probe: bool, allowed: int, cooldown: float) -> None:
        """Note a failure; open where it was a probe's, or one too many."""
        if probe:
            self.open_until(now + cooldown)
            self.probing = False
        elif not self.open:
            self._note(now, 2)
            successes = sum(one[1] for one in self._slices)
            failures = sum(one[2] for one in self._slices)
            if failures > allowed and failures >= _SHARE * (successes + failures):
                self.open_until(now + cooldown)

    def open_until(self, moment: float) -> None:
        """Open, at least until a moment."""
        self.until = max(self.until, moment)
        self.open = True
        self._slices.clear()

    def _note(self, now: float, column: Literal[1, 2]) -> None:
        place = now // _SLICE
        slices = self._slices
        while slices and slices[0][0] <= place - _WINDOW / _SLICE:
            slices.popleft()
        if not slices or slices[-1][0] != place:
            slices.append([place, 0.0, 0.0])
        slices[-1][column] += 1
