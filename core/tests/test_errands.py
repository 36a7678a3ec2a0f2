"""Counts and compactions have one record each, as responses have; summaries on the way have none."""

import asyncio
import json
from decimal import Decimal

import httpx
import pytest

import dragoman
from dragoman import APIError, AsyncDragoman, Cost, hookimpl
from dragoman import plugins as rooms
from dragoman.errors import DragomanError
from dragoman.hookspecs import HTTPRequest
from dragoman.plugins import Plugins
from dragoman.providers import register_provider

pytest_plugins = ["core.tests.toys", "core.tests.clients"]

USAGE = ["usage", {"input_tokens": 10, "output_tokens": 2}]
SUMMARY = (["text", "A summary."], USAGE, ["finish"])
LONG = [{"role": "user", "content": "long " * 200}, {"role": "assistant", "content": "Oh."}]
LIMIT = [{"type": "compaction", "compact_threshold": 200}]
URL = "https://user:secret@toy.example:8443/v1"


class Pricer:
    """Takes a cent for each call, and another for each token."""

    @hookimpl
    def price(self, use):
        return Cost(total=Decimal(1 + use.usage["total_tokens"]) / 100, source="cents")


@pytest.fixture
def heard(monkeypatch):
    """The records that were told so far, by ``heard()``; all calls cost something."""
    installed = Plugins()
    installed.register(Pricer(), "pricer")
    monkeypatch.setattr(rooms, "_plugins", installed)
    records = []
    remove = dragoman.on_record(records.append)

    def so_far():
        assert dragoman.flush_records()
        return records

    yield so_far
    remove()


@pytest.fixture
def counting(toy):
    """A toy whose upstream counts what it is asked for, except with the model "old"."""

    class Counting(type(toy())):
        answer_locally = None

        @hookimpl
        def translate_token_count(self, request, target):
            if target.model == "old":
                return None
            return HTTPRequest(url=f"{target.get('api_base')}/count?key=secret", json={})

        @hookimpl
        def parse_token_count(self, payload, target):
            return payload["tokens"]

    register_provider(Counting(native="instructions user"))


def attempt(call, method, **options):
    """Make a call; return the error that it raised, or None."""
    try:
        call(method, **options)
    except DragomanError as error:
        return error
    return None


ENDS = {
    "counted": ("m", (200, b'{"tokens": 12}'), "completed", None, ["success"]),
    "refused": ("m", (429, b'{"toy": "slowly"}'), "failed", 429, ["failed"]),
    "unreadable": ("m", (200, b"twelve"), "failed", 502, ["failed"]),
    "no counter": ("old", (500, b""), "failed", 400, []),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_count_has_one_record_and_costs_nothing(call, heard, counting, end):
    model, (status, body), outcome, code, attempts = ENDS[end]
    http = call.http_client(lambda _: httpx.Response(status, content=body))
    error = attempt(
        call,
        call.kind(http_client=http).responses.input_tokens.count,
        model=f"toy/{model}", input="A canary", api_base=URL, user="ann", metadata={"team": "blue"},
    )  # fmt: skip
    (record,) = heard()
    assert (record.operation, record.mode, record.outcome) == ("input_tokens", "whole", outcome)
    assert (record.asked, record.provider, record.model) == (f"toy/{model}", "toy", model)
    assert (record.user, record.metadata) == ("ann", {"team": "blue"})
    assert (record.usage, record.cost, record.response) == (None, None, None)
    assert [one["outcome"] for one in record.attempts] == attempts
    assert record.address == ("toy.example:8443" if attempts else None)
    assert (error and error.status_code, record.error and record.error["status"]) == (code, code)
    shown = json.dumps(record.as_json())
    assert "secret" not in shown
    assert "canary" not in shown


COMPACTIONS = {
    "summed up": ([SUMMARY], "completed", None, ["success"]),
    "refused": ([[["fail", "too much", 429]]], "failed", 429, ["failed"]),
    "no summary": ([[USAGE, ["finish"]]], "failed", 500, ["failed"]),
    "nothing to compact": ([], "failed", 400, []),
}


@pytest.mark.parametrize("end", COMPACTIONS)
def test_a_compaction_has_one_record_and_is_paid_for_once(call, toy, heard, end):
    scripts, outcome, code, attempts = COMPACTIONS[end]
    toy([toy.whole(*script) for script in scripts])
    asked = "A canary" if scripts else []
    error = attempt(call, call.kind().responses.compact, model="toy/m", input=asked)
    (record,) = heard()
    assert (record.operation, record.mode, record.outcome) == ("compact", "whole", outcome)
    assert [one["outcome"] for one in record.attempts] == attempts
    assert (error and error.status_code, record.error and record.error["status"]) == (code, code)
    if error is None:
        assert record.usage["total_tokens"] == 12
        assert record.cost.total == Decimal("0.13")
        assert dragoman.cost(record.response) == record.cost
        assert record.response["id"] == record.id
        assert record.response["dragoman"]["attempts"] == record.attempts
    else:
        assert (record.usage, record.cost) == (None, None)
    assert "canary" not in json.dumps(record.as_json())


@pytest.mark.parametrize("operation", ["input_tokens", "compact"])
def test_one_that_is_cancelled_has_a_record(heard, counting, operation):
    async def cancelled():
        asked = asyncio.Event()

        async def never(_):
            asked.set()
            await asyncio.Event().wait()

        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(never)) as http,
            AsyncDragoman(http_client=http) as client,
        ):
            methods = {
                "input_tokens": client.responses.input_tokens.count,
                "compact": client.responses.compact,
            }
            task = asyncio.create_task(methods[operation](model="toy/m", input="Hi"))
            async with asyncio.timeout(10):
                await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    (record,) = heard()
    assert (record.operation, record.outcome) == (operation, "cancelled")
    assert [one["outcome"] for one in record.attempts] == ["cancelled"]


