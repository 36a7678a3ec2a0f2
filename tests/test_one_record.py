"""Every call has one record, and the same one: whoever is asked, however, and whatever comes of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

import pytest
from tests.story_upstream import everybodys_environment, story_upstream
from tests.ways_to_ask import WAYS, world

import dragoman
from dragoman.routing import Deployment, RoutingSettings

MODELS = {
    "openai": "openai/{}",
    "azure": "azure/{}",
    "azure_ai": "azure_ai/{}",
    "anthropic": "anthropic/claude-{}",
    "gemini": "gemini/gemini-{}",
    "vertex_ai": "vertex_ai/gemini-{}",
    "claude of vertex_ai": "vertex_ai/claude-{}",
    "bedrock": "bedrock/us.amazon.nova-{}",
    "openai_compatible": "openai_compatible/{}",
    "echo": "echo/{}",
}
PAID = ("input", "output")
PRICES = {"input_cost_per_token": 0.25, "output_cost_per_token": 0.5}
OUTCOMES = {
    "lost": ("telling", "failed", [], 404),  # its conversation is nowhere
    # end -> what the model's name ends in, the record's outcome, its attempts, its status
    "success": ("telling", "completed", ["success"], None),
    "refused": ("refusing", "failed", ["failed"], 400),
    "rescued": ("overloaded", "completed", ["failed", "success"], None),
    "cut": ("breaking", "failed", ["failed"], 502),
    "cancelled": ("hanging", "cancelled", ["cancelled"], None),
}
OF_ECHO = {"success", "lost"}
USER, METADATA = "ann", {"team": "blue"}
_NEVER_THE_SAME = {"id", "mode", "started_at", "duration", "first_event", "metadata", "chunks", "attempts"}


def cells():
    """Yield (provider, way, outcome) of all calls."""
    for provider in MODELS:
        for name, way in WAYS.items():
            for outcome in OUTCOMES:
                if (provider != "echo" or outcome in OF_ECHO) and (outcome != "cancelled" or way.leave):
                    yield provider, name, outcome


def name_of(provider, way, outcome):
    """Return the name of a cell, which is one word to those who count."""
    return f"{provider}/{way}/{outcome}".replace(" ", "-")


def fleet():
    """Return the deployments of all providers, and where their calls go on."""
    deployments, fallbacks = [], {}
    for provider, pattern in MODELS.items():
        for ending in {*(how for how, *_ in OUTCOMES.values()), "helping"}:
            name = f"{provider} {ending}"
            deployments.append(Deployment(name=name, id=name, model=pattern.format(ending), prices=PRICES))
        fallbacks[f"{provider} overloaded"] = (f"{provider} helping",)
    routing = RoutingSettings(num_retries=0, disable_cooldowns=True, fallbacks=fallbacks)
    return tuple(deployments), routing


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """All records of one call for each cell, by cell, and the others."""
    found = defaultdict(list)

    async def play_all():
        begun, loop = defaultdict(asyncio.Event), asyncio.get_running_loop()

        async def began(cell):
            await asyncio.wait_for(begun[cell].wait(), 20)

        async def play(cell):
            provider, way, outcome = cell
            asked = {
                "model": f"{provider} {OUTCOMES[outcome][0]}",
                "input": name_of(*cell),
                "metadata": {**METADATA, "cell": name_of(*cell)},
                "user": USER,
            }
            if outcome == "lost":
                asked["conversation"] = "conv_" + "0" * 32
            leaving = outcome == "cancelled"
            async with limit:
                await (WAYS[way].leave if leaving else WAYS[way].ask)(playground, asked)

        limit = asyncio.Semaphore(12)
        tell = partial(loop.call_soon_threadsafe, lambda cell: begun[cell].set())
        with story_upstream(tell) as address, pytest.MonkeyPatch.context() as patch:
            for name, value in everybodys_environment(address, tmp_path_factory.mktemp("keys")).items():
                patch.setenv(name, value)
            async with world(*fleet(), began) as playground:
                await asyncio.gather(*map(play, cells()))

    remove = dragoman.on_record(lambda record: found[record.metadata.get("cell")].append(record))
    asyncio.run(play_all())
    assert dragoman.flush_records()
    remove()
    return found


def test_each_call_has_one(records):
    expected = {name_of(*cell) for cell in cells()}
    assert len(expected) > 350
    counts = {cell: len(records[cell]) for cell in expected | set(records)}
    assert counts == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_it_says_what_came_of_it(records, outcome):
    ending, ends, attempts, status = OUTCOMES[outcome]
    for provider, name, _ in (cell for cell in cells() if cell[2] == outcome):
        cell, way = name_of(provider, name, outcome), WAYS[name]
        (record,) = records[cell]
        asked = f"{provider} {ending}"
        last = f"{provider} {'helping' if outcome == 'rescued' else ending}"
        assert (record.operation, record.mode, record.outcome) == ("responses", way.mode, ends), cell
        assert (record.asked, record.deployment) == (asked, last if attempts else None), cell
        assert [one["outcome"] for one in record.attempts] == attempts, cell
        assert [one["deployment"] for one in record.attempts] == [asked, last][2 - len(attempts) :], cell
        assert (record.user, record.tags) == (USER, ()), cell
        assert record.metadata == {**METADATA, "cell": cell}
        came = way.streamed and outcome in {"cut", "cancelled"}
        assert record.partial is came, cell
        assert (record.first_event is not None) == (came or outcome in {"success", "rescued"}), cell
        assert 0 < record.duration < 30, cell
        assert bool(record.chunks) == (way.mode == "stream" and record.first_event is not None), cell
        if ends == "completed":
            assert record.error is None, cell
            assert (
                record.usage["output_tokens"] == record.usage["total_tokens"] - record.usage["input_tokens"]
            )
            price = sum(record.usage[f"{kind}_tokens"] * PRICES[f"{kind}_cost_per_token"] for kind in PAID)
            assert record.cost.total == price, cell
        else:
            assert came or (record.usage, record.cost) == (None, None), cell
            assert (record.usage is None) == (record.cost is None), cell
            assert set(record.error) == {"status", "message", "type", "param", "code"}, cell
            assert status in {None, record.error["status"]}, cell


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_it_is_the_same_in_every_way_to_ask(records, outcome):
    """But for what is another call: times, ids; and whether anything had come of what was not finished."""
    told = defaultdict(dict)
    for provider, name, _ in (cell for cell in cells() if cell[2] == outcome):
        (record,) = records[name_of(provider, name, outcome)]
        fields = record.as_json()
        same = {field: value for field, value in fields.items() if field not in _NEVER_THE_SAME}
        same["attempts"] = [
            {field: value for field, value in one.items() if field not in {"duration", "first_event"}}
            for one in record.attempts
        ]
        if record.error:
            same["error"] = {**record.error, "message": ""}  # how much had come, who has left
            if outcome == "cancelled":
                del same["error"]["code"]
        group = WAYS[name].streamed if outcome in {"cut", "cancelled"} else None
        told[provider, group][name] = {**same, "fields": sorted(fields)}
    for by_way in told.values():
        (first, expected), *others = by_way.items()
        for name, found in others:
            assert found == expected, (first, name)
