"""What every provider must do, on recorded answers of Acme: see ``dragoman.testing``."""

from __future__ import annotations

import json
from typing import Any

import dragoman_acme
from dragoman.errors import ContextWindowExceededError, RateLimitError, ServiceUnavailableError
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

STOP = {"stop": "done", "tokens": {"in": 12, "out": 5}}


def exchange(*events: dict[str, Any], **expected: Any) -> Exchange:
    """Return an answer of Acme: these events, and the blocks that they add up to."""
    blocks: list[dict[str, Any]] = []
    for event in events:
        if blocks and event["kind"] == blocks[-1]["kind"] == "text":
            blocks[-1] = {"kind": "text", "text": blocks[-1]["text"] + event["text"]}
        else:
            blocks.append(event)
    return Exchange(
        body=json.dumps({"model": "large-2", "blocks": blocks, **STOP}).encode(),
        stream=sse_stream({"kind": "start", "model": "large-2"}, *events, {"kind": "stop", **STOP}),
        usage=(12, 5),
        **expected,
    )


def refusal(**error: str) -> bytes:
    return json.dumps({"error": error}).encode()


class TestAcme(ProviderConformance):
    plugin = dragoman_acme  # once it is installed, provider = "acme" checks the entry point too
    model = "large"
    settings = {"api_key": "test-key-123456"}
    text = exchange({"kind": "text", "text": "Hel"}, {"kind": "text", "text": "lo"}, text="Hello")
    tool_call = exchange(
        {"kind": "text", "text": "Let me see."},
        {"kind": "call", "id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
        text="Let me see.",
        calls=[("weather", {"city": "Paris"})],
    )
    errors = (
        ErrorCase(
            status=400,
            body=refusal(message="too long", code="prompt_too_long"),
            raises=ContextWindowExceededError,
            message="too long",
        ),
        ErrorCase(
            status=429,
            headers={"retry-after": "7"},
            body=refusal(message="slower, please"),
            raises=RateLimitError,
            message="slower",
            retry_after=7,
        ),
        ErrorCase(
            status=503,
            body=refusal(message="closed"),
            stream=sse_stream({"kind": "error", "status": 503, "error": {"message": "closed"}}),
            raises=ServiceUnavailableError,
            message="closed",
        ),
    )
