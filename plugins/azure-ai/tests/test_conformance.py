"""The kit, for each wire: answers as Foundry's models and Claude give them there.

What a parameter becomes is judged by the deployment's own table; that the provider's table is all of them
together is judged in test_parameters.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
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
    ServiceUnavailableError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream


class _Wire(ProviderConformance):
    provider = "azure_ai"
    settings = {"api_key": "azure-ai-test-key-123456", "api_base": "https://here.services.ai.azure.com"}


def refusal(status: int, said: Any, message: str, **expected: Any) -> ErrorCase:
    return ErrorCase(status=status, body=json.dumps(said).encode(), message=message, **expected)


BAD_KEY = refusal(
    401,
    {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}},
    "Access denied",
    raises=AuthenticationError,
)


# ---- Chat Completions -----------------------------------------------------------------------------------

ABOUT = {"id": "41c7", "object": "chat.completion.chunk", "created": 1, "model": "DeepSeek-V3.2"}
CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 30,
    "total_tokens": 50,
    "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 4},
}


def completion(message: dict[str, Any], *deltas: dict[str, Any], stop: str = "stop", **said: Any) -> Exchange:
    """Return an answer as Foundry's models write it: every field of a delta named, most of them null."""
    blank = {"role": None, "content": None, "reasoning_content": None, "tool_calls": None}
    choice = {"index": 0, "message": {**blank, "role": "assistant", **message}, "finish_reason": stop}
    whole = {**ABOUT, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE}
    chunks = [
        {
            **ABOUT,
            "choices": [{"index": 0, "delta": {**blank, **delta}, "finish_reason": None}],
            "usage": None,
        }
        for delta in ({"role": "assistant", "content": ""}, *deltas)
    ]
    chunks.append({**ABOUT, "choices": [{"index": 0, "delta": blank, "finish_reason": stop}], "usage": None})
    chunks.append({**ABOUT, "choices": [], "usage": CHAT_USAGE})
    return Exchange(
        body=json.dumps(whole).encode(),
        stream=sse_stream(*chunks) + b"data: [DONE]\n\n",
        usage=(20, 30),
        **said,
    )


CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
}


class TestChat(_Wire):
    model = "DeepSeek-V3.2"
    text = completion(
        {"content": "Grüße to you"},
        {"content": "Grü"},
        {"content": "ße "},
        {"content": "to you"},
        text="Grüße to you",
    )
    tool_call = completion(
        {"content": "Let me see.", "tool_calls": [CALL]},
        {"content": "Let me see."},
        {"tool_calls": [CALL]},
        stop="tool_calls",
        text="Let me see.",
        calls=[("get_weather", {"city": "Oslo"})],
    )
    reasoning = completion(
        {"reasoning_content": "They greet me.", "content": "Hello"},
        {"reasoning_content": "They greet"},
        {"reasoning_content": " me."},
        {"content": "Hello"},
        reasoning="They greet me.",
        text="Hello",
        request={"reasoning": {"effort": "high"}},
    )
    exchanges = {
        "cut off": completion(
            {"content": "Once upon"},
            {"content": "Once"},
            {"content": " upon"},
            stop="length",
            text="Once upon",
            status="incomplete",
        ),
        "filtered": completion(
            {"content": "Take"}, {"content": "Take"}, stop="content_filter", text="Take", status="incomplete"
        ),
    }
    errors = (
        BAD_KEY,
        refusal(
            404,
            {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}},
            "does not exist",
            raises=NotFoundError,
            code="model_not_found",
        ),
        refusal(
            400,
            {
                "error": {
                    "message": "The response was filtered due to the prompt triggering Microsoft's "
                    "content management policy.",
                    "type": None,
                    "param": "prompt",
                    "code": "content_filter",
                    "status": 400,
                }
            },
            "filtered",
            raises=ContentPolicyViolationError,
            param="prompt",
        ),
        refusal(
            400,
            {"object": "error", "message": "This model's maximum context length is 131072 tokens."},
            "131072",
            raises=ContextWindowExceededError,
        ),
        refusal(
            429,
            {"error": {"code": "RateLimitReached", "message": "Please retry after 27 seconds."}},
            "27 seconds",
            raises=RateLimitError,
            code="rate_limit_exceeded",
            retry_after=27.0,
        ),
        refusal(500, {"error": {"code": "500", "message": "oh no"}}, "oh no", raises=InternalServerError),
    )
    samples = {
        "model": "grok-4", "seed": 7, "stop": ["END"], "logit_bias": {"5": 1}, "top_k": 5, "min_p": 0.1,
        "repetition_penalty": 1.1, "chat_template_kwargs": {"a": 1}, "thinking": {"type": "enabled"},
        "safe_prompt": True, "modalities": ["text"], "audio": {"voice": "alloy"},
        "prediction": {"type": "content", "content": "x"},
    }  # fmt: skip


