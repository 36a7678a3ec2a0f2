"""The upstream that breaks and the judge of those who call it, tried on callers whose worth is known."""

from __future__ import annotations

import asyncio

import pytest
from tests.failover.callers import SingleTarget
from tests.failover.cells import cells_of, play_all
from tests.failover.profiles import FAST
from tests.failover.reference import ReferenceCaller, TruncatingCaller
from tests.failover.scenarios import SCENARIOS
from tests.failover.story import STORY, TOKENS
from tests.failover.upstream import FaultyUpstream
from tests.failover.wires import WIRES

both_ways = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
_OPENAI = {"openai": "openai"}


@pytest.fixture(scope="module")
def verdicts():
    """Return how the calls of one kind of caller are judged, by scenario and provider."""
    with FaultyUpstream(FAST) as upstream:

        def verdicts(kind, *, streamed, **options):
            cells = cells_of(f"{kind.__name__}-{streamed}", streamed=streamed, **options)
            played = play_all(cells, lambda cell: kind(cell, upstream.url, FAST), upstream)
            results = asyncio.run(played).values()
            return {(one.cell.scenario, one.cell.provider): one.judgement for one in results}

        yield verdicts


def test_the_story_has_sixty_words():
    assert len(TOKENS) == 60
    assert "".join(TOKENS) == STORY


@both_ways
def test_whoever_does_everything_right_passes_everything(verdicts, streamed):
    judged = verdicts(ReferenceCaller, streamed=streamed, fallbacks=_OPENAI)
    assert {place: judgement for place, judgement in judged.items() if judgement.verdict != "pass"} == {}
    assert len(judged) == len(SCENARIOS) == 16


def test_whoever_takes_the_end_of_the_bytes_for_the_end_of_the_answer_fails(verdicts):
    judged = verdicts(TruncatingCaller, streamed=True, fallbacks=_OPENAI, scenarios=["S08"])
    assert judged["S08", "openai"].verdict == "fail"
    assert "truncated" in judged["S08", "openai"].reasons[0]


@both_ways
def test_a_client_that_never_tries_again_is_safe_and_no_more(verdicts, streamed):
    """It answers where nothing breaks (S11), refuses what has to be refused (S13), and else says why not."""
    judged = verdicts(SingleTarget, streamed=streamed)
    for provider in WIRES:
        for scenario in SCENARIOS:
            expected = "pass" if scenario in {"S11", "S13"} else "safe"
            assert judged[scenario, provider].verdict == expected, (scenario, provider, judged)
