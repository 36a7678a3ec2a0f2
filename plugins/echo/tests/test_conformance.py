"""Echo is a provider like any other: it passes the kit."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import BadRequestError, RateLimitError, ServiceUnavailableError
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

START = {"type": "start", "model": "echo", "input_tokens": 3}
END = [
    {"type": "finish", "reason": "completed"},
    {"type": "usage", "usage": {"output_tokens": 4}},
    {"type": "end"},
]
STATE = {"type": "reasoning_state", "state": {"text": "Greetings are returned."}}
CALL = {"type": "call", "id": "call_echo_1", "name": "get_weather"}


def exchange(blocks: list[Any], streamed: list[Any], **expected: Any) -> Exchange:
    return Exchange(
        body=json.dumps({"blocks": [START, *blocks, *END]}).encode(),
        stream=sse_stream(START, *streamed, *END, named_by="type"),
        usage=(3, 4),
        **expected,
    )


def pieces(type_: str, *texts: str) -> list[dict[str, Any]]:
    return [{"type": type_, "text": piece} for piece in texts]


def refused(status: int, message: str, **fields: Any) -> dict[str, Any]:
    error = {"status": status, "message": message, **fields}
    return {
        "status": status,
        "body": json.dumps({"error": {"message": message, **fields}}).encode(),
        "stream": sse_stream(START, {"type": "error", "error": error}, named_by="type"),
        "message": message,
    }


class TestEcho(ProviderConformance):
    provider = "echo"
    model = "echo"
    text = exchange(pieces("text", "Hello, Grüße"), pieces("text", "Hello,", " Grüße"), text="Hello, Grüße")
    tool_call = exchange(
        [CALL, *pieces("arguments", '{"city": "Paris"}')],
        [CALL, *pieces("arguments", '{"city":', ' "Paris"}')],
        calls=[("get_weather", {"city": "Paris"})],
    )
    reasoning = exchange(
        [*pieces("reasoning", "Greetings are returned."), STATE, *pieces("text", "Hello")],
        [*pieces("reasoning", "Greetings are", " returned."), STATE, *pieces("text", "Hello")],
        reasoning="Greetings are returned.",
        text="Hello",
    )
    errors = (
        ErrorCase(raises=RateLimitError, **refused(429, "slower")),
        ErrorCase(raises=ServiceUnavailableError, **refused(503, "away")),
        ErrorCase(
            raises=BadRequestError, param="input", code="odd", **refused(400, "no", param="input", code="odd")
        ),
    )
