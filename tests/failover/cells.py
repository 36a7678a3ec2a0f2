"""One cell of the matrix: a scenario, a provider, a way to ask; and how it is played."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tests.failover.outcomes import Outcome
from tests.failover.scenarios import CALLS_IN_AN_OUTAGE, SCENARIOS, Evidence, Judgement, judge
from tests.failover.wires import WIRES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.failover.exchanges import Try
    from tests.failover.profiles import Profile
    from tests.failover.upstream import FaultyUpstream

__all__ = ["ROUNDS", "SILENT", "Caller", "Cell", "Result", "cells_of", "play", "play_all"]

ROUNDS = 3  # at most
SILENT = frozenset({"S13", "S15"})
"""Scenarios whose attempts no answer tells: an error has none, and many calls share what upstream saw."""
_NEXT = {"anthropic": "gemini", "gemini": "bedrock", "bedrock": "openai", "openai": "anthropic"}
_STAGGER = 0.02  # seconds between two beginnings, and longer while the machine is behind
_BEHIND = 0.005  # seconds
_STANDSTILL = 0.1  # seconds
_WARMING = 20  # calls
_SETTLING = 1.0  # seconds that connections may take to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario at one provider, asked in one way."""

    scenario: str
    provider: str
    fallback_provider: str | None
    """None: there is no fallback."""
    streamed: bool
    recovery: str | None = None
    """What is configured for streams that break."""
    mode: str = ""
    """Tells cells apart that are the same but for who asks."""
    round: int = 0
    """Counts how often it was played."""

    @property
    def key(self) -> str:
        """Its name in the path of the upstream, and in those of its models."""
        return f"{self.mode}-{self.scenario}-{self.provider}-{self.round}".lower()

    @property
    def primary(self) -> str:
        """The model that breaks."""
        return f"fb-{self.scenario.lower()}"

    @property
    def fallback(self) -> str:
        """The model of the fallback."""
        return SCENARIOS[self.scenario].fallback

    def address(self, upstream: str, provider: str) -> str:
        """Return the `api_base` of a provider for this cell."""
        return f"{upstream}/{self.key}{WIRES[provider].base}"


class Caller(Protocol):
    """Somebody who asks, for one cell."""

    async def ask(self, *, healthy: bool = False) -> Outcome:
        """Ask the primary, with the fallback behind it; or a model at which nothing is wrong."""

    async def close(self) -> None:
        """Close what is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a cell."""

    cell: Cell
    judgement: Judgement
    evidence: Evidence
    left_open: int
    """Tries that went on when the call was over."""

    @property
    def tells_its_attempts(self) -> bool:
        """Whether the answer names the models that upstream saw asked, and the last one as its own.

        A kept connection that is gone was no attempt: who finds that asks again over another.
        """
        told = self.evidence.call.attempts
        models = [attempt["model"].partition("/")[2] for attempt in told]
        outcomes = [attempt["outcome"] == "success" for attempt in told]
        unheard = [one for one in self.evidence.tries if one.kept and one.ending == "reset"]
        asked = [one.model for one in self.evidence.tries if one not in unheard]
        return models == asked and outcomes == [False] * (len(asked) - 1) + [True]


def cells_of(
    mode: str,
    *,
    streamed: bool,
    recovery: str | None = None,
    fallbacks: Mapping[str, str | None] = _NEXT,
    scenarios: Iterable[str] = tuple(SCENARIOS),
) -> list[Cell]:
    """Return the cells of one mode.

    `fallbacks`: provider -> that of its fallback; by default always another; None: there is none.
    """
    return [
        Cell(
            scenario=scenario,
            provider=provider,
            fallback_provider=fallback,
            streamed=streamed,
            recovery=recovery,
            mode=mode,
        )
        for provider, fallback in fallbacks.items()
        for scenario in scenarios
    ]


