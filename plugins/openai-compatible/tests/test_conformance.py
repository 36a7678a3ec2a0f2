"""The kit, on answers of Chat Completions, for a server without a row and for hosts with one."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContextWindowExceededError,
    NotFoundError,
    RateLimitError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream
from dragoman.testing.checks.requests import RequestChecks
from dragoman_openai_compatible.hosts import HOSTS

ABOUT = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "large"}
USAGE = {"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50}


def exchange(
    message: dict[str, Any], *deltas: dict[str, Any], stop: str = "stop", **expected: Any
) -> Exchange:
    whole = {
        **ABOUT,
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": stop}
        ],
        "usage": USAGE,
    }
    chunks = [
        {**ABOUT, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in ({"role": "assistant", "content": ""}, *deltas)
    ]
    chunks.append({**ABOUT, "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    chunks.append({**ABOUT, "choices": [], "usage": USAGE})
    return Exchange(
        body=json.dumps(whole).encode(),
        stream=sse_stream(*chunks) + b"data: [DONE]\n\n",
        usage=(20, 30),
        **expected,
    )


def call(index: int, id_: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": id_, "type": "function", "function": function}


def piece(index: int, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


TEXT = exchange(
    {"content": "Grüße to you"},
    {"content": "Grü"},
    {"content": "ße "},
    {"content": "to you"},
    text="Grüße to you",
)
TOOL_CALL = exchange(
    {
        "content": "Let me see.",
        "tool_calls": [
            call(0, "call_1", "get_weather", '{"city": "Paris"}'),
            call(1, "call_2", "get_time", ""),
        ],
    },
    {"content": "Let me see."},
    {"tool_calls": [call(0, "call_1", "get_weather", "")]},
    piece(0, '{"city"'),
    piece(0, ': "Paris"}'),
    {"tool_calls": [call(1, "call_2", "get_time", "")]},
    stop="tool_calls",
    text="Let me see.",
    calls=[("get_weather", {"city": "Paris"}), ("get_time", {})],
)
REASONING = exchange(
    {"content": "Hello", "reasoning_content": "They greet me."},
    {"reasoning_content": "They greet"},
    {"reasoning_content": " me."},
    {"content": "Hello"},
    text="Hello",
    reasoning="They greet me.",
    request={"reasoning": {"effort": "high"}},
)
CUT_OFF = exchange(
    {"content": "Once upon"},
    {"content": "Once"},
    {"content": " upon"},
    stop="length",
    text="Once upon",
    status="incomplete",
)
CUSTOM = exchange(
    {"tool_calls": [call(0, "call_3", "run_code", '{"input": "print(1)"}')]},
    {"tool_calls": [call(0, "call_3", "run_code", '{"input": "pri')]},
    piece(0, 'nt(1)"}'),
    stop="tool_calls",
    calls=[("run_code", "print(1)")],
)


def refusal(status: int, said: Any, message: str) -> dict[str, Any]:
    return {"status": status, "body": json.dumps(said).encode(), "message": message}


TOO_LONG = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
ERRORS = (
    ErrorCase(
        raises=AuthenticationError,
        **refusal(401, {"error": {"message": "Bad key", "type": "invalid_api_key", "code": 401}}, "Bad key"),
    ),
    ErrorCase(raises=AuthenticationError, **refusal(401, {"detail": "Invalid API Key"}, "Invalid API Key")),
    ErrorCase(
        raises=NotFoundError,
        code="model_not_found",
        **refusal(404, {"error": {"message": "No model", "code": "model_not_found"}}, "No model"),
    ),
    ErrorCase(
        raises=ContextWindowExceededError,
        code="context_length_exceeded",
        **refusal(400, {"error": {"message": TOO_LONG, "code": 400}}, "8192"),
    ),
    ErrorCase(
        raises=RateLimitError,
        retry_after=1.5,
        **refusal(429, {"error": {"message": "Please try again in 1.5s.", "code": 429}}, "again"),
        stream=sse_stream({"error": {"message": "Please try again in 1.5s.", "code": 429}}),
    ),
    ErrorCase(raises=BadRequestError, **refusal(400, {"code": "bad", "error": "Incorrect key"}, "Incorrect")),
)
SAMPLES = {
    "seed": 7, "stop": ["END"], "logit_bias": {"5": 1}, "top_k": 5, "top_a": 0.5, "min_p": 0.1,
    "repetition_penalty": 1.1, "chat_template_kwargs": {"a": 1}, "thinking": {"type": "enabled"},
    "web_search_options": {}, "modalities": ["text"], "audio": {"voice": "alloy"},
    "prediction": {"type": "content", "content": "x"}, "service_tier": "flex", "reasoning_format": "raw",
    "include_reasoning": True, "compound_custom": {}, "search_settings": {}, "random_seed": 7,
    "safe_prompt": True, "prompt_mode": "reasoning",
    "route": "fallback", "transforms": ["middle-out"], "plugins": [{"id": "web"}], "usage": {"include": True},
    "image_config": {}, "provider": {"only": ["xai"]}, "session_id": "s", "trace": {},
    "prompt_cache_options": {"mode": "explicit"}, "disable_reasoning": True, "clear_thinking": False,
    "search_domain_filter": ["a.example"], "search_recency_filter": "day", "search_mode": "web",
    "disable_search": True, "do_sample": True, "tool_stream": True, "request_id": "r", "safety_model": "s",
    "context_length_exceeded_behavior": "error", "nvext": {}, "structured_outputs": {}, "priority": 1,
    "grammar": "root", "cache_prompt": True,
}  # fmt: skip


KEY = {"api_key": "sk-test-key-123456"}


class _Table(RequestChecks):
    """Whether each cell of a host's table is true."""

    model = "large"
    settings = {**KEY, "api_base": "https://llm.example/v1"}
    text = TEXT
    samples = SAMPLES


