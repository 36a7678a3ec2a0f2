"""Requests at the edge: what is right passes unchanged, what is wrong is named."""

import copy
import inspect
import json
import os
from pathlib import Path

import openai.types.responses as official
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import parsed_response
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from dragoman.errors import BadRequestError
from dragoman.models import Request, parse_response, validate_request
from dragoman.types import CallParameters

RECORDINGS = Path(
    os.environ.get("DRAGOMAN_RECORDINGS") or Path(__file__).parents[2].parent / "shared" / "recordings"
)

CALL = {"type": "function_call", "call_id": "call_1", "name": "tea", "arguments": "{}"}
ANSWER = {"type": "function_call_output", "call_id": "call_1", "output": "hot"}
CUSTOM_CALL = {"type": "custom_tool_call", "call_id": "call_1", "name": "tea", "input": "hot"}
CUSTOM_ANSWER = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "hot"}
USER = {"role": "user", "content": "hi"}


def request(**params):
    return {"model": "acme/m", "input": "hi", **params}


def message(*content, role="user"):
    return request(input=[{"role": role, "content": list(content)}])


def items(*given_items, **params):
    return request(input=list(given_items), **params)


GOOD = {
    "string": request(),
    "untyped message": items(USER),
    "all roles": items(*({"role": role, "content": "hi"} for role in ("system", "developer", "assistant"))),
    "assistant phase": items({"role": "assistant", "content": "hm", "phase": "commentary"}),
    "null fields": items({"type": "message", "role": "user", "content": "hi", "id": None, "status": None}),
    "images": message(
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "original"},
        {"type": "input_image", "image_url": "HTTPS://example.com/a.png"},
        {"type": "input_image", "file_id": "file_1", "image_url": None},
    ),
    "files": message(
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
    ),
    "call and answer": items(CALL, ANSWER),
    "parts as answer": items(CALL, {**ANSWER, "output": [{"type": "input_text", "text": "hot"}]}),
    "call_id used again": items(CALL, ANSWER, CALL, ANSWER),
    "parallel calls with one id": items(CALL, CALL, ANSWER, ANSWER),
    "custom call and answer": items(CUSTOM_CALL, CUSTOM_ANSWER),
    "call without answer": items(CALL, USER),
    "answer to a former response": items(ANSWER, previous_response_id="resp_1"),
    "answer in a conversation": items(ANSWER, conversation={"id": "conv_1"}),
    "answer to a reference": items({"id": "fc_1"}, ANSWER),
    "answer behind a compaction": items({"type": "compaction", "encrypted_content": "x"}, ANSWER),
    "reasoning": items({"type": "reasoning", "summary": []}, {"type": "reasoning", "encrypted_content": "x"}),
    "stored prompt": {"prompt": {"id": "pmpt_1", "variables": {"name": "Ann"}}},
    "tools": request(
        tools=[
            {"type": "function", "name": "tea", "parameters": None, "strict": None},
            {"type": "custom", "name": "patch", "format": {"type": "text"}},
            {"type": "namespace", "name": "kitchen", "tools": [{"type": "function", "name": "tea"}]},
            {"type": "code_interpreter", "container": "cntr_1"},
            {"type": "code_interpreter", "container": {"type": "auto"}},
            {"type": "mcp", "server_label": "kitchen", "server_url": "https://example.com"},
        ]
    ),
    "tool choice": request(tool_choice="required"),
    "tool choice by name": request(tool_choice={"type": "function", "name": "tea"}),
    "hosted tool choice": request(tool_choice={"type": "web_search"}),
    "formats": request(
        text={"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"}
    ),
    "limits": request(
        temperature=2, top_p=0, top_logprobs=20, max_output_tokens=1, metadata={"k" * 64: "v" * 512}
    ),
    "tomorrow": request(
        acme={"deep": [1]},
        include=["tomorrow.value"],
        service_tier="hyper",
        reasoning={"effort": "galactic", "new": True},
        text={"verbosity": "epic", "format": {"type": "grammar"}},
        tools=[{"type": "teapot", "temperature": 9}, {"type": "function", "name": "f", "new": 1}],
        tool_choice={"type": "teapot"},
        input=[
            {"type": "acme:event", "what": None},
            {"role": "user", "content": [{"type": "input_smell", "smell": "tea"}], "mood": "calm"},
        ],
    ),
}


