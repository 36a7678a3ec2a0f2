"""Those who ask: dragoman's SDK in all its shapes, and its server."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.failover.cells import cells_of, play_all
from tests.failover.outcomes import Failure, Outcome
from tests.failover.served import ServerCaller, served
from tests.failover.settings import QUESTION, credentials_of, fallbacks_of, model_list_of, router_settings
from tests.failover.story import HEALTHY

import dragoman
from dragoman.routing import Fleet, RoutingSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from concurrent.futures import Executor

    from tests.failover.cells import Caller, Cell, Result
    from tests.failover.profiles import Profile
    from tests.failover.upstream import FaultyUpstream

__all__ = ["MODES", "Mode", "SingleTarget", "ask", "play_mode"]

_THREADS = 200  # calls that wait at the same time


class Mode(NamedTuple):
    """A way to ask."""

    who: str
    streamed: bool
    recovery: str | None = None

    def __str__(self) -> str:
        """Return its name."""
        return "-".join(filter(None, (self.who, "stream" if self.streamed else "whole", self.recovery)))


MODES = (
    *(Mode("router", True, recovery) for recovery in ("buffer", "continue")),
    Mode("router", False),
    Mode("sync-router", True, "buffer"),
    Mode("sync-router", False),
    Mode("client", True, "continue"),
    Mode("client", False),
    *(Mode("server", True, recovery) for recovery in ("buffer", "continue")),
    Mode("server", False),
)


# ---- the SDK --------------------------------------------------------------------------------------------


def _failed(outcome: Outcome, error: Exception) -> None:
    """Note what a call raised."""
    if not isinstance(error, dragoman.APIError):
        outcome.crash = f"{type(error).__name__}: {error}"
        return
    outcome.failure = Failure(status=error.status_code, code=error.code, message=error.message)
    if error.response is not None:
        outcome.response = error.response.to_dict()


async def ask(create: Callable[..., Any], outcome: Outcome, options: dict[str, Any]) -> None:
    """Make a call of the async SDK; note what comes of it."""
    try:
        answer = await create(**{"input": QUESTION, "stream": outcome.streamed, **options})
        if outcome.streamed:
            async with answer:
                async for event in answer:
                    outcome.events.append(event.to_dict())
                answer = await answer.get_final_response()
        outcome.response = answer.to_dict()
    except Exception as error:
        _failed(outcome, error)


def _ask_sync(create: Callable[..., Any], outcome: Outcome, options: dict[str, Any]) -> None:
    try:
        answer = create(**{"input": QUESTION, "stream": outcome.streamed, **options})
        if outcome.streamed:
            with answer:
                for event in answer:
                    outcome.events.append(event.to_dict())
                answer = answer.get_final_response()
        outcome.response = answer.to_dict()
    except Exception as error:
        _failed(outcome, error)


class _ByRouter:
    """``Router``, async."""

    def __init__(self, cell: Cell, url: str, profile: Profile) -> None:
        self._streamed = cell.streamed
        self._router = dragoman.Router(
            model_list=model_list_of(cell, url),
            fallbacks=fallbacks_of(cell),
            **router_settings(profile, streamed=cell.streamed),
        )

    async def ask(self, *, healthy: bool = False) -> Outcome:
        outcome = Outcome(streamed=self._streamed)
        await ask(self._router.aresponses, outcome, {"model": "healthy" if healthy else "m"})
        return outcome

    async def close(self) -> None:
        await self._router.aclose()


class _BySyncRouter(_ByRouter):
    """``Router``, from threads."""

    def __init__(self, cell: Cell, url: str, profile: Profile, *, threads: Executor) -> None:
        super().__init__(cell, url, profile)
        self._threads = threads

    async def ask(self, *, healthy: bool = False) -> Outcome:
        outcome = Outcome(streamed=self._streamed)
        ask = partial(_ask_sync, self._router.responses, outcome, {"model": "healthy" if healthy else "m"})
        await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return outcome


class SingleTarget:
    """A client without retries and fallbacks."""

    def __init__(self, cell: Cell, url: str, profile: Profile) -> None:
        self._cell = cell
        self._options: dict[str, Any] = {}
        self._client = dragoman.AsyncDragoman(
            providers={
                provider: {"api_base": cell.address(url, provider), **credentials_of(provider)}
                for provider in filter(None, {cell.provider, cell.fallback_provider})
            },
            timeout=dragoman.Timeout(first_event=profile.first_token, between_events=profile.first_token),
            fleet=Fleet(settings=RoutingSettings(num_retries=0, cooldown_time=profile.cooldown)),
        )

    async def ask(self, *, healthy: bool = False) -> Outcome:
        outcome = Outcome(streamed=self._cell.streamed)
        model = HEALTHY if healthy else self._cell.primary
        options = {"model": f"{self._cell.provider}/{model}", **self._options}
        await ask(self._client.responses.create, outcome, options)
        return outcome

    async def close(self) -> None:
        await self._client.close()


class _ByCall(SingleTarget):
    """A client that is told with each call where else to go."""

    def __init__(self, cell: Cell, url: str, profile: Profile) -> None:
        super().__init__(cell, url, profile)
        self._options = {"num_retries": profile.retries}
        if cell.fallback_provider:
            self._options["fallbacks"] = [f"{cell.fallback_provider}/{cell.fallback}"]
        if cell.recovery:
            self._options["stream_recovery"] = cell.recovery


# ---- all of them ----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _callers(
    mode: Mode, cells: Iterable[Cell], upstream: FaultyUpstream
) -> AsyncIterator[Callable[[Cell], Caller]]:
    """Make ready what this mode needs; yield what makes the caller of a cell."""
    url, profile = upstream.url, upstream.profile
    if mode.who == "server":
        async with served(cells, upstream, streamed=mode.streamed) as http:
            yield lambda cell: ServerCaller(cell, http)
    elif mode.who == "sync-router":
        with ThreadPoolExecutor(_THREADS) as threads:
            yield lambda cell: _BySyncRouter(cell, url, profile, threads=threads)
    elif mode.who == "router":
        yield lambda cell: _ByRouter(cell, url, profile)
    else:
        yield lambda cell: _ByCall(cell, url, profile)


async def play_mode(
    mode: Mode, upstream: FaultyUpstream, *, key: str = "", **options: Any
) -> dict[str, Result]:
    """Play scenarios at all providers in one mode (see ``play_all``).

    Args:
        mode: who asks, and how.
        upstream: who breaks.
        key: tells it apart from what else is played there in the same mode.
        options: further arguments of ``cells_of``.
    """
    cells = cells_of(f"{mode}{key}", streamed=mode.streamed, recovery=mode.recovery, **options)
    async with _callers(mode, cells, upstream) as caller:
        return await play_all(cells, caller, upstream)
