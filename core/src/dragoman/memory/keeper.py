"""How operations reach a store: at once, or from an event loop many at a time (group commit).

An operation is a function of a transaction. It checks before it writes, so that one that is refused leaves
nothing behind and spoils nothing for the others of its commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dragoman.errors import DragomanError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.state import Store, Transaction

__all__ = ["Keeper"]

_Result = TypeVar("_Result")
_MOST_AT_ONCE = 256
_GATHERS = 0.0005  # seconds that a commit waits for more to join it, where the last one was of several


class _Waiting(NamedTuple):
    """An operation from an event loop, and who waits for it."""

    operation: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Keeper:
    """Runs operations on a store: ``run`` from any thread, ``arun`` from event loops."""

    def __init__(self, store: Store, *, timeout: float = 10.0) -> None:
        """Keep a store.

        Args:
            store: where everything goes.
            timeout: seconds that an operation of an event loop may take.
        """
        self.store = store
        self._timeout = timeout
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, operation: Callable[[Transaction], _Result]) -> _Result:
        """Carry out an operation, and return when it is kept.

        Raises:
            ServiceUnavailableError: the store cannot do it now.
            APIError: what the operation itself raises.
        """
        try:
            with self.store.transaction() as transaction:
                return operation(transaction)
        except DragomanError:
            raise
        except Exception as problem:
            raise _unavailable(problem) from problem

    async def arun(
        self, operation: Callable[[Transaction], _Result], *, timeout: float | None = None
    ) -> _Result:
        """Carry out an operation without blocking the event loop (see ``run``).

        Args:
            operation: what to do.
            timeout: seconds to wait; it may still be carried out afterwards. None: the keeper's own.
        """
        if not self.store.blocking:
            return self.run(operation)
        self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        self._waiting.put(_Waiting(operation, future, loop))
        seconds = self._timeout if timeout is None else timeout
        timer = loop.call_later(seconds, _give_up, future, seconds)  # cheaper than `asyncio.timeout`
        try:
            return await future
        finally:
            timer.cancel()

    def close(self) -> None:
        """Finish what waits, and close the store."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            self._waiting.put(None)
            worker.join()
        self.store.close()

    # ---- group commit

    def _start(self) -> None:
        if self._worker is None:
            with self._lock:
                if self._worker is None:
                    self._worker = threading.Thread(target=self._work, name="dragoman-keeper", daemon=True)
                    self._worker.start()

    def _work(self) -> None:
        group: list[_Waiting] = []
        while True:
            waiting = self._waiting.get()
            if len(group) > 1:
                time.sleep(_GATHERS)  # a commit costs several times what one more operation in it does
            group = []
            with contextlib.suppress(queue.Empty):
                while waiting is not None and len(group) < _MOST_AT_ONCE:
                    group.append(waiting)
                    waiting = self._waiting.get_nowait()
                if waiting is not None:
                    self._waiting.put(waiting)
            if group:
                self._commit(group)
            if waiting is None:
                return

    def _commit(self, group: list[_Waiting]) -> None:
        """Carry out a group in one transaction; one by one where that fails: not all are to blame."""
        told: list[tuple[_Waiting, Any, Exception | None]] = []
        try:
            with self.store.transaction() as transaction:
                for waiting in group:
                    try:
                        told.append((waiting, waiting.operation(transaction), None))
                    except DragomanError as refusal:
                        told.append((waiting, None, refusal))
        except Exception as problem:
            if len(group) > 1:
                for waiting in group:
                    self._commit([waiting])
                return
            told = [(group[0], None, _unavailable(problem))]
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Any, Exception | None]]] = {}
        for entry in told:
            by_loop.setdefault(entry[0].loop, []).append(entry)
        for loop, entries in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever asked
                loop.call_soon_threadsafe(_tell, entries)


def _tell(entries: list[tuple[_Waiting, Any, Exception | None]]) -> None:
    for waiting, result, problem in entries:
        if waiting.future.done():
            continue  # nobody waits any more
        if problem is None:
            waiting.future.set_result(result)
        else:
            waiting.future.set_exception(problem)


def _give_up(future: asyncio.Future[Any], seconds: float) -> None:
    if not future.done():
        future.set_exception(_unavailable(f"no answer within {seconds:g} s"))


def _unavailable(problem: object) -> ServiceUnavailableError:
    what = f"{type(problem).__name__}: {problem}" if isinstance(problem, Exception) else problem
    return ServiceUnavailableError(
        f"the store of responses cannot be used now ({what}); requests with store: false do not need it",
        code="store_unavailable",
        type="server_error",
    )