# ---- Messages -------------------------------------------------------------------------------------------

ABOUT_CLAUDE = {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5"}
# Foundry leaves out the cache's counters and `stop_sequence`, and adds where the model ran.
CLAUDE_USAGE = {
    "input_tokens": 20,
    "output_tokens": 30,
    "service_tier": "standard",
    "inference_geo": "global",
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


def message(*blocks: Any, stop: str = "end_turn", **said: Any) -> Exchange:
    whole = {
        **ABOUT_CLAUDE,
        "content": [whole for whole, _ in blocks],
        "stop_reason": stop,
        "usage": CLAUDE_USAGE,
    }
    begun = {**ABOUT_CLAUDE, "content": [], "usage": {**CLAUDE_USAGE, "output_tokens": 1}}
    return Exchange(
        body=json.dumps(whole).encode(),
        stream=sse_stream(
            {"type": "message_start", "message": begun},
            {"type": "ping"},
            *({**event, "index": index} for index, (_, events) in enumerate(blocks) for event in events),
            {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 30}},
            {"type": "message_stop"},
            named_by="type",
        ),
        usage=(20, 30),
        **said,
    )


def of_claude(status: int, type_: str, message: str, **expected: Any) -> ErrorCase:
    said = {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_01"}
    stream = sse_stream({"type": "ping"}, said, named_by="type")
    return refusal(status, said, message, stream=stream, **expected)


class TestClaude(_Wire):
    model = "claude-opus-5"
    token_count = (b'{"input_tokens": 14}', 14)
    text = message(spoken("Grü", "ße ", "to you"), text="Grüße to you")
    tool_call = message(
        spoken("Let me see."),
        block(
            {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Oslo"}},
            {"type": "input_json_delta", "partial_json": '{"city"'},
            {"type": "input_json_delta", "partial_json": ': "Oslo"}'},
            input={},
        ),
        stop="tool_use",
        text="Let me see.",
        calls=[("get_weather", {"city": "Oslo"})],
    )
    reasoning = message(
        block(
            {"type": "thinking", "thinking": "They greet me.", "signature": "c2ln"},
            {"type": "thinking_delta", "thinking": "They greet me."},
            {"type": "signature_delta", "signature": "c2ln"},
            thinking="",
            signature="",
        ),
        spoken("Hello"),
        reasoning="They greet me.",
        text="Hello",
        request={"reasoning": {"effort": "high", "summary": "auto"}},
    )
    exchanges = {
        "cut off": message(spoken("Once", " upon"), stop="max_tokens", text="Once upon", status="incomplete")
    }
    errors = (
        BAD_KEY,
        of_claude(
            400,
            "invalid_request_error",
            "messages.0.content: Field required",
            raises=BadRequestError,
            param="messages.0.content",
        ),
        of_claude(429, "rate_limit_error", "too many requests", raises=RateLimitError),
        of_claude(529, "overloaded_error", "Overloaded", raises=ServiceUnavailableError),
    )
    samples = {
        "model": "claude-sonnet-5",
        "thinking": {"type": "adaptive"},
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


# ---- Responses ------------------------------------------------------------------------------------------

PART = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
ITEM: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [PART],
}  # fmt: skip
RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "ours",
    "output": [ITEM], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "content_filters": [{"blocked": False, "source_type": "prompt"}],
}  # fmt: skip
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0,
     "item": {**ITEM, "content": [], "status": "in_progress"}},
    {"type": "response.content_part.added", **PLACE, "part": {**PART, "text": ""}},
    {"type": "response.output_text.delta", **PLACE, "delta": "Hello", "logprobs": []},
    {"type": "response.output_text.done", **PLACE, "text": "Hello", "logprobs": []},
    {"type": "response.content_part.done", **PLACE, "part": PART},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
    {"type": "response.completed", "response": RESPONSE},
]  # fmt: skip


class TestResponses(_Wire):
    model = "responses/ours"
    token_count = (b'{"object": "response.input_tokens", "input_tokens": 14}', 14)
    compaction = (
        b'{"object": "response.compaction", "output": [{"type": "compaction", "x": 1}], "usage": null}',
        [{"type": "compaction", "x": 1}],
    )
    text = Exchange(
        body=json.dumps(RESPONSE).encode(),
        stream=sse_stream(
            *({**event, "sequence_number": number} for number, event in enumerate(EVENTS)), named_by="type"
        ),
        text="Hello",
    )
    errors = (BAD_KEY,)
