"""The kit, on answers of the Messages API."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    ServiceUnavailableError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 30,
}
ENVELOPE = {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
PING = {"type": "ping"}
QUERY = {"query": "tallest tower"}
CITATION = {
    "type": "web_search_result_location",
    "cited_text": "It is 828 m high.",
    "url": "https://towers.example/tallest",
    "title": "Towers",
    "encrypted_index": "aW5kZXg=",
}
RESULTS = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_01",
    "content": [
        {
            "type": "web_search_result",
            "url": "https://towers.example/tallest",
            "title": "Towers",
            "encrypted_content": "Y29udGVudA==",
            "page_age": "2 days ago",
        }
    ],
}


def block(whole: dict[str, Any], *deltas: dict[str, Any], **start: Any) -> tuple[dict[str, Any], list[Any]]:
    """Return a block of a message, and its events but for their index."""
    return whole, [
        {"type": "content_block_start", "content_block": {**whole, **start}},
        *({"type": "content_block_delta", "delta": delta} for delta in deltas),
        {"type": "content_block_stop"},
    ]


def spoken(*pieces: str) -> tuple[dict[str, Any], list[Any]]:
    deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
    return block({"type": "text", "text": "".join(pieces)}, *deltas, text="")


def call(type_: str, id_: str, name: str, arguments: dict[str, Any], *pieces: str) -> Any:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block({"type": type_, "id": id_, "name": name, "input": arguments}, *deltas, input={})


def exchange(*blocks: Any, stop: str = "end_turn", **expected: Any) -> Exchange:
    content = [whole for whole, _ in blocks]
    message = {**ENVELOPE, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": USAGE}
    begun: dict[str, Any] = {**ENVELOPE, "content": [], "stop_reason": None, "stop_sequence": None}
    return Exchange(
        body=json.dumps(message).encode(),
        stream=sse_stream(
            {"type": "message_start", "message": {**begun, "usage": {**USAGE, "output_tokens": 1}}},
            PING,
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


def refusal(status: int, type_: str, message: str) -> dict[str, Any]:
    error = {"type": "error", "error": {"type": type_, "message": message}}
    return {
        "status": status,
        "body": json.dumps({**error, "request_id": "req_01"}).encode(),
        "stream": sse_stream(PING, error, named_by="type"),
        "message": message,
    }


class TestAnthropic(ProviderConformance):
    provider = "anthropic"
    model = "claude-opus-4-8"
    settings = {"api_key": "sk-ant-test-key-123456"}
    token_count = (b'{"input_tokens": 14}', 14)
    text = exchange(spoken("Grü", "ße ", "to you"), text="Grüße to you")
    tool_call = exchange(
        spoken("Let me see."),
        call("tool_use", "toolu_01", "get_weather", {"city": "Paris"}, "", '{"city"', ': "Paris"}'),
        call("tool_use", "toolu_02", "get_time", {}, ""),
        stop="tool_use",
        text="Let me see.",
        calls=[("get_weather", {"city": "Paris"}), ("get_time", {})],
    )
    reasoning = exchange(
        block(
            {"type": "thinking", "thinking": "They greet me.", "signature": "c2ln"},
            {"type": "thinking_delta", "thinking": "They greet"},
            {"type": "thinking_delta", "thinking": " me."},
            {"type": "signature_delta", "signature": "c2ln"},
            thinking="",
            signature="",
        ),
        block({"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="}),
        spoken("Hello"),
        text="Hello",
        reasoning="They greet me.",
        request={"reasoning": {"effort": "high"}, "max_output_tokens": 32_000},
    )
    exchanges = {
        "cut off": exchange(
            spoken("Once", " upon"), stop="max_tokens", text="Once upon", status="incomplete"
        ),
        "custom tool": exchange(
            call(
                "tool_use",
                "toolu_03",
                "run_code",
                {"input": 'print("hi")\n'},
                '{"input": "pri',
                'nt(\\"hi\\")\\n"}',
            ),
            stop="tool_use",
            calls=[("run_code", 'print("hi")\n')],
        ),
        "web search": exchange(
            call("server_tool_use", "srvtoolu_01", "web_search", QUERY, json.dumps(QUERY)),
            block(RESULTS),
            block(
                {"type": "text", "text": "828 metres.", "citations": [CITATION]},
                {"type": "citations_delta", "citation": CITATION},
                {"type": "text_delta", "text": "828 metres."},
                text="",
                citations=[],
            ),
            text="828 metres.",
            request={"tools": [{"type": "web_search"}]},
        ),
    }
    errors = (
        ErrorCase(
            raises=BadRequestError,
            param="messages.0.content",
            **refusal(400, "invalid_request_error", "messages.0.content: Field required"),
        ),
        ErrorCase(
            raises=ContextWindowExceededError,
            code="context_length_exceeded",
            **refusal(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
        ),
        ErrorCase(raises=AuthenticationError, **refusal(401, "authentication_error", "invalid x-api-key")),
        ErrorCase(
            raises=NotFoundError, code="model_not_found", **refusal(404, "not_found_error", "model: claude-9")
        ),
        ErrorCase(raises=RateLimitError, **refusal(429, "rate_limit_error", "too many requests")),
        ErrorCase(raises=InternalServerError, **refusal(500, "api_error", "Internal server error")),
        ErrorCase(raises=ServiceUnavailableError, **refusal(529, "overloaded_error", "Overloaded")),
    )
    samples = {
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