# ---- summaries inside a call ----------------------------------------------------------------------------

ANSWER = (["text", "Hello"], USAGE, ["finish"])
REFUSED = (["fail", "too much", 429],)
SHORTENED = {
    "answered": ([SUMMARY, ANSWER], {}, ["success"], 24),
    "retried": ([SUMMARY, REFUSED, ANSWER], {"num_retries": 1}, ["failed", "success"], 24),
    "rescued": ([SUMMARY, REFUSED, SUMMARY, ANSWER], {"fallbacks": ["toy/b"]}, ["failed", "success"], 36),
    "refused": ([SUMMARY, REFUSED], {}, ["failed"], 12),
    "not summed up": ([REFUSED], {}, ["failed"], None),
}


@pytest.mark.parametrize(
    ("end", "stream"),
    # A stream tells of the compaction first, and what fails then stays failed.
    [
        *((end, False) for end in SHORTENED),
        *((end, True) for end in ("answered", "refused", "not summed up")),
    ],
)
def test_summaries_on_the_way_are_paid_for_with_the_call(call, toy, heard, monkeypatch, end, stream):
    """Each once, whichever attempt had it made; the call has one record."""
    monkeypatch.setattr("dragoman.routing.journey._FIRST_WAIT", 0.0)
    scripts, options, attempts, tokens = SHORTENED[end]
    writers = [toy.whole if script is SUMMARY or end == "not summed up" else None for script in scripts]
    write = toy.stream if stream else toy.whole
    toy([(writer or write)(*script) for writer, script in zip(writers, scripts, strict=True)])
    asked = {"model": "toy/m", "input": [*LONG, {"role": "user", "content": "?"}], "stream": stream}

    def ask():
        made = call(call.kind().responses.create, **asked, context_management=LIMIT, **options)
        return call.read(made)[-1].response if stream else made

    answered = None
    try:
        answered = ask()
    except APIError:
        assert "success" not in attempts
    (record,) = heard()
    assert (record.operation, record.outcome) == ("responses", "completed" if answered else "failed")
    assert [one["outcome"] for one in record.attempts] == attempts
    assert (record.usage and record.usage["total_tokens"]) == tokens
    answers = (tokens or 0) // 12
    assert (record.cost and record.cost.total) == (Decimal(13 * answers) / 100 if answers else None)
    if answered:
        assert answered.usage.total_tokens == tokens
        assert Decimal(answered.dragoman.cost["total"]) == record.cost.total
