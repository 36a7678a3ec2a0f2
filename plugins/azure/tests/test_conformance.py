"""The kit, on answers as Azure gives them: OpenAI's, with its own `content_filters`."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

Event = dict[str, Any]

RESPONSE = {
    "id": "resp_az1",
    "object": "response",
    "created_at": 1_770_000_000,
    "content_filters": [
        {
            "blocked": False,
            "source_type": "prompt",
            "content_filter_results": {"jailbreak": {"detected": False, "filtered": False}},
        }
    ],
    "error": None,
    "incomplete_details": None,
    "metadata": {},
    "model": "my-deployment",
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tools": [],
}
USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 21,
}


def item(begun: Event, done: Event, *between: Event) -> tuple[Event, list[Event]]:
    """Return a whole item, and its events without their numbers."""
    whole = {**begun, **done, "status": "completed"}
    return whole, [
        {"type": "response.output_item.added", "item": {**begun, "status": "in_progress"}},
        *({**event, "item_id": begun["id"]} for event in between),
        {"type": "response.output_item.done", "item": whole},
    ]


def message(text: str) -> tuple[Event, list[Event]]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    place = {"content_index": 0}
    middle = len(text) // 2
    return item(
        {"id": "msg_az1", "type": "message", "role": "assistant", "content": []},
        {"content": [part]},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *(
            {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            for piece in (text[:middle], text[middle:])
        ),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
    )


def call(name: str, arguments: str) -> tuple[Event, list[Event]]:
    stem = "response.function_call_arguments"
    return item(
        {"id": "fc_az1", "type": "function_call", "call_id": "call_az1", "name": name, "arguments": ""},
        {"arguments": arguments},
        {"type": f"{stem}.delta", "delta": arguments},
        {"type": f"{stem}.done", "name": name, "arguments": arguments},
    )


def thoughts(text: str) -> tuple[Event, list[Event]]:
    part = {"type": "summary_text", "text": text}
    place = {"summary_index": 0}
    stem = "response.reasoning_summary"
    return item(
        {"id": "rs_az1", "type": "reasoning", "summary": []},
        {"summary": [part], "encrypted_content": "Zm9yIEF6dXJl"},
        {"type": f"{stem}_part.added", **place, "part": {**part, "text": ""}},
        {"type": f"{stem}_text.delta", **place, "delta": text},
        {"type": f"{stem}_text.done", **place, "text": text},
        {"type": f"{stem}_part.done", **place, "part": part},
    )


def exchange(*items: tuple[Event, list[Event]], reason: str | None = None, **expected: Any) -> Exchange:
    status = "incomplete" if reason else "completed"
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None, "content_filters": None}
    done = {**RESPONSE, "status": status, "output": [whole for whole, _ in items], "usage": USAGE}
    if reason:
        done["incomplete_details"] = {"reason": reason}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *({**event, "output_index": index} for index, (_, told) in enumerate(items) for event in told),
        {"type": f"response.{status}", "response": done},
    ]
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return Exchange(
        body=json.dumps(done).encode(),
        stream=sse_stream(*numbered, named_by="type"),
        usage=(12, 9),
        status=status,
        **expected,
    )


def refusal(raises: type[APIError], status: int, said: str, message: str, **more: Any) -> ErrorCase:
    body = json.dumps({"error": {"code": said, "message": message, **more.pop("error", {})}}).encode()
    return ErrorCase(raises=raises, status=status, body=body, message=message, **more)


class TestAzure(ProviderConformance):
    provider = "azure"
    model = "my-deployment"
    settings = {"api_key": "azure-test-key-123456", "api_base": "https://here.openai.azure.com"}
    token_count = (b'{"object": "response.input_tokens", "input_tokens": 14}', 14)
    compaction = (
        b'{"object": "response.compaction", "output": [{"type": "compaction", "x": 1}], "usage": null}',
        [{"type": "compaction", "x": 1}],
    )
    text = exchange(message("Grüße aus Azure"), text="Grüße aus Azure")
    tool_call = exchange(
        call("get_weather", '{"city":"Zürich"}'), calls=[("get_weather", {"city": "Zürich"})]
    )
    reasoning = exchange(
        thoughts("They greet me."),
        message("Hello"),
        text="Hello",
        reasoning="They greet me.",
        request={"reasoning": {"effort": "high", "summary": "auto"}},
    )
    exchanges = {
        "filtered": exchange(message("Once upon"), reason="content_filter", text="Once upon"),
    }
    errors = (
        refusal(
            AuthenticationError,
            401,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint.",
            code="401",
        ),
        refusal(
            NotFoundError,
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist.",
            code="DeploymentNotFound",
        ),
        refusal(
            ContentPolicyViolationError,
            400,
            "content_filter",
            "The prompt was filtered.",
            error={"param": "prompt", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
            param="prompt",
        ),
        refusal(
            ContextWindowExceededError,
            400,
            "context_length_exceeded",
            "Your input exceeds the context window of this model.",
        ),
        refusal(BadRequestError, 400, "BadRequest", "API version not supported", code="BadRequest"),
        refusal(
            RateLimitError,
            429,
            "RateLimitReached",
            "The deployment has exceeded its rate limit. Please retry after 27 seconds.",
            code="RateLimitReached",
            retry_after=27.0,
        ),
        refusal(InternalServerError, 500, "500", "Internal server error", code="500"),
    )
