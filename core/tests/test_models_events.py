"""Responses and stream events as typed objects: nothing is lost, nothing is refused."""

import json
import os
import typing
from pathlib import Path

import openai.types.responses as official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman import models
from dragoman.models import (
    Response,
    ResponseErrorEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
    UnknownEvent,
    UnknownItem,
    parse_event,
    parse_response,
)
from dragoman.models.parts import WireModel

RECORDINGS = Path(
    os.environ.get("DRAGOMAN_RECORDINGS") or Path(__file__).parents[2].parent / "shared" / "recordings"
)
needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings: set DRAGOMAN_RECORDINGS to their folder"
)

KNOWN = [kind for kind in typing.get_args(ResponseStreamEvent) if kind is not UnknownEvent]
OFFICIAL = typing.get_args(typing.get_args(official.ResponseStreamEvent)[0])
OFFICIAL_ITEMS = typing.get_args(typing.get_args(official.ResponseOutputItem)[0])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def type_of(kind):
    return typing.get_args(kind.model_fields["type"].annotation)[0]


def recorded(*apis):
    for api in apis:
        for path in sorted((RECORDINGS / api).glob("*.json")):
            exchange = json.loads(path.read_text(encoding="utf-8"))
            if exchange["fidelity"] == "recorded":
                yield path.name, exchange["response"]


def test_there_are_59_events():
    assert len({type_of(kind) for kind in KNOWN}) == len(KNOWN) == 59


@pytest.mark.parametrize("kind", KNOWN, ids=type_of)
def test_an_event_becomes_its_class_and_keeps_what_it_has(kind):
    event = {"type": type_of(kind), "sequence_number": 7, "acme": {"trace": [1, None]}}
    parsed = parse_event(event)
    assert type(parsed) is kind
    assert (parsed.type, parsed.sequence_number, parsed.acme) == (event["type"], 7, {"trace": [1, None]})
    assert parsed.model_dump(exclude_unset=True) == event


@pytest.mark.parametrize("theirs", OFFICIAL, ids=type_of)
def test_every_event_of_the_official_sdk_has_its_namesake(theirs):
    ours = getattr(models, theirs.__name__)
    assert type_of(ours) == type_of(theirs)
    assert theirs.model_fields.keys() <= ours.model_fields.keys()


@pytest.mark.parametrize("theirs", OFFICIAL_ITEMS, ids=type_of)
def test_every_item_of_the_official_sdk_has_its_namesake(theirs):
    ours = getattr(models, theirs.__name__)
    item = {"type": type_of(theirs), "id": "item_1"}
    assert type(parse_event({"type": "response.output_item.done", "item": item}).item) is ours
    # `async` cannot be an attribute; the two others are OpenAI's own bookkeeping. All stay in the dump.
    assert theirs.model_fields.keys() - ours.model_fields.keys() <= {"async_", "created_by", "svg_usage"}


def test_the_response_has_every_attribute_of_the_official_one():
    assert official.Response.model_fields.keys() <= Response.model_fields.keys()


def test_every_class_is_exported():
    modules = [
        models.events,
        models.hosted_events,
        models.items,
        models.parts,
        models.responses,
        models.requests,
    ]
    for module in modules:
        classes = {
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
        }
        assert classes <= set(module.__all__)
        assert module.__all__ == sorted(module.__all__, key=lambda name: (name[0].islower(), name))
    assert set(models.__all__) == {name for module in modules for name in module.__all__}


@pytest.mark.parametrize(
    ("event", "code", "message", "param"),
    [
        ({"code": "server_error", "message": "no", "param": None}, "server_error", "no", None),
        (
            {"error": {"code": "overloaded", "message": "busy", "param": "model"}},
            "overloaded",
            "busy",
            "model",
        ),
        ({"code": "a", "message": "flat", "error": {"code": "b", "message": "nested"}}, "a", "flat", None),
        ({"error": None}, None, "", None),
        ({"error": "text"}, None, "", None),
    ],
)
def test_an_error_event_is_read_in_both_forms(event, code, message, param):
    event = {"type": "error", "sequence_number": 3, **event}
    parsed = parse_event(event)
    assert isinstance(parsed, ResponseErrorEvent)
    assert (parsed.code, parsed.message, parsed.param) == (code, message, param)
    assert parsed.model_dump(exclude_unset=True) == event


def test_tomorrows_event_and_item_are_readable():
    event = parse_event({"type": "response.tea.brewed", "sequence_number": 1, "minutes": 4})
    assert isinstance(event, UnknownEvent)
    assert event.minutes == 4
    item = parse_response({"output": [{"type": "acme:tea", "id": "t", "minutes": 4}]}).output[0]
    assert isinstance(item, UnknownItem)
    assert (item.type, item.id, item.minutes) == ("acme:tea", "t", 4)


