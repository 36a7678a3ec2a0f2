"""LiteLLM's callbacks: every name is answered, and functions of one's own hear calls."""

from __future__ import annotations

import sys

import httpx
import pytest

import dragoman
from dragoman_server.config import read_config
from dragoman_server.config_callbacks import _OTLP, _REMEDIES, Hearer

MODULE = """
heard = []

def note(record):
    heard.append(("note", record.outcome))

async def note_later(record):
    heard.append(("later", record.outcome))

def two(record, more): ...

class Logger:
    def log_success_event(self, kwargs, response, start, end): ...

logger = Logger()
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read a config with these litellm_settings; a module of callbacks lies beside it."""
    (tmp_path / "calls_heard.py").write_text(MODULE)
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"):
        monkeypatch.delenv(name, raising=False)

    def parsed(settings, model="echo/*"):
        path = tmp_path / "config.yaml"
        path.write_text(
            f"model_list: [{{model_name: '{model}', litellm_params: {{model: '{model}'}}}}]\n"
            f"litellm_settings:\n  {settings}\n"
        )
        path.chmod(0o600)
        return read_config(path)

    yield parsed
    sys.modules.pop("calls_heard", None)


def said(config):
    return [(found.level, found.place.line, found.message) for found in config.findings.all if found.place]


@pytest.mark.parametrize("key", ["callbacks", "success_callback", "failure_callback"])
@pytest.mark.parametrize("name", [*_OTLP, *_REMEDIES, "langfuse_otel", "something_new"])
def test_every_name_gets_a_remedy_and_nothing_is_loaded(read, key, name):
    config = read(f"{key}: [{name}]")
    ((level, line, message),) = said(config)
    assert (level, line) == ("warning", 3)
    assert message.startswith(f"litellm_settings.{key}: {name!r} ")
    assert ("OTEL_EXPORTER_OTLP_ENDPOINT=" in message) == (name in _OTLP or name == "langfuse_otel")
    assert config.server.listeners == ()


def test_backends_of_traces_are_named_with_their_address(read, monkeypatch):
    ((_, _, message),) = said(read("callbacks: langfuse"))
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=https://cloud.langfuse.com/api/public/otel" in message
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    ((level, _, message),) = said(read("callbacks: [langfuse]"))
    assert level == "notice"
    assert "dragoman-otel sends" in message


def test_what_is_there_anyway_is_only_mentioned(read):
    ((level, _, message),) = said(read("callbacks: [prometheus]"))
    assert (level, "GET /metrics" in message) == ("notice", True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("calls_heard.logger", "is a CustomLogger of LiteLLM"),
        ("calls_heard.Logger", "is a CustomLogger of LiteLLM"),
        ("calls_heard.heard", "must be a function, sync or async, of one dragoman.Record"),
        ("calls_heard.two", "must be a function, sync or async, of one dragoman.Record"),
        ("calls_heard.nothing", "cannot be loaded: AttributeError"),
        ("no_such_module.note", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_what_is_no_function_of_a_record_is_an_error(read, name, why):
    config = read(f"success_callback: [{name}]")
    ((level, line, message),) = said(config)
    assert (level, line, config.server.listeners) == ("error", 3, ())
    assert f"litellm_settings.success_callback: {name!r} {why}" in message


def test_names_that_are_none_are_an_error(read):
    ((level, _, message),) = said(read("callbacks: [{otel: true}]"))
    assert (level, "must be names" in message) == ("error", True)


def test_functions_hear_the_calls_that_their_key_means(read, serve):
    config = read(
        "callbacks: [calls_heard.note]\n"
        "  success_callback: [calls_heard.note_later]\n"
        "  failure_callback: [calls_heard.note]"
    )
    assert said(config) == []
    note, _ = config.server.listeners
    assert isinstance(note, Hearer)
    with serve(*config.server.deployments, listeners=config.server.listeners) as server:
        for text in ("Hi", '{"echo": [{"fail": "no", "status": 503}]}'):
            httpx.post(f"{server.url}/v1/responses", json={"model": "echo/m", "input": text})
        assert dragoman.flush_records()
        heard = sys.modules["calls_heard"].heard
        assert heard == [("note", "completed"), ("later", "completed"), ("note", "failed")]
        server.app.state.service.reload(config.server)  # nothing changed: each is heard once
        httpx.post(f"{server.url}/v1/responses", json={"model": "echo/m", "input": "Hi"})
        assert dragoman.flush_records()
        assert heard[3:] == [("note", "completed"), ("later", "completed")]
    assert dragoman.flush_records()
