"""Requests: whose model, at which address, and what Vertex AI takes otherwise than others."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest

import dragoman_vertex_ai as plugin
from dragoman.attempts.session import Session
from dragoman.attempts.token_counts import TokenCount
from dragoman.errors import BadRequestError, UnsupportedParameterError
from dragoman.providers import Provider
from dragoman.testing.samples import FUNCTION
from dragoman_vertex_ai.models import model_named

SETTINGS = {"vertex_project": "p", "vertex_location": "us-east5", "vertex_access_token": "token-123456"}
HOST = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
GEMINI, CLAUDE = "gemini-3.5-flash", "claude-opus-4-8"
IMAGE = "data:image/png;base64,aGk="


def attempt(model, kind, settings, request):
    provider = Provider("vertex_ai", plugin)
    target = provider.target(model, {**SETTINGS, **(settings or {})})
    body = {"model": f"vertex_ai/{model}", "input": "Hi", **request}
    return kind(provider, target, body)


def sent(model, settings=None, **request):
    """Return the HTTP request; its warnings are all that the caller sees."""
    return attempt(model, Session, settings, request).prepare()


def body(model, **request):
    return json.loads(sent(model, **request).body)


def warned(model, **request):
    session = attempt(model, Session, None, request)
    session.prepare()
    return [warning["param"] for warning in session.response["dragoman"]["warnings"]]


def asking(*parts):
    return [{"type": "message", "role": "user", "content": list(parts)}]


# ---- models -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("gemini-2.5-pro", "publishers/google/models/gemini-2.5-pro"),
        ("google/gemini-2.5-pro", "publishers/google/models/gemini-2.5-pro"),
        ("google/some-preview", "publishers/google/models/some-preview"),
        ("publishers/google/models/gemini-2.5-pro", "publishers/google/models/gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "publishers/google/models/gemini-2.5-pro"),
        ("1234567890", "endpoints/1234567890"),
        ("gemini/1234567890", "endpoints/1234567890"),
        ("endpoints/my-endpoint", "endpoints/my-endpoint"),
        ("claude-opus-4-8", "publishers/anthropic/models/claude-opus-4-8"),
        ("claude-sonnet-4-5@20250929", "publishers/anthropic/models/claude-sonnet-4-5@20250929"),
        ("anthropic/claude-opus-4-8", "publishers/anthropic/models/claude-opus-4-8"),
        ("publishers/anthropic/models/claude-opus-4-8", "publishers/anthropic/models/claude-opus-4-8"),
    ],
)
def test_a_model_may_be_named_in_many_ways(name, resource):
    assert model_named(name).resource == resource
    assert sent(name).url.startswith(f"{HOST}/{resource}:")


def test_a_full_resource_names_its_own_project_and_location():
    url = sent("projects/other/locations/asia-east1/endpoints/12").url
    assert url == (
        "https://asia-east1-aiplatform.googleapis.com/v1/projects/other/locations/asia-east1/endpoints/12"
        ":generateContent"
    )


@pytest.mark.parametrize(
    "name",
    [
        "meta/llama-4", "mistral-large", "text-bison", "publishers/meta/models/llama-4", "gemini",
        "gemini-2.5-flash:predict", "gemini-2.5/../x", "google/gemini-2.5?x=1", "claude-1%2F..",
        "projects/p/locations/l/datasets/1",
    ],
)  # fmt: skip
def test_other_models_are_refused_with_a_way_to_reach_them(name):
    with pytest.raises(BadRequestError, match="openai_compatible.*endpoints/openapi") as caught:
        sent(name)
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("base", "field"), [(None, "thinkingBudget"), ("gemini-3-flash-preview", "thinkingLevel")]
)
def test_a_tuned_model_is_what_it_was_made_from(base, field):
    http = sent("1234567890", {"base_model": base}, reasoning={"effort": "low"})
    assert field in http.json["generationConfig"]["thinkingConfig"]


# ---- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [GEMINI, CLAUDE])
@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_a_location_has_its_host(model, location, host):
    url = sent(model, {"vertex_location": location}).url
    assert url.startswith(f"https://{host}/v1/projects/p/locations/{location}/publishers/")


@pytest.mark.parametrize(
    ("base", "start"),
    [
        ("http://localhost:4010", "http://localhost:4010/v1/projects/p/locations/us-east5/publishers/google/"),
        ("localhost:4010/", "https://localhost:4010/v1/projects/p/locations/us-east5/publishers/google/"),
        ("https://gate.example/x/v1beta1", "https://gate.example/x/v1beta1/projects/p/locations/us-east5/"),
        ("https://gate.example/v1/projects/q/locations/l", "https://gate.example/v1/projects/q/locations/l/publ"),
        ("https://gate.example/any/models/mine", "https://gate.example/any/models/mine:generateContent"),
    ],
)  # fmt: skip
def test_a_base_replaces_as_much_as_it_has(base, start):
    assert sent(GEMINI, {"api_base": base}).url.startswith(start)


def test_the_version_may_be_another():
    assert "googleapis.com/v1beta1/projects/" in sent(GEMINI, {"api_version": "v1beta1"}).url


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("vertex_location", "evil.example/#"),
        ("vertex_location", "us.east5"),
        ("vertex_project", "p/locations/l/endpoints/1?"),
        ("vertex_project", ".."),
        ("api_version", "v1/projects"),
        ("api_base", "ftp://gate.example"),
        ("api_base", "https://gate.example?key=1"),
    ],
)
def test_a_setting_leads_to_no_other_host(setting, value):
    with pytest.raises(BadRequestError) as caught:
        sent(GEMINI, {setting: value})
    assert caught.value.param == setting


# ---- Gemini -----------------------------------------------------------------------------------------


def test_gemini_is_asked_like_everywhere():
    http = sent(GEMINI, stream=True, instructions="Be brief.")
    assert http.url == f"{HOST}/publishers/google/models/{GEMINI}:streamGenerateContent?alt=sse"
    assert http.json == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
    }


def test_vertex_refuses_the_field_that_mixes_tools():
    tools = body(GEMINI, tools=[FUNCTION, {"type": "web_search"}])
    assert "includeServerSideToolInvocations" not in json.dumps(tools)
    assert len(tools["tools"]) == 2
    assert tools["toolConfig"]  # the rest of it stays
    assert "toolConfig" not in body(GEMINI, tools=[{**FUNCTION, "strict": False}, {"type": "web_search"}])


@pytest.mark.parametrize(("tier", "header"), [("flex", "flex"), ("priority", "priority"), ("default", None)])
def test_a_service_tier_is_a_header(tier, header):
    http = sent(GEMINI, service_tier=tier)
    assert http.headers.get("x-vertex-ai-llm-shared-request-type") == header
    assert "serviceTier" not in http.json


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ({"type": "input_file", "file_id": "gs://b/a.pdf"}, ("gs://b/a.pdf", "application/pdf")),
        ({"type": "input_image", "file_id": "gs://b/a.png"}, ("gs://b/a.png", "image/png")),
        (
            {"type": "input_file", "file_url": "https://youtu.be/x1"},
            ("https://youtu.be/x1", "video/mp4"),
        ),
    ],
)
def test_every_file_has_the_media_type_that_vertex_demands(part, file):
    (found,) = body(GEMINI, input=asking(part))["contents"][0]["parts"]
    assert (found["fileData"]["fileUri"], found["fileData"]["mimeType"]) == file


def test_files_inside_results_have_one_too():
    items = [
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [{"type": "input_file", "file_id": "gs://b/a.pdf"}],
        },
    ]
    result = body(GEMINI, input=items)["contents"][-1]["parts"][0]["functionResponse"]
    assert result["parts"] == [{"fileData": {"mimeType": "application/pdf", "fileUri": "gs://b/a.pdf"}}]


@pytest.mark.parametrize("file_id", ["files/abc", "file-abc"])
def test_vertex_has_no_files_api(file_id):
    for model in (GEMINI, CLAUDE):
        with pytest.raises(BadRequestError, match="no Files API") as caught:
            sent(
                model,
                input=asking({"type": "input_text", "text": "x"}, {"type": "input_file", "file_id": file_id}),
            )
        assert caught.value.param == "input[0].content[1].file_id"


# ---- Claude -----------------------------------------------------------------------------------------


def test_claudes_model_is_in_the_address_and_its_version_in_the_body():
    http = sent(CLAUDE, max_output_tokens=50)
    assert http.url == f"{HOST}/publishers/anthropic/models/{CLAUDE}:rawPredict"
    assert http.json == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }
    assert not {"anthropic-version", "anthropic-beta"} & set(http.headers)
    streamed = sent(CLAUDE, stream=True)
    assert streamed.url.endswith(":streamRawPredict")
    assert streamed.json["stream"] is True


def test_a_dated_claude_is_known_by_its_generation():
    http = sent("claude-sonnet-4-5@20250929", reasoning={"effort": "low"})
    assert http.json["thinking"]["type"] == "enabled"
    assert "@20250929:rawPredict" in http.url


def test_only_betas_that_vertex_knows_are_sent_unasked():
    search = sent(CLAUDE, tools=[{"type": "tool_search"}, {**FUNCTION, "defer_loading": True}])
    assert search.headers["anthropic-beta"] == "tool-search-tool-2025-10-19"
    own = sent(CLAUDE, tools=[{"type": "memory_20250818", "name": "memory"}], betas=["context-1m-2025-08-07"])
    assert own.headers["anthropic-beta"] == "context-management-2025-06-27,context-1m-2025-08-07"


@pytest.mark.parametrize("type_", ["code_execution_20250825", "web_fetch_20250910", "mcp_toolset"])
def test_tools_that_vertex_does_not_run_are_refused(type_):
    with pytest.raises(BadRequestError, match=type_) as caught:
        sent(CLAUDE, tools=[FUNCTION, {"type": type_, "name": "x"}])
    assert caught.value.param == "tools[1].type"


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "input_image", "image_url": "https://a.example/b.png"}, "image_url"),
        ({"type": "input_file", "file_url": "https://a.example/b.pdf"}, "file_url"),
    ],
)
def test_vertex_fetches_nothing_for_claude(part, field):
    with pytest.raises(BadRequestError, match="fetches nothing") as caught:
        sent(CLAUDE, input=asking(part))
    assert caught.value.param == f"input[0].content[0].{field}"
    assert sent(CLAUDE, input=asking({"type": "input_image", "image_url": IMAGE}))


# ---- one table for two families ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "request_", "param"),
    [
        (GEMINI, {"parallel_tool_calls": False, "tools": [FUNCTION]}, "parallel_tool_calls"),
        (GEMINI, {"user": "u"}, "user"),
        (CLAUDE, {"presence_penalty": 0.5}, "presence_penalty"),
        (CLAUDE, {"service_tier": "flex"}, "service_tier"),
    ],
)
def test_what_the_other_family_alone_takes_is_left_out_with_a_warning(model, request_, param):
    assert warned(model, **request_) == [param]


@pytest.mark.parametrize(
    ("model", "request_", "param"),
    [
        (GEMINI, {"thinking": {"type": "adaptive"}}, "thinking"),
        (GEMINI, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0]"),
        (CLAUDE, {"safety_settings": []}, "safety_settings"),
        (CLAUDE, {"tools": [FUNCTION, {"type": "google_search"}]}, "tools[1]"),
        (CLAUDE, {"tools": [{"type": "code_interpreter"}]}, "tools[0]"),
    ],
)
def test_what_the_other_family_alone_takes_is_refused(model, request_, param):
    with pytest.raises(UnsupportedParameterError) as caught:
        sent(model, **request_)
    assert caught.value.param == param


# ---- counting ---------------------------------------------------------------------------------------


def test_geminis_counter_takes_the_inputs_part_of_the_body():
    http = attempt(
        GEMINI,
        TokenCount,
        None,
        {"tools": [FUNCTION], "instructions": "Be brief.", "labels": {"a": "b"}, "service_tier": "flex"},
    ).prepare()
    assert http.url == f"{HOST}/publishers/google/models/{GEMINI}:countTokens"
    assert set(http.json) == {"contents", "systemInstruction", "tools"}
    assert "x-vertex-ai-llm-shared-request-type" not in http.headers


def test_claudes_counter_is_a_model_of_its_own():
    http = attempt(CLAUDE, TokenCount, None, {"temperature": 0.5}).prepare()
    assert http.url == f"{HOST}/publishers/anthropic/models/count-tokens:rawPredict"
    assert http.json == {
        "anthropic_version": "vertex-2023-10-16",
        "model": CLAUDE,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


def test_a_base_that_is_one_model_has_no_counter_for_claude():
    settings = {"api_base": "https://gate.example/publishers/anthropic/models/claude"}
    with pytest.raises(BadRequestError, match="no token counter"):
        attempt(CLAUDE, TokenCount, settings, {}).prepare()
