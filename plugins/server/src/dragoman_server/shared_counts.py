"""Counts of keys in memory that a server's workers share: what one lets in, all have let in.

The memory is made before the workers are; it has a slot for each key that has limits and was seen lately. A
lock of the operating system guards it, which ends with the process that holds it, as a worker's calls under
way do: whoever takes its place finds that it is gone, and forgets them.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SharedCounts", "Slot", "SlotMeter"]

_SPAN = 60
_BUCKETS = 64  # of a second each; more than are counted, so that an old one is known for old
_WORKERS = 64
_STAMPS, _REQUESTS, _TOKENS = 1, 1 + _BUCKETS, 1 + 2 * _BUCKETS
_PARALLEL = 1 + 3 * _BUCKETS
_SIZE = _PARALLEL + _WORKERS  # numbers in a slot; the first tells whose it is
_PROBED = 64  # slots that a key may have


class SharedCounts:
    """The memory. Make it before the workers, and call ``join`` in each."""

    def __init__(self, slots: int = 4096, *, shared: bool = True) -> None:
        """Reserve room for so many keys; pages that are never used take none.

        Args:
            slots: how many keys may be at work.
            shared: whether forks of this process share it; else it needs no lock.
        """
        size = 8 * (_WORKERS + slots * _SIZE)
        self._slots = slots
        self._numbers = memoryview(mmap.mmap(-1, size) if shared else bytearray(size)).cast("d")
        self._lock: int | None = None
        self._column = 0
        if shared and fcntl is not None:  # there are no workers elsewhere
            self._lock, path = tempfile.mkstemp(prefix="dragoman-")
            os.unlink(path)

    def join(self) -> None:
        """Take a column for this process's calls under way; those of a process that is gone are forgotten."""
        with self.locked():
            numbers, own = self._numbers, os.getpid()
            columns = range(_WORKERS)
            taken = next((place for place in columns if int(numbers[place]) == own), None)
            if taken is None:
                taken = next((place for place in columns if not _is_alive(int(numbers[place]))), 0)
                if numbers[taken]:
                    self._forget(taken)
                numbers[taken] = float(own)
            self._column = taken

    def _forget(self, column: int) -> None:
        for base in range(_WORKERS, len(self._numbers), _SIZE):
            if self._numbers[base]:
                self._numbers[base + _PARALLEL + column] = 0.0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other processes out."""
        if self._lock is None:
            yield
            return
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def slot(self, key_id: str, now: float) -> Slot | None:
        """Return a key's slot, under the lock; None: there are too many keys at work for one more."""
        tag = float(1 + int(key_id[-12:], 16))  # 48 bits, which a float holds exactly
        first = int(tag) % self._slots
        spare: int | None = None
        for step in range(min(_PROBED, self._slots)):
            base = _WORKERS + (first + step) % self._slots * _SIZE
            found = self._numbers[base]
            if found == tag:
                return self._slot(base)
            if spare is None and (not found or self._slot(base).is_idle(now)):
                spare = base
            if not found:
                break
        if spare is None:
            return None
        self._numbers[spare : spare + _SIZE] = memoryview(bytearray(8 * _SIZE)).cast("d")
        self._numbers[spare] = tag
        return self._slot(spare)

    def _slot(self, base: int) -> Slot:
        return Slot(self._numbers[base : base + _SIZE], self._column)


class Slot:
    """What one key has done lately, in all processes."""

    __slots__ = ("_column", "_numbers", "requests", "tokens")

    def __init__(self, numbers: memoryview[float], column: int) -> None:
        self._numbers = numbers
        self._column = _PARALLEL + column
        self.requests = SlotMeter(numbers, _REQUESTS)
        self.tokens = SlotMeter(numbers, _TOKENS)

    @property
    def parallel(self) -> int:
        """How many calls are under way, in all processes."""
        return int(sum(self._numbers[_PARALLEL:]))

    def begin(self) -> None:
        """Count a call of this process."""
        self._numbers[self._column] += 1.0

    def end(self) -> None:
        """Count it no more."""
        self._numbers[self._column] = max(0.0, self._numbers[self._column] - 1.0)

    def is_idle(self, now: float) -> bool:
        """Tell whether nothing of it counts."""
        oldest = math.floor(now) - _SPAN
        return max(self._numbers[_STAMPS:_REQUESTS]) < oldest and not any(self._numbers[_PARALLEL:])


class SlotMeter:
    """Counts over any 60 seconds; means what ``dragoman.routing.meters.Meter`` does."""

    __slots__ = ("_amounts", "_numbers")

    def __init__(self, numbers: memoryview[float], amounts: int) -> None:
        self._numbers = numbers
        self._amounts = amounts

    def add(self, now: float, amount: float) -> None:
        """Count an amount."""
        place = math.floor(now)
        bucket, numbers = place % _BUCKETS, self._numbers
        if numbers[_STAMPS + bucket] != place:
            numbers[_STAMPS + bucket] = float(place)
            numbers[_REQUESTS + bucket] = numbers[_TOKENS + bucket] = 0.0
        numbers[self._amounts + bucket] += amount

    def correct(self, then: float, now: float, amount: float) -> None:
        """Count what an estimate made at `then` was too small by, or take back by what it was too large."""
        if amount > 0:
            self.add(now, amount)
        place = math.floor(then)
        bucket = place % _BUCKETS
        if amount < 0 and self._numbers[_STAMPS + bucket] == place:
            self._numbers[self._amounts + bucket] += amount

    def read(self, now: float) -> float:
        """Return what was counted in the last minute."""
        return max(0.0, sum(amount for _, amount in self._counted(now)))

    def room_at(self, now: float, limit: float, needed: float) -> float:
        """Return the first moment at which `needed` more stay within the limit, if nothing else comes."""
        excess = self.read(now) + needed - limit
        for place, amount in sorted(self._counted(now)):
            if excess <= 0:
                break
            excess -= amount
            now = max(now, place + _SPAN + 1)
        return now

    def _counted(self, now: float) -> list[tuple[float, float]]:
        oldest = math.floor(now) - _SPAN
        numbers, amounts = self._numbers, self._amounts
        stamps = numbers[_STAMPS:_REQUESTS].tolist()
        return [
            (place, amount)
            for place, amount in zip(stamps, numbers[amounts : amounts + _BUCKETS].tolist(), strict=True)
            if amount and place >= oldest
        ]


def _is_alive(process: int) -> bool:
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