@pytest.mark.parametrize("params", GOOD.values(), ids=GOOD)
def test_a_good_request_passes_unchanged(params):
    before = copy.deepcopy(params)
    assert validate_request(params) == params == before
    assert validate_request(params) is not params


BAD = [
    # what is missing
    ({"input": "hi"}, "model", "is required"),
    ({"model": "acme/m"}, "input", "unless prompt, previous_response_id or conversation"),
    (items({"type": "message", "content": "hi"}), "input[0].role", "is required"),
    (items({"content": "hi"}), "input[0].type", "is required"),
    (items(USER, {"id": "x", "content": "hi"}), "input[1].type", "is required"),
    (items({"role": "user"}), "input[0].content", "is required"),
    (items({"role": "user", "contents": "hi"}), "input[0].content", "'contents': did you mean 'content'"),
    (items({**CALL, "arguments": None}), "input[0].arguments", "is required"),
    (items({**ANSWER, "call_id": None}), "input[0].call_id", "is required"),
    (items(CALL, {**ANSWER, "output": None}), "input[1].output", "is required"),
    (message({"type": "input_text"}), "input[0].content[0].text", "is required"),
    (message({"text": "hi"}), "input[0].content[0].type", "is required"),
    (message({"type": "input_image"}), "input[0].content[0]", "needs one of image_url, file_id"),
    (message({"type": "input_file", "filename": "a"}), "input[0].content[0]", "file_id, file_url, file_data"),
    (request(tools=[{"name": "tea"}]), "tools[0].type", "is required"),
    (
        request(tools=[{"type": "function", "function": {"name": "f"}}]),
        "tools[0].name",
        "name, description and parameters stand beside type",
    ),
    (request(tool_choice={"type": "function"}), "tool_choice.name", "is required"),
    (request(tool_choice={"type": "allowed_tools", "mode": "auto"}), "tool_choice.tools", "is required"),
    (
        request(text={"format": {"type": "json_schema", "json_schema": {"name": "n"}}}),
        "text.format.name",
        "stand beside type",
    ),
    (request(prompt={"version": "1"}), "prompt.id", "is required"),
    (request(conversation={}), "conversation.id", "is required"),
    # what has the wrong type
    (request(model=5), "model", "must be a string, not 5"),
    (request(input=5), "input", "must be a string or a list of items, not 5"),
    (request(input=USER), "input", "a list of items, not an object"),
    (items("hi"), "input[0]", "must be an object, not 'hi'"),
    (items({"role": "user", "content": {"text": "hi"}}), "input[0].content", "a list of content parts"),
    (items({"role": "user", "content": ["hi"]}), "input[0].content[0]", "must be an object, not 'hi'"),
    (items({"type": 5, "role": "user", "content": "hi"}), "input[0].type", "must be a string, not 5"),
    (
        items({**CALL, "arguments": {"hot": True}}),
        "input[0].arguments",
        "a string that holds JSON, not an object",
    ),
    (items({"type": "reasoning", "summary": "hm"}), "input[0].summary", "must be a list"),
    (request(stream="yes"), "stream", "must be true or false, not 'yes'"),
    (request(stream=1), "stream", "must be true or false, not 1"),
    (request(temperature="hot"), "temperature", "must be a number, not 'hot'"),
    (request(temperature=True), "temperature", "must be a number, not true"),
    (request(max_output_tokens=1.5), "max_output_tokens", "must be an integer, not 1.5"),
    (request(max_output_tokens="100"), "max_output_tokens", "must be an integer, not '100'"),
    (request(include="usage"), "include", "must be a list, not 'usage'"),
    (request(include=["usage", 5]), "include[1]", "must be a string, not 5"),
    (request(metadata={"k": 5}), "metadata.k", "must be a string, not 5"),
    (request(tools={"type": "function"}), "tools", "must be a list, not an object"),
    (request(tools=[{"type": "function", "name": "f", "strict": "yes"}]), "tools[0].strict", "true or false"),
    (request(reasoning="high"), "reasoning", "must be an object, not 'high'"),
    (request(reasoning={"effort": 3}), "reasoning.effort", "must be a string, not 3"),
    (request(text={"format": "json"}), "text.format", "must be an object, not 'json'"),
    (
        request(stream_options={"include_obfuscation": "no"}),
        "stream_options.include_obfuscation",
        "true or false",
    ),
    (request(context_management={"type": "compaction"}), "context_management", "must be a list"),
    # what is out of bounds
    (request(temperature=2.1), "temperature", "must be at most 2, not 2.1"),
    (request(temperature=-1), "temperature", "must be at least 0, not -1"),
    (request(temperature=float("nan")), "temperature", "finite"),
    (request(top_p=1.5), "top_p", "must be at most 1"),
    (request(top_logprobs=21), "top_logprobs", "must be at most 20"),
    (request(max_output_tokens=0), "max_output_tokens", "must be at least 1"),
    (request(metadata={str(n): "" for n in range(17)}), "metadata", "at most 16 entries"),
    (request(metadata={"k" * 65: "v"}), "metadata", "which must have at most 64 characters"),
    (request(metadata={"k": "v" * 513}), "metadata.k", "at most 512 characters"),
    # what must be one of a few words
    (request(truncation="always"), "truncation", "must be one of 'auto' or 'disabled', not 'always'"),
    (request(tool_choice="any"), "tool_choice", "Did you mean 'required'?"),
    (request(tool_choice="requierd"), "tool_choice", "Did you mean 'required'?"),
    (items({"role": "asistant", "content": "hi"}), "input[0].role", "Did you mean 'assistant'?"),
    (items({"role": "tool", "content": "hi"}), "input[0].role", "function_call_output"),
    (
        items({"role": "critic", "content": "hi"}),
        "input[0].role",
        "'user', 'assistant', 'system', 'developer'",
    ),
    (message({"type": "input_image", "image_url": "ftp://a"}), "input[0].content[0].image_url", "'ftp://a'"),
    (
        message({"type": "input_image", "image_url": "/etc/passwd"}),
        "input[0].content[0].image_url",
        "http(s)",
    ),
    # what contradicts itself
    (
        request(previous_response_id="resp_1", conversation="conv_1"),
        "previous_response_id",
        "exclude each other",
    ),
    (items(USER, ANSWER), "input[1].call_id", "there is no function_call before it"),
    (items(ANSWER, CALL), "input[0].call_id", "there is no function_call before it"),
    (items(CALL, {**ANSWER, "call_id": "call_2"}), "input[1].call_id", "known are 'call_1'"),
    (items(CALL, ANSWER, ANSWER), "input[2].call_id", "was answered already"),
    (items(CUSTOM_CALL, ANSWER), "input[1].call_id", "belongs to no function_call"),
    (items(CALL, CUSTOM_ANSWER), "input[1].call_id", "belongs to no custom_tool_call"),
    # what is not JSON
    (request(input=[object()]), "input", "cannot be sent as JSON"),
    (request(acme={"f": print}), "acme", "cannot be sent as JSON"),
    (["model", "input"], None, "must be an object, not a list"),
]


