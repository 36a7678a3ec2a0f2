"""What goes to OpenAI: what the caller wrote, addressed."""

import json

import pytest

import dragoman_openai
from dragoman.attempts.session import Session
from dragoman.errors import AuthenticationError
from dragoman.hookspecs import NativeProviderModule, Target
from dragoman.providers import Provider

plugin: NativeProviderModule = dragoman_openai

SETTINGS = {"api_key": "sk-test", "api_base": "https://api.openai.com/v1"}


def sent(request, **settings):
    target = Target("openai", "gpt-5.2", {**SETTINGS, **settings})
    session = Session(Provider("openai", dragoman_openai), target, {"model": "openai/gpt-5.2", **request})
    http = session.prepare()
    return http, json.loads(http.body), session


EVERYTHING = {
    "input": [
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "item_of_next_month", "id": "x", "field": [1]},
    ],
    "instructions": "Be brief.",
    "previous_response_id": "resp_1",
    "store": True,
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "background": False,
    "tools": [{"type": "tool_of_next_month", "x": 1}, {"type": "web_search"}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]},
    "reasoning": {"effort": "max", "summary": "auto", "mode": "pro"},
    "text": {"verbosity": "low", "format": {"type": "json_object"}},
    "include": ["reasoning.encrypted_content", "something.new"],
    "prompt": {"id": "pmpt_1"},
    "metadata": {"a": "b"},
    "service_tier": "flex",
    "parameter_of_next_month": {"deep": [None, 1.5]},
}


def test_everything_goes_out_as_it_was_written():
    http, body, session = sent(EVERYTHING)
    assert body == {**EVERYTHING, "model": "gpt-5.2"}
    assert (http.method, http.url) == ("POST", "https://api.openai.com/v1/responses")
    assert http.headers["authorization"] == "Bearer sk-test"
    assert session.response["dragoman"]["warnings"] == []


def test_penalties_are_left_out_with_a_warning():
    _, body, session = sent({"input": "Hi", "presence_penalty": 0.5, "frequency_penalty": 0})
    assert set(body) == {"model", "input"}
    assert [warning["param"] for warning in session.response["dragoman"]["warnings"]] == ["presence_penalty"]


def test_a_penalty_that_the_caller_insists_on_goes_out():
    session = Session(
        Provider("openai", dragoman_openai),
        Target("openai", "gpt-5.2", SETTINGS),
        {"model": "openai/gpt-5.2", "input": "Hi", "presence_penalty": 0.5},
        allowed=["presence_penalty"],
    )
    assert json.loads(session.prepare().body)["presence_penalty"] == 0.5


def test_what_a_client_says_of_itself_is_not_forwarded():
    _, body, session = sent({"input": "Hi", "client_metadata": {"thread": "1"}})
    assert set(body) == {"model", "input"}
    assert session.response["dragoman"]["warnings"] == []


def test_the_model_is_the_targets_also_where_the_request_names_none():
    request = {"prompt": {"id": "pmpt_1"}}
    http = plugin.translate_request(request, Target("openai", "ft:gpt-4o:acme/x", SETTINGS))
    assert http.json == {"prompt": {"id": "pmpt_1"}, "model": "ft:gpt-4o:acme/x"}
    assert request == {"prompt": {"id": "pmpt_1"}}


def test_organization_and_project_are_headers():
    http, _, _ = sent({"input": "Hi"}, organization="org-1", project="proj-1")
    assert http.headers["openai-organization"] == "org-1"
    assert http.headers["openai-project"] == "proj-1"


@pytest.mark.parametrize("base", ["http://localhost:8080/v1", "http://localhost:8080/v1/"])
def test_the_base_is_where_responses_stands(base):
    http, _, _ = sent({"input": "Hi"}, api_base=base)
    assert http.url == "http://localhost:8080/v1/responses"


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("OPENAI_BASE_URL", "api_base"),
        ("OPENAI_API_BASE", "api_base"),
        ("OPENAI_ORG_ID", "organization"),
        ("OPENAI_ORGANIZATION", "organization"),
        ("OPENAI_PROJECT", "project"),
        ("OPENAI_PROJECT_ID", "project"),
    ],
)
def test_settings_come_from_the_variables_of_openais_sdk(monkeypatch, variable, setting):
    for known in plugin.provider_info().settings:
        for name in known.env:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    monkeypatch.setenv(variable, "http://here")
    target = Provider("openai", dragoman_openai).target("gpt-5.2", {})
    assert target.get("api_key") == "sk-env"
    assert target.get(setting) == "http://here"
    assert "sk-env" in target.secrets
    assert "sk-env" not in repr(target)


def test_a_missing_key_is_an_error_before_any_traffic(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        Provider("openai", dragoman_openai).target("gpt-5.2", {})
