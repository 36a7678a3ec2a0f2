"""What the tests speak to: a host's hooks, through core's own session."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.models import validate_request
from dragoman.providers import load_provider
from dragoman.session import Session
from dragoman.testing.legality import check_events


class Server:
    """A host as core drives it, without a network."""

    def session(self, provider: str = "openai_compatible", **request: Any) -> Session:
        loaded = load_provider(provider)
        settings = {"api_key": "test-key-1234"}
        if provider == "openai_compatible":
            settings["api_base"] = "https://llm.example/v1"
        request = {"model": f"{provider}/large", "input": "Hi", **request}
        stream = request.pop("stream", False)
        validated = {**validate_request(request), "stream": stream}
        return Session(loaded, loaded.target("large", settings), validated)

    def body(self, provider: str = "openai_compatible", **request: Any) -> Any:
        return json.loads(self.session(provider, **request).prepare().body)

    def messages(self, *items: dict[str, Any], provider: str = "openai_compatible") -> Any:
        return self.body(provider, input=json.loads(json.dumps(items)))["messages"]

    def whole(self, payload: Any, **request: Any) -> dict[str, Any]:
        session = self.session(**request)
        session.prepare()
        events = session.accept(200, {"content-type": "application/json"})
        events += session.feed(json.dumps(payload).encode())
        check_events(events + session.close())
        return session.response

    def answer(self, message: dict[str, Any] | None, reason: str = "stop", **beside: Any) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
        if message is not None:
            choice["message"] = {"role": "assistant", **message}
        return self.whole({"model": "large", "choices": [choice], **beside})

    def stream(self, *chunks: dict[str, Any], done: bool = True, **request: Any) -> dict[str, Any]:
        session = self.session(stream=True, **request)
        session.prepare()
        events = session.accept(200, {"content-type": "text/event-stream"})
        for chunk in chunks:
            events += session.feed(f"data: {json.dumps(chunk)}\n\n".encode())
        events += session.feed(b"data: [DONE]\n\n" if done else b"")
        check_events(events + session.close())
        return session.response


@pytest.fixture(scope="session")
def server() -> Server:
    return Server()
