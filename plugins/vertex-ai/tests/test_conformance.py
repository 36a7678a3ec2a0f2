"""The kit, for each family behind Vertex AI: answers as Google's and Anthropic's models give them there."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json
from typing import Any

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

SETTINGS = {
    "vertex_project": "my-project",
    "vertex_location": "europe-west4",
    "vertex_access_token": "vertex-test-token-123456",
}


class _Family(ProviderConformance):
    provider = "vertex_ai"
    settings = SETTINGS


# ---- Gemini -----------------------------------------------------------------------------------------


def chunk(*parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, **candidate}],
        "modelVersion": "gemini-3.5-flash",
        "createTime": "2026-05-01T10:00:00Z",
        "responseId": "r1",
        "usageMetadata": {
            "promptTokenCount": 20,
            "candidatesTokenCount": 10,
            "thoughtsTokenCount": 20,
            "trafficType": "ON_DEMAND",
        },
    }


def generated(*chunks: list[dict[str, Any]], finish: str = "STOP", **expected: Any) -> Exchange:
    last = {"finishReason": finish}
    whole: list[dict[str, Any]] = []
    for part in (part for parts in chunks for part in parts):
        if whole and part.keys() == whole[-1].keys() and "text" in part:
            whole[-1] = {**part, "text": whole[-1]["text"] + part["text"]}
        else:
            whole.append(part)
    events = [chunk(*parts, **(last if parts is chunks[-1] else {})) for parts in chunks]
    return Exchange(
        body=json.dumps(chunk(*whole, **last)).encode(),
        stream=sse_stream(*events).replace(b"\n", b"\r\n"),
        usage=(20, 30),
        **expected,
    )


def said_by_google(number: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    error = {"error": {"code": number, "message": message, "status": status, "details": list(details)}}
    return {"status": number, "body": json.dumps(error).encode(), "message": message}


CALL = {
    "functionCall": {"name": "get_weather", "args": {"city": "Paris"}, "id": "vc1"},
    "thoughtSignature": "c2ln",
}


class TestGemini(_Family):
    model = "gemini-3.5-flash"
    token_count = (b'{"totalTokens": 36, "totalBillableCharacters": 123}', 36)
    text = generated([{"text": "Grü"}], [{"text": "ße "}], [{"text": "to you"}], text="Grüße to you")
    tool_call = generated(
        [{"text": "Let me "}],
        [{"text": "see."}],
        [CALL],
        text="Let me see.",
        calls=[("get_weather", {"city": "Paris"})],
    )
    reasoning = generated(
        [{"text": "They greet", "thought": True}],
        [{"text": " me.", "thought": True}],
        [{"text": "Hello", "thoughtSignature": "c2ln"}],
        text="Hello",
        reasoning="They greet me.",
        request={"reasoning": {"effort": "high", "summary": "auto"}},
    )
    exchanges = {
        "cut off": generated(
            [{"text": "Once"}],
            [{"text": " upon"}],
            finish="MAX_TOKENS",
            text="Once upon",
            status="incomplete",
        )
    }
    errors = (
        ErrorCase(
            raises=ContextWindowExceededError,
            code="context_length_exceeded",
            **said_by_google(
                400,
                "INVALID_ARGUMENT",
                "The input token count (2000001) exceeds the maximum number of tokens allowed (1048576).",
            ),
        ),
        ErrorCase(
            raises=AuthenticationError,
            **said_by_google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        ),
        ErrorCase(
            raises=PermissionDeniedError,
            **said_by_google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied"),
        ),
        ErrorCase(
            raises=NotFoundError,
            code="model_not_found",
            **said_by_google(404, "NOT_FOUND", "Publisher Model `projects/p/m` not found."),
        ),
        ErrorCase(
            raises=RateLimitError,
            retry_after=34.5,
            **said_by_google(429, "RESOURCE_EXHAUSTED", "Resource exhausted.", {"retryDelay": "34.5s"}),
        ),
        ErrorCase(
            raises=ServiceUnavailableError,
            **said_by_google(503, "UNAVAILABLE", "The service is currently unavailable."),
        ),
    )
    samples = {
        "model": "gemini-2.5-pro",
        "service_tier": "flex",
        "stop": "END",
        "top_k": 5,
        "seed": 7,
        "stop_sequences": ["END"],
        "response_modalities": ["TEXT"],
        "speech_config": {"languageCode": "de-DE"},
        "image_config": {"aspectRatio": "1:1"},
        "media_resolution": "MEDIA_RESOLUTION_LOW",
        "thinking_config": {"includeThoughts": True},
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cached_content": "projects/1/locations/europe-west4/cachedContents/2",
        "labels": {"team": "a"},
        "model_armor_config": {"promptTemplateName": "t"},
    }


# ---- Claude -----------------------------------------------------------------------------------------

MESSAGE = {"id": "msg_vrtx_01", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 30,
}


def block(whole: dict[str, Any], *deltas: dict[str, Any], **start: Any) -> tuple[dict[str, Any], list[Any]]:
    return whole, [
        {"type": "content_block_start", "content_block": {**whole, **start}},
        *({"type": "content_block_delta", "delta": delta} for delta in deltas),
        {"type": "content_block_stop"},
    ]


def spoken(*pieces: str) -> tuple[dict[str, Any], list[Any]]:
    deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
    return block({"type": "text", "text": "".join(pieces)}, *deltas, text="")


def messages(*blocks: Any, stop: str = "end_turn", **expected: Any) -> Exchange:
    content = [whole for whole, _ in blocks]
    whole = {**MESSAGE, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": USAGE}
    begun: dict[str, Any] = {**MESSAGE, "content": [], "stop_reason": None, "stop_sequence": None}
    return Exchange(
        body=json.dumps(whole).encode(),
        stream=sse_stream(
            {"type": "message_start", "message": {**begun, "usage": {**USAGE, "output_tokens": 1}}},
            {"type": "ping"},
            *({**event, "index": index} for index, (_, events) in enumerate(blocks) for event in events),
            {
                "type": "message_delta",
                "delta": {"stop_reason": stop, "stop_sequence": None},
                "usage": {"output_tokens": 30},
            },
            {"type": "message_stop"},
            named_by="type",
        ),
        usage=(20, 30),
        **expected,
    )


def said_by_anthropic(status: int, type_: str, message: str) -> dict[str, Any]:
    error = {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_vrtx_01"}
    return {
        "status": status,
        "body": json.dumps(error).encode(),
        "stream": sse_stream({"type": "ping"}, error, named_by="type"),
        "message": message,
    }


class TestClaude(_Family):
    model = "claude-opus-4-8"
    token_count = (b'{"input_tokens": 14}', 14)
    text = messages(spoken("Grü", "ße ", "to you"), text="Grüße to you")
    tool_call = messages(
        spoken("Let me see."),
        block(
            {
                "type": "tool_use",
                "id": "toolu_vrtx_01",
                "name": "get_weather",
                "input": {"city": "Paris"},
            },
            {"type": "input_json_delta", "partial_json": '{"city"'},
            {"type": "input_json_delta", "partial_json": ': "Paris"}'},
            input={},
        ),
        stop="tool_use",
        text="Let me see.",
        calls=[("get_weather", {"city": "Paris"})],
    )
    reasoning = messages(
        block(
            {"type": "thinking", "thinking": "They greet me.", "signature": "c2ln"},
            {"type": "thinking_delta", "thinking": "They greet me."},
            {"type": "signature_delta", "signature": "c2ln"},
            thinking="",
            signature="",
        ),
        spoken("Hello"),
        text="Hello",
        reasoning="They greet me.",
        request={"reasoning": {"effort": "high", "summary": "auto"}},
    )
    exchanges = {
        "cut off": messages(spoken("Once", " upon"), stop="max_tokens", text="Once upon", status="incomplete")
    }
    errors = (
        ErrorCase(
            raises=BadRequestError,
            param="messages.0.content",
            **said_by_anthropic(400, "invalid_request_error", "messages.0.content: Field required"),
        ),
        ErrorCase(
            raises=RateLimitError,
            **said_by_google(
                429, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/tokens"
            ),
        ),
        ErrorCase(raises=RateLimitError, **said_by_anthropic(429, "rate_limit_error", "too many requests")),
        ErrorCase(raises=InternalServerError, **said_by_anthropic(500, "api_error", "Internal server error")),
        ErrorCase(raises=ServiceUnavailableError, **said_by_anthropic(529, "overloaded_error", "Overloaded")),
    )
    samples = {
        "model": "claude-sonnet-5",
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "top_k": 5,
        "stop": "END",
        "stop_sequences": ["END"],
        "mcp_servers": [{"type": "url", "url": "https://maps.example/mcp", "name": "maps"}],
        "container": "container_01",
        "cache_control": {"type": "ephemeral"},
        "output_config": {"effort": "low"},
        "betas": ["context-1m-2025-08-07"],
        "inference_geo": "us",
        "prompt_cache_options": {"mode": "implicit", "ttl": "12h"},
    }
