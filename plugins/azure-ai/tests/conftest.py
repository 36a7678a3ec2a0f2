"""What the tests speak to: the plugin's hooks, through core's own session; the environment says nothing."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.attempts.session import Session
from dragoman.attempts.token_counts import TokenCount
from dragoman.errors import APIError
from dragoman.events.batches import events_of
from dragoman.models import validate_request
from dragoman.providers import load_provider
from dragoman.testing.legality import check_events
from dragoman_azure_ai.info import INFO

RESOURCE = "https://here.services.ai.azure.com"
KEY = "azure-ai-test-key-123456"


class Foundry:
    """A resource as core drives it, without a network."""

    def session(self, model: str, /, *, settings: dict[str, Any] | None = None, **request: Any) -> Session:
        attempt: Session = self._attempt(Session, model, settings, request)
        return attempt

    def count(self, model: str, /, **request: Any) -> TokenCount:
        attempt: TokenCount = self._attempt(TokenCount, model, None, request)
        return attempt

    def _attempt(
        self, kind: Any, model: str, settings: dict[str, Any] | None, request: dict[str, Any]
    ) -> Any:
        unsupported = request.pop("unsupported", None)
        loaded = load_provider("azure_ai")
        target = loaded.target(model, {"api_base": RESOURCE, "api_key": KEY, **(settings or {})})
        body = {"model": f"azure_ai/{model}", "input": "Hi", "stream": False, **request}
        return kind(loaded, target, validate_request(body), unsupported=unsupported)

    def http(self, model: str, /, **more: Any) -> Any:
        """Return what goes out, with its credentials."""
        attempt = self.session(model, **more)
        return attempt.authorize(attempt.prepare(), attempt.load_credentials())

    def body(self, model: str, /, **more: Any) -> Any:
        return json.loads(self.session(model, **more).prepare().body)

    def warned(self, model: str, /, **more: Any) -> list[str | None]:
        session = self.session(model, **more)
        session.prepare()
        return [warning["param"] for warning in session.response["dragoman"]["warnings"]]

    def whole(self, model: str, payload: Any, /, **more: Any) -> dict[str, Any]:
        return self._fed(self.session(model, **more), json.dumps(payload).encode(), "application/json")

    def streamed(self, model: str, wire: bytes, /, **more: Any) -> dict[str, Any]:
        return self._fed(self.session(model, **more, stream=True), wire, "text/event-stream")

    def _fed(self, session: Session, body: bytes, type_: str) -> dict[str, Any]:
        session.prepare()
        events = [*session.accept(200, {"content-type": type_}), *session.feed(body), *session.close()]
        check_events(list(events_of(events)))
        return session.response

    def refused(
        self, status: int, said: Any, model: str = "grok-4", headers: dict[str, str] | None = None
    ) -> APIError:
        session = self.session(model)
        session.prepare()
        session.accept(status, headers or {})
        session.feed(said if isinstance(said, bytes) else json.dumps(said).encode())
        with pytest.raises(APIError) as caught:
            session.close()
        return caught.value


@pytest.fixture(scope="session")
def foundry() -> Foundry:
    return Foundry()


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch):
    for setting in INFO.settings:
        for variable in setting.env:
            monkeypatch.delenv(variable, raising=False)
