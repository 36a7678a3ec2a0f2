"""Where a request goes, what it is, and who says so: prefix, setting, name, address."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import pytest

from dragoman.errors import BadRequestError

RESOURCE = "https://here.services.ai.azure.com"
MODELS = f"{RESOURCE}/models/chat/completions?api-version=2024-05-01-preview"
MESSAGES = f"{RESOURCE}/anthropic/v1/messages"
RESPONSES = f"{RESOURCE}/openai/v1/responses"


@pytest.mark.parametrize(
    ("model", "settings", "url", "name"),
    [
        ("grok-4", {}, MODELS, "grok-4"),
        ("claude-opus-5", {}, MESSAGES, "claude-opus-5"),
        ("My-Claude", {}, MESSAGES, "My-Claude"),
        ("anthropic/ours", {}, MESSAGES, "ours"),
        ("chat/claude-like", {}, MODELS, "claude-like"),
        ("model_router/azure-model-router", {}, MODELS, "azure-model-router"),
        ("team/ours", {}, MODELS, "team/ours"),
        ("ours", {"wire": "messages"}, MESSAGES, "ours"),
        ("claude-like", {"wire": "chat"}, MODELS, "claude-like"),
        ("chat/ours", {"wire": "messages"}, MODELS, "ours"),
        ("ours", {"base_model": "claude-sonnet-4-5"}, MESSAGES, "ours"),
        ("ours", {"api_base": f"{RESOURCE}/anthropic"}, MESSAGES, "ours"),
        ("ours", {"api_base": f"{MESSAGES}?tenant=a"}, f"{MESSAGES}?tenant=a", "ours"),
        ("claude-like", {"api_base": f"{RESOURCE}/openai/v1/responses"}, MESSAGES, "claude-like"),
        ("ours", {"api_base": f"{RESOURCE}/openai/v1/responses"}, RESPONSES, "ours"),
        ("ours", {"api_base": "here.services.ai.azure.com/anthropic"}, MESSAGES, "ours"),
        ("ours", {"wire": "responses"}, RESPONSES, "ours"),
        ("responses/ours", {"wire": "chat"}, RESPONSES, "ours"),
    ],
)
def test_prefix_setting_name_and_address_tell_the_wire_in_this_order(foundry, model, settings, url, name):
    http = foundry.http(model, settings=settings)
    assert http.url == url
    assert http.json["model"] == name


def test_a_resource_may_be_called_anthropic(foundry):
    base = "https://anthropic.services.ai.azure.com"
    assert foundry.http("grok-4", settings={"api_base": base}).url.startswith(f"{base}/models/")


def test_a_wire_that_is_none_is_refused(foundry):
    with pytest.raises(BadRequestError, match="none of chat, messages, responses") as caught:
        foundry.http("ours", settings={"wire": "converse"})
    assert caught.value.param == "wire"


def test_a_request_to_the_responses_api_goes_out_as_it_is(foundry):
    request = {"input": "Hi", "store": True, "tools": [{"type": "web_search"}], "of_next_month": 1}
    http = foundry.http("responses/ours", **request)
    assert http.url == f"{RESOURCE}/openai/v1/responses"
    assert http.json == {**request, "model": "ours", "stream": False}
    assert http.headers["api-key"] == KEY


def test_the_responses_api_has_a_counter(foundry):
    http = foundry.count("responses/ours", store=True).prepare()
    assert http.url == f"{RESOURCE}/openai/v1/responses/input_tokens"
    assert http.json == {"model": "ours", "input": "Hi"}


# ---- addresses ------------------------------------------------------------------------------------------

SERVERLESS = "https://phi-4.eastus2.models.ai.azure.com"
V1 = f"{RESOURCE}/openai/v1/chat/completions"


@pytest.mark.parametrize(
    ("base", "version", "url"),
    [
        (RESOURCE, None, MODELS),
        (f"{RESOURCE}/", None, MODELS),
        ("here.services.ai.azure.com", None, MODELS),
        (f"{RESOURCE}/models", None, MODELS),
        (f"{RESOURCE}/models/", None, MODELS),
        (f"{RESOURCE}/models/chat/completions", None, MODELS),
        (MODELS, None, MODELS),
        (f"{RESOURCE}/api/projects/ours", None, MODELS),
        (f"{RESOURCE}/anthropic/v1/messages", None, MODELS),
        (RESOURCE, "2025-04-01", MODELS.replace("2024-05-01-preview", "2025-04-01")),
        (MODELS, "2025-04-01", MODELS),
        (MODELS, "v1", MODELS),
        (RESOURCE, "v1", V1),
        (RESOURCE, "preview", f"{V1}?api-version=preview"),
        (f"{RESOURCE}/openai", None, V1),
        (f"{RESOURCE}/openai/v1/", None, V1),
        (f"{RESOURCE}/openai/v1/chat/completions", "2024-10-21", V1),
        ("https://here.openai.azure.com", None, "https://here.openai.azure.com/openai/v1/chat/completions"),
        (
            f"{RESOURCE}/openai/deployments/ours/chat/completions?api-version=2025-01-01-preview",
            None,
            f"{RESOURCE}/openai/deployments/ours/chat/completions?api-version=2025-01-01-preview",
        ),
        (
            f"{RESOURCE}/openai/deployments",
            None,
            f"{RESOURCE}/openai/deployments/grok-4/chat/completions?api-version=2024-10-21",
        ),
        (SERVERLESS, None, f"{SERVERLESS}/chat/completions?api-version=2024-05-01-preview"),
        (f"{SERVERLESS}/v1", None, f"{SERVERLESS}/v1/chat/completions"),
        (f"{SERVERLESS}/v1/chat/completions", None, f"{SERVERLESS}/v1/chat/completions"),
        (
            "https://ours.eastus.inference.ai.azure.com/chat/completions?api-version=2024-05-01-preview",
            None,
            "https://ours.eastus.inference.ai.azure.com/chat/completions?api-version=2024-05-01-preview",
        ),
        (
            "https://gateway.example/foundry/models?tenant=a",
            None,
            "https://gateway.example/foundry/models/chat/completions?tenant=a&api-version=2024-05-01-preview",
        ),
        ("http://localhost:4010/v1", None, "http://localhost:4010/v1/chat/completions"),
    ],
)
def test_chat_completions_is_found_from_any_address(foundry, base, version, url):
    settings = {"api_base": base, "wire": "chat", **({"api_version": version} if version else {})}
    assert foundry.http("grok-4", settings=settings).url == url


@pytest.mark.parametrize(
    ("base", "url"),
    [
        (RESOURCE, MESSAGES),
        (f"{RESOURCE}/anthropic", MESSAGES),
        (f"{RESOURCE}/anthropic/", MESSAGES),
        (f"{RESOURCE}/anthropic/v1", MESSAGES),
        (f"{RESOURCE}/anthropic/v1/messages", MESSAGES),
        (MODELS, MESSAGES),
        (f"{RESOURCE}/openai/v1", MESSAGES),
        (f"{RESOURCE}/api/projects/ours", MESSAGES),
        ("https://gateway.example/eu/anthropic", "https://gateway.example/eu/anthropic/v1/messages"),
        ("https://gateway.example/eu/v1/messages", "https://gateway.example/eu/v1/messages"),
    ],
)
def test_claude_is_found_from_any_address(foundry, base, url):
    settings = {"api_base": base, "api_version": "2024-05-01-preview"}
    assert foundry.http("claude-opus-5", settings=settings).url == url


@pytest.mark.parametrize(
    ("base", "url"),
    [
        (RESOURCE, RESPONSES),
        (MODELS, RESPONSES),
        (f"{RESOURCE}/openai/responses?api-version=2025-04-01-preview", RESPONSES),
        (f"{RESOURCE}/openai/v1?api-version=preview", f"{RESPONSES}?api-version=preview"),
        (f"{RESOURCE}/api/projects/ours/openai/v1/responses", RESPONSES),
        ("https://gateway.example/eu/v1/responses", "https://gateway.example/eu/v1/responses"),
        ("https://gateway.example/eu/v1", "https://gateway.example/eu/v1/responses"),
    ],
)
def test_the_responses_api_is_found_from_any_address(foundry, base, url):
    assert foundry.http("responses/ours", settings={"api_base": base}).url == url


@pytest.mark.parametrize("base", ["ftp://here", "https://", "http://[::1"])
def test_an_address_that_is_none_is_refused(foundry, base):
    with pytest.raises(BadRequestError, match="not the address of a Foundry resource") as caught:
        foundry.http("grok-4", settings={"api_base": base})
    assert caught.value.param == "api_base"


# ---- headers --------------------------------------------------------------------------------------------

KEY = "azure-ai-test-key-123456"


@pytest.mark.parametrize(
    ("model", "base", "header", "value"),
    [
        ("grok-4", RESOURCE, "api-key", KEY),
        ("grok-4", f"{RESOURCE}/openai/v1", "api-key", KEY),
        ("claude-opus-5", RESOURCE, "x-api-key", KEY),
        ("Phi-4", SERVERLESS, "authorization", f"Bearer {KEY}"),
        ("Phi-4", f"{SERVERLESS}/v1", "authorization", f"Bearer {KEY}"),
    ],
)
def test_each_wire_has_its_own_header_for_the_key(foundry, model, base, header, value):
    headers = foundry.http(model, settings={"api_base": base}).headers
    assert {name: headers.get(name) for name in ("api-key", "x-api-key", "authorization")} == {
        "api-key": None,
        "x-api-key": None,
        "authorization": None,
        header: value,
    }


@pytest.mark.parametrize("model", ["grok-4", "claude-opus-5"])
def test_a_token_of_entra_id_is_a_bearer_token_on_every_wire(foundry, model):
    headers = foundry.http(model, settings={"api_key": None, "azure_ad_token": "a-token"}).headers
    assert headers["authorization"] == "Bearer a-token"
    assert not {"api-key", "x-api-key"} & set(headers)


def test_parameters_beyond_foundrys_own_list_pass_to_the_model(foundry):
    http = foundry.http("Mistral-Large-3", safe_prompt=True)
    assert http.headers["extra-parameters"] == "pass-through"
    assert http.json["safe_prompt"] is True


@pytest.mark.parametrize("model", ["claude-opus-5", "grok-4"])
def test_other_surfaces_have_no_such_list(foundry, model):
    headers = foundry.http(model, settings={"api_version": "v1"}).headers
    assert "extra-parameters" not in headers


def test_claude_is_asked_in_anthropics_words(foundry):
    http = foundry.http("claude-opus-5", betas=["context-1m-2025-08-07"])
    assert http.headers["anthropic-version"] == "2023-06-01"
    assert http.headers["anthropic-beta"] == "context-1m-2025-08-07"


# ---- what depends on the model --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "limit", "role"),
    [
        ("grok-4", "max_tokens", "system"),
        ("gpt-4.1", "max_tokens", "system"),
        ("olmo1", "max_tokens", "system"),
        ("gpt-5-nano", "max_completion_tokens", "developer"),
        ("o4-mini", "max_completion_tokens", "developer"),
        ("team-gpt-5", "max_completion_tokens", "developer"),
    ],
)
def test_openais_reasoning_models_have_another_name_for_the_limit(foundry, model, limit, role):
    rule = {"role": "developer", "content": "Be brief."}
    body = foundry.body(model, max_output_tokens=99, input=[rule, {"role": "user", "content": "Hi"}])
    assert {name: body.get(name) for name in ("max_tokens", "max_completion_tokens")} == {
        "max_tokens": None,
        "max_completion_tokens": None,
        limit: 99,
    }
    assert body["messages"][0]["role"] == role


def test_the_model_behind_a_deployment_can_be_named(foundry):
    body = foundry.body("chat/ours", settings={"base_model": "gpt-5"}, max_output_tokens=99)
    assert body["model"] == "ours"
    assert body["max_completion_tokens"] == 99


@pytest.mark.parametrize(
    ("base_model", "thinking"),
    [("claude-opus-5", "adaptive"), ("claude-sonnet-4-5", "enabled"), (None, "adaptive")],
)
def test_claude_thinks_as_its_generation_does(foundry, base_model, thinking):
    """Opus 5 on Foundry refuses ``thinking.type: enabled``; an unknown deployment counts as the newest."""
    settings = {"base_model": base_model} if base_model else {}
    body = foundry.body("anthropic/ours", settings=settings, reasoning={"effort": "high"})
    assert body["thinking"]["type"] == thinking
    assert body["model"] == "ours"


def test_claude_gets_its_schema_in_output_config(foundry):
    """Foundry refuses ``output_format``."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    form = {"type": "json_schema", "name": "answer", "schema": schema}
    body = foundry.body("claude-opus-5", text={"format": form})
    assert body["output_config"]["format"] == {"type": "json_schema", "schema": schema}
    assert "output_format" not in body


# ---- counting -------------------------------------------------------------------------------------------


def test_claude_counts_tokens(foundry):
    http = foundry.count("anthropic/ours", instructions="Be brief.", temperature=0.5).prepare()
    assert http.url == f"{MESSAGES}/count_tokens"
    assert http.json["model"] == "ours"
    assert "max_tokens" not in http.json
    assert "temperature" not in http.json


def test_chat_completions_has_no_counter(foundry):
    with pytest.raises(BadRequestError, match="no token counter for 'grok-4'"):
        foundry.count("grok-4").prepare()
