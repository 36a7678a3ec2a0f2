"""Sixteen faults at four providers, by SDK and server, streamed and not: all of them survived.

All cells of a mode are played at the same time, over real sockets, in a tenth of the original's times;
``python -m tests.failover`` takes the full ones.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.failover.callers import MODES, Mode, ask, play_mode
from tests.failover.cells import SILENT, Cell
from tests.failover.outcomes import Outcome
from tests.failover.profiles import FAST
from tests.failover.scenarios import SCENARIOS
from tests.failover.settings import target_of
from tests.failover.story import OTHER_STORY, STORY
from tests.failover.upstream import FaultyUpstream
from tests.failover.wires import WIRES

import dragoman
from dragoman.testing.legality import check_events


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream(FAST) as faulty:
        yield faulty


@pytest.fixture(scope="module", params=MODES, ids=str)
def results(request, upstream):
    """Return what became of all cells of one mode, by scenario and provider."""
    played = asyncio.run(play_mode(request.param, upstream))
    return {(result.cell.scenario, result.cell.provider): result for result in played.values()}


each_provider = pytest.mark.parametrize("provider", WIRES)


@each_provider
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_fault_is_survived(results, scenario, provider):
    result = results[scenario, provider]
    assert result.judgement.verdict == "pass", result.judgement.reasons


@each_provider
def test_the_attempts_that_are_told_are_those_that_were_made(results, provider):
    for scenario in SCENARIOS:
        result = results[scenario, provider]
        if scenario not in SILENT:
            seen = result.evidence
            assert result.tells_its_attempts, (scenario, seen.call.attempts, seen.tries)


@each_provider
def test_nothing_goes_on_upstream_when_the_call_is_over(results, provider):
    left = {scenario: results[scenario, provider].left_open for scenario in SCENARIOS}
    assert not any(left.values()), left


both_ways = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


@pytest.mark.parametrize("who", ["router", "client", "server"])
def test_without_recovery_a_broken_stream_ends_in_its_error(upstream, who):
    """What was told stays told, and nobody calls it an answer."""
    mode = Mode(who, True, "fail")
    played = asyncio.run(play_mode(mode, upstream, scenarios=["S08", "S09", "S10", "S14"]))
    for key, result in played.items():
        assert result.judgement.verdict == "safe", (key, result.judgement)
        assert result.evidence.call.events[-1]["type"] == "response.failed", key
        assert result.evidence.call.text, key
        assert len(result.evidence.tries) == 1, key


@both_ways
@pytest.mark.parametrize("who", ["router", "server"])
def test_with_nowhere_else_to_go_the_caller_hears_the_upstreams_own_error(upstream, who, streamed):
    expected = {"S02": (429, "rate_limit"), "S04": (503, "unavailable"), "S12": (400, "context")}
    alone = dict.fromkeys(WIRES)
    mode = Mode(who, streamed)
    played = asyncio.run(play_mode(mode, upstream, key="-alone", scenarios=expected, fallbacks=alone))
    for key, result in played.items():
        status, kind = expected[result.cell.scenario]
        refusal = WIRES[result.cell.provider].refusals[kind]
        assert result.judgement.verdict == "safe", (key, result.judgement)
        failure = result.evidence.call.failure
        assert failure.message in str(refusal.body), key
        assert failure.status in {status, 200}, key  # 200: the grace of a stream was over


@each_provider
@pytest.mark.parametrize("recovery", ["continue", "buffer", "fail"])
def test_a_fallback_with_another_answer_is_never_joined_to_the_first(upstream, recovery, provider):
    """Held back, the answer is all of the other one's; told already, it stays what it is: broken."""
    cell = Cell(
        scenario="S08",
        provider=provider,
        fallback_provider="openai",
        streamed=True,
        mode=f"other-{recovery}",
    )
    outcome = Outcome(streamed=True)

    async def play():
        model_list = [
            {"model_name": "m", "litellm_params": target_of(cell, upstream.url, provider, "fb-s08")},
            {"model_name": "backup", "litellm_params": target_of(cell, upstream.url, "openai", "fb-other")},
        ]
        async with dragoman.Router(
            model_list, fallbacks=[{"m": ["backup"]}], num_retries=0, stream_recovery=recovery
        ) as router:
            await ask(router.aresponses, outcome, {"model": "m"})

    asyncio.run(play())
    check_events(outcome.events)
    if recovery == "buffer":
        assert outcome.completed
        assert outcome.text == outcome.streamed_text == OTHER_STORY
    else:
        assert outcome.failure.code == "stream_interrupted"
        assert outcome.text == outcome.streamed_text
        assert STORY.startswith(outcome.text)
        assert 0 < len(outcome.text) < len(STORY)
