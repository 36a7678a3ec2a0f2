"""config.yaml: LiteLLM's, as people write it, and what is said of what cannot be used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dragoman_cli
from dragoman import discovery
from dragoman.parameters import PARAMETERS
from dragoman_server import Limits
from dragoman_server.config import ConfigError, default_config, load_config, read_config
from dragoman_server.config_keys import CHAT_PARAMETERS, LITELLM_PARAMS, MODEL_INFO, SECTIONS, SETTINGS, TOP

CANARY = "canary-5f1e2d3c4b5a6978"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch, tmp_path):
    """No credentials of the machine that runs the tests."""
    for name in list(os.environ):
        if name not in {"PATH", "TMPDIR", "LANG"} and "PYTEST" not in name:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def read(tmp_path):
    """Read a text as config.yaml."""

    def read(text, **included):
        for name, content in included.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        path = tmp_path / "config.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return read_config(path)

    return read


def entry(name: str = "m", **params: Any) -> str:
    """A config of one model."""
    return yaml.safe_dump({"model_list": [{"model_name": name, "litellm_params": params}]}, sort_keys=False)


def said(config, level="error"):
    """The findings of a level as (line, message)."""
    return [(found.place.line, found.message) for found in config.findings.all if found.level == level]


# ---- models -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("openai/o1-pro", {"api_key": "os.environ/KEY"}),
        ("anthropic/claude-3-5-sonnet-20240620", {"api_key": "os.environ/KEY"}),
        ("vertex_ai/gemini-1.5-pro", {"vertex_project": "a-project", "vertex_location": "us-central1"}),
        (
            "bedrock/anthropic.claude-3-sonnet-20240229-v1:0",
            {"aws_access_key_id": "os.environ/KEY", "aws_secret_access_key": "os.environ/KEY",
             "aws_region_name": "us-west-2"},
        ),
        ("gemini/gemini-1.5-flash", {"api_key": "os.environ/KEY"}),
    ],
)  # fmt: skip
def test_what_litellm_documents_for_the_responses_api(read, monkeypatch, model, params):
    provider = model.partition("/")[0]
    if provider not in discovery.names(discovery.PROVIDERS):
        pytest.skip(f"dragoman-{provider} is not installed")
    monkeypatch.setenv("KEY", "a-key-of-somebody")
    config = read(entry(model, model=model, **params))
    assert config.findings.all == []
    (deployment,) = config.server.deployments
    assert (deployment.name, deployment.model) == (model, model)
    expected = {name: value.replace("os.environ/KEY", "a-key-of-somebody") for name, value in params.items()}
    assert deployment.arguments == {"settings": expected}


def test_litellm_params_are_sorted(read):
    config = read("""
model_list:
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: a-key-of-somebody
      base_url: https://proxy.example
      timeout: 30
      stream_timeout: 5.5
      total_timeout: 90
      max_retries: 3
      drop_params: true
      extra_headers: {x-team: blue}
      temperature: 0.2
      max_tokens: 500
      reasoning_effort: low
      reasoning: {summary: auto}
      rpm: 100
      weight: 2
      tags: [fast]
      input_cost_per_token: 3e-06
      output_cost_per_token_above_200k_tokens: 0.00002
    model_info: {id: claude-1, base_model: claude-sonnet-4-5, supports_vision: true, owner: the blue team}
