"""Several processes at one port: started together, stopped together, replaced where one is lost.

They are forks of a parent that has read the config and holds the listening socket; whichever is free accepts
the next connection, so none is lost while one of them ends. The parent serves nothing: it passes signals on,
and waits. What they have to share is in the store.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Work: TypeAlias = Callable[[Callable[[], None], int], int]

__all__ = ["run_workers"]

_FAILED = 1
_SHORT_LIFE = 1.0  # seconds: a worker that lives no longer than that is replaced after as long a pause

_log = logging.getLogger("dragoman.server")


def run_workers(count: int, work: Work, ready: Callable[[], None]) -> int:
    """Run a worker in so many processes until SIGTERM or SIGINT; return the exit code.

    Args:
        count: how many.
        work: what a worker does; it is given what to call when it is ready, and a file descriptor that is at
            its end once the parent is gone. It returns an exit code.
        ready: called once all of them are.
    """
    return _Parent(count, work, ready).run()


def _heard() -> tuple[signal.Signals, ...]:
    """Return the signals that the parent hears; not every system has them all."""
    return (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class _Parent:
    def __init__(
        self, count: int, work: Callable[[Callable[[], None], int], int], ready: Callable[[], None]
    ) -> None:
        self._count = count
        self._work = work
        self._ready = ready
        self._workers: dict[int, float] = {}  # process -> when it was started
        self._ready_read, self._ready_write = os.pipe()
        self._alive_read, self._alive_write = os.pipe()  # closed by the end of this process, however it ends
        self._wake_read, self._wake_write = socket.socketpair()
        self._signals: list[int] = []
        self._pending = count  # workers that have not been ready yet
        self._ending = False
        self._code = 0

    def run(self) -> int:
        """Start the workers and watch over them."""
        before = self._hear_signals()
        try:
            for _ in range(self._count):
                self._start()
            self._watch()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._code

    def _hear_signals(self) -> dict[int, Any]:
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno())
        return {
            number: signal.signal(number, lambda received, _: self._signals.append(received))
            for number in _heard()
        }

    def _start(self) -> None:
        process = os.fork()
        if process:
            self._workers[process] = time.monotonic()
            return
        code = _FAILED
        try:
            signal.set_wakeup_fd(-1)
            for number in _heard():
                signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
            for descriptor in (self._alive_write, self._ready_read):
                os.close(descriptor)
            self._wake_read.close()
            self._wake_write.close()
            code = self._work(self._say_ready, self._alive_read)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _say_ready(self) -> None:
        os.write(self._ready_write, b".")

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ready_read, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while self._workers or not self._ending:
                for key, _ in selector.select():
                    if key.fd == self._ready_read:
                        self._hear_ready(len(os.read(self._ready_read, 1024)))
                    else:
                        self._wake_read.recv(1024)
                while self._signals:
                    self._handle(self._signals.pop(0))

    def _hear_ready(self, count: int) -> None:
        if self._pending > 0:
            self._pending -= count
            if self._pending <= 0:
                self._ready()

    def _handle(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._bury()
            return
        if number == signal.SIGHUP:
            self._tell(number)
            return
        self._ending = True
        self._tell(
            signal.SIGTERM
        )  # also for SIGINT: Ctrl-C has reached them already, and twice means at once

    def _tell(self, number: int) -> None:
        for process in self._workers:
            os.kill(process, number)

    def _bury(self) -> None:
        """Note which workers have ended; start others in their place."""
        for process in list(self._workers):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                continue
            lived = time.monotonic() - self._workers.pop(process)
            code = os.waitstatus_to_exitcode(status)
            if self._ending:
                self._code = self._code or max(code, 0)
            elif self._pending > 0:  # it has said why it could not even start
                self._ending, self._code = True, code if code > 0 else _FAILED
                self._tell(signal.SIGTERM)
            else:
                _log.warning("worker %d has ended (%d); another takes its place", process, code)
                if lived < _SHORT_LIFE:
                    time.sleep(_SHORT_LIFE)
                self._start()
