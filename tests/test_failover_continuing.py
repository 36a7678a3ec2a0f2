"""Streams that break in their text, over real sockets, and models that go on behind what was told of it.

Whoever is asked for all of it again tells another story, so that nothing but a continuation can be whole.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.failover.callers import ask
from tests.failover.cells import Cell
from tests.failover.outcomes import Outcome
from tests.failover.profiles import FAST
from tests.failover.served import read_events, serve
from tests.failover.settings import QUESTION, target_of
from tests.failover.story import HEALTHY, STORY, usage_of
from tests.failover.upstream import FaultyUpstream
from tests.failover.wires import WIRES

import dragoman

_CLAUDE = "claude-sonnet-4-5"
_PROVIDERS = ["anthropic", "bedrock"]


@pytest.fixture(scope="module")
def upstream():
    with FaultyUpstream(FAST) as faulty:
        yield faulty


@contextlib.asynccontextmanager
async def _asking(who, model_list, settings):
    """Yield what asks for the model ``m``, and returns what it was told."""
    if who == "server":
        async with serve({"model_list": model_list, "router_settings": settings}) as http:
            yield lambda: _ask_server(http)
    else:
        async with dragoman.Router(model_list, **settings) as router:
            yield lambda: _ask_router(router)


async def _ask_router(router):
    outcome = Outcome(streamed=True)
    await ask(router.aresponses, outcome, {"model": "m"})
    return outcome


async def _ask_server(http):
    outcome = Outcome(streamed=True)
    body = {"model": "m", "input": QUESTION, "stream": True}
    read_events((await http.post("/v1/responses", json=body)).text, outcome)
    return outcome


def play(who, upstream, mode, provider, model, *, backup=None, **settings):
    """Ask a model that breaks; return the outcome, and what upstream has seen."""
    cell = Cell(
        scenario="cut", provider=provider, fallback_provider=None, streamed=True, mode=f"{who}-{mode}"
    )
    model_list = [{"model_name": "m", "litellm_params": target_of(cell, upstream.url, provider, model)}]
    if backup is not None:
        params = target_of(cell, upstream.url, *backup)
        model_list.append({"model_name": "backup", "litellm_params": params})
        settings["fallbacks"] = [{"m": ["backup"]}]

    async def asked():
        async with _asking(who, model_list, settings) as ask_for_it:
            return await ask_for_it()

    outcome = asyncio.run(asked())
    return outcome, [(one.model, WIRES[one.provider].last_turn(one.body)) for one in upstream.tries(cell.key)]


everybody = pytest.mark.parametrize("who", ["router", "server"])
each_provider = pytest.mark.parametrize("provider", _PROVIDERS)


@everybody
@each_provider
def test_a_broken_stream_is_continued_where_it_broke(upstream, who, provider):
    model = f"fb-cut-{_CLAUDE}"
    outcome, seen = play(who, upstream, "again", provider, model, num_retries=1)
    assert outcome.answered, outcome
    (_, (_, question)), (_, (role, beginning)) = seen
    assert (question, role) == (QUESTION, "assistant")
    assert STORY.startswith(beginning)
    assert len(beginning) > 20
    assert outcome.streamed_text == STORY
    first, second = outcome.attempts
    assert (first["outcome"], second["outcome"]) == ("failed", "success")
    both = first.get("usage", {}).get("input_tokens", 0) + usage_of(model)[0]
    assert outcome.response["usage"]["input_tokens"] == both


@pytest.mark.parametrize("primary", ["gemini", "openai"])
@each_provider
def test_another_provider_goes_on(upstream, primary, provider):
    """The one that broke need not be able to; the one that follows must."""
    backup = provider, f"fb-forgetful-{_CLAUDE}"
    outcome, seen = play(
        "router", upstream, f"next-{provider}", primary, "fb-s08", backup=backup, num_retries=0
    )
    assert outcome.answered, outcome
    assert [role for _, (role, _) in seen] == ["user", "assistant"]
    assert outcome.response["model"].endswith(_CLAUDE)


@everybody
@each_provider
def test_where_a_prefill_is_refused_the_answer_is_made_anew(upstream, who, provider):
    backup = provider, f"fb-no-prefill-{_CLAUDE}"
    outcome, seen = play(
        who, upstream, f"refused-{provider}", "anthropic", "fb-s14", backup=backup, num_retries=0
    )
    assert outcome.answered, outcome
    assert [role for _, (role, _) in seen] == ["user", "assistant", "user"]
    assert [attempt.get("status") for attempt in outcome.attempts][1:] == [400, None]


@each_provider
def test_nothing_is_continued_that_was_held_back(upstream, provider):
    model = f"fb-cut-{_CLAUDE}"
    outcome, seen = play(
        "router",
        upstream,
        "held",
        provider,
        model,
        backup=(provider, HEALTHY),
        num_retries=0,
        stream_recovery="buffer",
    )
    assert outcome.answered, outcome
    assert [role for _, (role, _) in seen] == ["user", "user"]


def test_newer_models_are_asked_for_all_of_it(upstream):
    outcome, seen = play("router", upstream, "newer", "anthropic", "fb-cut-claude-sonnet-4-6", num_retries=1)
    assert [role for _, (role, _) in seen] == ["user", "user"]
    assert outcome.failure.code == "stream_interrupted"