""")
    assert said(config) == []
    (deployment,) = config.server.deployments
    assert deployment.id == "claude-1"
    assert deployment.arguments == {
        "settings": {"api_key": "a-key-of-somebody", "api_base": "https://proxy.example"},
        "temperature": 0.2,
        "max_output_tokens": 500,
        "reasoning": {"effort": "low", "summary": "auto"},
        "unsupported": "warn",
        "extra_headers": {"x-team": "blue"},
    }
    assert (deployment.timeout, deployment.stream_timeout, deployment.num_retries) == (30, 5.5, 3)
    assert deployment.total_timeout == 90
    assert (deployment.rpm, deployment.weight, deployment.tags) == (100, 2, {"fast"})
    assert deployment.prices == {
        "base_model": "claude-sonnet-4-5",
        "input_cost_per_token": 3e-06,
        "output_cost_per_token_above_200k_tokens": 0.00002,
    }
    assert said(config, "notice") == []
    assert [message for _, message in said(config, "warning") if "owner" in message]


@pytest.mark.parametrize(
    ("name", "params", "model"),
    [
        ("anthropic/*", {"model": "anthropic/*"}, "anthropic/*"),
        ("*", {"model": "*"}, "*"),
        ("*", {"model": "openai/*", "api_key": "k"}, "openai/*"),
        ("x", {"model": "gpt-4o", "custom_llm_provider": "openai"}, "openai/gpt-4o"),
        ("x", {"model": "openai/gpt-4o", "custom_llm_provider": "openai"}, "openai/gpt-4o"),
        ("x", {"model": "gpt-4o"}, "openai/gpt-4o"),
        ("x", {"model": "ollama_chat/llama3"}, "ollama/llama3"),
        ("x", {"model": "azure/responses/my-own", "api_base": "https://a.example"}, "azure/my-own"),
        ("x", {"model": "responses/gpt-5", "custom_llm_provider": "openai"}, "openai/gpt-5"),
        ("x", {"model": "os.environ/MODEL"}, "echo/from-the-environment"),
    ],
)
def test_names_of_models(read, monkeypatch, name, params, model):
    monkeypatch.setenv("MODEL", "echo/from-the-environment")
    config = read(entry(name, **params))
    assert said(config) == []
    assert [(served.name, served.model) for served in config.server.deployments] == [(name, model)]


@pytest.mark.parametrize(
    ("params", "line", "message"),
    [
        ({"model": "llama3"}, 4, "names no provider: write provider/llama3"),
        ({"model": "antropic/claude"}, 4, "Did you mean 'anthropic'?"),
        ({"model": "echo/*"}, 2, "where there is a * on the right, model_name needs one too"),
        ({"api_key": "k"}, 3, "lacks model: provider/model"),
        ({"model": "openai/x", "apikey": "k"}, 5, "unknown key 'apikey' in model_list[0].litellm_params. "
                                                  "Did you mean 'api_key'?"),
        ({"model": "openai/x", "temprature": 1}, 5, "Did you mean 'temperature'?"),
        ({"model": "openai/x", "temperature": "hot"}, 5, "temperature must be a number"),
        ({"model": "openai/x", "seed": 3}, 5, "the Responses API has no such parameter"),
        ({"model": "openai/x", "response_format": {}}, 5, "text.format is its place"),
        ({"model": "openai/x", "input": "hello"}, 5, "is for each request to say"),
        ({"model": "openai/x", "timeout": "soon"}, 5, "timeout must be a number greater than 0, not text"),
        ({"model": "openai/x", "api_key": 12345}, 5, "api_key must be text that is not empty (quote it)"),
        ({"model": "openai/x", "rpm": "many"}, 5, "rpm must be a whole number"),
        ({"model": "openai/x", "litellm_credential_name": "x"}, 5, "credential_list has no such name"),
        ({"model": "openai/x", "headers": {"a": "b"}}, 5, "Write extra_headers."),
        ({"model": "openai/x", "reasoning_effort": {"effort": 3}}, 5, "reasoning.effort must be a string"),
        ({"model": "openai/x", "input_cost_per_tokn": 1}, 5, "Did you mean 'input_cost_per_token'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_model(read, params, line, message):
    found = said(read(entry(**params)))
    assert [(at, message in words) for at, words in found] == [(line, True)], found


def test_a_key_for_every_provider_at_once_is_refused(read):
    ((line, message),) = said(read(entry("*", model="*", api_key=CANARY)))
    assert (line, CANARY in message) == (5, False)
    assert "would be sent to every provider" in message


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("anthropic/claude-3-7-sonnet-20250219", True),
        ("bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", True),
        ("vertex_ai/claude-3-7-sonnet@20250219", True),
        ("vertex_ai/gemini-2.5-pro", False),
        ("openai/gpt-5.2", False),
    ],
)
def test_parameters_are_those_of_the_model(read, model, known):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    config = read(entry(model=model, thinking=thinking))
    if known:
        assert said(config) == []
        assert config.server.deployments[0].arguments["thinking"] == thinking
    else:
        ((line, message),) = said(config)
        assert (line, "reasoning.effort is its place" in message) == (5, True)


def test_an_effort_may_bring_what_else_reasoning_has(read):
    config = read(entry(model="openai/gpt-5.2", reasoning_effort={"effort": "low", "summary": "auto"}))
    assert said(config) == []
    assert config.server.deployments[0].arguments["reasoning"] == {"effort": "low", "summary": "auto"}


def test_what_only_drop_params_lets_pass(read):
    params = {"model": "openai/x", "seed": 3, "drop_params": True, "vertex_project": "p"}
    config = read(entry(**params))
    assert said(config) == []
    assert [line for line, _ in said(config, "warning")] == [5, 7]
    assert config.server.deployments[0].arguments == {"settings": {}, "unsupported": "warn"}


def test_credentials_by_name(read, monkeypatch):
    monkeypatch.setenv("KEY", "a-key-of-somebody")
    config = read("""
