"""Many calls over three deployments and a fallback, all of which fail at random.

    python -m tests.failover.chaos [--server] [--requests 2000] [--share 0.3] [--concurrency 64]

Upstream is the emulator of ``tests.emulator`` with its chaos switches: 500s, broken JSON with status 200,
connections closed before any byte, 429s, together as often as `--share` says. Half of the calls are streams.
Exit code 1 where a call hangs, an answer is not whole, or no more than 99.9 % are answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.emulator import PROVIDERS, emulator
from tests.failover.callers import ask
from tests.failover.outcomes import Outcome
from tests.failover.served import ask_served, serve
from tests.failover.story import STORY

import dragoman

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

__all__ = ["Counts", "chaotic_emulator", "play_chaos"]

_KINDS = ("drop", "malformed", "disconnect", "ratelimit")
_DEPLOYMENTS = ("anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "openai/gpt-5-mini")
_FALLBACK = "bedrock/us.amazon.nova-lite-v1:0"
_SETTINGS: dict[str, Any] = {
    "fallbacks": [{"m": ["backup"]}],
    "num_retries": 4,
    "timeout": 10,
    "stream_timeout": 5,
}
_PATIENCE = 60.0  # seconds after which a call hangs
_REQUIRED = 0.999


@dataclass(slots=True)
class Counts:
    """What became of the calls."""

    requests: int
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Clean errors, by status and code."""
    wrong: Counter[str] = field(default_factory=Counter)
    """What no caller may ever get: hangs, truncated or doubled text, illegal streams."""
    attempts: Counter[int] = field(default_factory=Counter)
    """How many attempts the answers took."""
    by_fallback: int = 0
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was wrong, and enough was answered."""
        return not self.wrong and self.answered > _REQUIRED * self.requests


@contextlib.contextmanager
def chaotic_emulator(folder: Path | None, *, share: float) -> Iterator[str]:
    """Run the emulator so that this share of its answers are failures; yield its address."""
    each = 1 - (1 - share) ** (1 / len(_KINDS))  # it asks for one kind after the other
    options = [word for kind in _KINDS for word in (f"--chaos-{kind}", f"{each:.4f}")]
    usage = {"input_tokens": 11, "output_tokens": 60}
    fixtures = {"fixtures": [{"match": {}, "response": {"content": STORY, "usage": usage}}]}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "fixtures.json"
        path.write_text(json.dumps(fixtures))
        with emulator(folder, fixtures=path, options=options) as address:
            yield address


async def play_chaos(url: str, requests: int, *, concurrency: int = 64, server: bool = False) -> Counts:
    """Make so many calls, so many at a time: of a Router, or of ``dragoman serve``."""
    counts = Counts(requests)
    numbers = iter(range(requests))

    async def work(ask_one: Callable[[Outcome], Awaitable[None]]) -> None:
        for number in numbers:
            outcome = Outcome(streamed=number % 2 == 0)
            began = time.monotonic()
            try:
                await asyncio.wait_for(ask_one(outcome), _PATIENCE)
            except TimeoutError:
                outcome.hung = True
            _count(counts, outcome, time.monotonic() - began)

    async with _served(url) if server else _routed(url) as ask_one:
        began = time.monotonic()
        await asyncio.gather(*(work(ask_one) for _ in range(concurrency)))
        counts.seconds = time.monotonic() - began
    return counts


@contextlib.asynccontextmanager
async def _routed(url: str) -> AsyncIterator[Callable[[Outcome], Awaitable[None]]]:
    async with dragoman.Router(model_list=_model_list(url), **_SETTINGS) as router:
        yield lambda outcome: ask(router.aresponses, outcome, {"model": "m"})


@contextlib.asynccontextmanager
async def _served(url: str) -> AsyncIterator[Callable[[Outcome], Awaitable[None]]]:
    async with serve({"model_list": _model_list(url), "router_settings": _SETTINGS}) as http:
        yield lambda outcome: ask_served(http, outcome, "m")


def _model_list(url: str) -> list[dict[str, Any]]:
    named = [*(("m", model) for model in _DEPLOYMENTS), ("backup", _FALLBACK)]
    return [{"model_name": name, "litellm_params": _params(url, model)} for name, model in named]


def _params(url: str, model: str) -> dict[str, str]:
    path, credentials = PROVIDERS[model]
    return {"model": model, "api_base": f"{url}{path}", **credentials}


def _count(counts: Counts, outcome: Outcome, seconds: float) -> None:
    counts.slowest = max(counts.slowest, seconds)
    if outcome.wrong is not None:
        counts.wrong[outcome.wrong] += 1
    elif outcome.answered:
        counts.answered += 1
        counts.attempts[len(outcome.attempts)] += 1
        counts.by_fallback += outcome.attempts[-1]["model"] == _FALLBACK
    elif outcome.failure is not None:
        counts.failed[f"{outcome.failure.status} {outcome.failure.code}"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Call three deployments and a fallback that fail at random.")
    parser.add_argument("--server", action="store_true", help="of dragoman serve, not of a Router")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.3, help="of answers that are failures")
    parser.add_argument("--concurrency", type=int, default=64)
    chosen = parser.parse_args()
    try:
        with chaotic_emulator(Path(".pytest_cache/d/aimock"), share=chosen.share) as url:
            counts = asyncio.run(
                play_chaos(url, chosen.requests, concurrency=chosen.concurrency, server=chosen.server)
            )
    except pytest.skip.Exception as missing:
        parser.exit(2, f"{missing}\n")
    print(f"{counts.answered} of {counts.requests} answered, {counts.by_fallback} of them by the fallback")
    print(f"failed with a clean error: {dict(counts.failed) or 'none'}")
    print(f"hung, truncated, doubled, illegal: {dict(counts.wrong) or 'none'}")
    print(f"attempts of those answered: {dict(sorted(counts.attempts.items()))}")
    print(f"{counts.seconds:.1f} s, the slowest call {counts.slowest:.2f} s")
    return 0 if counts.good else 1


if __name__ == "__main__":
    sys.exit(main())