@settings(derandomize=True, deadline=None)
@given(
    st.sampled_from([*map(type_of, KNOWN), "acme:new"]).flatmap(
        lambda type_: st.fixed_dictionaries(
            {"type": st.just(type_)},
            optional=dict.fromkeys(
                ["sequence_number", "item", "part", "response", "delta", "logprobs", "error", "annotation"],
                json_values,
            ),
        )
    )
)
def test_no_event_is_too_odd(event):
    parsed = parse_event(event)
    assert parsed.model_dump(exclude_unset=True) == event
    assert json.loads(parsed.model_dump_json(exclude_unset=True)) == event


@pytest.mark.parametrize("type_", [None, 5, ["response.created"], {}, ""])
def test_an_event_without_a_sensible_type_is_unknown(type_):
    assert isinstance(parse_event({"type": type_}), UnknownEvent)
    assert isinstance(parse_event({}), UnknownEvent)


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Response.model_fields)), json_values))
def test_no_response_is_too_odd(body):
    response = parse_response(body)
    assert response.model_dump(exclude_unset=True) == body
    assert isinstance(response.output_text, str)


def test_oddities_stay_where_they_are():
    message = {
        "type": "message",
        "content": [{"type": "output_text", "text": "good"}, None, 5, {"type": "new"}],
    }
    body = {
        "id": None,
        "status": "pondering",
        "created_at": "yesterday",
        "usage": {"input_tokens": "12", "input_tokens_details": None},
        "output": [
            None,
            {"type": "message", "content": None},
            {"type": "message", "content": [{"type": "output_text", "text": None}]},
            message,
            {"type": "function_call", "call_id": 7, "arguments": {"already": "parsed"}},
        ],
    }
    response = parse_response(body)
    assert response.output_text == "good"
    assert isinstance(response.output[3], ResponseOutputMessage)
    assert isinstance(response.output[4], ResponseFunctionToolCall)
    assert response.model_dump(exclude_unset=True) == body


def test_the_text_is_that_of_all_messages():
    text = [{"type": "output_text", "text": "b"}, {"type": "refusal", "refusal": "x"}]
    output = [
        {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "no"}]},
        {"type": "message", "content": [*text, {"type": "output_text", "text": "c"}]},
    ]
    assert parse_response({"output": output}).output_text == "abc"
    assert parse_response({}).output_text == ""


def test_what_was_parsed_is_never_dumped():
    response = parse_response({"id": "resp_1"})
    assert response.output_parsed is None
    response._output_parsed = object()
    assert response.output_parsed is not None
    assert response.model_dump(exclude_unset=True) == {"id": "resp_1"}


def test_what_dragoman_adds_is_typed():
    details = {
        "provider": "acme",
        "model": "m",
        "attempts": [{"provider": "acme", "model": "m", "outcome": "completed", "status": 200}],
        "cost": {"total": "0.01"},
        "warnings": [{"message": "top_k was dropped", "param": "top_k", "code": None}],
    }
    response = parse_response({"dragoman": details})
    assert response.dragoman is not None
    assert response.dragoman.warnings[0].param == "top_k"
    assert response.dragoman.attempts[0].outcome == "completed"
    assert response.model_dump(exclude_unset=True) == {"dragoman": details}
    assert parse_response({}).dragoman is None


def test_classes_can_be_made_by_hand():
    event = ResponseTextDeltaEvent(type="response.output_text.delta", delta="hi")
    assert event.model_dump(exclude_unset=True) == {"type": "response.output_text.delta", "delta": "hi"}
    assert WireModel in type(event).__mro__


@needs_recordings
def test_recorded_responses_survive():
    bodies = 0
    for name, response in recorded("openai.responses", "azure.responses", "compat.responses"):
        if isinstance(response.get("body"), dict) and response["status"] == 200:
            bodies += 1
            parsed = parse_response(response["body"])
            assert parsed.model_dump(exclude_unset=True) == response["body"], name
            assert not any(isinstance(item, dict) for item in parsed.output), name
    assert bodies


@needs_recordings
def test_recorded_streams_survive():
    known = {type_of(kind) for kind in KNOWN}
    seen = set()
    for name, response in recorded("openai.responses", "azure.responses", "compat.responses"):
        for line in response.get("raw", "").replace("\r\n", "\n").split("\n"):
            if line.startswith("data: {"):
                event = json.loads(line.removeprefix("data: "))
                parsed = parse_event(event)
                assert parsed.model_dump(exclude_unset=True) == event, name
                assert isinstance(parsed, UnknownEvent) == (event.get("type") not in known), name
                seen.add(event.get("type"))
    assert len(seen & known) > 20