credential_list:
  - credential_name: team
    credential_values: {api_key: os.environ/KEY, api_base: https://team.openai.azure.com}
    credential_info: {description: the team's}
model_list:
  - {model_name: m, litellm_params: {model: azure/x, litellm_credential_name: team, api_version: 2024-10-21}}
""")
    assert config.findings.all == []
    assert config.server.deployments[0].arguments["settings"] == {
        "api_key": "a-key-of-somebody",
        "api_base": "https://team.openai.azure.com",
        "api_version": "2024-10-21",
    }


def test_one_name_twice_is_a_group(read):
    config = read("""
model_list:
  - {model_name: m, litellm_params: {model: echo/a}}
  - {model_name: m, litellm_params: {model: echo/b}}
""")
    assert [(served.name, served.model) for served in config.server.deployments] == [
        ("m", "echo/a"),
        ("m", "echo/b"),
    ]
    assert config.findings.all == []


def test_an_id_twice_is_refused(read):
    config = read("""
model_list:
  - {model_name: m, litellm_params: {model: echo/a}, model_info: {id: one}}
  - {model_name: m, litellm_params: {model: echo/b}, model_info: {id: one}}
""")
    ((line, message),) = said(config)
    assert (line, "'one' is the id of another entry" in message) == (4, True)


# ---- settings of all models -------------------------------------------------------------------------


def test_settings_of_all_models_and_which_count_more(read):
    config = read("""
model_list:
  - {model_name: a, litellm_params: {model: echo/a}}
  - {model_name: b, litellm_params: {model: echo/b, timeout: 5, max_retries: 0, drop_params: false}}
litellm_settings: {drop_params: true, request_timeout: 60, num_retries: 4, max_fallbacks: 1}
router_settings: {num_retries: 2, model_group_alias: {c: a, d: {model: b, hidden: true}}}
""")
    assert config.findings.all == []
    told = {served.name: served for served in config.server.deployments}
    assert told["a"].arguments == {"settings": {}, "unsupported": "warn"}
    assert told["b"].arguments == {"settings": {}}
    assert (told["b"].timeout, told["b"].num_retries) == (5, 0)
    routing = config.server.routing
    assert (routing.num_retries, routing.timeout, routing.max_fallbacks) == (2, 60, 1)
    assert (routing.model_group_alias, routing.hidden_aliases) == ({"c": "a", "d": "b"}, {"d"})


def test_how_calls_are_routed(read):
    config = read(
        entry("claude", model="echo/x")
        + """- {model_name: gpt, litellm_params: {model: echo/y}}
router_settings:
  routing_strategy: latency-based-routing
  routing_strategy_args: {ttl: 10, lowest_latency_buffer: 0.5}
  fallbacks: [{claude: [gpt]}]
  retry_policy: {RateLimitErrorRetries: 3}
  allowed_fails_policy: {TimeoutErrorAllowedFails: 12}
  stream_recovery: buffer
litellm_settings:
  fallbacks: [{gpt: [claude]}]
  context_window_fallbacks: [{claude: [gpt]}]
  cooldown_time: 7
"""
    )
    assert config.findings.all == []
    routing = config.server.routing
    assert (routing.strategy, routing.strategy_arguments["ttl"]) == ("latency-based-routing", 10)
    assert routing.fallbacks == {"claude": ("gpt",)}
    assert routing.context_window_fallbacks == {"claude": ("gpt",)}
    assert (routing.retry_policy, routing.allowed_fails_policy) == (
        {"RateLimitError": 3},
        {"TimeoutError": 12},
    )
    assert (routing.stream_recovery, routing.cooldown_time) == ("buffer", 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{fallbacks: [{claude: [gtp]}]}", "fallbacks.claude must lead to a model_name of model_list"),
        ("{fallbacks: [claude]}", "a mapping such as"),
        ("{routing_strategy: fastest}", "fastest"),
        ("{stream_recovery: maybe}", "fail or continue or buffer"),
    ],
)
def test_what_is_wrong_with_routing(read, settings, message):
    ((_, words),) = said(read(entry("claude", model="echo/x") + f"\nrouter_settings: {settings}\n"))
    assert message in words


def test_what_litellm_has_and_dragoman_has_not_is_said_and_nothing_more(read):
    config = read(
        entry(model="echo/x")
        + """
router_settings:
  redis_host: os.environ/NOT_SET
litellm_settings:
  service_callback: [otel]
  cache: true
  cache_params: {type: redis, whatever: 1, host: "${REDIS_HOST}"}
  openai_key: os.environ/NOT_SET
  max_internal_user_budget: 10
general_settings:
  store_model_in_db: true
  alerting: [slack]
guardrails: [{guardrail_name: x}]
callback_settings: {otel: {message_logging: false}}
"""
    )
    assert said(config) == []
    nothing = {message.split()[0] for _, message in said(config, "warning")}
    assert nothing == {
        "router_settings.redis_host",
        *(
            f"litellm_settings.{name}"
            for name in (
                "service_callback",
                "cache",
                "cache_params",
                "openai_key",
                "max_internal_user_budget",
            )
        ),
        *(f"general_settings.{name}" for name in ("store_model_in_db", "alerting")),
        "guardrails",
        "callback_settings",
    }


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        ("{max_budget: 12.5, budget_duration: 1mo}", (12_500_000_000_000, "month")),
        ("{max_budget: 1e-6, budget_duration: 7d}", (1_000_000, "7d")),
        ("{max_budget: 3}", (3_000_000_000_000, None)),
        ("{max_budget: 0, budget_duration: 7d}", None),
    ],
)
def test_what_all_calls_together_may_cost(read, settings, budget):
    config = read(entry(model="echo/x") + f"\nlitellm_settings: {settings}\n")
    assert said(config) == []
    found = config.server.budget
    assert (found and (found.amount, found.period)) == budget


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{max_budget: 1, budget_duration: often}", "budget_duration must be a span such as"),
        ("{max_budget: 1e9}", "max_budget must be dollars, a number from 0 to 1000000"),
    ],
)
def test_what_is_wrong_with_a_budget(read, settings, message):
    ((_, words),) = said(read(entry(model="echo/x") + f"\nlitellm_settings: {settings}\n"))
    assert message in words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("litellm_settings: {master_key: x}", "unknown key 'master_key' in litellm_settings. "
                                              "It belongs into general_settings."),
        ("router_settings: {drop_params: true}", "It belongs into litellm_settings."),
        ("master_key: x", "It belongs into general_settings."),
        ("general_settings: {model_list: []}", "It belongs to the top of the file."),
        ("router_settings: {retry_policy: {RateLimitError: 3}}", "Did you mean 'RateLimitErrorRetries'?"),
        ("router_settings: {fallback: {enabled: true}}", "Write fallbacks: a list such as"),
        ("general_settings: {master_key: '${KEY}'}", "are written os.environ/KEY"),
        ("general_settings: {master_key: os.environ.KEY}", "are written os.environ/KEY"),
        ("general_settings: {master_key: Bearer os.environ/KEY}", "must be the whole value"),
        ("modellist: []", "Did you mean 'model_list'?"),
        ("general_settings: {masterkey: x}", "Did you mean 'master_key'?"),
        ("dragoman_settings: {limits: {bdy: 1}}", "Did you mean 'body'?"),
        ("general_settings: {custom_auth: my.module.check}", "decides who may call"),
        ("general_settings: {master_key: }", "master_key is empty"),
        ("general_settings: {master_key: os.environ/NOT_SET}", "NOT_SET is not set"),
        ("general_settings: {master_key: 1234}", "master_key must be text"),
        ("general_settings: {database_url: 'mongo://somewhere'}", "nothing installed opens a store at mongo://"),
        ("dragoman_settings: {store: dragoman.db}", "the store must be a URL"),
        ("dragoman_settings: {port: 70000}", "port must be a port: 0 to 65535"),
        ("dragoman_settings: {retention_days: 0}", 'retention_days must be days, or "forever"'),
        ("dragoman_settings: {limits: {body: 1.5}}", "body must be a whole number, 1 or more"),
        ("litellm_settings: {drop_params: 'true'}", "drop_params must be true or false, not text"),
        ("litellm_settings: [drop_params]", "litellm_settings must be a mapping, not a list"),
        ("router_settings: {model_group_alias: {x: nothing}}", "must lead to a model_name of model_list"),
        ("environment_variables: {A: [1]}", "environment_variables.A must be text"),
    ],
)  # fmt: skip
def test_what_is_wrong_beside_the_models(read, text, message):
    models = "model_list: [{model_name: m, litellm_params: {model: echo/x}}]"
    found = [words for line, words in said(read(f"{models}\n\n{text}\n")) if line == 3]
    assert len(found) == 1, found
    assert message in found[0]


def test_everything_wrong_is_said_at_once_and_in_order(read, tmp_path):
    read("general: 1\nmodel_list:\n  - {}\nlitellm_settings: {num_retries: x}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config.yaml")
    lines = [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]
    assert [line.partition(" ")[0] for line in lines] == [f"config.yaml:{at}:" for at in (1, 3, 3, 4)]


# ---- the server -------------------------------------------------------------------------------------


def test_settings_of_the_server(read, monkeypatch):
    monkeypatch.setenv("KEY", "sk-0123456789abcdef")
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setattr(discovery, "names", lambda group: ["echo", "postgresql"])
    config = read(
        entry(model="echo/x")
        + """
general_settings:
  {master_key: os.environ/KEY, database_url: "postgresql://u:p@h/d", max_request_size_mb: 2,
   allow_requests_on_db_unavailable: true}
dragoman_settings:
  {retention_days: 7, host: 0.0.0.0, port: os.environ/PORT, limits: {depth: 9, grace: 0.5}}
"""
    )
    assert said(config) == []
    assert (config.host, config.port) == ("0.0.0.0", 8080)
    server = config.server
    assert (server.master_key, server.store) == ("sk-0123456789abcdef", "postgresql://u:p@h/d")
    assert server.retention == 7 * 86400
    assert server.unstored_without_store is True
    assert server.limits == Limits(body=2 * 1024 * 1024, depth=9, grace=0.5)


def test_defaults_of_the_server(read):
    config = read(entry(model="echo/x"))
    assert config.findings.all == []
    assert (config.server.master_key, config.server.store, config.server.limits) == (None, None, Limits())
    assert config.server.retention == 30 * 86400
    assert config.server.unstored_without_store is False
    assert read("dragoman_settings: {retention_days: forever}").server.retention is None


@pytest.mark.parametrize("variable", ["DRAGOMAN_MASTER_KEY", "LITELLM_MASTER_KEY"])
def test_the_key_of_the_environment(read, monkeypatch, variable):
    monkeypatch.setenv(variable, "sk-0123456789abcdef")
    assert read(entry(model="echo/x")).server.master_key == "sk-0123456789abcdef"
    assert default_config().server.master_key == "sk-0123456789abcdef"
    own = read(entry(model="echo/x") + "general_settings: {master_key: sk-another-0123456789}")
    assert own.server.master_key == "sk-another-0123456789"


def test_a_key_that_can_be_guessed_or_read(read, tmp_path):
    config = read(entry(model="echo/x") + "general_settings: {master_key: sk-1234}")
    assert [message for _, message in said(config, "warning") if "can be guessed" in message]
    (tmp_path / "config.yaml").chmod(0o644)
    warnings = said(read_config(tmp_path / "config.yaml"), "warning")
    assert [message for _, message in warnings if "everyone on this machine can read it" in message]


def test_environment_variables_are_there_for_references_and_providers(read, monkeypatch):
    monkeypatch.setenv("OUTER", "from outside")
    config = read(
        "environment_variables: {A: os.environ/OUTER, B: 3, C: true}\n"
        + entry("os.environ/A", model="echo/x")
    )
    assert config.server.deployments[0].name == "from outside"
    for name in "ABC":
        monkeypatch.setenv(name, "before")  # so that it is undone
    config.export()
    assert [os.environ[name] for name in "ABC"] == ["from outside", "3", "true"]


def test_a_variable_that_is_not_set(read):
    config = read(
        entry(model="openai/x", api_key="os.environ/NOT_SET", extra_headers={"x-a": "os.environ/NOR_THIS"})
    )
    assert said(config) == []  # other models can be served without
    warnings = said(config, "warning")
    assert [line for line, _ in warnings] == [5, 7]
    assert "NOT_SET is not set" in warnings[0][1]
    assert config.server.deployments[0].arguments == {"settings": {}, "extra_headers": {}}


def test_no_message_shows_a_secret(read, monkeypatch):
    monkeypatch.setenv("KEY", CANARY[::-1])
    config = read(f"""
model_list:
  - model_name: m
    litellm_params: {{model: openai/x, api_key: {CANARY}, api_kee: {CANARY}, temperature: os.environ/KEY}}
  - {{model_name: n, litellm_params: {{model: os.environ/KEY, api_key: [{CANARY}], rpm: {CANARY}}}}}
general_settings:
  {{master_key: [{CANARY}], database_url: "nosql://u:{CANARY}@h", max_request_size_mb: {CANARY}}}
dragoman_settings: {{store: {CANARY}, host: {{a: {CANARY}}}, port: os.environ/KEY}}
environment_variables: {{A: [{CANARY}]}}
litellm_settings: {{drop_params: {CANARY}}}
router_settings: {{model_group_alias: {{a: {CANARY}}}}}
""")
    assert len(said(config)) >= 12
    everything = (
        "\n".join(map(str, config.findings.all)) + str(ConfigError(config.findings)) + repr(config.findings)
    )
    assert CANARY not in everything
    assert CANARY[::-1] not in everything
    assert "[secret]" in everything  # something would have shown one


# ---- files ------------------------------------------------------------------------------------------


def test_included_files(read, tmp_path):
    config = read(
        "include: [models.yaml]\nlitellm_settings: {num_retries: 1}\n" + entry("a", model="echo/a"),
        models="litellm_settings: {num_retries: 2, drop_params: true}\n"
        "model_list:\n  - {model_name: b, litellm_params: {model: echo/b, bogus: 1}}\n",
    )
    assert [served.name for served in config.server.deployments] == ["a", "b"]
    assert config.server.deployments[0].arguments == {"settings": {}, "unsupported": "warn"}
    assert config.server.routing.num_retries == 1
    (error,) = config.findings.errors
    assert (error.place.file, error.place.line) == (str(tmp_path / "models.yaml"), 3)
    assert list(config.files) == [tmp_path / "config.yaml", tmp_path / "models.yaml"]
    circle = read("include: [other.yaml]", other="include: [config.yaml]")
    assert "in a circle" in circle.findings.errors[0].message
    assert "cannot be read" in read("include: [nowhere.yaml]").findings.errors[0].message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("model_list:\n  - model_name: *\n", 2, 'Quote what begins with a star: "*"'),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        (
            "router_settings: {}\nlitellm_settings: {}\nrouter_settings: {}\n",
            3,
            "a second time; first in line 1",
        ),
        ("- a\n", 1, "the file must be a mapping"),
        ("general_settings: !!python/object:os.system {}\n", 1, ""),
        ("general_settings: &a {master_key: *a}\n", 1, ""),
        ("litellm_settings:\n  num_retries: !!python/name:os.system x\n", 2, "is not understood"),
        ("{1: 2, [a]: 3}", 1, "a key must be a word"),
    ],
)
def test_what_is_no_config_at_all(read, text, line, message):
    found = said(read(text))
    assert found, "nothing was said"
    assert all(at == line for at, _ in found)
    assert any(message in words for _, words in found)


def test_anchors_and_merges(read):
    config = read("""
model_list:
  - model_name: a
    litellm_params: &defaults {model: echo/a, num_retries: 3}
  - model_name: b
    litellm_params: {<<: *defaults, model: echo/b}
""")
    assert said(config) == []
    assert [(served.model, served.num_retries) for served in config.server.deployments] == [
        ("echo/a", 3),
        ("echo/b", 3),
    ]


# ---- without a file ---------------------------------------------------------------------------------


def served_by_default() -> set[str]:
    config = default_config()
    assert config.findings.all == []
    assert all(served.name == served.model for served in config.server.deployments)
    return {served.name for served in config.server.deployments}


def test_without_a_file_what_has_credentials_is_served(monkeypatch):
    assert served_by_default() == {"echo/*"}
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:11434")
    monkeypatch.setenv("AZURE_API_KEY", "k")  # but no api_base
    assert served_by_default() == {"echo/*", "openai/*", "ollama/*"}
    monkeypatch.setenv("AZURE_API_BASE", "https://x.openai.azure.com")
    assert served_by_default() == {"echo/*", "openai/*", "ollama/*", "azure/*"}


def test_a_chain_is_served_if_something_shows_that_it_leads_somewhere(monkeypatch, tmp_path):
    file = tmp_path / "home" / ".aws" / "credentials"
    file.parent.mkdir(parents=True)
    file.touch()
    assert served_by_default() == {"echo/*", "bedrock/*"}
    file.unlink()
    assert served_by_default() == {"echo/*"}
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert served_by_default() == {"echo/*", "bedrock/*"}


def test_a_provider_that_takes_only_models_it_knows_is_served_and_checked(monkeypatch, capsys):
    monkeypatch.setenv("VERTEXAI_PROJECT", "a-project")
    assert served_by_default() == {"echo/*", "vertex_ai/*"}
    assert dragoman_cli.main(["check"]) == 0
    assert "VERTEXAI_PROJECT leads to them" in capsys.readouterr().out


# ---- any unknown key, anywhere ------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "model_list": [
        {
            "model_name": "a",
            "litellm_params": {"model": "openai/gpt-4o", "api_key": "os.environ/KEY", "timeout": 3, "rpm": 5},
            "model_info": {"id": "one"},
        },
        {"model_name": "any/*", "litellm_params": {"model": "anthropic/*", "temperature": 0.5}},
        {"model_name": "lost", "litellm_params": {"model": "nowhere/installed"}},
    ],
    "credential_list": [{"credential_name": "x", "credential_values": {}}],
    "router_settings": {
        "num_retries": 1,
        "retry_policy": {"TimeoutErrorRetries": 1},
        "allowed_fails_policy": {"TimeoutErrorAllowedFails": 1},
        "routing_strategy_args": {"ttl": 1},
    },
    "litellm_settings": {"drop_params": True},
    "general_settings": {"max_request_size_mb": 1},
    "dragoman_settings": {"port": 1, "limits": {"body": 1}},
}
MAPPINGS = [
    (),
    ("model_list", 0),
    ("model_list", 0, "litellm_params"),
    ("model_list", 0, "model_info"),
    ("model_list", 1, "litellm_params"),
    ("model_list", 2, "litellm_params"),
    ("credential_list", 0),
    ("router_settings",),
    ("router_settings", "retry_policy"),
    ("router_settings", "allowed_fails_policy"),
    ("router_settings", "routing_strategy_args"),
    ("litellm_settings",),
    ("general_settings",),
    ("dragoman_settings",),
    ("dragoman_settings", "limits"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from(MAPPINGS),
    key=st.from_regex(re.compile(r"zq[a-z_]{1,12}", re.ASCII), fullmatch=True),
    value=st.sampled_from(["text", 1, True, None, [1], {"a": "b"}, "os.environ/NOT_SET"]),
    first=st.booleans(),
)
def test_an_unknown_key_is_reported_with_its_line_wherever_it_stands(tmp_path, where, key, value, first):
    tree = yaml.safe_load(yaml.safe_dump(FULL))
    place = tree
    for step in where:
        place = place[step]
    known = dict(place)
    place.clear()
    place.update({key: value, **known} if first else {**known, key: value})
    text = yaml.safe_dump(tree, sort_keys=False)
    line = next(
        at for at, words in enumerate(text.splitlines(), 1) if words.lstrip(" -").startswith(f"{key}:")
    )
    path = Path(tmp_path / "config.yaml")
    path.write_text(text)
    found = [finding for finding in read_config(path).findings.all if key in finding.message]
    assert [finding.place.line for finding in found] == [line]
    assert found[0].level == ("warning" if where[-1:] == ("model_info",) else "error")


KEYS = sorted(
    {*TOP, *(key for keys in SECTIONS.values() for key in keys), *LITELLM_PARAMS, "limits", "api_key", "<<"}
)
WORDS = ["os.environ/NOT_SET", "${X}", "echo/x", "openai/*", "*", "a/", "2024-01-01"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS)
)


def mappings(keys: Any) -> Any:
    return st.dictionaries(st.sampled_from(sorted(keys)) | st.text(max_size=4), ANYTHING, max_size=3)


ANYTHING: Any = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)
MODEL_NAMES = SCALARS | st.sampled_from(["openai/x", "echo/*", "bedrock/a", "vertex_ai/a", "gpt-4o"])
PARAMS = mappings([*LITELLM_PARAMS, *SETTINGS, *PARAMETERS, *CHAT_PARAMETERS])
MODELS = st.fixed_dictionaries(
    {
        "model_name": MODEL_NAMES,
        "litellm_params": ANYTHING
        | st.builds(lambda model, more: {"model": model, **more}, MODEL_NAMES, PARAMS),
    },
    optional={"model_info": ANYTHING | mappings(MODEL_INFO)},
)
TREES = st.fixed_dictionaries(
    {"model_list": ANYTHING | st.lists(MODELS, max_size=2)},
    optional={name: ANYTHING | mappings(keys) for name, keys in SECTIONS.items()}
    | {name: ANYTHING for name in TOP if name not in {"include", "model_list", *SECTIONS}},
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=TREES)
def test_whatever_stands_in_a_config_is_reported_and_never_a_crash(tmp_path, tree):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    config = read_config(path)
    assert all(finding.place and finding.place.line >= 1 for finding in config.findings.errors)
