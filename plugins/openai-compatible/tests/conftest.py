"""What the tests speak to: a host's hooks, through core's own session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dragoman.attempts.session import Session
from dragoman.errors import APIError
from dragoman.models import validate_request
from dragoman.providers import load_provider
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Iterable


class Server:
    """A host as core drives it, without a network."""

    def session(self, provider: str = "openai_compatible", /, **request: Any) -> Session:
        loaded = load_provider(provider)
        settings = {"api_key": "test-key-1234"}
        if provider == "openai_compatible":
            settings["api_base"] = "https://llm.example/v1"
        request = {"model": f"{provider}/large", "input": "Hi", **request}
        stream = request.pop("stream", False)
        validated = {**validate_request(request), "stream": stream}
        return Session(loaded, loaded.target("large", settings), validated)

    def body(self, provider: str = "openai_compatible", /, **request: Any) -> Any:
        return json.loads(self.session(provider, **request).prepare().body)

    def messages(self, *items: dict[str, Any], provider: str = "openai_compatible") -> Any:
        return self.body(provider, input=json.loads(json.dumps(items)))["messages"]

    def warned(self, provider: str = "openai_compatible", /, **request: Any) -> list[str | None]:
        session = self.session(provider, **request)
        session.prepare()
        return [warning["param"] for warning in session.response["dragoman"]["warnings"]]

    def whole(self, payload: Any, provider: str = "openai_compatible", **request: Any) -> dict[str, Any]:
        session = self.session(provider, **request)
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

    def stream(self, *chunks: dict[str, Any], **request: Any) -> dict[str, Any]:
        wire = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)
        return self.fed([wire, b"data: [DONE]\n\n"], **request)[1]

    def fed(
        self, chunks: Iterable[bytes], provider: str = "openai_compatible", **request: Any
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the events and the Response that a stream's bytes become."""
        session = self.session(provider, stream=True, **request)
        session.prepare()
        events = session.accept(200, {"content-type": "text/event-stream"})
        for chunk in chunks:
            events += session.feed(chunk)
        events += session.close()
        check_events(events)
        return events, session.response

    def refused(
        self,
        status: int,
        body: bytes,
        provider: str = "openai_compatible",
        headers: dict[str, str] | None = None,
    ) -> APIError:
        session = self.session(provider)
        session.prepare()
        session.accept(status, headers or {})
        session.feed(body)
        with pytest.raises(APIError) as caught:
            session.close()
        return caught.value


@pytest.fixture(scope="session")
def server() -> Server:
    return Server()
