"""Requests: what of the Responses API goes where in generateContent, and what is refused by name."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import dragoman_gemini
from dragoman import errors
from dragoman.attempts.token_counts import TokenCount
from dragoman.hookspecs import Target
from dragoman.testing.samples import FUNCTION

from .conftest import HELLO, NEW, OLD, Gemini

PNG = "data:image/png;base64,aGk="
BASE = "https://generativelanguage.googleapis.com/v1beta"


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def call(call_id: str = "c1", name: str = "find", arguments: str = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def result(output: Any, call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output, **more}


def refused(gemini: Gemini, model: str = NEW, **request: Any) -> str | None:
    """Return which parameter is at fault."""
    with pytest.raises(errors.BadRequestError) as caught:
        gemini.http(model, **request)
    return caught.value.param


# ---- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("odd name?x=1", "models/odd%20name%3Fx%3D1"),
    ],
)
def test_where_a_model_is_called(gemini: Gemini, model: str, path: str) -> None:
    assert gemini.http(model).url == f"{BASE}/{path}:generateContent"
    assert gemini.http(model, stream=True).url == f"{BASE}/{path}:streamGenerateContent?alt=sse"


def test_a_model_is_no_way_to_elsewhere(gemini: Gemini) -> None:
    assert refused(gemini, "../files/secret") == "model"


# ---- messages ---------------------------------------------------------------------------------------


def test_system_text_at_the_beginning_and_later(gemini: Gemini) -> None:
    items = [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": "Be short."},
        user({"type": "input_text", "text": "Hi"}),
        {"role": "developer", "content": "Now in French."},
    ]
    body = gemini.body(input=items, instructions="Be honest.")
    system = [part["text"] for part in body["systemInstruction"]["parts"]]
    assert system == ["Be honest.", "Be kind.", "Be short."]
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}, {"text": "<system>\nNow in French.\n</system>"}]}
    ]


def test_items_of_one_side_are_one_turn(gemini: Gemini) -> None:
    said = {"role": "assistant", "content": "Let me see."}
    contents = gemini.contents(HELLO, HELLO, said, call(), result("1"), HELLO, model=OLD)
    assert [(turn["role"], len(turn["parts"])) for turn in contents] == [
        ("user", 2),
        ("model", 2),
        ("user", 2),
    ]


def test_a_refusal_is_text(gemini: Gemini) -> None:
    refusal = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert gemini.contents(HELLO, refusal)[1] == {"role": "model", "parts": [{"text": "No."}]}


# ---- media ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            {"type": "input_image", "image_url": PNG},
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        ),
        (
            {"type": "input_image", "image_url": "data:,hi"},
            {"inlineData": {"mimeType": "image/jpeg", "data": "aGk="}},
        ),
        (
            {"type": "input_image", "image_url": "https://a.example/b.webp?size=3"},
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://a.example/b.webp?size=3"}},
        ),
        (
            {"type": "input_image", "file_id": "files/abc"},
            {"fileData": {"fileUri": f"{BASE}/files/abc"}},
        ),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "aGk="},
            {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
        ),
        (
            {"type": "input_file", "filename": "notes.md", "file_data": "data:;base64,aGk="},
            {"inlineData": {"mimeType": "text/markdown", "data": "aGk="}},
        ),
        (
            {"type": "input_file", "filename": "a.mp4", "file_id": "https://files.example/1"},
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://files.example/1"}},
        ),
        (
            {"type": "input_file", "file_url": "https://www.youtube.com/watch?v=1"},
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        ),
        (
            {
                "type": "input_file",
                "file_url": "https://youtu.be/1",
                "video_metadata": {"startOffset": "3s", "fps": 2},
            },
            {
                "fileData": {"fileUri": "https://youtu.be/1"},
                "videoMetadata": {"startOffset": "3s", "fps": 2},
            },
        ),
        (
            {"type": "input_audio", "input_audio": {"format": "mp3", "data": "aGk="}},
            {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}},
        ),
    ],
)
def test_media(gemini: Gemini, part: Any, sent: Any) -> None:
    assert gemini.part(part) == sent


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "input_image"}, ""),
        ({"type": "input_image", "image_url": "data:image/png;base64"}, ".image_url"),
        ({"type": "input_image", "image_url": "data:image/png;base64,"}, ".image_url"),
        ({"type": "input_image", "image_url": "https://[broken/"}, ".image_url"),
        ({"type": "input_file", "filename": "a.pdf"}, ""),
        ({"type": "input_audio", "input_audio": {"format": "mp3"}}, ".input_audio"),
        ({"type": "input_smell"}, ""),
    ],
)
def test_media_that_are_none_are_named(gemini: Gemini, part: Any, field: str) -> None:
    assert refused(gemini, input=[user(part)]) == f"input[0].content[0]{field}"


def test_the_detail_of_an_image_is_for_newer_models(gemini: Gemini) -> None:
    part = {"type": "input_image", "image_url": PNG, "detail": "high"}
    assert gemini.part(part)["mediaResolution"] == {"level": "MEDIA_RESOLUTION_HIGH"}
    assert "mediaResolution" not in gemini.part(part, OLD)
    assert gemini.warned(OLD, input=[user(part)]) == ["input[0].content[0].detail"]


# ---- functions and their results --------------------------------------------------------------------


def test_results_stand_in_the_order_of_their_calls_before_all_else(gemini: Gemini) -> None:
    contents = gemini.contents(
        HELLO, call("c1", "one"), call("c2", "two"), HELLO, result("2", "c2"), result("1", "c1"), model=OLD
    )
    first, second, text = contents[2]["parts"]
    assert first == {"functionResponse": {"name": "one", "response": {"output": "1"}}}
    assert second == {"functionResponse": {"name": "two", "response": {"output": "2"}}}
    assert text == {"text": "Hello."}


@pytest.mark.parametrize(
    ("output", "response"),
    [
        ("sunny", {"output": "sunny"}),
        ('{"sky": "clear"}', {"sky": "clear"}),
        ("[1, 2]", {"output": "[1, 2]"}),
        ('{"size": NaN}', {"output": '{"size": NaN}'}),
        ('{"size": 1e999}', {"output": '{"size": 1e999}'}),
        ("", {}),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], {"output": "a\nb"}),
    ],
)
def test_a_result_is_an_object(gemini: Gemini, output: Any, response: Any) -> None:
    (part,) = gemini.contents(HELLO, call(), result(output))[2]["parts"]
    assert part["functionResponse"]["response"] == response


def test_a_result_that_is_nested_too_deeply_is_text(gemini: Gemini) -> None:
    deep = "[" * 100_000
    (part,) = gemini.contents(HELLO, call(), result(deep))[2]["parts"]
    assert part["functionResponse"]["response"] == {"output": deep}


def test_a_failed_result_says_so(gemini: Gemini) -> None:
    (part,) = gemini.contents(HELLO, call(), result("no such city", status="incomplete"))[2]["parts"]
    assert part["functionResponse"]["response"] == {"error": "no such city"}


def test_images_of_a_result_stand_inside_or_behind_it(gemini: Gemini) -> None:
    output = [{"type": "input_text", "text": "a map"}, {"type": "input_image", "image_url": PNG}]
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    (part,) = gemini.contents(HELLO, call(), result(output))[2]["parts"]
    assert part["functionResponse"]["parts"] == [image]
    part, behind = gemini.contents(HELLO, call(), result(output), model=OLD)[2]["parts"]
    assert "parts" not in part["functionResponse"]
    assert behind == image


def test_an_image_inside_a_result_has_no_resolution_of_its_own(gemini: Gemini) -> None:
    output = [{"type": "input_image", "image_url": PNG, "detail": "high"}]
    items = [HELLO, call(), result(output)]
    (part,) = gemini.contents(*items)[2]["parts"]
    assert [list(media) for media in part["functionResponse"]["parts"]] == [["inlineData"]]
    assert gemini.warned(input=items) == ["input[2].output"]


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"'])
def test_arguments_that_are_no_object_are_refused(gemini: Gemini, arguments: str) -> None:
    assert refused(gemini, input=[HELLO, call(arguments=arguments)]) == "input[1].arguments"


def test_a_result_without_its_call_is_refused(gemini: Gemini) -> None:
    assert refused(gemini, input=[HELLO, result("1", "lost")]) == "input[1].call_id"


def test_reasoning_of_nobody_is_left_out_with_a_warning(gemini: Gemini) -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert gemini.contents(HELLO, reasoning) == gemini.contents(HELLO)
    assert gemini.warned(input=[HELLO, reasoning]) == ["input[1]"]


# ---- tools ------------------------------------------------------------------------------------------

OTHER = {**FUNCTION, "name": "get_time", "strict": None}
PLAIN = {**FUNCTION, "strict": None}
SEARCH = {"type": "web_search"}


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "name": "get_time"}, {"mode": "ANY", "allowedFunctionNames": ["get_time"]}),
    ],
)
def test_choices(gemini: Gemini, choice: Any, config: Any) -> None:
    body = gemini.body(tools=[PLAIN, OTHER], tool_choice=choice)
    assert (body.get("toolConfig") or {}).get("functionCallingConfig") == config
    assert len(body["tools"][0]["functionDeclarations"]) == 2


def test_allowed_tools_are_the_only_ones(gemini: Gemini) -> None:
    choice = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "get_time"}],
    }
    body = gemini.body(tools=[PLAIN, OTHER, SEARCH], tool_choice=choice)
    (tool,) = body["tools"]
    assert [function["name"] for function in tool["functionDeclarations"]] == ["get_time"]
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY"}


def test_a_call_cannot_be_demanded_without_functions(gemini: Gemini) -> None:
    assert refused(gemini, tools=[SEARCH], tool_choice="required") == "tool_choice"


def test_strict_functions_are_validated(gemini: Gemini) -> None:
    body = gemini.body(tools=[{**FUNCTION, "strict": True}])
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}


def test_choice_none_holds_for_hosted_tools_too(gemini: Gemini) -> None:
    assert "tools" not in gemini.body(tools=[SEARCH], tool_choice="none")
    body = gemini.body(tools=[SEARCH, PLAIN, {"type": "image_generation"}], tool_choice="none")
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"]]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}}
    assert "generationConfig" not in body


def test_newer_models_mix_functions_with_hosted_tools(gemini: Gemini) -> None:
    body = gemini.body(tools=[SEARCH, PLAIN])
    assert [list(tool) for tool in body["tools"]] == [["googleSearch"], ["functionDeclarations"]]
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert "toolConfig" not in gemini.body(OLD, tools=[SEARCH, PLAIN])


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        (SEARCH, {"googleSearch": {}}),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, {"codeExecution": {}}),
        ({"type": "url_context"}, {"urlContext": {}}),
        ({"type": "google_maps", "enableWidget": True}, {"googleMaps": {"enableWidget": True}}),
        (
            {"type": "file_search", "vector_store_ids": ["fileSearchStores/s"], "max_num_results": 3},
            {"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/s"], "topK": 3}},
        ),
    ],
)
def test_hosted_tools(gemini: Gemini, tool: Any, sent: Any) -> None:
    assert gemini.body(tools=[tool])["tools"] == [sent]


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ({**SEARCH, "filters": {"allowed_domains": ["a.example"]}}, ".filters.allowed_domains"),
        ({**SEARCH, "filters": {"blocked_domains": ["a.example"]}}, ".filters.blocked_domains"),
        ({**SEARCH, "external_web_access": False}, ".external_web_access"),
        (
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}},
            ".container.file_ids",
        ),
    ],
)
def test_what_a_hosted_tool_cannot_do_is_named(gemini: Gemini, tool: Any, field: str) -> None:
    assert refused(gemini, tools=[tool]) == f"tools[0]{field}"


@pytest.mark.parametrize("type_", ["enterprise_web_search", "retrieval"])
def test_tools_that_vertex_ai_alone_has_are_refused(gemini: Gemini, type_: str) -> None:
    assert refused(gemini, tools=[{"type": type_}]) == "tools[0]"


@pytest.mark.parametrize("name", ["labels", "model_armor_config"])
def test_parameters_that_vertex_ai_alone_has_are_refused(gemini: Gemini, name: str) -> None:
    own: dict[str, Any] = {name: {"a": "b"}}
    assert refused(gemini, **own) == name


def test_a_model_that_makes_images_may_answer_with_one(gemini: Gemini) -> None:
    tool = {"type": "image_generation", "aspect_ratio": "16:9", "quality": "high"}
    generation = gemini.body("gemini-2.5-flash-image", tools=[tool])["generationConfig"]
    assert generation == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "16:9"},
    }
    assert gemini.warned("gemini-2.5-flash-image", tools=[tool]) == ["tools[0].quality"]


# ---- options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3.5-flash", "minimal", {"thinkingLevel": "minimal"}),
        ("gemini-3.5-flash", "high", {"thinkingLevel": "high"}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "medium"}),
        ("gemini-3-pro-preview", "low", {"thinkingLevel": "low"}),
        ("gemini-flash-latest", "low", {"thinkingLevel": "low"}),
        ("tunedModels/mine", "low", {"thinkingLevel": "low"}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "low", {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", "xhigh", {"thinkingBudget": 24576}),
        ("gemini-2.5-flash-lite", "minimal", {"thinkingBudget": 512}),
        ("gemini-2.5-pro", "max", {"thinkingBudget": 32768}),
    ],
)
def test_effort_as_each_generation_has_it(gemini: Gemini, model: str, effort: str, thinking: Any) -> None:
    body = gemini.body(model, reasoning={"effort": effort})
    assert body["generationConfig"] == {"thinkingConfig": thinking}
    assert gemini.warned(model, reasoning={"effort": effort}) == []


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3.5-flash", "none", {"thinkingLevel": "minimal"}),
        ("gemini-3.5-flash", "xhigh", {"thinkingLevel": "high"}),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "high"}),
        ("gemini-3.1-pro-preview", "none", {"thinkingLevel": "low"}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.0-flash", "high", None),
        ("gemma-3-27b-it", "low", None),
        ("gemini-2.5-flash-image", "low", None),
    ],
)
def test_an_effort_that_a_model_has_not(gemini: Gemini, model: str, effort: str, thinking: Any) -> None:
    body = gemini.body(model, reasoning={"effort": effort})
    assert body.get("generationConfig", {}).get("thinkingConfig") == thinking
    assert gemini.warned(model, reasoning={"effort": effort}) == ["reasoning.effort"]


def test_a_summary_shows_the_thoughts(gemini: Gemini) -> None:
    generation = gemini.body(reasoning={"summary": "auto"})["generationConfig"]
    assert generation == {"thinkingConfig": {"includeThoughts": True}}


def test_googles_own_thinking_config_counts_before(gemini: Gemini) -> None:
    body = gemini.body(OLD, reasoning={"effort": "low"}, thinking_config={"thinkingBudget": -1})
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": -1}
    body = gemini.body(
        NEW, reasoning={"effort": "low", "summary": "auto"}, thinking_config={"thinkingBudget": 9}
    )
    assert body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 9}


def test_structured_output_is_a_json_schema(gemini: Gemini) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "null"}}}
    form = {"type": "json_schema", "name": "x", "schema": schema}
    generation = gemini.body(text={"format": form})["generationConfig"]
    assert generation == {"responseMimeType": "application/json", "responseJsonSchema": schema}
    generation = gemini.body(text={"format": {"type": "json_object"}})["generationConfig"]
    assert generation == {"responseMimeType": "application/json"}


def test_both_ways_of_saying_where_to_stop_count(gemini: Gemini) -> None:
    generation = gemini.body(stop="A", stop_sequences=["B"])["generationConfig"]
    assert generation["stopSequences"] == ["A", "B"]


def test_log_probabilities(gemini: Gemini) -> None:
    asked = gemini.body(top_logprobs=2, include=["message.output_text.logprobs"])["generationConfig"]
    assert asked == {"responseLogprobs": True, "logprobs": 2}
    asked = gemini.body(include=["message.output_text.logprobs"])["generationConfig"]
    assert asked == {"responseLogprobs": True}


@pytest.mark.parametrize(
    ("tier", "sent"), [("auto", None), ("default", "standard"), ("flex", "flex"), ("scale", None)]
)
def test_service_tiers(gemini: Gemini, tier: str, sent: Any) -> None:
    assert gemini.body(service_tier=tier).get("serviceTier") == sent
    assert gemini.warned(service_tier=tier) == (["service_tier"] if tier == "scale" else [])


# ---- counting tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "path"), [(NEW, f"models/{NEW}"), ("tunedModels/t", "tunedModels/t")])
def test_the_counter_gets_the_whole_request(gemini: Gemini, model: str, path: str) -> None:
    session = gemini.session(model)
    request = {"instructions": "Be kind.", "tools": [PLAIN], "input": "Hi"}
    counting = TokenCount(session.provider, session.target, {"model": f"gemini/{model}", **request})
    http = counting.prepare()
    assert http.url == f"{BASE}/{path}:countTokens"
    assert json.loads(http.body) == {
        "generateContentRequest": {"model": path, **gemini.body(model, **request)}
    }


def test_the_count_is_the_total() -> None:
    target = Target("gemini", NEW)
    payload = {"totalTokens": 61, "cachedContentTokenCount": 3, "promptTokensDetails": []}
    assert dragoman_gemini.parse_token_count(payload, target) == 61


def test_data_of_a_url_need_not_be_base64(gemini: Gemini) -> None:
    part = {"type": "input_file", "file_data": "data:text/plain,Gr%C3%BC%C3%9Fe"}
    sent = gemini.part(part)["inlineData"]
    assert (sent["mimeType"], base64.b64decode(sent["data"]).decode()) == ("text/plain", "Grüße")