async def play_all(
    cells: Iterable[Cell], caller: Callable[[Cell], Caller], upstream: FaultyUpstream
) -> dict[str, Result]:
    """Play cells at the same time; return the results by the cells' keys.

    What is no pass is played again if the machine stood still meanwhile: then seconds say nothing.
    """
    watch = _Watch()

    async def one(cell: Cell) -> Result:
        while True:
            began, asking = time.monotonic(), caller(cell)
            try:
                result = await play(cell, asking, upstream)
            finally:
                await asking.close()
            good = result.judgement.verdict == "pass" and not result.left_open
            good = good and (cell.scenario in SILENT or result.tells_its_attempts)
            if good or cell.round + 1 == ROUNDS or not watch.stood_still_after(began):
                return result
            cell = replace(cell, round=cell.round + 1)

    cells = list(cells)
    for cell in {cell.provider: cell for cell in cells}.values():
        await _warm_up(caller(cell), upstream.profile)
    playing = []
    watching = asyncio.create_task(watch.run())
    for cell in sorted(cells, key=lambda cell: cell.scenario != "S15"):  # the longest first
        playing.append(asyncio.create_task(one(cell)))
        await _room()
    results = await asyncio.gather(*playing)
    watching.cancel()
    return {result.cell.key: result for result in results}


async def play(cell: Cell, caller: Caller, upstream: FaultyUpstream) -> Result:
    """Play one cell and judge it."""
    profile = upstream.profile
    earlier = len(upstream.tries(cell.key))
    if cell.scenario == "S15":
        calls = await _every(profile.between_calls, CALLS_IN_AN_OUTAGE, caller, profile)
    else:
        calls = [await _bounded(caller, profile)]
    tries = upstream.tries(cell.key)[earlier:]
    next_call = await _bounded(caller, profile, healthy=True)
    left_open = await _left_open(tries)
    evidence = Evidence(
        profile=profile,
        calls=calls,
        tries=tries,
        next_call=next_call,
        primary=cell.primary,
        fallback=cell.fallback,
    )
    return Result(cell=cell, judgement=judge(cell.scenario, evidence), evidence=evidence, left_open=left_open)


class _Watch:
    """Notices when the machine stands still."""

    def __init__(self) -> None:
        self._latest = 0.0

    async def run(self) -> None:
        """Look again and again."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_STAGGER)
            if time.monotonic() - began > _STAGGER + _STANDSTILL:
                self._latest = time.monotonic()

    def stood_still_after(self, moment: float) -> bool:
        """Tell whether it did since then."""
        return self._latest > moment


async def _room() -> None:
    """Wait until another cell can begin without slowing down those that are being played."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(_STAGGER)
        if time.monotonic() - began < _STAGGER + _BEHIND:
            return


async def _warm_up(caller: Caller, profile: Profile) -> None:
    """Ask until an answer comes in time: what is loaded at a first call is not what is measured here."""
    for _ in range(_WARMING):
        if (await _bounded(caller, profile, healthy=True)).answered:
            break
    await caller.close()


async def _every(seconds: float, times: int, caller: Caller, profile: Profile) -> list[Outcome]:
    async def later(place: int) -> Outcome:
        await asyncio.sleep(place * seconds)
        return await _bounded(caller, profile)

    return await asyncio.gather(*map(later, range(times)))


async def _bounded(caller: Caller, profile: Profile, *, healthy: bool = False) -> Outcome:
    began = time.monotonic()
    try:
        outcome = await asyncio.wait_for(caller.ask(healthy=healthy), profile.patience)
    except TimeoutError:
        outcome = Outcome(streamed=False, hung=True)
    outcome.began, outcome.seconds = began, time.monotonic() - began
    return outcome


async def _left_open(tries: Sequence[Try]) -> int:
    """Return how many tries are still going on a moment after the calls have ended."""
    ends = time.monotonic() + _SETTLING
    while True:
        going_on = sum(one.ending is None for one in tries)
        if not going_on or time.monotonic() > ends:
            return going_on
        await asyncio.sleep(0.01)
