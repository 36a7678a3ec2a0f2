"""Time limits of a call and its attempts, and the clock that tells which of them comes first."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dragoman.errors import APITimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Clock", "LoopClock", "Timeout", "timeout_error"]

_FINISHING = 2.0  # seconds granted for usage and end mark once the model has said why it stopped
_DRAINING = 0.1  # seconds granted for the last bytes of a finished answer: then its connection can be reused
_AWAITED = {
    "connect": "a connection",
    "first_event": "the first event of the answer",
    "between_events": "the next event of the answer",
    "attempt": "the end of the attempt",
    "total": "the end of the call",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Limits in seconds; None is no limit.

    A plain number given as `timeout` is `attempt`, and then the only limit beside `connect`.
    """

    connect: float | None = 10.0
    """Until the connection stands."""
    first_event: float | None = 600.0
    """From sending until the first event of the answer; for an unstreamed answer, until it is there."""
    between_events: float | None = 300.0
    """Between two events of a stream. Comments and keep-alives of the wire do not count as events."""
    attempt: float | None = None
    """One attempt as a whole, from the request to the end of the answer."""
    total: float | None = None
    """The call as a whole, over all attempts, the waits between them, and fallbacks."""

    @classmethod
    def of(cls, value: Timeout | float | None) -> Timeout:
        """Return `value` as limits; None is the default."""
        if isinstance(value, Timeout):
            return value
        if value is None:
            return cls()
        return cls(first_event=None, between_events=None, attempt=float(value))


class Clock:
    """Watches one attempt: which limit passes next, and how long that is from now.

    Only waiting counts. While the caller works on an event the clock is paused, and all limits move on by
    as much; so no caller is too slow.
    """

    __slots__ = ("_awaited", "_deadline", "_ends", "_ends_by", "_now", "_paused_at", "timeout")

    def __init__(self, timeout: Timeout, now: Callable[[], float] = time.monotonic) -> None:
        """Start: the first event is awaited.

        Args:
            timeout: the limits; `total` is what the call has left for this attempt.
            now: tells the time, in seconds.
        """
        self.timeout = timeout
        self._now = now
        self._paused_at: float | None = None
        ends = _earliest(timeout.attempt, timeout.total)
        self._ends_by = "total" if ends == timeout.total else "attempt"
        self._ends = _later(now(), ends)
        self._awaited = "first_event"
        self._deadline = _later(now(), timeout.first_event)

    def remaining(self) -> float | None:
        """Return the seconds, more than none, until the next limit passes; None: there is no limit.

        Raises:
            APITimeoutError: it has passed.
        """
        deadline = _earliest(self._deadline, self._ends)
        return None if deadline is None else self._until(deadline)

    def progress(self, *, finishing: bool = False) -> None:
        """Note an event: the gap to the next one is counted from here.

        `finishing`: the model has said why it stopped, so that what is missing comes soon or never.
        """
        self._awaited = "between_events"
        gap = self.timeout.between_events
        self._deadline = _later(self._now(), _earliest(gap, _FINISHING) if finishing else gap)

    def drain(self) -> None:
        """Note the end of the answer: what else the upstream sends is worth a moment, no more."""
        self._deadline = self._now() + _DRAINING

    def pause(self) -> None:
        """Stop: the caller is at work."""
        self._paused_at = self._now()

    def resume(self) -> None:
        """Go on waiting."""
        if self._paused_at is not None:
            away = self._now() - self._paused_at
            self._paused_at = None
            self._deadline = _later(away, self._deadline)
            self._ends = _later(away, self._ends)

    def _until(self, deadline: float) -> float:
        seconds = deadline - self._now()
        if seconds <= 0:
            raise self.error()
        return seconds

    def error(self) -> APITimeoutError:
        """Return the error for the limit that passes next, or has passed."""
        deadline = _earliest(self._deadline, self._ends)
        name = self._ends_by if deadline == self._ends else self._awaited
        return timeout_error(name, getattr(self.timeout, name))


class LoopClock(Clock):
    """A clock that ends waits on an event loop, one after the other::

        with clock:
            chunk = await ...  # TimeoutError when the next limit passes

    One timer serves them all, since a stream waits for each of its chunks: it is set again only where a limit
    has come nearer, and looks when it rings. ``stop`` puts it away.
    """

    __slots__ = ("_cancelled_before", "_rang", "_rings_at", "_task", "_timer", "_waits_until")

    def __init__(self, timeout: Timeout, now: Callable[[], float] = time.monotonic) -> None:
        """Start (see ``Clock``)."""
        super().__init__(timeout, now)
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._waits_until: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        self._rang = False

    def __enter__(self) -> None:
        """Begin to wait.

        Raises:
            APITimeoutError: a limit has passed already.
        """
        deadline = _earliest(self._deadline, self._ends)
        if deadline is None:
            return
        seconds = self._until(deadline)
        if self._timer is None or deadline < self._rings_at:
            self._ring(deadline, seconds)
        if self._task is None:
            self._task = asyncio.current_task()
        self._cancelled_before = self._task.cancelling() if self._task is not None else 0
        self._waits_until = deadline

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, _: TracebackType | None
    ) -> None:
        """Wait no longer."""
        self._waits_until = None
        if not self._rang:
            return
        self._rang = False
        others = self._task.uncancel() if self._task is not None else 0
        if kind is asyncio.CancelledError and others <= self._cancelled_before:
            raise TimeoutError from problem

    def pause(self) -> None:
        """Stop: the caller is at work; it may go on in another task."""
        super().pause()
        self._task = None

    def stop(self) -> None:
        """Put the timer away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, at: float, seconds: float) -> None:
        self.stop()
        self._rings_at = at
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        until = self._waits_until
        if until is None or self._task is None:
            return
        left = until - self._now()
        if left > 0:
            self._ring(until, left)
        else:
            self._rang = True
            self._task.cancel()


def timeout_error(name: str, limit: float | None) -> APITimeoutError:
    """Return the error for a limit, by its name in ``Timeout``."""
    return APITimeoutError(
        f"waited {limit or 0:g} s for {_AWAITED[name]}, the limit (timeout.{name})", code=f"timeout_{name}"
    )


def _later(moment: float, seconds: float | None) -> float | None:
    return None if seconds is None else moment + seconds


def _earliest(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
