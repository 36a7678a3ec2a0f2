"""What echo answers by itself, asked as a user asks it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dragoman
import dragoman_echo
from dragoman.errors import BadRequestError, UnsupportedParameterError
from dragoman.parameters import PARAMETERS
from dragoman.sealing import seal, unseal
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from dragoman.hookspecs import ProviderModule

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
    },
}
PIXEL = "data:image/png;base64," + base64.b64encode(bytes(68)).decode()


def ask(input: Any, **options: Any) -> dict[str, Any]:  # noqa: A002 - the API's own name
    response: dict[str, Any] = dragoman.responses(model="echo/echo", input=input, **options).model_dump()
    return response


def stream(input: Any, **options: Any) -> tuple[list[Any], dict[str, Any]]:  # noqa: A002
    answer = dragoman.responses(model="echo/echo", input=input, stream=True, **options)
    events = list(answer)
    check_events([event.model_dump(exclude_unset=True) for event in events])
    return events, answer.get_final_response().model_dump()


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        varying = {"id", "created_at", "completed_at", "duration", "first_event"}
        return {name: without_ids(inner) for name, inner in value.items() if name not in varying}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def text_of(response: dict[str, Any]) -> str:
    return "".join(
        part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"]
    )


def test_the_module_fits_the_contract() -> None:
    plugin: ProviderModule = dragoman_echo
    assert plugin.provider_info().name == "echo"


def test_every_parameter_has_a_policy() -> None:
    table = dragoman_echo.provider_info().parameters
    missing = [
        name for name in PARAMETERS if not any(key == name or key.startswith(f"{name}.") for key in table)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "text", ["Hello there", "  two  spaces\nand a line ", "", "один два", "🦄", '{"a": 1}']
)
def test_says_what_the_user_said(text: str) -> None:
    events, streamed = stream(text)
    assert text_of(ask(text)) == text
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == text
    assert without_ids(streamed) == without_ids(ask(text))
    assert streamed["status"] == "completed"


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    events, response = stream([{"role": "user", "content": text}])
    assert text_of(response) == text
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_streams_word_by_word() -> None:
    events, _ = stream("one two three")
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["one", " two", " three"]


def test_hears_the_last_user_message() -> None:
    conversation = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "first"},
        {"role": "user", "content": "second"},
        {"role": "developer", "content": "be brief"},
    ]
    assert text_of(ask(conversation)) == "second"


def test_names_images_and_files() -> None:
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": PIXEL},
        {"type": "input_image", "image_url": "https://example.com/cat.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
    ]
    assert text_of(ask([{"role": "user", "content": content}])).splitlines() == [
        "What is this?",
        "[image image/png, 68 bytes]",
        "[image https://example.com/cat.png]",
        "[file a.pdf, application/pdf, 3 bytes]",
    ]


def test_refuses_broken_data_and_names_it() -> None:
    content = [
        {"type": "input_text", "text": "x"},
        {"type": "input_image", "image_url": "data:image/png;base64,A"},
    ]
    with pytest.raises(BadRequestError) as caught:
        ask([{"role": "user", "content": content}])
    assert caught.value.param == "input[0].content[1].image_url"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_a_forced_call_has_sample_arguments(choice: Any) -> None:
    events, response = stream("Weather?", tools=[WEATHER], tool_choice=choice)
    (call,) = response["output"]
    assert (call["type"], call["name"], call["call_id"]) == ("function_call", "get_weather", "call_echo_1")
    assert json.loads(call["arguments"]) == {"city": "text", "unit": "celsius"}
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(deltas) == call["arguments"]


@pytest.mark.parametrize("said", ["What's the weather like?", "get_weather please", "Weather"])
def test_calls_the_function_that_the_user_names(said: str) -> None:
    other = {"type": "function", "name": "lookUpTime", "parameters": {"type": "object"}}
    for choice in (None, "auto"):
        (call,) = ask(said, tools=[other, WEATHER], tool_choice=choice)["output"]
        assert (call["name"], json.loads(call["arguments"])["city"]) == ("get_weather", "text")
    (call,) = ask("What time is it?", tools=[WEATHER, other])["output"]
    assert call["name"] == "lookUpTime"


def test_does_not_call_unasked() -> None:
    assert text_of(ask("Get whether it rains", tools=[WEATHER])) == "Get whether it rains"
    assert text_of(ask("Weather?", tools=[WEATHER], tool_choice="none")) == "Weather?"
    assert text_of(ask("Weather?")) == "Weather?"
    assert text_of(ask('{"echo": [{"text": "weather"}]}', tools=[WEATHER])) == "weather"


def test_a_tool_choice_without_its_tool_is_refused() -> None:
    with pytest.raises(BadRequestError) as caught:
        ask("x", tools=[WEATHER], tool_choice={"type": "function", "name": "other"})
    assert caught.value.param == "tool_choice.name"
    with pytest.raises(BadRequestError) as caught:
        ask("x", tool_choice="required")
    assert caught.value.param == "tool_choice"


def test_custom_tools_come_out_as_custom_calls() -> None:
    tool = {"type": "custom", "name": "shout"}
    (call,) = ask("x", tools=[tool], tool_choice={"type": "custom", "name": "shout"})["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "shout", "text")


def test_answers_with_the_outputs_of_tools() -> None:
    conversation: list[dict[str, Any]] = [{"role": "user", "content": "Weather?"}]
    for number, output in enumerate(("sunny", "rain"), 1):
        call = {"type": "function_call", "call_id": f"c{number}", "name": "get_weather", "arguments": "{}"}
        conversation.insert(number, call)
        conversation.append({"type": "function_call_output", "call_id": f"c{number}", "output": output})
    assert text_of(ask(conversation, tools=[WEATHER])) == "sunny\nrain"


def test_an_output_needs_its_call() -> None:
    conversation = [
        {"role": "user", "content": "hi"},
        {"type": "function_call_output", "call_id": "c9", "output": "x"},
    ]
    with pytest.raises(BadRequestError) as caught:
        ask(conversation)
    assert caught.value.param == "input[1].call_id"


def test_structured_answers() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 18}}}
    form = {"type": "json_schema", "name": "person", "schema": schema}
    assert json.loads(text_of(ask("x", text={"format": form}))) == {"age": 18}
    assert json.loads(text_of(ask("say json", text={"format": {"type": "json_object"}}))) == {
        "echo": "say json"
    }


def test_a_schema_that_nothing_fulfils_is_refused() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"$ref": "#"}}
    with pytest.raises(BadRequestError) as caught:
        ask("x", tools=[tool], tool_choice="required")
    assert caught.value.param == "tools"
    form = {"type": "json_schema", "name": "endless", "schema": {"$ref": "#"}}
    with pytest.raises(BadRequestError) as caught:
        ask("x", text={"format": form})
    assert caught.value.param == "text.format.schema"


def test_reasoning_goes_round() -> None:
    _, first = stream("one two three", reasoning={"effort": "low"})
    reasoning, message = first["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": "The user said 3 words."}]
    conversation = [{"role": "user", "content": "one two three"}, reasoning, message]
    again = ask([*conversation, {"role": "user", "content": "four"}], reasoning={"effort": "low"})
    assert text_of(again) == "four"


def test_no_reasoning_unless_asked() -> None:
    assert [item["type"] for item in ask("x", reasoning={"effort": "none"})["output"]] == ["message"]


@pytest.mark.parametrize("kind", ["other text", "broken envelope", "other shape"])
def test_changed_reasoning_is_refused(kind: str) -> None:
    (reasoning, _) = ask("x", reasoning={"effort": "high"})["output"]
    sealed = reasoning["encrypted_content"]
    state = unseal("echo", sealed, param="")
    changed = {
        "other text": seal("echo", {**state, "text": "The user said nothing."}),
        "broken envelope": sealed[:-3],
        "other shape": seal("echo", []),
    }[kind]
    with pytest.raises(BadRequestError) as caught:
        ask([{**reasoning, "encrypted_content": changed}, {"role": "user", "content": "y"}])
    assert caught.value.param == "input[0].encrypted_content"
    assert caught.value.code == "invalid_encrypted_content"


def test_counts_words_as_tokens() -> None:
    usage = ask("one two three", instructions="be brief", reasoning={"effort": "low"})["usage"]
    assert usage["input_tokens"] == 5
    assert usage["output_tokens"] == 5 + 3
    assert usage["output_tokens_details"]["reasoning_tokens"] == 5
    assert usage["input_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize(("limit", "text"), [(20, "w " * 20), (30, "w " * 30), (31, "w " * 30)])
def test_stops_at_the_limit(limit: int, text: str) -> None:
    response = ask(("w " * 30), max_output_tokens=limit)
    assert text_of(response).strip() == text.strip()
    assert response["usage"]["output_tokens"] == min(limit, 30)
    assert response["status"] == ("incomplete" if limit < 30 else "completed")
    if limit < 30:
        assert response["incomplete_details"]["reason"] == "max_output_tokens"
        assert response["output"][-1]["status"] == "incomplete"


def test_a_call_is_cut_at_the_limit() -> None:
    properties = {f"property_{number}": {"type": "string"} for number in range(20)}
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": properties}}
    (call,) = ask("x", tools=[tool], tool_choice="required", max_output_tokens=16)["output"]
    assert call["status"] == "incomplete"
    assert len(call["arguments"].split()) == 16


def test_logprobs_of_certainty() -> None:
    options = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    events, response = stream("two words", **options)
    logprobs = response["output"][0]["content"][0]["logprobs"]
    assert [(token["token"], token["logprob"], len(token["top_logprobs"])) for token in logprobs] == [
        ("two", 0.0, 1),
        (" words", 0.0, 1),
    ]
    assert without_ids(ask("two words", **options)["output"]) == without_ids(response["output"])
    assert [len(event.logprobs) for event in events if event.type == "response.output_text.delta"] == [1, 1]


def test_what_is_warned_about_and_what_is_refused() -> None:
    response = ask("x", temperature=0.5)
    assert [warning["param"] for warning in response["dragoman"]["warnings"]] == ["temperature"]
    with pytest.raises(UnsupportedParameterError):
        ask("x", moderation={"model": "omni"})


def test_unknown_items_are_refused() -> None:
    with pytest.raises(BadRequestError) as caught:
        ask([{"type": "unheard_of", "id": "msg_1"}, {"role": "user", "content": "x"}])
    assert caught.value.param == "input[0]"
