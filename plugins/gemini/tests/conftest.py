"""The plugin as core drives it, without a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import dragoman_gemini as plugin
from dragoman.attempts.session import Session
from dragoman.models import validate_request
from dragoman.providers import Provider
from dragoman.testing.legality import check_events
from dragoman.testing.running import run_stream

if TYPE_CHECKING:
    from dragoman.hookspecs import HTTPRequest

OLD, NEW = "gemini-2.5-flash", "gemini-3.5-flash"
SETTINGS = {"api_key": "gemini-test-key-123456"}
HELLO = {"type": "message", "role": "user", "content": "Hello."}


def generated(*parts: Any, finish: Any = "STOP", candidate: Any = None, **more: Any) -> dict[str, Any]:
    """Return an answer (or a chunk of one) with these parts; `finish` None: it goes on."""
    said = {"content": {"role": "model", "parts": list(parts)}, **(candidate or {})}
    if finish is not None:
        said["finishReason"] = finish
    return {"candidates": [said], "modelVersion": NEW, **more}


def sse(*chunks: Any) -> bytes:
    """Return chunks as Google sends them: lines end in CR LF."""
    return b"".join(b"data: %s\r\n\r\n" % json.dumps(c, ensure_ascii=False).encode() for c in chunks)


class Gemini:
    """One call after the other, each in a session of its own."""

    def session(self, model: str = NEW, settings: Any = None, **request: Any) -> Session:
        provider = Provider("gemini", plugin)
        body = validate_request({"model": f"gemini/{model}", "input": "Hi", **request})
        return Session(provider, provider.target(model, SETTINGS if settings is None else settings), body)

    def http(self, model: str = NEW, settings: Any = None, **request: Any) -> HTTPRequest:
        return self.session(model, settings, **request).prepare()

    def body(self, model: str = NEW, **request: Any) -> Any:
        return json.loads(self.http(model, **request).body)

    def contents(self, *items: Any, model: str = NEW, **request: Any) -> Any:
        return self.body(model, input=list(items), **request)["contents"]

    def part(self, content: Any, model: str = NEW) -> Any:
        """Return what one part of a user's message becomes."""
        return self.contents({"role": "user", "content": [content]}, model=model)[0]["parts"][0]

    def warned(self, model: str = NEW, **request: Any) -> list[str]:
        """Return what the caller is warned of: the names of the parameters."""
        session = self.session(model, **request)
        session.prepare()
        return [warning["param"] for warning in session.response["dragoman"]["warnings"]]

    def whole(self, payload: Any, model: str = NEW, **request: Any) -> dict[str, Any]:
        """Return the response that a whole answer becomes."""
        run = run_stream(
            self.session(model, **request),
            [json.dumps(payload).encode()],
            headers={"content-type": "application/json"},
        )
        check_events(run.events)
        return run.response

    def answer(self, *parts: Any, **more: Any) -> dict[str, Any]:
        """Return the response for an answer with these parts."""
        return self.whole(generated(*parts, **more))

    def stream(self, *chunks: Any, step: int = 0, **request: Any) -> dict[str, Any]:
        """Return the response that these chunks become, sent in pieces of `step` bytes."""
        return self.raw_stream(sse(*chunks), step, **request)

    def raw_stream(self, raw: bytes, step: int = 0, model: str = NEW, **request: Any) -> dict[str, Any]:
        step = step or len(raw) or 1
        pieces = [raw[start : start + step] for start in range(0, len(raw), step)]
        run = run_stream(self.session(model, stream=True, **request), pieces)
        check_events(run.events)
        return run.response

    def returned(self, output: list[dict[str, Any]], *after: Any, model: str = NEW) -> Any:
        """Return the model's turn that an output becomes, given back as input (through JSON)."""
        contents = self.contents(HELLO, *json.loads(json.dumps(output)), *after, model=model)
        return contents[1]["parts"]


@pytest.fixture(scope="session")
def gemini() -> Gemini:
    return Gemini()
