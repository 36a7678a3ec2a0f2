"""How a turn waits: by blocking the thread, or on an event loop.

A turn is written once, as coroutines. With a blocking driver they never suspend, so ``at_once`` can run them
without an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dragoman.plugins import are_loaded, load_plugins

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from dragoman.attempts.attempt import Attempt
    from dragoman.events.batches import Batch
    from dragoman.memory.keeper import Keeper
    from dragoman.network.timeouts import Timeout
    from dragoman.network.transport import AsyncTransport, Transport
    from dragoman.state import Transaction

__all__ = ["AsyncDriver", "BlockingDriver", "Driver", "at_once"]

_Result = TypeVar("_Result")


class Driver(Protocol):
    """How a turn waits."""

    def batches(self, attempt: Attempt, timeout: Timeout) -> AsyncGenerator[Batch]:
        """Carry out an attempt; yield its events, those of one chunk together."""

    async def operate(
        self,
        keeper: Keeper,
        operation: Callable[[Transaction], _Result],
        *,
        timeout: float | None = None,
    ) -> _Result:
        """Carry out an operation on a store; `timeout`: see ``Keeper.arun``."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def plugins(self) -> None:
        """Wait until hooks can be called that are to be quick; they are loaded while attempts are made."""


class BlockingDriver:
    """Waits by blocking the thread."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def batches(self, attempt: Attempt, timeout: Timeout) -> AsyncGenerator[Batch]:
        """Carry out an attempt."""
        with contextlib.closing(self._transport.batches(attempt, timeout)) as batches:
            for batch in batches:
                yield batch

    async def operate(
        self,
        keeper: Keeper,
        operation: Callable[[Transaction], _Result],
        *,
        timeout: float | None = None,  # noqa: ARG002 - a store that blocks has limits of its own
    ) -> _Result:
        """Carry out an operation on a store."""
        return keeper.run(operation)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)  # noqa: ASYNC251 - there is no event loop

    async def plugins(self) -> None:
        """Do nothing: a hook that has to load something holds up nobody else."""


class AsyncDriver:
    """Waits on the event loop."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._loading: asyncio.Future[None] | None = None

    def batches(self, attempt: Attempt, timeout: Timeout) -> AsyncGenerator[Batch]:
        """Carry out an attempt."""
        if not are_loaded() and self._loading is None:
            self._loading = asyncio.ensure_future(asyncio.to_thread(load_plugins))
        return self._transport.batches(attempt, timeout)

    async def operate(
        self,
        keeper: Keeper,
        operation: Callable[[Transaction], _Result],
        *,
        timeout: float | None = None,
    ) -> _Result:
        """Carry out an operation on a store."""
        return await keeper.arun(operation, timeout=timeout)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def plugins(self) -> None:
        """Wait until they are loaded, in a thread."""
        if self._loading is not None:
            await asyncio.shield(self._loading)


def at_once(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Return the result of a coroutine that a blocking driver carries: it never waits for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking call tried to wait for an event loop")
