"""Whether the caller is still there: a caller that leaves ends the work, whatever it waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

__all__ = ["Attendance"]


class Attendance:
    """Watches the caller of the task that enters it; a caller that leaves cancels the task.

    ::

        async with Attendance(receive) as attendance:
            try:
                ...
            except asyncio.CancelledError:
                attendance.gone  # the caller left; else the server stops
    """

    gone = False
    """Whether the caller has left."""

    def __init__(
        self,
        receive: Callable[[], Awaitable[Any]],
        *,
        delay: float | None = None,
        alarm: Callable[[], Awaitable[float]] | None = None,
    ) -> None:
        """Get ready.

        Args:
            receive: of the request, its body read.
            delay: seconds until `alarm` is called first.
            alarm: called meanwhile; it returns the seconds until its next call.
        """
        self._receive = receive
        self._delay = delay
        self._alarm = alarm
        self._task: asyncio.Task[Any] | None = None
        self._companion: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self._task = asyncio.current_task()
        self._companion = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Watch no more."""
        companion, self._companion = self._companion, None  # else each would keep the other alive
        if companion is not None:
            companion.cancel()

    async def _watch(self) -> None:
        while True:
            if self._alarm is None:
                message = await self._receive()
            else:
                try:
                    async with asyncio.timeout(self._delay):
                        message = await self._receive()
                except TimeoutError:
                    self._delay = await self._alarm()
                    continue
            if message["type"] == "http.disconnect":
                break
        self.gone = True
        if self._task is not None:
            self._task.cancel()
