"""Scripts: every step, streamed and whole, and what becomes of bad ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import dragoman
from dragoman.errors import (
    APIError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    MalformedResponseError,
    RateLimitError,
    StreamInterruptedError,
)
from dragoman.testing.legality import check_events
from dragoman_echo import script

CITATION = {
    "type": "url_citation",
    "url": "https://example.com/",
    "title": "E",
    "start_index": 0,
    "end_index": 2,
}
SEARCH = {"type": "web_search_call", "action": {"type": "search", "query": "unicorns"}}


def play(*steps: Any, **options: Any) -> Any:
    """Return the response, made sure that it is the same streamed and whole."""
    whole = dragoman.responses(model="echo/echo", input=script(*steps), **options).model_dump()
    streamed = dragoman.responses(model="echo/echo", input=script(*steps), stream=True, **options)
    check_events([event.model_dump(exclude_unset=True) for event in streamed])
    final = streamed.get_final_response().model_dump()
    assert without_ids(final) == without_ids(whole)
    return final


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        varying = {"id", "created_at", "completed_at", "duration", "first_event"}
        return {name: without_ids(inner) for name, inner in value.items() if name not in varying}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def streamed_until_failure(*steps: Any) -> tuple[list[Any], APIError]:
    events: list[Any] = []
    with pytest.raises(APIError) as caught:
        events.extend(dragoman.responses(model="echo/echo", input=script(*steps), stream=True))
    check_events([event.model_dump(exclude_unset=True) for event in events])
    return events, caught.value


def test_everything_in_its_order() -> None:
    response = play(
        {"reasoning": "Let me think."},
        {"text": "So be "},
        {"text": "it."},
        {"annotation": CITATION},
        {"item": SEARCH},
        {"call": "get_weather", "arguments": {"city": "Paris"}},
        {"call": "get_time", "arguments": "{broken", "call_id": "mine"},
        {"refusal": "No more."},
    )
    reasoning, message, search, weather, clock, last = response["output"]
    assert reasoning["summary"][0]["text"] == "Let me think."
    assert message["content"][0]["text"] == "So be it."
    assert message["content"][0]["annotations"] == [CITATION]
    assert (search["type"], search["action"]["query"]) == ("web_search_call", "unicorns")
    assert (weather["name"], weather["arguments"]) == ("get_weather", '{"city": "Paris"}')
    assert (clock["call_id"], clock["arguments"]) == ("mine", "{broken")
    assert last["content"] == [{"type": "refusal", "refusal": "No more."}]
    assert response["status"] == "completed"


def test_what_echo_wrote_can_be_sent_back() -> None:
    output = play(
        {"reasoning": "Hm."}, {"item": SEARCH}, {"item": {"type": "echo:note", "x": 1}}, {"text": "a"}
    )["output"]
    response = dragoman.responses(model="echo/echo", input=[*output, {"role": "user", "content": "thanks"}])
    assert response.output_text == "thanks"
    assert response.model_dump()["dragoman"]["warnings"] == []


def test_calls_without_arguments_are_sampled() -> None:
    tool = {
        "type": "function",
        "name": "f",
        "parameters": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}},
    }
    calls = play({"call": "f"}, {"call": "unknown"}, tools=[tool])["output"]
    assert [call["arguments"] for call in calls] == ['{"n": 3}', "{}"]


def test_a_custom_tool_takes_free_text() -> None:
    (call,) = play({"call": "shout", "input": 'a "b"\n'}, tools=[{"type": "custom", "name": "shout"}])[
        "output"
    ]
    assert (call["type"], call["input"]) == ("custom_tool_call", 'a "b"\n')


def test_tool_choice_none_holds_a_script_back() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    assert play({"call": "f"}, tools=[tool], tool_choice="none")["output"] == []


def test_a_loop_of_calls_ends() -> None:
    first = play({"call": "f"})
    (call,) = first["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
    conversation = [{"role": "user", "content": script({"call": "f"})}, call, output]
    assert dragoman.responses(model="echo/echo", input=conversation).output_text == "42"


def test_an_error_at_first_is_a_refusal() -> None:
    error = {"status": 429, "message": "slow down", "code": "too_fast", "retry_after": 2}
    for stream in (False, True):
        with pytest.raises(RateLimitError) as caught:
            dragoman.responses(model="echo/echo", input=script({"error": error}), stream=stream)
        assert caught.value.retry_after == 2
        assert (caught.value.message, caught.value.code) == ("slow down", "too_fast")


def test_an_error_later_breaks_the_stream() -> None:
    steps = {"text": "half of"}, {"error": {"status": 503, "message": "gone"}}, {"text": "never"}
    events, error = streamed_until_failure(*steps)
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert isinstance(error, APIStatusError)
    assert error.status_code == 503
    assert error.response is not None
    assert error.response.output_text == "half of"
    with pytest.raises(APIStatusError, match="gone"):
        dragoman.responses(model="echo/echo", input=script(*steps))


def test_a_cut_answer_is_no_answer() -> None:
    events, error = streamed_until_failure({"text": "half of"}, {"cut": True})
    assert events[-1].type == "response.failed"
    assert error.response is not None
    assert error.response.output_text == "half of"
    assert error.response.usage is not None
    with pytest.raises(MalformedResponseError):
        dragoman.responses(model="echo/echo", input=script({"text": "half of"}, {"cut": True}))


def test_malformed_answers() -> None:
    events, error = streamed_until_failure({"text": "half of"}, {"malformed": True})
    assert events[-1].type == "response.failed"
    assert not isinstance(error, StreamInterruptedError)
    with pytest.raises(MalformedResponseError):
        dragoman.responses(model="echo/echo", input=script({"malformed": True}))


def test_finish_and_usage() -> None:
    response = play(
        {"text": "a b"}, {"finish": "content_filter"}, {"usage": {"input_tokens": 7, "cached_tokens": 5}}
    )
    assert response["status"] == "incomplete"
    assert response["incomplete_details"]["reason"] == "content_filter"
    assert response["usage"]["input_tokens"] == 7
    assert response["usage"]["input_tokens_details"]["cached_tokens"] == 5
    assert response["usage"]["output_tokens"] == 2


def test_a_pause_runs_into_the_time_limit() -> None:
    play: dict[str, Any] = {
        "model": "echo/echo",
        "input": script({"pause": 60}, {"text": "late"}),
        "timeout": 0.05,
    }
    with pytest.raises(APITimeoutError):
        dragoman.responses(**play)
    with pytest.raises(APITimeoutError):
        dragoman.responses(**play, stream=True).get_final_response()


def test_a_pause_holds_up_nobody_else() -> None:
    async def overtake() -> str:
        ask = dragoman.aresponses
        slow = asyncio.ensure_future(ask(model="echo/echo", input=script({"pause": 600})))
        await asyncio.sleep(0)  # the slow call is on its way
        answer = await ask(model="echo/echo", input="first")
        assert not slow.done()
        slow.cancel()
        return answer.output_text

    assert asyncio.run(overtake()) == "first"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("text", "a step is an object"),
        ({}, "a step has one verb"),
        ({"say": "x"}, "a step has one verb"),
        ({"text": "a", "refusal": "b"}, "a step has one verb"),
        ({"text": "a", "colour": "red"}, "unknown: colour"),
        ({"text": 1}, "text takes a string"),
        ({"pause": True}, "pause takes seconds"),
        ({"pause": -1}, "a pause lasts"),
        ({"error": {"status": 200}}, "from 400 to 599"),
        ({"error": {"reason": "x"}}, "unknown: reason"),
        ({"error": {"message": 5}}, "message is a string"),
        ({"error": {"retry_after": "soon"}}, "retry_after is a number"),
        ({"item": {"type": "message"}}, "written with the verb 'text'"),
        ({"item": {}}, "an item needs a type"),
        ({"annotation": CITATION}, "must follow the text"),
        ({"usage": {"input_tokens": -1}}, "usage counts tokens"),
        ({"usage": {"tokens": 1}}, "unknown: tokens"),
    ],
)
def test_bad_steps_are_named(step: Any, told: str) -> None:
    with pytest.raises(BadRequestError, match=told) as caught:
        dragoman.responses(model="echo/echo", input=script({"reasoning": "ok"}, step))
    assert caught.value.param == "input"
    assert "step 2 of the script" in caught.value.message


def test_what_only_looks_like_a_script_is_text() -> None:
    for text in ('{"echo": "x"}', '{"echo": [], "more": 1}', '{"echo": [', "[]"):
        assert dragoman.responses(model="echo/echo", input=text).output_text == text
    with pytest.raises(BadRequestError, match="a list of steps"):
        dragoman.responses(model="echo/echo", input='{"echo": {"text": "x"}}')
