"""Time limits of one attempt, and the clock that tells which of them comes first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dragoman.errors import APITimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "Timeout"]

_FINISHING = 2.0  # seconds granted for usage and end mark once the model has said why it stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Limits in seconds; None is no limit. A plain number given as `timeout` means `total`."""

    connect: float | None = 10.0
    """Until the connection stands."""
    first_event: float | None = 600.0
    """From sending until the first event of the answer; for an unstreamed answer, until it is there."""
    between_events: float | None = 300.0
    """Between two events of a stream. Comments and keep-alives of the wire do not count as events."""
    total: float | None = None
    """The whole call."""

    @classmethod
    def of(cls, value: Timeout | float | None) -> Timeout:
        """Return `value` as limits: a number bounds the whole call; None is the default."""
        if isinstance(value, Timeout):
            return value
        if value is None:
            return cls()
        return cls(total=float(value))


class Clock:
    """Watches one attempt. `deadline` is when, in monotonic seconds, the next limit passes.

    Only waiting counts: while the caller works on an event, the clock is paused.
    """

    __slots__ = ("_expected", "_now", "_paused", "_timeout", "_total_at", "deadline", "on_earlier")

    def __init__(self, timeout: Timeout, now: Callable[[], float] = time.monotonic) -> None:
        """Start: the first event is awaited."""
        self._timeout = timeout
        self._now = now
        self._total_at = None if timeout.total is None else now() + timeout.total
        self._expected = "first_event"
        self._paused = False
        self.deadline: float | None = None
        self.on_earlier: Callable[[], None] | None = None
        """Called when the deadline moves to an earlier time, for whoever sleeps until the old one."""
        self._set(timeout.first_event)

    def pause(self) -> None:
        """Stop: the caller is at work."""
        self._paused = True

    def resume(self, *, progressed: bool, finishing: bool = False) -> None:
        """Go on waiting; after an event (`progressed`) the gap to the next one is counted from here.

        `finishing`: the model has said why it stopped, so that what is missing comes soon or never.
        """
        self._paused = False
        if not progressed:
            return
        self._expected = "between_events"
        gap = self._timeout.between_events
        if finishing:
            gap = _FINISHING if gap is None else min(gap, _FINISHING)
        self._set(gap)

    def remaining(self) -> float | None:
        """Return the seconds until the deadline, never below zero; None: no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - self._now())

    def expired(self) -> bool:
        """Tell whether a limit has passed."""
        return not self._paused and self.deadline is not None and self._now() >= self.deadline

    def error(self) -> APITimeoutError:
        """Return the error for the limit that passed."""
        if self._total_at is not None and self.deadline == self._total_at:
            name, limit = "total", self._timeout.total
        else:
            name, limit = self._expected, getattr(self._timeout, self._expected)
        awaited = {
            "total": "the end of the call",
            "first_event": "the first event of the answer",
            "between_events": "the next event of the answer",
        }[name]
        return APITimeoutError(
            f"waited {limit or 0:g} s for {awaited}, the limit (timeout.{name})", code=f"timeout_{name}"
        )

    def _set(self, limit: float | None) -> None:
        before = self.deadline
        deadline = None if limit is None else self._now() + limit
        if self._total_at is not None:
            deadline = self._total_at if deadline is None else min(deadline, self._total_at)
        self.deadline = deadline
        if self.on_earlier is not None and deadline is not None and (before is None or deadline < before):
            self.on_earlier()
