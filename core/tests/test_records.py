"""Records: one for each call, whatever becomes of it, and nobody is harmed who listens or does not."""

import asyncio
import contextvars
import json

import httpx
import pytest

import dragoman
from dragoman import APIError, AsyncDragoman, Dragoman
from dragoman.routing import journey

pytest_plugins = ["core.tests.toys", "core.tests.clients"]

ANSWER = (["text", "Hello"], ["usage", {"input_tokens": 2, "output_tokens": 1}], ["finish"])
CUT = (["text", "Hel"],)
REFUSED = (["fail", "too much", 429],)


@pytest.fixture
def heard(monkeypatch):
    """Return the records that were told so far: ``heard()``."""
    monkeypatch.setattr(journey, "_FIRST_WAIT", 0.0)
    records = []
    remove = dragoman.on_record(records.append)

    def so_far():
        assert dragoman.flush_records()
        return records

    yield so_far
    remove()


def ask(kind, stream, **options):
    """Make a call, sync or async, and read it to its end; return the error that it raised."""

    def blocking():
        with Dragoman() as client:
            made = client.responses.create(stream=stream, **options)
            if stream:
                made.until_done()

    async def waiting():
        async with AsyncDragoman() as client:
            made = await client.responses.create(stream=stream, **options)
            if stream:
                await made.until_done()

    try:
        blocking() if kind == "sync" else asyncio.run(waiting())
    except APIError as error:
        return error
    return None


OUTCOMES = {
    "success": ([ANSWER], {}, "completed", ["success"]),
    "refused": ([REFUSED], {}, "failed", ["failed"]),
    "cut": ([CUT], {}, "failed", ["failed"]),
    "retried": ([REFUSED, ANSWER], {"num_retries": 1}, "completed", ["failed", "success"]),
    "rescued": ([REFUSED, ANSWER], {"fallbacks": ["toy/other"]}, "completed", ["failed", "success"]),
    "refused twice": ([REFUSED, REFUSED], {"fallbacks": ["toy/other"]}, "failed", ["failed", "failed"]),
    "no history": ([], {"previous_response_id": "resp_0"}, "failed", []),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_each_call_has_one_record(toy, heard, kind, stream, outcome):
    scripts, options, ends, attempts = OUTCOMES[outcome]
    write = toy.stream if stream else toy.whole
    toy([write(*script) for script in scripts], native="user")
    error = ask(
        kind, stream, model="toy/m", input="A secret", user="ann", metadata={"team": "blue"}, **options
    )
    (record,) = heard()
    assert (record.outcome, record.mode, record.asked) == (ends, "stream" if stream else "whole", "toy/m")
    assert (record.user, record.metadata, record.provider) == ("ann", {"team": "blue"}, "toy")
    assert [attempt["outcome"] for attempt in record.attempts] == attempts
    assert record.model == ("other" if "fallbacks" in options else "m")
    assert 0 <= record.duration < 60
    if error is None:
        assert (record.usage["total_tokens"], record.error) == (3, None)
        assert record.response["output"][0]["content"][0]["text"] == "Hello"
    else:
        assert record.error["code"] == error.code
        assert record.partial == (outcome == "cut")
    shown = json.dumps(record.as_json())
    assert "secret" not in shown
    assert "Hello" not in shown


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_stream_that_is_left_has_a_record_of_what_had_come(toy, heard, kind):
    toy(toy.stream(*ANSWER))

    async def leave():
        async with (
            AsyncDragoman() as client,
            client.responses.stream(model="toy/m", input="Hi") as stream,
        ):
            async for event in stream:
                if event.type == "response.output_text.delta":
                    break

    if kind == "async":
        asyncio.run(leave())
    else:
        with Dragoman() as client, client.responses.stream(model="toy/m", input="Hi") as stream:
            next(event for event in stream if event.type == "response.output_text.delta")
    (record,) = heard()
    assert (record.outcome, record.partial) == ("cancelled", True)
    assert record.response["output"][0]["content"][0]["text"] == "Hello"


def test_a_task_that_is_cancelled_has_a_record(toy, heard, monkeypatch):
    monkeypatch.setattr(journey, "_FIRST_WAIT", 60.0)
    toy([toy.whole(*REFUSED)])

    async def cancelled():
        async with AsyncDragoman(num_retries=1) as client:
            task = asyncio.create_task(client.responses.create(model="toy/m", input="Hi"))
            await asyncio.sleep(0.05)  # by now it waits to try again
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    (record,) = heard()
    assert record.outcome == "cancelled"
    assert [attempt["outcome"] for attempt in record.attempts] == ["failed"]


def test_a_listener_that_fails_harms_nobody(toy, heard, caplog):
    def fails(record):
        raise RuntimeError(record.id)

    later = []

    async def waits(record):
        await asyncio.sleep(0)
        later.append(record)

    ends = [dragoman.on_record(fails), dragoman.on_record(waits)]
    toy(toy.whole(*ANSWER))
    with Dragoman() as client:
        client.responses.create(model="toy/m", input="Hi")
    assert heard() == later
    assert "a listener of records failed" in caplog.text
    for end in ends:
        end()
    with Dragoman() as client:
        client.responses.create(model="toy/m", input="Hi")
    assert (len(heard()), len(later)) == (2, 1)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_listener_hears_what_it_noted_when_the_call_began(toy, caplog, kind, stream):
    place = contextvars.ContextVar("place", default=None)
    noted = []
    ends = [
        dragoman.on_record(lambda record, context: noted.append((record.asked, context)), began=place.get),
        dragoman.on_record(lambda record, context: noted.append(context), began=lambda: 1 / 0),
    ]
    toy(toy.stream(*ANSWER) if stream else toy.whole(*ANSWER))
    place.set("here")
    ask(kind, stream, model="toy/m", input="Hi")
    assert dragoman.flush_records()
    for end in ends:
        end()
    assert noted == [("toy/m", "here"), None]
    assert "failed at the beginning of a call" in caplog.text


def test_attempts_tell_the_upstreams_own_ids(call, toy, heard):
    toy()
    answers = [
        httpx.Response(429, headers={"toy-request-id": "req_1"}, content=b'{"toy": "slowly"}'),
        httpx.Response(200, headers={"toy-request-id": "req_2"}, content=toy.whole(*ANSWER)),
        httpx.Response(200, content=toy.whole(*ANSWER)),
    ]
    client = call.kind(http_client=call.http_client(lambda _: answers.pop(0)))
    for _ in range(2):
        made = call(client.responses.create, model="toy/m", input="Hi", num_retries=1)
    first, second = heard()
    assert [attempt["request_id"] for attempt in first.attempts] == ["req_1", "req_2"]
    assert "request_id" not in second.attempts[0]
    assert made.dragoman.attempts[0].request_id is None


def test_a_record_tells_whom_it_called_and_when_each_piece_came(toy, heard):
    url = "https://user:secret@toy.example:8443/v1?key=secret"
    for stream in (False, True):
        write = toy.stream if stream else toy.whole
        toy(write(["text", "Hel"], ["text", "lo"], *ANSWER[1:]))
        ask("sync", stream, model="toy/m", input="Hi", api_base=url)
    whole, streamed = heard()
    assert whole.address == streamed.address == "toy.example:8443"
    assert not whole.chunks
    assert len(streamed.chunks) == 2
    assert 0 <= streamed.first_event <= streamed.chunks[0] <= streamed.chunks[1] <= streamed.duration
    assert "secret" not in json.dumps(streamed.as_json())
    assert "chunks" not in streamed.as_json()