@pytest.mark.parametrize(("params", "param", "words"), BAD)
def test_a_bad_request_is_named(params, param, words):
    with pytest.raises(BadRequestError) as caught:
        validate_request(params)
    assert caught.value.param == param
    assert words in caught.value.message
    assert caught.value.code
    assert "pydantic" not in caught.value.message


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, "data:image/png;base64," + "A" * 100, 10**5000, -(10**5000)],
    ids=["text", "data", "large", "small"],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda value: request(truncation=value),
        lambda value: request(temperature=value),
        lambda value: request(reasoning=value),
        lambda value: items({"role": value, "content": "hi"}),
        lambda value: items({**ANSWER, "call_id": value}),
        lambda value: items({value: "hi"}) if isinstance(value, str) else items({"role": value}),
        lambda value: request(metadata={value: 5} if isinstance(value, str) else {"k": value}),
    ],
)
def test_an_error_repeats_nothing_huge(place, value):
    with pytest.raises(BadRequestError) as caught:
        validate_request(place(value))
    assert len(str(caught.value)) < 500
    assert "AAAA" not in str(caught.value)


def test_endless_and_very_deep_input_is_refused():
    loop = []
    loop.append(loop)
    deep = None
    for _ in range(5000):
        deep = [deep]
    for value in (loop, deep):
        with pytest.raises(BadRequestError, match="acme cannot be sent as JSON"):
            validate_request(request(acme=value))