for _name in (name for name, host in HOSTS.items() if not host.native):
    globals()[f"TestTableOf_{_name}"] = type(f"TestTableOf_{_name}", (_Table,), {"provider": _name})


class TestAnyServer(ProviderConformance):
    provider = "openai_compatible"
    model = "large"
    settings = {"api_key": "sk-test-key-123456", "api_base": "https://llm.example/v1"}
    text = TEXT
    tool_call = TOOL_CALL
    reasoning = REASONING
    exchanges = {"cut off": CUT_OFF, "custom tool": CUSTOM}
    errors = ERRORS
    samples = SAMPLES


class TestOpenRouter(ProviderConformance):
    provider = "openrouter"
    model = "openai/gpt-5-mini"
    settings = KEY
    text = TEXT
    tool_call = TOOL_CALL
    reasoning = REASONING
    errors = ERRORS
    samples = SAMPLES


class TestMistral(ProviderConformance):
    provider = "mistral"
    model = "mistral-large-latest"
    settings = KEY
    text = TEXT
    tool_call = TOOL_CALL
    errors = ERRORS
    samples = SAMPLES


class TestDeepSeek(ProviderConformance):
    provider = "deepseek"
    model = "deepseek-chat"
    settings = KEY
    text = TEXT
    tool_call = TOOL_CALL
    reasoning = REASONING
    errors = ERRORS
    samples = SAMPLES


RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "grok-4",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
ITEM = RESPONSE["output"][0]
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0,
     "item": {**ITEM, "content": [], "status": "in_progress"}},
    {"type": "response.content_part.added", **PLACE, "part": {**ITEM["content"][0], "text": ""}},
    {"type": "response.output_text.delta", **PLACE, "delta": "Hello", "logprobs": []},
    {"type": "response.output_text.done", **PLACE, "text": "Hello", "logprobs": []},
    {"type": "response.content_part.done", **PLACE, "part": ITEM["content"][0]},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
    {"type": "response.completed", "response": RESPONSE},
]  # fmt: skip


class TestXAI(ProviderConformance):
    provider = "xai"
    model = "grok-4"
    settings = KEY
    text = Exchange(
        body=json.dumps(RESPONSE).encode(),
        stream=sse_stream(
            *({**event, "sequence_number": number} for number, event in enumerate(EVENTS)), named_by="type"
        ),
        text="Hello",
    )
    errors = (
        ErrorCase(
            raises=BadRequestError,
            **refusal(
                400, {"code": "Client specified an invalid argument", "error": "Incorrect API key"}, "API"
            ),
        ),
    )
