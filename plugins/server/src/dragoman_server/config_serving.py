"""A server process that follows its config: ready line, signals, reloading."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from typing import TYPE_CHECKING

import uvicorn

from dragoman_server.app import create_app
from dragoman_server.config_watch import ConfigWatch
from dragoman_server.listening import listening

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from dragoman_server.config import Config
    from dragoman_server.shared_counts import SharedCounts

__all__ = ["run_server"]

_FAILED = 1
_LINGERS = 0.1  # seconds
_OURS = "dragoman.errors."
_ENDING = (signal.SIGINT, signal.SIGTERM)
_COLLECTED_AFTER = 20_000
"""New objects until the collector looks for cycles. A request makes hundreds, and leaves next to no cycles:
Python's own threshold costs it a tenth of its time."""


def run_server(
    config: Config,
    listener: socket.socket,
    *,
    read: Callable[[], Config],
    ready: Callable[[], None],
    refusal: Callable[[Config], str | None],
    log_level: str,
    parent: int | None = None,
    counts: SharedCounts | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    Args:
        config: what to serve.
        listener: bound, not yet listening.
        read: reads the config's files again; they are watched, if there are any.
        ready: called once requests are answered.
        refusal: tells why a changed config cannot be taken over, or None.
        log_level: of uvicorn, which tells much.
        parent: a file descriptor that is at its end once the process that started this one is gone; then this
            one stops too.
        counts: what keys have done, where several processes share that.
    """
    app = create_app(config.server, counts=counts)

    def take(new: Config) -> str | None:
        reason = refusal(new)
        if reason is None:
            new.export()
            app.state.service.reload(new.server)
        return reason

    watch = (lambda: ConfigWatch(config, read, take)) if config.files else None
    logging.getLogger("uvicorn.error").addFilter(_briefly)
    server = _Server(listening(app, log_config=None, log_level=log_level), ready, watch, parent)
    _collect_seldom()
    try:
        server.run(sockets=[listener])
    except SystemExit:  # uvicorn, after it has logged why nothing could be started
        return _FAILED
    return 0 if server.was_ready else _FAILED


def _collect_seldom() -> None:
    gc.collect()
    gc.freeze()  # what is there by now stays to the end
    gc.set_threshold(_COLLECTED_AFTER, *gc.get_threshold()[1:])


def _briefly(record: logging.LogRecord) -> bool:
    """Cut the traceback of an error that says by itself what is wrong: a store that cannot be opened."""
    last = record.getMessage().strip().rpartition("\n")[2]
    if last.startswith(_OURS):
        record.msg, record.args = last.partition(": ")[2], ()
    return True


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is ready, and whose config can change."""

    was_ready = False

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None],
        watch: Callable[[], ConfigWatch] | None,
        parent: int | None,
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._watch = watch
        self._parent = parent
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, say so, and begin to watch the config."""
        await super().startup(sockets)
        if not self.started or self.should_exit:
            return
        loop = asyncio.get_running_loop()
        if self._parent is not None:
            loop.add_reader(self._parent, self._without_parent, self._parent)
        if self._watch is not None:
            watch = self._watch()
            self._watching = asyncio.create_task(watch.run())
            if sys.platform != "win32":
                loop.add_signal_handler(signal.SIGHUP, watch.ask)
        self.was_ready = True
        self._ready()

    def _without_parent(self, parent: int) -> None:
        asyncio.get_running_loop().remove_reader(parent)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, let those that run end, stop."""
        if self._watching is not None:
            self._watching.cancel()
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LINGERS)  # what was sent on connections that are open already arrives
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on a signal, and leave with an exit code: being asked is no error."""
        before = {number: signal.signal(number, self.handle_exit) for number in _ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
