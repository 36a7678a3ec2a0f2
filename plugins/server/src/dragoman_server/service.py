"""What the requests of one process share: connections, the store, background work, deployments."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.errors import APIError
from dragoman.memory.keeper import Keeper
from dragoman.memory.leases import fail_abandoned
from dragoman.memory.memory_store import MemoryStore
from dragoman.memory.stores import open_store
from dragoman.network.drivers import AsyncDriver
from dragoman.plugins import load_plugins
from dragoman.records.listeners import on_record
from dragoman.routing import Fleet
from dragoman.turns.arguments import Defaults, begin_journey
from dragoman.turns.background import Background
from dragoman.turns.errands import Errand
from dragoman.turns.turn import Memory, Turn
from dragoman_server.admissions import Admission
from dragoman_server.authentication import Keyring, authenticate
from dragoman_server.bodies import refuse_options
from dragoman_server.budgets import LEASE, Reservations, free_holds
from dragoman_server.key_limits import KeyLimits
from dragoman_server.key_lookup import KeyLookup
from dragoman_server.metrics import Metrics
from dragoman_server.model_access import check_models, rule_of
from dragoman_server.paths import check_history
from dragoman_server.upstream import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dragoman.records.record import Mode, Operation
    from dragoman.routing import Journey
    from dragoman.state import LedgerEntry, Transaction
    from dragoman_server.authentication import Owner
    from dragoman_server.gateway import ServerConfig
    from dragoman_server.shared_counts import SharedCounts

__all__ = ["Service"]

_Result = TypeVar("_Result")
_MAINTAINED_EVERY = 10.0  # seconds
_LAST_WORDS = 5.0  # seconds that requests have to end once they were told to
_ROLLED_UP = 500  # entries of the ledger in one go: nobody should wait for more
_DAY = 86400
_KEPT = 10_000  # responses, conversations, entries of the ledger: of a server that has only its memory
_IGNORED = frozenset({"client_metadata"})  # Codex says who it is; that is no upstream's business

_log = logging.getLogger("dragoman.server")


class Service:
    """One process's server: made from a config, started and stopped with the event loop."""

    def __init__(
        self,
        config: ServerConfig,
        keyring: Keyring | None = None,
        counts: SharedCounts | None = None,
    ) -> None:
        """Get ready; nothing is opened yet.

        Args:
            config: what to serve.
            keyring: who may ask; None: whoever has the config's master key.
            counts: what keys have done, where several processes share that; None: in this one.
        """
        self.transport = AiohttpTransport()
        self.background = Background()
        self.driver = AsyncDriver(self.transport)
        self._keeper: Keeper | None = None
        self._maintenance: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._active = 0
        self._idle = asyncio.Event()
        self._fixed_keyring = keyring
        self.keys = KeyLookup(lambda: self.keeper)
        self.key_limits = KeyLimits(counts=counts)
        self.reservations = Reservations(lambda: self.keeper)
        self._listening: tuple[Sequence[Any], list[Callable[[], None]]] | None = None
        self.reload(config)
        self.metrics = Metrics(self)

    def reload(self, config: ServerConfig) -> None:
        """Serve by another config from now on; requests that run go on by theirs. The store stays."""
        self.config = config
        self.limits = config.limits
        if self._listening and config.listeners != self._listening[0]:
            self._listen()
        self.fleet = Fleet(config.deployments, config.routing, adhoc=False)
        self._defaults = Defaults(fleet=self.fleet)
        keys = [config.master_key] if config.master_key else []
        self.keyring = self._fixed_keyring or Keyring(keys)

    # ---- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, and end what a process that is gone has left unfinished."""
        self.metrics.start()
        self._listen()
        self.key_limits.counts.join()
        if self._keeper is None:
            self._keeper = Keeper(await asyncio.to_thread(self._open_store))
        await asyncio.to_thread(load_plugins)
        await self._maintain(alone_at=self._keeper.store.alone_at)
        self._maintenance = asyncio.create_task(self._keep_maintaining())
        self._renewal = asyncio.create_task(self._keep_renewing())

    async def stop(self) -> None:
        """Let requests say their last words, end background work, close everything."""
        for task in (self._maintenance, self._renewal):
            if task is not None:
                task.cancel()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                while self._active:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            _log.warning("%d requests did not end in time", self._active)
        await self.background.close()
        self.metrics.stop()
        self._listen_no_more()
        await self.transport.close()
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.close)
            self._keeper = None

    def _listen(self) -> None:
        """Let the functions of the config hear of calls from now on, and no others."""
        self._listen_no_more()
        listeners = self.config.listeners
        self._listening = listeners, [on_record(listener) for listener in listeners]

    def _listen_no_more(self) -> None:
        if self._listening is not None:
            for end in self._listening[1]:
                end()
        self._listening = None

    @property
    def active(self) -> int:
        """How many requests there are at the moment."""
        return self._active

    def enter(self) -> None:
        """Count a request that begins."""
        self._active += 1

    def leave(self) -> None:
        """Count a request that has ended."""
        self._active -= 1
        if not self._active:
            self._idle.set()

    # ---- callers ------------------------------------------------------------------------------------

    async def authenticate(self, headers: Mapping[bytes, bytes]) -> Owner:
        """Return who asks (see ``dragoman_server.authentication``)."""
        return await authenticate(headers, self.keyring, self.keys)

    def admission(self, owner: Owner) -> Admission:
        """Return what a call of this owner's has to pass, and gives back."""
        return Admission(self, owner)

    # ---- calls --------------------------------------------------------------------------------------

    def journey(self, body: Mapping[str, Any], owner: Owner) -> Journey:
        """Return the way of the call that a caller's body means.

        Raises:
            APIError: the body is wrong, the owner may not ask that model, or nothing here serves it.
        """
        given = {name: value for name, value in body.items() if value is not None and name not in _IGNORED}
        refuse_options(given)
        for fallback in given.get("fallbacks") or ():
            if isinstance(fallback, dict):
                refuse_options(fallback)
        check_models(owner, self.fleet, given)
        allows = rule_of(owner)
        journey = begin_journey(self._defaults, given, check=refuse_options, allows=allows)
        check_history(journey.call.request)
        return journey

    def turn(self, body: Mapping[str, Any], admission: Admission, mode: Mode | None = None) -> Turn:
        """Return the turn that a body means (see ``journey``); it has yet to be admitted."""
        return Turn(self.journey(body, admission.owner), self.driver, self._memory_of(admission), mode=mode)

    def errand(self, operation: Operation, body: Mapping[str, Any], admission: Admission) -> Errand:
        """Return the call beside the responses that a body means; it has yet to be admitted."""
        return Errand(operation, self.journey(body, admission.owner), self._memory_of(admission))

    def _memory_of(self, admission: Admission) -> Memory:
        return self.memory(admission.owner, entered=admission.entered)

    # ---- memory -------------------------------------------------------------------------------------

    def memory(
        self, owner: Owner, *, entered: Callable[[Transaction, LedgerEntry], None] | None = None
    ) -> Memory:
        """Return the memory of an owner; `entered` is told of each call's end (see ``Memory``)."""
        return Memory(
            keeper=self.keeper,
            owner=owner.name,
            retention=self.config.retention,
            may_forget=self.config.unstored_without_store,
            entered=entered,
        )

    @property
    def keeper(self) -> Keeper:
        """What keeps the store; there from start to stop."""
        if self._keeper is None:
            raise RuntimeError("the server has not been started: its ASGI lifespan has to be run")
        return self._keeper

    async def operate(self, operation: Callable[..., _Result], *arguments: Any, **more: Any) -> _Result:
        """Carry out an operation on the store."""
        return await self.keeper.arun(partial(operation, *arguments, **more))

    def _open_store(self) -> Any:
        if self.config.store is None:
            return MemoryStore(max_responses=_KEPT, max_conversations=_KEPT, max_entries=_KEPT)
        return open_store(self.config.store)

    async def _maintain(self, alone_at: float | None = None) -> None:
        try:
            await self.keeper.arun(partial(_tidy, alone_at=alone_at))
            await self._roll_up()
        except APIError as problem:
            _log.warning("the store could not be tidied: %s", problem)

    async def _roll_up(self) -> None:
        """Make sums by day of old entries of the ledger, of whole days and in small steps."""
        if self.config.ledger is None:
            return
        before = (time.time() - self.config.ledger) // _DAY * _DAY
        while await self.operate(_roll_up, before=before) == _ROLLED_UP:
            pass

    async def _keep_renewing(self) -> None:
        """Renew what calls hold, whatever else takes long."""
        while True:
            await asyncio.sleep(LEASE / 3)
            try:
                await self.reservations.renew()
            except APIError as problem:
                _log.warning("what running calls may cost is held no longer than %g s: %s", LEASE, problem)

    async def _keep_maintaining(self) -> None:
        while True:
            await asyncio.sleep(_MAINTAINED_EVERY)
            await self._maintain()


def _tidy(transaction: Transaction, alone_at: float | None) -> None:
    now = time.time()
    failed, purged = fail_abandoned(transaction, now, alone_at=alone_at), transaction.purge(now)
    free_holds(transaction, now, alone_at=alone_at)
    if failed or purged:
        _log.info("failed %d abandoned responses, deleted %d expired ones", failed, purged)


def _roll_up(transaction: Transaction, before: float) -> int:
    return transaction.roll_up(before, _ROLLED_UP)
