"""Whoever leaves, at whatever moment, leaves nothing behind: no attempt upstream, no place taken."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from tests.failover.callers import ask
from tests.failover.cells import Cell
from tests.failover.outcomes import Outcome
from tests.failover.profiles import Profile
from tests.failover.settings import target_of
from tests.failover.upstream import FaultyUpstream
from tests.failover.wires import WIRES

import dragoman

PROFILE = Profile(scale=0.1, scale_of_outages=0.05, pace=0.001)
MOMENTS = [place * 0.004 for place in range(16)]  # spread over the sixty milliseconds that an answer takes
SLOWLY = {"model": "fb-slow", "input": "Tell it slowly."}
SETTLING = 5.0  # seconds after which what still runs upstream was forgotten


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream(PROFILE) as faulty:
        yield faulty


def router_over(upstream, cell, *models):
    """Return a router whose only deployment takes one call at a time, and its fallbacks."""
    first, *others = [
        {"model_name": model, "litellm_params": target_of(cell, upstream.url, cell.provider, model)}
        for model in models
    ]
    first["litellm_params"] |= {"max_parallel_requests": 1, "stream_recovery": cell.recovery or "continue"}
    fallbacks = [{models[0]: list(models[1:])}] if others else []
    return dragoman.Router(model_list=[first, *others], fallbacks=fallbacks, num_retries=2, timeout=20)


async def nothing_runs(upstream, cell):
    ends = time.monotonic() + SETTLING
    while any(one.ending is None for one in upstream.tries(cell.key)):
        assert time.monotonic() < ends, "an attempt goes on upstream"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("provider", WIRES)
@pytest.mark.parametrize(
    ("streamed", "recovery"),
    [(True, "continue"), (True, "buffer"), (False, None)],
    ids=["continue", "buffer", "whole"],
)
def test_a_call_that_is_cancelled_frees_its_place(upstream, provider, streamed, recovery):
    cell = Cell(
        scenario="S00", provider=provider, fallback_provider=None, streamed=streamed, recovery=recovery,
        mode=f"cancel-{recovery}",
    )  # fmt: skip

    async def play():
        cancelled = 0
        async with router_over(upstream, cell, "fb-slow") as router:
            for moment in MOMENTS:
                left = Outcome(streamed=streamed)
                task = asyncio.create_task(ask(router.aresponses, left, SLOWLY))
                await asyncio.sleep(moment)
                cancelled += task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                after = Outcome(streamed=streamed)
                await ask(router.aresponses, after, {"model": "fb-slow"})
                assert after.answered, (moment, after.failure, after.wrong)
            await nothing_runs(upstream, cell)
        return cancelled

    assert asyncio.run(play()) >= len(MOMENTS) // 2  # the others were quicker


@pytest.mark.parametrize("fault", ["fb-s02", "fb-s06", "fb-s09", "fb-s14"])
def test_nothing_is_tried_for_a_caller_who_has_left(upstream, fault):
    """Neither after a backoff nor at the fallback."""
    cell = Cell(
        scenario="S00", provider="openai", fallback_provider=None, streamed=True, mode=f"left-{fault}"
    )

    async def play():
        async with router_over(upstream, cell, fault, "fb-healthy") as router:
            task = asyncio.create_task(ask(router.aresponses, Outcome(streamed=True), {"model": fault}))
            while not upstream.tries(cell.key):  # noqa: ASYNC110 - the upstream is in another thread
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await nothing_runs(upstream, cell)
            tried = len(upstream.tries(cell.key))
            await asyncio.sleep(1.5)  # longer than any backoff of a second retry
            assert len(upstream.tries(cell.key)) == tried

    asyncio.run(play())


@pytest.mark.parametrize("provider", WIRES)
def test_a_stream_that_is_closed_early_frees_its_place(upstream, provider):
    cell = Cell(
        scenario="S00", provider=provider, fallback_provider=None, streamed=True, mode=f"closed-{provider}"
    )
    with router_over(upstream, cell, "fb-slow") as router:
        for many in (0, 1, 2, 5, 20, 60):
            with router.responses(**SLOWLY, stream=True) as stream:
                for _, _ in zip(range(many), stream, strict=False):
                    pass
            assert router.responses(model="fb-slow", input="Hello").status == "completed"
        asyncio.run(nothing_runs(upstream, cell))


def test_the_place_is_taken_while_a_call_lasts(upstream):
    """What the others show to be freed."""
    cell = Cell(scenario="S00", provider="openai", fallback_provider=None, streamed=True, mode="taken")
    with router_over(upstream, cell, "fb-slow") as router, router.responses(**SLOWLY, stream=True) as stream:
        next(stream)
        with pytest.raises(dragoman.RateLimitError):
            router.client.responses.create(model="fb-slow", input="Hello", num_retries=0)
