"""The kit, on answers of OpenAI's own: they are relayed."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 5},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 10},
    "total_tokens": 50,
}
RESPONSE = {
    "id": "resp_01",
    "object": "response",
    "created_at": 1_760_000_000,
    "error": None,
    "incomplete_details": None,
    "model": "gpt-5.4-2026-03-05",
    "metadata": {},
    "service_tier": "default",
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tools": [],
}


class Written:
    """One item, and the events that stream it but for sequence_number and output_index."""

    def __init__(self, item: dict[str, Any], *between: dict[str, Any], **begun: Any) -> None:
        self.item = {**item, "status": "completed"}
        self.events = [
            {"type": "response.output_item.added", "item": {**item, "status": "in_progress", **begun}},
            *({**event, "item_id": item["id"]} for event in between),
            {"type": "response.output_item.done", "item": self.item},
        ]


def message(*pieces: str) -> Written:
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    part = {**empty, "text": "".join(pieces)}
    place = {"content_index": 0}
    return Written(
        {"id": "msg_01", "type": "message", "role": "assistant", "content": [part]},
        {"type": "response.content_part.added", **place, "part": empty},
        *(
            {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            for piece in pieces
        ),
        {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        content=[],
    )


def call(type_: str, field: str, name: str, *pieces: str) -> Written:
    stem = {"function_call": "function_call_arguments", "custom_tool_call": "custom_tool_call_input"}[type_]
    whole = "".join(pieces)
    return Written(
        {"id": f"fc_{name}", "type": type_, "call_id": f"call_{name}", "name": name, field: whole},
        *({"type": f"response.{stem}.delta", "delta": piece} for piece in pieces),
        {"type": f"response.{stem}.done", field: whole},
        **{field: ""},
    )


def thoughts(*pieces: str) -> Written:
    empty = {"type": "summary_text", "text": ""}
    part = {**empty, "text": "".join(pieces)}
    place = {"summary_index": 0}
    stem = "response.reasoning_summary"
    return Written(
        {"id": "rs_01", "type": "reasoning", "summary": [part], "encrypted_content": "b3BhcXVl"},
        {"type": f"{stem}_part.added", **place, "part": empty},
        *({"type": f"{stem}_text.delta", **place, "delta": piece} for piece in pieces),
        {"type": f"{stem}_text.done", **place, "text": part["text"]},
        {"type": f"{stem}_part.done", **place, "part": part},
        summary=[],
    )


def exchange(*written: Written, reason: str | None = None, **expected: Any) -> Exchange:
    status = "incomplete" if reason else "completed"
    done = {**RESPONSE, "status": status, "output": [each.item for each in written], "usage": USAGE}
    if reason:
        done["incomplete_details"] = {"reason": reason}
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *({**event, "output_index": index} for index, each in enumerate(written) for event in each.events),
        {"type": f"response.{status}", "response": done},
    ]
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return Exchange(
        body=json.dumps(done).encode(),
        stream=sse_stream(*numbered, named_by="type"),
        usage=(20, 30),
        status=status,
        **expected,
    )


def refusal(status: int, message: str, type_: str, code: str | None = None, param: str | None = None) -> Any:
    error = {"message": message, "type": type_, "param": param, "code": code}
    return {
        "status": status,
        "body": json.dumps({"error": error}).encode(),
        "message": message,
        "param": param,
    }


class TestOpenAI(ProviderConformance):
    provider = "openai"
    model = "gpt-5.4"
    settings = {"api_key": "sk-test-key-123456"}
    token_count = (b'{"object": "response.input_tokens", "input_tokens": 14}', 14)
    compaction = (
        b'{"object": "response.compaction", "output": [{"type": "compaction", "x": 1}], "usage": null}',
        [{"type": "compaction", "x": 1}],
    )
    text = exchange(message("Grü", "ße"), text="Grüße")
    tool_call = exchange(
        message("Let me see."),
        call("function_call", "arguments", "get_weather", '{"city"', ':"Paris"}'),
        call("custom_tool_call", "input", "run_code", "print", "(1)"),
        text="Let me see.",
        calls=[("get_weather", {"city": "Paris"}), ("run_code", "print(1)")],
    )
    reasoning = exchange(
        thoughts("They greet", " me."),
        message("Hello"),
        text="Hello",
        reasoning="They greet me.",
        request={
            "reasoning": {"effort": "high", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
        },
    )
    exchanges = {"cut off": exchange(message("Once", " upon"), reason="max_output_tokens", text="Once upon")}
    errors = (
        ErrorCase(
            raises=BadRequestError,
            code="invalid_value",
            **refusal(400, "Invalid value: 'x'.", "invalid_request_error", "invalid_value", "tools[0].type"),
        ),
        ErrorCase(
            raises=ContextWindowExceededError,
            **refusal(
                400,
                "Your input exceeds the context window of this model.",
                "invalid_request_error",
                "context_length_exceeded",
                "input",
            ),
        ),
        ErrorCase(
            raises=ContentPolicyViolationError,
            **refusal(
                400,
                "Your request was rejected as a result of our safety system.",
                "image_generation_user_error",
                "moderation_blocked",
            ),
        ),
        ErrorCase(
            raises=AuthenticationError,
            code="invalid_api_key",
            **refusal(
                401, "Incorrect API key provided: sk-t***3456.", "invalid_request_error", "invalid_api_key"
            ),
        ),
        ErrorCase(
            raises=NotFoundError,
            code="model_not_found",
            **refusal(
                404, "The model 'gpt-9' does not exist.", "invalid_request_error", "model_not_found", "model"
            ),
        ),
        ErrorCase(
            raises=RateLimitError,
            retry_after=1.5,
            stream=sse_stream(
                {
                    "type": "error",
                    "sequence_number": 0,
                    "error": {
                        "type": "tokens",
                        "code": "rate_limit_exceeded",
                        "message": "Rate limit reached. Please try again in 1.5s.",
                        "param": None,
                    },
                },
                named_by="type",
            ),
            **refusal(429, "Rate limit reached. Please try again in 1.5s.", "tokens", "rate_limit_exceeded"),
        ),
        ErrorCase(raises=InternalServerError, **refusal(500, "The server had an error.", "server_error")),
    )
