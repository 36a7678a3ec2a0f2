"""dragoman against an emulator that others wrote (see ``tests.emulator``), over real sockets."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from tests.emulator import PROVIDERS

import dragoman
from dragoman import (
    APIConnectionError,
    APITimeoutError,
    InternalServerError,
    MalformedResponseError,
    RateLimitError,
    StreamInterruptedError,
    Timeout,
)
from dragoman.testing.legality import check_events

_LONG = "This answer is long enough that whoever gets only its beginning will notice."
_WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture(params=PROVIDERS)
def options(request, aimock):
    """Return the keywords of a call: model, address, credentials."""
    path, credentials = PROVIDERS[request.param]
    return {
        "model": request.param,
        "api_base": f"{aimock}{path}",
        **credentials,
        "timeout": Timeout(first_event=5, between_events=5, total=10),
    }


@pytest.fixture(params=["sync", "async"])
def ask(request, options):
    """Make a call and return its response; the events of a stream are checked, and kept in ``ask.events``."""

    def ask(text, *, stream, **more):
        ask.events = []
        keywords = {**options, "input": text, "stream": stream, **more}
        try:
            if request.param == "async":
                return asyncio.run(_ask_async(keywords, ask.events))
            with dragoman.Dragoman() as client:
                answer = client.responses.create(**keywords)
                if not stream:
                    return answer
                for event in answer:
                    ask.events.append(event)
                return answer.get_final_response()
        finally:
            if ask.events:
                check_events([event.to_dict() for event in ask.events])

    return ask


async def _ask_async(keywords, events):
    async with dragoman.AsyncDragoman() as client:
        answer = await client.responses.create(**keywords)
        if not keywords["stream"]:
            return answer
        async for event in answer:
            events.append(event)
        return await answer.get_final_response()


both_ways = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@both_ways
def test_text(ask, stream):
    response = ask("Tell me a story", stream=stream)
    assert response.status == "completed"
    assert response.output_text == (
        "There was a unicorn that liked long walks by the sea — best of all in the rain."
    )
    assert response.usage.input_tokens == 11
    assert response.usage.output_tokens == 19
    if stream:
        deltas = [event.delta for event in ask.events if event.type == "response.output_text.delta"]
        assert len(deltas) > 1


@both_ways
def test_a_tool_call(ask, stream):
    response = ask("How is the weather?", stream=stream, tools=[_WEATHER])
    (call,) = response.output
    assert call.type == "function_call"
    assert call.name == "get_weather"
    assert call.call_id
    assert json.loads(call.arguments) == {"city": "Zürich", "days": 2}


@both_ways
def test_reasoning(ask, stream):
    response = ask("Solve a riddle", stream=stream, reasoning={"effort": "low", "summary": "auto"})
    reasoning, message = response.output
    assert reasoning.type == "reasoning"
    thoughts = reasoning.summary or reasoning.content  # Chat Completions has them raw
    assert thoughts[0].text == "It has no mouth and still it whistles."
    assert message.content[0].text == response.output_text == "It is the wind."


@both_ways
def test_a_refusal_with_its_own_status(ask, stream):
    with pytest.raises(dragoman.ServiceUnavailableError, match="Come back later") as caught:
        ask("This is too much", stream=stream)
    assert caught.value.status_code == 529
    assert caught.value.retryable


# ---- chaos ------------------------------------------------------------------------------------------


def chaos(kind):
    return {f"x-aimock-chaos-{kind}": "1"}


@both_ways
def test_dropped(ask, stream):
    with pytest.raises(InternalServerError) as caught:
        ask("Tell me a story", stream=stream, extra_headers=chaos("drop"))
    assert caught.value.status_code == 500


@both_ways
def test_rate_limited(ask, stream):
    with pytest.raises(RateLimitError) as caught:
        ask("Tell me a story", stream=stream, extra_headers=chaos("ratelimit"))
    assert caught.value.retry_after == 1.0
    assert caught.value.retryable


@both_ways
def test_malformed(ask, stream):
    with pytest.raises(MalformedResponseError) as caught:
        ask("Tell me a story", stream=stream, extra_headers=chaos("malformed"))
    assert caught.value.response.status == "failed"
    if stream:
        assert [event.type for event in ask.events][-2:] == ["error", "response.failed"]


@both_ways
def test_disconnected(ask, stream):
    with pytest.raises(APIConnectionError) as caught:
        ask("Tell me a story", stream=stream, extra_headers=chaos("disconnect"))
    assert caught.value.retryable
    assert ask.events == []


@pytest.mark.parametrize("text", ["Be cut in the middle", "Be lost after a while"])
def test_a_stream_that_is_cut_is_no_answer(ask, text):
    began = time.monotonic()
    with pytest.raises(StreamInterruptedError) as caught:
        ask(text, stream=True)
    assert time.monotonic() - began < 8
    partial = caught.value.response
    assert partial.status == "failed"
    assert _LONG.startswith(partial.output_text)
    assert 0 < len(partial.output_text) < len(_LONG)
    assert [event.type for event in ask.events][-2:] == ["error", "response.failed"]


def test_a_stream_that_stalls_ends_at_the_limit(ask):
    began = time.monotonic()
    with pytest.raises(APITimeoutError):
        ask("Grow slower and slower", stream=True, timeout=Timeout(first_event=0.3, between_events=0.3))
    assert time.monotonic() - began < 5


# ---- many at once -----------------------------------------------------------------------------------


def test_many_calls_at_once(options):
    async def main():
        async with dragoman.AsyncDragoman() as client:

            async def call(number):
                stream = await client.responses.create(
                    **options, input=f"{number}: tell me a story", stream=True
                )
                return await stream.get_final_response()

            return await asyncio.gather(*map(call, range(50)))

    responses = asyncio.run(main())
    assert len({response.output_text for response in responses}) == 1
    assert len({response.id for response in responses}) == 50
