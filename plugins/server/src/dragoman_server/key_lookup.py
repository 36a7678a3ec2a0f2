"""Which key a caller shows: found in the store, remembered for seconds, so that calls need no look-up.

What is looked up is believed for ``FRESH`` seconds: a key that is revoked stops within that time everywhere.
Where the store is down, a key that was seen goes on for ``STALE`` seconds; for others the server says that it
is at fault (503), never that the key is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from dragoman.errors import APIError, ServiceUnavailableError
from dragoman_server.keys import PREFIX, Key, key_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.accounts import StoredKey
    from dragoman.memory.keeper import Keeper
    from dragoman.state import Transaction

__all__ = ["FRESH", "STALE", "KeyLookup"]

FRESH = 5.0
"""Seconds for which nobody asks again."""
STALE = 300.0
"""Seconds for which a key that was there is believed while the store cannot be asked."""
_PATIENCE = 2.0  # seconds that a known key's caller waits for a store that does not answer
_PAUSE = 1.0  # seconds before a store that did not answer is asked again
_MOST_KNOWN = 20_000
_MOST_UNKNOWN = 10_000
_AT_ONCE = 32  # look-ups; whoever makes up keys makes others wait that were not seen yet, and nobody else
_LONGEST = 200  # characters: no key of ours is longer


class _Seen(NamedTuple):
    key: Key | None
    at: float


class KeyLookup:
    """The keys that one process has seen lately, on one event loop."""

    def __init__(self, keeper: Callable[[], Keeper], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any.

        Args:
            keeper: returns what keeps the store.
            clock: seconds.
        """
        self._keeper = keeper
        self._clock = clock
        self._known: OrderedDict[str, _Seen] = OrderedDict()
        self._unknown: OrderedDict[str, _Seen] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Key | None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._down_until = 0.0

    async def find(self, shown: str) -> Key | None:
        """Return the key that was shown, also one that is over; None: there is no such key.

        Raises:
            ServiceUnavailableError: that cannot be told now.
        """
        if not shown.startswith(PREFIX) or len(shown) > _LONGEST:
            return None
        id_ = key_id(shown)
        seen = self._known.get(id_) or self._unknown.get(id_)
        now = self._clock()
        if seen is not None and now - seen.at < FRESH:
            key = seen.key
        elif seen is not None and seen.key is not None:
            key = await self._again(id_, seen, now)
        elif now < self._down_until:
            raise _unavailable("it did not answer a moment ago")
        else:
            key = await self._ask(id_)
        return key if key is not None and key.opened_by(shown) else None

    def forget(self, id_: str) -> None:
        """Forget a key that was changed here."""
        self._known.pop(id_, None)
        self._unknown.pop(id_, None)

    async def _again(self, id_: str, seen: _Seen, now: float) -> Key | None:
        """Ask for a key that was there; where nobody answers, what was is believed a while longer."""
        stands = now - seen.at < STALE
        if stands and now < self._down_until:
            return seen.key
        try:
            async with asyncio.timeout(_PATIENCE if stands else None):
                return await self._ask(id_)
        except (APIError, TimeoutError):
            self._down_until = self._clock() + _PAUSE
            if not stands:
                raise
            return seen.key

    async def _ask(self, id_: str) -> Key | None:
        """Ask the store; whoever wants to know the same meanwhile waits for the same answer."""
        task = self._asking.get(id_)
        if task is None:
            task = self._asking[id_] = asyncio.create_task(self._look_up(id_))
            task.add_done_callback(lambda done: self._asked(id_, done))
        return await asyncio.shield(task)

    def _asked(self, id_: str, task: asyncio.Task[Key | None]) -> None:
        del self._asking[id_]
        if not task.cancelled():
            task.exception()  # whoever waited has heard of it

    async def _look_up(self, id_: str) -> Key | None:
        def get(transaction: Transaction) -> StoredKey | None:
            return transaction.get_key(id_)

        async with self._slots:
            try:
                stored = await self._keeper().arun(get)
            except ServiceUnavailableError as problem:
                self._down_until = self._clock() + _PAUSE
                raise _unavailable(problem.message) from problem
        key = None if stored is None else Key.read(stored)
        self.forget(id_)
        seen, most = (self._unknown, _MOST_UNKNOWN) if key is None else (self._known, _MOST_KNOWN)
        seen[id_] = _Seen(key, self._clock())
        if len(seen) > most:
            seen.popitem(last=False)
        return key


def _unavailable(why: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"the store of keys cannot be asked now, so nobody can tell what this key may do: {why}",
        code="store_unavailable",
        type="server_error",
    )