def test_none_means_not_given():
    assert validate_request(request(temperature=None, acme=None)) == request()


def test_the_callers_objects_stay_their_own():
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    given_items = [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
    valid = validate_request(request(tools=[tool], input=given_items))
    valid["tools"][0]["parameters"]["type"] = valid["input"][0]["content"][0]["text"] = "changed"
    assert tool["parameters"] == {"type": "object"}
    assert given_items[0]["content"] == [{"type": "input_text", "text": "hi"}]


def test_a_former_output_can_be_sent_back():
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x", "acme": 1},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "t", "new": []}],
        },
        {"type": "acme:receipt", "id": "r", "deep": {"a": None}},
        CALL,
    ]
    response = parse_response({"output": output})
    assert validate_request(request(input=[*response.output, ANSWER]))["input"] == [*output, ANSWER]
    assert validate_request(request(input=(*response.output, ANSWER)))["input"] == [*output, ANSWER]
    content = response.output[1].content
    mixed = validate_request(items({"role": "assistant", "content": content}))
    assert mixed["input"][0]["content"] == output[1]["content"]


def test_objects_of_the_official_sdk_are_understood():
    call = official.ResponseFunctionToolCall.model_validate({**CALL, "async": True})
    tool = official.FunctionTool(type="function", name="tea", parameters={}, strict=True)
    valid = validate_request(items(call, ANSWER, tools=(tool,)))
    assert valid["input"] == [{**CALL, "async": True}, ANSWER]
    assert valid["tools"] == [{"type": "function", "name": "tea", "parameters": {}, "strict": True}]


def test_what_the_official_parse_adds_is_left_out():
    call = parsed_response.ParsedResponseFunctionToolCall(**CALL, parsed_arguments={"a": 1})
    text = parsed_response.ParsedResponseOutputText(
        type="output_text", text="t", annotations=[], parsed={"a": 1}
    )
    reply = parsed_response.ParsedResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed", content=[text]
    )
    sent = validate_request(items(call, reply))["input"]
    assert sent[0] == CALL
    assert sent[1]["content"] == [{"type": "output_text", "text": "t", "annotations": []}]


def test_anything_that_can_dump_itself_is_understood():
    class Message:
        def model_dump(self, **options):
            return USER

    assert validate_request(items(Message()))["input"] == [USER]


def test_the_parameters_are_those_of_the_official_sdk():
    ours = set(Request.model_fields)
    assert ours == {"stream", *inspect.get_annotations(CallParameters)}
    assert ours >= set(inspect.get_annotations(ResponseCreateParamsBase))
    assert ours - set(inspect.get_annotations(ResponseCreateParamsBase)) == {
        "stream",
        "presence_penalty",
        "frequency_penalty",
    }


@pytest.mark.parametrize("params", GOOD.values(), ids=GOOD)
def test_the_model_gives_typed_parameters(params):
    checked = Request.model_validate(params)
    assert checked.model_dump(exclude_unset=True) == params


def test_the_model_refuses_what_the_function_refuses():
    for params, _, words in BAD:
        if isinstance(params, dict) and "sent as JSON" not in words:
            with pytest.raises(pydantic.ValidationError):
                Request.model_validate(params)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from([*sorted(Request.model_fields), "acme"]), json_values))
def test_any_json_passes_or_is_refused_with_a_place(params):
    try:
        valid = validate_request(params)
    except BadRequestError as refusal:
        error = refusal
    else:
        assert valid == {name: value for name, value in params.items() if value is not None}
        return
    assert error.param
    assert error.message.startswith(error.param)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings: set DRAGOMAN_RECORDINGS to their folder")
def test_what_upstreams_accepted_passes_unchanged():
    accepted = 0
    for api in ("openai.responses", "azure.responses", "compat.responses", "bedrock-mantle.responses"):
        for path in sorted((RECORDINGS / api).glob("*.json")):
            exchange = json.loads(path.read_text(encoding="utf-8"))
            body = exchange["request"]["body"]
            if exchange["fidelity"] == "recorded" and exchange["response"]["status"] == 200 and body:
                accepted += 1
                assert validate_request(body) == {k: v for k, v in body.items() if v is not None}, path.name
    assert accepted
