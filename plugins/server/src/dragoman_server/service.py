"""What the requests of one process share: connections, the store, background work, deployments."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.background import Background, fail_abandoned
from dragoman.calls import Defaults, prepare_call
from dragoman.errors import APIError
from dragoman.keeper import Keeper
from dragoman.memory import MemoryStore
from dragoman.providers import load_provider, split_model
from dragoman.stores import open_store
from dragoman.turns import AsyncDriver, Memory, Turn
from dragoman_server.authentication import Keyring
from dragoman_server.bodies import refuse_options
from dragoman_server.deployments import Deployments
from dragoman_server.paths import check_history
from dragoman_server.upstream import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman.calls import Call
    from dragoman.state import Transaction
    from dragoman_server.authentication import Owner
    from dragoman_server.gateway import ServerConfig

__all__ = ["Service"]

_Result = TypeVar("_Result")
_MAINTAINED_EVERY = 60.0  # seconds
_LAST_WORDS = 5.0  # seconds that requests have to end once they were told to
_KEPT = 10_000  # responses, and conversations, of a server that has no store but its memory
_IGNORED = frozenset({"client_metadata"})  # Codex says who it is; that is no upstream's business

_log = logging.getLogger("dragoman.server")


class Service:
    """One process's server: made from a config, started and stopped with the event loop."""

    def __init__(self, config: ServerConfig, keyring: Keyring | None = None) -> None:
        """Get ready; nothing is opened yet.

        Args:
            config: what to serve.
            keyring: who may ask; None: whoever has the config's master key.
        """
        self.transport = AiohttpTransport()
        self.background = Background()
        self._driver = AsyncDriver(self.transport)
        self._keeper: Keeper | None = None
        self._maintenance: asyncio.Task[None] | None = None
        self._active = 0
        self._idle = asyncio.Event()
        self._fixed_keyring = keyring
        self.reload(config)

    def reload(self, config: ServerConfig) -> None:
        """Serve by another config from now on; requests that run go on by theirs. The store stays."""
        self.config = config
        self.limits = config.limits
        self.deployments = Deployments(config.deployments)
        keys = [config.master_key] if config.master_key else []
        self.keyring = self._fixed_keyring or Keyring(keys)

    # ---- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, and end what a process that is gone has left unfinished."""
        if self._keeper is None:
            self._keeper = Keeper(await asyncio.to_thread(self._open_store))
        await self._maintain()
        self._maintenance = asyncio.create_task(self._keep_maintaining())

    async def stop(self) -> None:
        """Let requests say their last words, end background work, close everything."""
        if self._maintenance is not None:
            self._maintenance.cancel()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                while self._active:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            _log.warning("%d requests did not end in time", self._active)
        await self.background.close()
        await self.transport.close()
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.close)
            self._keeper = None

    def enter(self) -> None:
        """Count a request that begins."""
        self._active += 1

    def leave(self) -> None:
        """Count a request that has ended."""
        self._active -= 1
        if not self._active:
            self._idle.set()

    # ---- calls --------------------------------------------------------------------------------------

    def call(self, body: Mapping[str, Any]) -> Call:
        """Return the call that a caller's body means on the deployment that it names.

        Raises:
            APIError: the body is wrong, or nothing here serves the model.
        """
        deployment, model = self.deployments.route(body.get("model"))
        prefix, _ = split_model(model)
        provider = load_provider(prefix)
        refuse_options(body, provider)
        given = {name: value for name, value in body.items() if value is not None and name not in _IGNORED}
        call = prepare_call(
            Defaults(options=deployment.options),
            {**deployment.parameters, **given, "model": model, "settings": deployment.settings},
        )
        check_history(call.request)
        return call

    def turn(self, call: Call, owner: Owner) -> Turn:
        """Return a turn of this owner's."""
        return Turn(call, self._driver, self.memory(owner))

    # ---- memory -------------------------------------------------------------------------------------

    def memory(self, owner: Owner) -> Memory:
        """Return the memory of an owner."""
        return Memory(keeper=self.keeper, owner=owner.name, retention=self.config.retention)

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
            return MemoryStore(max_responses=_KEPT, max_conversations=_KEPT)
        return open_store(self.config.store)

    async def _maintain(self) -> None:
        try:
            await self.keeper.arun(_tidy)
        except APIError as problem:
            _log.warning("the store could not be tidied: %s", problem)

    async def _keep_maintaining(self) -> None:
        while True:
            await asyncio.sleep(_MAINTAINED_EVERY)
            await self._maintain()


def _tidy(transaction: Transaction) -> None:
    now = time.time()
    failed, purged = fail_abandoned(transaction, now), transaction.purge(now)
    if failed or purged:
        _log.info("failed %d abandoned responses, deleted %d expired ones", failed, purged)
