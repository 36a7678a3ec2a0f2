"""The laws of translation for Vertex AI, judged by real exchanges with it.

The wires are Gemini's and Claude's, so the laws are theirs, with another judge: every answer and every
request goes through the vertex_ai provider.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests import test_recorded_anthropic as claude_laws
from tests import test_recorded_gemini as gemini_laws
from tests.judging import Judge
from tests.recordings import REAL, Recording, recordings

from dragoman.attempts.token_counts import TokenCount
from dragoman.providers import load_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

SETTINGS = {"vertex_access_token": "vertex-test-token", "vertex_project": "PROJECT"}
GEMINI = Judge("vertex_ai", "gemini-2.5-flash", SETTINGS)
CLAUDE = Judge("vertex_ai", "claude-sonnet-4-5", SETTINGS)


def laws_in(module: Any) -> list[Any]:
    return [law for name, law in vars(module).items() if name.startswith("test_")]


@pytest.mark.parametrize("law", laws_in(gemini_laws), ids=lambda law: law.__name__)
def test_gemini_on_vertex_ai(
    law: Any, tally: Callable[[str], Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini_laws, "JUDGE", GEMINI)
    monkeypatch.setattr(gemini_laws, "WHOLE", ("vertex.generateContent",))
    monkeypatch.setattr(gemini_laws, "STREAMED", ("vertex.streamGenerateContent",))
    monkeypatch.setattr(gemini_laws, "sent", without_types(gemini_laws.sent))
    of_vertex = _renamed(tally, "Gemini")
    models = [mark.args[1] for mark in getattr(law, "pytestmark", ()) if mark.name == "parametrize"]
    for model in models[0] if models else (None,):
        law(of_vertex, **({"model": model} if model else {}))


def without_types(sent: Callable[..., Any]) -> Callable[..., Any]:
    """Return `sent` without the media types of files at addresses, which the laws do not compare.

    Gemini's own API finds them out; Vertex AI demands them, so the plugin adds them.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        value = {name: plain(inner) for name, inner in value.items()}
        return {n: v for n, v in value.items() if n != "mimeType"} if "fileUri" in value else value

    return lambda items, **request: plain(sent(items, **request))


@pytest.mark.parametrize("api", ["vertex.anthropic.rawPredict", "vertex.anthropic.streamRawPredict"])
@pytest.mark.parametrize("law", laws_in(claude_laws), ids=lambda law: law.__name__)
def test_claude_on_vertex_ai(
    law: Any, api: str, tally: Callable[[str], Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_laws, "JUDGE", CLAUDE)
    monkeypatch.setattr(claude_laws, "API", api)
    monkeypatch.setattr(claude_laws, "recordings", recordings_with_models)
    # Nobody has recorded a whole answer of Claude's there: those made from the documentation have to do.
    monkeypatch.setattr(claude_laws, "REAL", REAL | {"synthetic"})
    law(_renamed(tally, "Anthropic"))


def recordings_with_models(api: str, **chosen: Any) -> list[Recording]:
    """Return recordings whose requests name the model, which stands in the address on Vertex AI."""
    return [_with_model(recording) for recording in recordings(api, **chosen)]


@functools.cache
def _with_model(recording: Recording) -> Recording:
    if not recording.request:
        return recording
    request = {**recording.document["request"]}
    request["body"] = {**request["body"], "model": recording.document["model"]}
    return Recording(recording.name, {**recording.document, "request": request})


def _renamed(tally: Callable[[str], Tally], name: str) -> Callable[[str], Tally]:
    return lambda law: tally(law.replace(name, f"Vertex AI ({name})"))


def test_every_recorded_count_is_read(tally: Callable[[str], Tally]) -> None:
    law = tally("Vertex AI, every recorded count of tokens is read")
    provider = load_provider("vertex_ai")
    for recording in recordings("vertex.countTokens", fidelity=REAL):
        with law.case(recording.name):
            target = provider.target("gemini-2.5-flash", SETTINGS)
            text = recording.request["contents"][0]["parts"][0]["text"]
            count = TokenCount(provider, target, {"model": "vertex_ai/gemini-2.5-flash", "input": text})
            http = count.prepare()
            assert http.url.endswith("/models/gemini-2.5-flash:countTokens")
            assert json.loads(http.body)["contents"] == recording.request["contents"]
            count.accept(200, {"content-type": "application/json"})
            count.feed(recording.wire)
            count.close()
            assert count.input_tokens == recording.body["totalTokens"]
    law.require()
