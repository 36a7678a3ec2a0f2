"""What goes to Bedrock for a Responses request."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import dragoman_bedrock
from dragoman.errors import BadRequestError
from dragoman.hookspecs import Target

from .conftest import CLAUDE, NOVA, SETTINGS, Bedrock

PIXEL = "iVBORw0KGgo="
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
OTHER = {"type": "function", "name": "g", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FORM = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
CLOSED = {**SCHEMA, "additionalProperties": False}
LLAMA, MISTRAL = "us.meta.llama4-maverick-17b-instruct-v1:0", "us.mistral.pixtral-large-2502-v1:0"
OPUS_45, SONNET_37 = (
    "us.anthropic.claude-opus-4-5-20251101-v1:0",
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
)


def user(*parts: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "input_text", "text": p} if isinstance(p, str) else p for p in parts],
    }


def file(data: str = "JVBERi0x", **more: Any) -> dict[str, Any]:
    return {"type": "input_file", "file_data": data, **more}


def data_url(media_type: str) -> str:
    return f"data:{media_type};base64,{PIXEL}"


# ---- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("amazon.nova-pro-v1:0", "us-east-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/"),
        ("converse/amazon.nova-pro-v1:0", "us-east-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/"),
        ("eu-central-1/eu.anthropic.claude-sonnet-4-6", "eu-central-1.amazonaws.com/model/eu.anthropic."),
        ("converse/us-gov-west-1/m", "us-gov-west-1.amazonaws.com/model/m/"),
        ("cn-north-1/m", "cn-north-1.amazonaws.com.cn/model/m/"),
        (
            "arn:aws:bedrock:ap-south-1:123456789012:inference-profile/apac.amazon.nova-pro-v1:0",
            "ap-south-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aap-south-1%3A123456789012%3A"
            "inference-profile%2Fapac.amazon.nova-pro-v1%3A0/",
        ),
    ],
)
def test_where_a_model_is_called(bedrock: Bedrock, model: str, url: str) -> None:
    assert bedrock.http(model).url.startswith(f"https://bedrock-runtime.{url}")


@pytest.mark.parametrize("name", ["api_base", "aws_bedrock_runtime_endpoint"])
def test_another_endpoint(bedrock: Bedrock, name: str) -> None:
    settings = {**SETTINGS, name: "https://vpce.example/"}
    assert bedrock.http("m", settings, stream=True).url == "https://vpce.example/model/m/converse-stream"


def test_an_opaque_arn_beside_the_models_name(bedrock: Bedrock) -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1"
    http = bedrock.http(CLAUDE, {**SETTINGS, "model_id": arn}, reasoning={"effort": "low"})
    assert http.url.startswith("https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws")
    assert json.loads(http.body)["additionalModelRequestFields"]["thinking"] == {"type": "adaptive"}


def test_invoke_model_is_another_wire(bedrock: Bedrock) -> None:
    with pytest.raises(BadRequestError, match="leave out 'invoke/'"):
        bedrock.http("invoke/anthropic.claude-v2")


# ---- what is said -----------------------------------------------------------------------------------


def test_system_text_at_the_beginning_and_later(bedrock: Bedrock) -> None:
    late = {"role": "developer", "content": "Be brief."}
    items = [{"role": "system", "content": "Be kind."}, user("Hi"), late, user("Go on")]
    body = bedrock.body(NOVA, input=items, instructions="You are Ada.")
    assert body["system"] == [{"text": "You are Ada."}, {"text": "Be kind."}]
    (turn,) = body["messages"]
    assert turn["content"][1] == {"text": "<system>\nBe brief.\n</system>"}
    newest = bedrock.messages(*items, model="us.anthropic.claude-opus-4-8", instructions="You are Ada.")
    assert "system" not in [message["role"] for message in newest[:1]]


def test_results_come_first_and_carry_failures(bedrock: Bedrock) -> None:
    failed = {**RESULT, "status": "incomplete", "output": "no such city"}
    first, second, third = bedrock.messages(user("Hi"), CALL, user("Hurry"), failed, tools=[FUNCTION])
    assert [first["role"], second["role"], third["role"]] == ["user", "assistant", "user"]
    assert third["content"] == [
        {"toolResult": {"toolUseId": "c1", "content": [{"text": "no such city"}], "status": "error"}},
        {"text": "Hurry"},
    ]


def test_results_may_hold_images_documents_and_json(bedrock: Bedrock) -> None:
    parts = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": data_url("image/png"), "detail": "auto"},
        file(filename="a.pdf"),
        {"type": "json", "json": {"a": [1, None]}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"text": "x"}]},
    ]
    content = bedrock.messages(user("Hi"), CALL, {**RESULT, "output": parts})[2]["content"]
    assert content[0]["toolResult"]["content"] == [
        {"text": "see"},
        {"image": {"format": "png", "source": {"bytes": PIXEL}}},
        {"document": {"format": "pdf", "name": "a", "source": {"bytes": "JVBERi0x"}}},
        {"json": {"a": [1, None]}},
        {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}},
    ]


def test_ids_of_other_providers_are_made_to_fit(bedrock: Bedrock) -> None:
    call = {**CALL, "call_id": "call|é/1"}
    _, turn, result = bedrock.messages(user("Hi"), call, {**RESULT, "call_id": "call|é/1"})
    assert turn["content"][0]["toolUse"]["toolUseId"] == "call___1"
    assert result["content"][0]["toolResult"]["toolUseId"] == "call___1"


@pytest.mark.parametrize("part", [{"type": "input_text", "text": " \n"}, {"type": "input_text", "text": ""}])
def test_blank_text_which_bedrock_refuses_is_not_sent(bedrock: Bedrock, part: Any) -> None:
    assert bedrock.messages(user("Hi", part))[0]["content"] == [{"text": "Hi"}]


def test_reasoning_that_nobody_signed_is_left_out(bedrock: Bedrock) -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}
    items = [user("Hi"), reasoning, {"role": "assistant", "content": "Hello"}]
    assert bedrock.messages(*items)[1]["content"] == [{"text": "Hello"}]
    assert bedrock.warned(input=items) == ["input[1]"]


# ---- media ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "kind", "format_"),
    [
        ({"type": "input_image", "image_url": data_url("image/jpg"), "detail": "auto"}, "image", "jpeg"),
        ({"type": "input_image", "file_id": "s3://b/a.webp", "detail": "auto"}, "image", "webp"),
        (file(filename="a.csv"), "document", "csv"),
        (file(filename="notes.md"), "document", "md"),
        (file(data_url("application/json")), "document", "txt"),
        (file(data_url("text/x-python"), filename="a.py"), "document", "txt"),
        (file(), "document", "pdf"),
        (file(filename="film.mp4"), "video", "mp4"),
        (file(data_url("video/3gpp")), "video", "three_gp"),
        ({"type": "input_video", "video_url": "s3://b/film.mov"}, "video", "mov"),
        ({"type": "input_file", "file_url": "s3://b/a.docx"}, "document", "docx"),
        ({"type": "input_audio", "input_audio": {"data": PIXEL, "format": "mp3"}}, "audio", "mp3"),
    ],
)
def test_media_by_their_kind(bedrock: Bedrock, part: Any, kind: str, format_: str) -> None:
    block = bedrock.messages(user("See", part))[0]["content"][1]
    assert block[kind]["format"] == format_
    location = part.get("file_id") or part.get("file_url") or part.get("video_url")
    expected = {"s3Location": {"uri": location}} if location else "bytes"
    assert block[kind]["source"] == expected or list(block[kind]["source"]) == [expected]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "input_image", "image_url": "https://a.example/a.png", "detail": "auto"}, ".image_url"),
        ({"type": "input_image", "file_id": "file-1", "detail": "auto"}, ".file_id"),
        ({"type": "input_image", "image_url": data_url("image/tiff"), "detail": "auto"}, ".image_url"),
        ({"type": "input_file", "file_url": "https://a.example/a.pdf"}, ".file_url"),
        (file("?"), ".file_data"),
        (file(data_url("application/zip")), ".file_data"),
        ({"type": "input_audio", "input_audio": {"format": "mp3"}}, ".input_audio"),
    ],
)
def test_what_bedrock_cannot_take_is_named(bedrock: Bedrock, part: Any, field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        bedrock.body(input=[user("See", part)])
    assert caught.value.param == f"input[0].content[1]{field}"


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("Q3 report (final) [2].pdf", "Q3 report (final) [2]"),
        ("a_b.c/d\\e  f.pdf", "a-b-c-d-e f"),
        ("übersicht.pdf", "bersicht"),
        ("報告.pdf", "Document"),
        (None, "Document"),
        ("x" * 300, "x" * 196),
    ],
)
def test_names_of_documents_are_made_to_fit(bedrock: Bedrock, filename: str | None, name: str) -> None:
    part = {**file(), **({"filename": filename} if filename else {})}
    part["file_data"] = f"data:application/pdf;base64,{part['file_data']}"
    assert bedrock.messages(user("See", part))[0]["content"][1]["document"]["name"] == name


def test_no_two_documents_have_one_name(bedrock: Bedrock) -> None:
    items = [user("See", file(filename="a.pdf"), file(filename="A.pdf")), user(file(filename="a.pdf"))]
    names = [block["document"]["name"] for block in bedrock.messages(*items)[0]["content"][1:]]
    assert names == ["a", "A 2", "a 3"]


def test_a_document_has_text_beside_it(bedrock: Bedrock) -> None:
    content = bedrock.messages(user(file(filename="plan.pdf")))[0]["content"]
    assert [next(iter(block)) for block in content] == ["text", "document"]
    assert content[0] == {"text": "plan"}


def test_a_document_may_ask_for_citations(bedrock: Bedrock) -> None:
    part = file(filename="a.pdf", citations={"enabled": True}, context="HR")
    document = bedrock.messages(user("See", part))[0]["content"][1]["document"]
    assert (document["citations"], document["context"]) == ({"enabled": True}, "HR")


def test_guarded_text(bedrock: Bedrock) -> None:
    part = {"type": "guard_content", "text": {"text": "Hi", "qualifiers": ["query"]}}
    assert bedrock.messages(user(part))[0]["content"] == [
        {"guardContent": {"text": {"text": "Hi", "qualifiers": ["query"]}}}
    ]


# ---- caching ----------------------------------------------------------------------------------------


def test_cache_points_stand_behind_what_is_marked(bedrock: Bedrock) -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    point, long = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    breakpoint_ = {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}
    system = {"role": "system", "content": [{"type": "input_text", "text": "Rules", **mark}]}
    items = [system, user(breakpoint_), CALL, {**RESULT, **mark}]
    body = bedrock.body(input=items, tools=[{**FUNCTION, **mark}])
    assert body["system"] == [{"text": "Rules"}, long]
    assert body["messages"][0]["content"] == [{"text": "Hi"}, point]
    assert body["messages"][2]["content"][1] == long
    assert body["toolConfig"]["tools"][1] == long


def test_implicit_caching_is_a_point_at_the_end(bedrock: Bedrock) -> None:
    options: dict[str, Any] = {"prompt_cache_options": {"mode": "implicit"}}
    assert bedrock.body(**options)["messages"][0]["content"][-1] == {"cachePoint": {"type": "default"}}
    assert bedrock.warned(LLAMA, **options) == ["prompt_cache_options"]


# ---- tools ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "choice", "expected"),
    [
        (CLAUDE, "auto", None),
        (CLAUDE, "required", {"any": {}}),
        (NOVA, {"type": "function", "name": "g"}, {"tool": {"name": "g"}}),
        (MISTRAL, "required", {"any": {}}),
        (MISTRAL, {"type": "function", "name": "g"}, {"any": {}}),
    ],
)
def test_choices(bedrock: Bedrock, model: str, choice: Any, expected: Any) -> None:
    config = bedrock.body(model, tools=[FUNCTION, OTHER], tool_choice=choice)["toolConfig"]
    assert config.get("toolChoice") == expected
    names = [tool["toolSpec"]["name"] for tool in config["tools"]]
    assert names == (["g"] if model == MISTRAL and isinstance(choice, dict) else ["f", "g"])


def test_a_family_that_cannot_be_made_to_call(bedrock: Bedrock) -> None:
    with pytest.raises(BadRequestError) as caught:
        bedrock.body(LLAMA, tools=[FUNCTION], tool_choice="required")
    assert caught.value.param == "tool_choice"


def test_choice_none_sends_no_tools_but_what_the_history_needs(bedrock: Bedrock) -> None:
    assert "toolConfig" not in bedrock.body(tools=[FUNCTION], tool_choice="none")
    config = bedrock.body(input=[user("Hi"), CALL, RESULT], tools=[FUNCTION], tool_choice="none")[
        "toolConfig"
    ]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["f"]
    assert "toolChoice" not in config


def test_a_call_in_spite_of_none_is_suppressed(bedrock: Bedrock) -> None:
    request: Any = {"input": [user("Hi"), CALL, RESULT], "tools": [FUNCTION], "tool_choice": "none"}
    use = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}
    payload = {"output": {"message": {"content": [use]}}, "stopReason": "tool_use"}
    response = bedrock.whole(payload, **request)
    assert response["output"] == []
    assert "tool_choice does not allow" in response["dragoman"]["warnings"][0]["message"]


def test_a_history_of_calls_without_tools(bedrock: Bedrock) -> None:
    config = bedrock.body(input=[user("Hi"), CALL, RESULT])["toolConfig"]
    (tool,) = config["tools"]
    assert tool["toolSpec"]["name"] == "f"
    assert tool["toolSpec"]["inputSchema"] == {"json": {"type": "object"}}


def test_one_call_at_a_time(bedrock: Bedrock) -> None:
    one: dict[str, Any] = {"tools": [FUNCTION], "parallel_tool_calls": False}
    fields = bedrock.body(**one)["additionalModelRequestFields"]
    assert fields["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    fields = bedrock.body(**one, tool_choice="required")["additionalModelRequestFields"]
    assert fields["tool_choice"] == {"disable_parallel_tool_use": True}
    assert bedrock.warned(NOVA, **one) == ["parallel_tool_calls"]


def test_strict_tools_where_the_model_has_them(bedrock: Bedrock) -> None:
    strict = {**FUNCTION, "strict": True}
    assert bedrock.body(tools=[strict])["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    assert "strict" not in bedrock.body(NOVA, tools=[strict])["toolConfig"]["tools"][0]["toolSpec"]
    assert bedrock.warned(NOVA, tools=[strict]) == ["tools[0].strict"]


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ({"type": "web_search"}, "nova_grounding"),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, "nova_code_interpreter"),
        ({"type": "system_tool", "name": "nova_next"}, "nova_next"),
    ],
)
def test_tools_at_amazons_side(bedrock: Bedrock, tool: Any, name: str) -> None:
    assert bedrock.body(NOVA, tools=[tool])["toolConfig"]["tools"] == [{"systemTool": {"name": name}}]
    if tool["type"] != "system_tool":
        with pytest.raises(BadRequestError) as caught:
            bedrock.body(CLAUDE, tools=[tool])
        assert caught.value.param == "tools[0]"


def test_claudes_own_tools(bedrock: Bedrock) -> None:
    tool = {
        "type": "computer_20250124",
        "name": "computer",
        "display_width_px": 800,
        "display_height_px": 600,
    }
    body = bedrock.body(OPUS_45, tools=[FUNCTION, tool])
    assert body["additionalModelRequestFields"] == {
        "tools": [tool],
        "anthropic_beta": ["computer-use-2025-01-24"],
    }
    with pytest.raises(BadRequestError):
        bedrock.body(NOVA, tools=[tool])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", None),
        ("required", {"type": "any"}),
        ({"type": "function", "name": "bash"}, {"type": "tool", "name": "bash"}),
    ],
)
def test_claudes_own_tools_alone_are_demanded_in_claudes_way(
    bedrock: Bedrock, choice: Any, expected: Any
) -> None:
    tool = {"type": "bash_20250124", "name": "bash"}
    body = bedrock.body(OPUS_45, tools=[tool], tool_choice=choice)
    assert "toolConfig" not in body
    assert body["additionalModelRequestFields"].get("tool_choice") == expected
    assert "additionalModelRequestFields" not in bedrock.body(OPUS_45, tools=[tool], tool_choice="none")


# ---- thinking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "effort", "fields"),
    [
        (CLAUDE, "high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (CLAUDE, "none", {"thinking": {"type": "disabled"}}),
        (CLAUDE, "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (OPUS_45, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (SONNET_37, "medium", {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        (OPUS_45, "none", None),
        (NOVA, "low", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}),
        ("openai.gpt-oss-120b-1:0", "high", {"reasoning_effort": "high"}),
        ("us.openai.gpt-5.6-sol", "minimal", {"reasoning": {"effort": "low"}}),
        ("us.openai.gpt-5.6-sol", "none", {"reasoning": {"effort": "none"}}),
        ("moonshot.kimi-k2-thinking", "low", {"reasoning_effort": "low"}),
        ("qwen.qwen3-32b-v1:0", "high", {"reasoning_config": "high"}),
        ("qwen.qwen3-32b-v1:0", "none", None),
    ],
)
def test_effort_as_each_family_has_it(bedrock: Bedrock, model: str, effort: str, fields: Any) -> None:
    reasoning = {"effort": effort}
    assert bedrock.body(model, reasoning=reasoning).get("additionalModelRequestFields") == fields
    assert bedrock.warned(model, reasoning=reasoning) == []


@pytest.mark.parametrize(
    ("model", "effort", "fields"),
    [
        (CLAUDE, "xhigh", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("openai.gpt-oss-20b-1:0", "max", {"reasoning_effort": "high"}),
        ("openai.gpt-oss-20b-1:0", "none", {"reasoning_effort": "low"}),
        ("us.deepseek.r1-v1:0", "high", None),
        ("us.deepseek.r1-v1:0", "none", None),
        (LLAMA, "high", None),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/a1", "high", None),
    ],
)
def test_an_effort_that_a_family_has_not(bedrock: Bedrock, model: str, effort: str, fields: Any) -> None:
    assert bedrock.body(model, reasoning={"effort": effort}).get("additionalModelRequestFields") == fields
    assert bedrock.warned(model, reasoning={"effort": effort}) == ["reasoning.effort"]


def test_a_budget_comes_on_top_of_the_answer(bedrock: Bedrock) -> None:
    body = bedrock.body(OPUS_45, reasoning={"effort": "high"}, max_output_tokens=1000)
    assert body["inferenceConfig"]["maxTokens"] == 1000 + 16_384
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 16_384


def test_a_summary_where_it_must_be_asked_for(bedrock: Bedrock) -> None:
    fields = bedrock.body(CLAUDE, reasoning={"summary": "auto"})["additionalModelRequestFields"]
    assert fields == {"thinking": {"type": "adaptive", "display": "summarized"}}


def test_novas_high_effort_goes_without_limits(bedrock: Bedrock) -> None:
    high = {"reasoning": {"effort": "high"}}
    body = bedrock.body(NOVA, **high, temperature=0.5, top_p=0.5)
    assert "inferenceConfig" not in body
    assert bedrock.warned(NOVA, **high, temperature=0.5, top_p=0.5) == ["temperature", "top_p"]
    fields = bedrock.body(NOVA, **high, max_output_tokens=100)["additionalModelRequestFields"]
    assert fields["reasoningConfig"]["maxReasoningEffort"] == "medium"


def test_fields_of_the_callers_count_more(bedrock: Bedrock) -> None:
    own = {"additionalModelRequestFields": {"output_config": {"effort": "max"}, "top_k": 1}}
    body = bedrock.body(CLAUDE, reasoning={"effort": "low"}, top_k=9, **own)
    assert body["additionalModelRequestFields"] == {
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "max"},
        "top_k": 1,
    }


@pytest.mark.parametrize(
    ("model", "fields"), [(CLAUDE, {"top_k": 5}), (NOVA, {"inferenceConfig": {"topK": 5}})]
)
def test_top_k_as_each_family_has_it(bedrock: Bedrock, model: str, fields: Any) -> None:
    assert bedrock.body(model, top_k=5)["additionalModelRequestFields"] == fields


def test_a_temperature_above_one_is_refused(bedrock: Bedrock) -> None:
    with pytest.raises(BadRequestError) as caught:
        bedrock.body(temperature=1.5)
    assert caught.value.param == "temperature"


# ---- form -------------------------------------------------------------------------------------------


def test_structured_output_where_the_model_has_it(bedrock: Bedrock) -> None:
    body = bedrock.body(CLAUDE, text=FORM)
    given = body["outputConfig"]["textFormat"]
    assert given["type"] == "json_schema"
    assert given["structure"]["jsonSchema"]["name"] == "answer"
    assert json.loads(given["structure"]["jsonSchema"]["schema"]) == CLOSED
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    ("model", "request_", "choice"),
    [
        (NOVA, {}, {"tool": {"name": "dragoman_json_response"}}),
        (NOVA, {"tools": [FUNCTION]}, {"any": {}}),
        (
            NOVA,
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "f"}},
            {"tool": {"name": "f"}},
        ),
        (MISTRAL, {}, {"any": {}}),
        (LLAMA, {}, None),
        (SONNET_37, {"reasoning": {"effort": "low"}}, None),
    ],
)
def test_structured_output_by_a_tool(bedrock: Bedrock, model: str, request_: Any, choice: Any) -> None:
    body = bedrock.body(model, text=FORM, **request_)
    spec = body["toolConfig"]["tools"][-1]["toolSpec"]
    assert (spec["name"], spec["inputSchema"]) == ("dragoman_json_response", {"json": CLOSED})
    assert body["toolConfig"].get("toolChoice") == choice
    asked = any("dragoman_json_response" in block["text"] for block in body.get("system", ()))
    assert asked is (choice is None)


def test_json_without_a_schema_is_asked_for(bedrock: Bedrock) -> None:
    body = bedrock.body(text={"format": {"type": "json_object"}})
    assert "JSON object" in body["system"][0]["text"]


@pytest.mark.parametrize(("tier", "sent"), [("auto", None), ("flex", {"type": "flex"}), ("scale", None)])
def test_service_tiers(bedrock: Bedrock, tier: str, sent: Any) -> None:
    assert bedrock.body(service_tier=tier).get("serviceTier") == sent
    assert bedrock.warned(service_tier=tier) == (["service_tier"] if tier == "scale" else [])


# ---- counting tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "counted"),
    [
        ("us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1%3A0"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6",
            "anthropic.claude-sonnet-4-6",
        ),
    ],
)
def test_the_counter_is_asked_for_the_model_itself(model: str, counted: str) -> None:
    target = Target("bedrock", model, SETTINGS)
    request = {
        "input": [{"type": "message", **user("Hi")}],
        "instructions": "Be kind.",
        "max_output_tokens": 5,
        "tools": [FUNCTION],
        "stream": False,
    }
    http = dragoman_bedrock.translate_token_count(request, target)
    assert http is not None
    assert http.url == f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{counted}/count-tokens"
    assert set(http.json["input"]["converse"]) == {"messages", "system", "toolConfig"}
    assert dragoman_bedrock.parse_token_count({"inputTokens": 11}, target) == 11


def test_models_without_a_counter() -> None:
    request = {"input": [], "stream": False}
    assert dragoman_bedrock.translate_token_count(request, Target("bedrock", NOVA, SETTINGS)) is None


def test_text_documents_are_sent_as_bytes(bedrock: Bedrock) -> None:
    data = base64.b64encode("Grüße".encode()).decode()
    block = bedrock.messages(user("See", file(data, filename="a.txt")))[0]["content"][1]
    assert block["document"]["source"] == {"bytes": data}
