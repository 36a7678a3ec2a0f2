"""Prompts that a content filter blocks by an empty answer: to content-policy fallbacks, if there are any."""

from __future__ import annotations

import asyncio

import pytest
from tests.failover.callers import ask
from tests.failover.cells import Cell
from tests.failover.outcomes import Outcome
from tests.failover.profiles import FAST
from tests.failover.settings import target_of
from tests.failover.story import HEALTHY, STORY
from tests.failover.upstream import FaultyUpstream

import dragoman
from dragoman.testing.legality import check_events


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream(FAST) as faulty:
        yield faulty


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def play(request, upstream):
    """Ask Gemini, which blocks the prompt; return what came of it, and who was asked."""

    def play(name, fallback, **settings):
        cell = Cell(
            scenario=name,
            provider="gemini",
            fallback_provider=None,
            streamed=request.param,
            mode=f"blocked-{request.param}",
        )
        provider, model = fallback
        model_list = [
            {"model_name": "m", "litellm_params": target_of(cell, upstream.url, "gemini", "fb-s13")},
            {"model_name": "other", "litellm_params": target_of(cell, upstream.url, provider, model)},
        ]
        outcome = Outcome(streamed=request.param)

        async def asked():
            async with dragoman.Router(model_list, num_retries=0, **settings) as router:
                await ask(router.aresponses, outcome, {"model": "m"})

        asyncio.run(asked())
        if outcome.events:
            check_events(outcome.events)
        return outcome, [one.model for one in upstream.tries(cell.key)]

    return play


_ELSEWHERE = ("anthropic", HEALTHY)


@pytest.mark.parametrize("name", ["m", "*"])
def test_a_blocked_prompt_goes_to_the_content_policy_fallback(play, name):
    outcome, asked = play(f"goes-{ord(name)}", _ELSEWHERE, content_policy_fallbacks=[{name: ["other"]}])
    assert outcome.completed
    assert outcome.text == STORY
    assert asked == ["fb-s13", HEALTHY]
    first, second = outcome.attempts
    assert (first["outcome"], first["code"], second["outcome"]) == ("failed", "content_filter", "success")
    assert first["request_id"] == "req-blocked"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fallbacks": [{"m": ["other"]}], "default_fallbacks": ["other"]},
        {"content_policy_fallbacks": [{"other": ["m"]}]},
        {"content_policy_fallbacks": [{"m": ["other"]}], "max_fallbacks": 0},
        {"content_policy_fallbacks": [{"m": ["other"]}], "max_attempts": 1},
        {"content_policy_fallbacks": [{"m": ["m"]}]},
    ],
    ids=["none", "general ones", "another's", "no fallbacks", "one attempt", "itself"],
)
def test_without_one_it_stays_incomplete(play, request, settings):
    outcome, asked = play(f"stays-{request.node.callspec.id}", _ELSEWHERE, **settings)
    assert outcome.failure is None
    assert outcome.response["status"] == "incomplete"
    assert outcome.response["incomplete_details"] == {"reason": "content_filter"}
    assert asked == ["fb-s13"]


def test_where_the_fallback_fails_the_caller_hears_of_the_policy(play):
    fallbacks = [{"m": ["other"]}]
    outcome, asked = play("fails", ("anthropic", "fb-s04"), content_policy_fallbacks=fallbacks)
    assert outcome.failure.code == "content_filter"
    assert asked == ["fb-s13", "fb-s04"]


def test_the_same_model_is_not_asked_again_under_another_name(play):
    outcome, asked = play("same", ("gemini", "fb-s13"), content_policy_fallbacks=[{"m": ["other"]}])
    assert outcome.failure.code == "content_filter"
    assert asked == ["fb-s13"]
