"""Who hears the records of calls, and when: on a thread of their own, after the caller has got the answer.

A slow or failing listener harms nobody::

    import dragoman

    dragoman.on_record(lambda record: print(record.model, record.outcome, record.cost))
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import threading
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from dragoman.records.record import Record

__all__ = ["begin", "flush_records", "heard", "on_record", "tell", "waiting"]

_LONGEST_QUEUE = 10_000
_PAUSE = 0.002  # seconds between two batches of records: after longer, what calls leave has left the caches
_LAST_WORDS = 5.0  # seconds that listeners have when the process ends

_log = logging.getLogger("dragoman.records")

Listener: TypeAlias = "Callable[[Record], Awaitable[None] | None]"
ContextListener: TypeAlias = "Callable[[Record, Any], Awaitable[None] | None]"
_Contexts: TypeAlias = "Mapping[_Ear, Any]"
_NO_CONTEXTS: _Contexts = MappingProxyType({})


class _Ear(NamedTuple):
    """One listener."""

    listener: Callable[..., Awaitable[None] | None]
    began: Callable[[], Any] | None

    def hear(self, record: Record, contexts: _Contexts) -> Awaitable[None] | None:
        """Tell it of a call."""
        if self.began is None:
            return self.listener(record)
        return self.listener(record, contexts.get(self))


class _Told(NamedTuple):
    """A call that is over."""

    record: Callable[[], Record]
    contexts: _Contexts


class _Hub:
    """Takes records to whoever listens."""

    def __init__(self) -> None:
        self._ears: tuple[_Ear, ...] = ()
        self._beginnings: tuple[_Ear, ...] = ()
        self._queue: deque[_Told | threading.Event] = deque()
        self._filled = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._lost = 0

    def add(self, ear: _Ear) -> Callable[[], None]:
        with self._lock:
            self._set((*self._ears, ear))
            if self._thread is None or not self._thread.is_alive():  # a forked process has none
                self._thread = threading.Thread(target=self._work, name="dragoman-records", daemon=True)
                self._thread.start()
                atexit.register(self.flush, _LAST_WORDS)

        def remove() -> None:
            with self._lock:
                self._set(tuple(known for known in self._ears if known is not ear))

        return remove

    def _set(self, ears: tuple[_Ear, ...]) -> None:
        self._ears = ears
        self._beginnings = tuple(ear for ear in ears if ear.began is not None)

    @property
    def heard(self) -> bool:
        return bool(self._ears)

    def begin(self) -> _Contexts:
        if not self._beginnings:
            return _NO_CONTEXTS
        contexts = {}
        for ear in self._beginnings:
            try:
                contexts[ear] = ear.began()  # type: ignore[misc]
            except Exception:
                _log.exception("a listener of records failed at the beginning of a call: %r", ear.listener)
        return contexts

    def tell(self, told: _Told) -> None:
        if not self._ears:
            return
        if len(self._queue) < _LONGEST_QUEUE:
            self._queue.append(told)
            if not self._filled.is_set():
                self._filled.set()
            return
        self._lost += 1
        if self._lost.bit_count() == 1:  # the first, the second, the fourth ...
            _log.warning("listeners are too slow: %d records were not told", self._lost)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def flush(self, seconds: float) -> bool:
        if self._thread is None or not self._thread.is_alive():
            return True
        reached = threading.Event()
        self._queue.append(reached)
        self._hurry.set()
        self._filled.set()
        return reached.wait(seconds)

    def _work(self) -> None:
        with asyncio.Runner() as runner:
            while True:
                self._filled.wait()
                self._filled.clear()
                self._empty_queue(runner)  # a frame of its own, which keeps no call alive while this waits
                # What comes now waits for a batch: calls in quick succession are not each interrupted.
                self._hurry.wait(_PAUSE)
                self._hurry.clear()

    def _empty_queue(self, runner: asyncio.Runner) -> None:
        while self._queue:
            told = self._queue.popleft()
            if isinstance(told, threading.Event):
                told.set()
            else:
                self._tell_all(runner, told)

    def _tell_all(self, runner: asyncio.Runner, told: _Told) -> None:
        try:
            record = told.record()
        except Exception:
            _log.exception("a call could not be recorded")
            return
        for ear in self._ears:
            try:
                waits = ear.hear(record, told.contexts)
                if inspect.isawaitable(waits):
                    runner.run(_awaited(waits))
            except Exception:
                _log.exception("a listener of records failed: %r", ear.listener)


async def _awaited(waits: Awaitable[None]) -> None:
    await waits


_hub = _Hub()


@overload
def on_record(listener: Listener) -> Callable[[], None]: ...
@overload
def on_record(listener: ContextListener, *, began: Callable[[], Any]) -> Callable[[], None]: ...
def on_record(
    listener: Listener | ContextListener, *, began: Callable[[], Any] | None = None
) -> Callable[[], None]:
    """Call a function, sync or async, with the record of every call from now on, of all clients.

    It runs on a thread that all listeners share, in the order of the calls' ends. What it raises is logged to
    ``dragoman.records``. Records that come faster than they are heard wait, up to ten thousand of them.

    Args:
        listener: what to call.
        began: called when a call begins, on its caller's thread and in its ``contextvars``, so it has to be
            quick; what it returns is the listener's second argument (None where it failed): a trace's span.

    Returns:
        A function that ends it.
    """
    return _hub.add(_Ear(listener, began))


def flush_records(timeout: float = 5.0) -> bool:
    """Wait until all records so far were heard; return whether that was in time (`timeout`, in seconds)."""
    return _hub.flush(timeout)


def begin() -> _Contexts:
    """Return what listeners want to note of the moment that a call begins."""
    return _hub.begin()


def heard() -> bool:
    """Return whether anybody listens."""
    return _hub.heard


def waiting() -> int:
    """Return how many records wait to be heard."""
    return _hub.waiting


def tell(record: Callable[[], Record], contexts: _Contexts = _NO_CONTEXTS) -> None:
    """Take a record to whoever listens.

    Args:
        record: makes the record of a call that is over, on the listeners' thread.
        contexts: what ``begin`` returned when it began.
    """
    _hub.tell(_Told(record, contexts))
