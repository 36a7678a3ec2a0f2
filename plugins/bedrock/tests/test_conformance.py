"""The kit, on answers of Converse and ConverseStream."""

from __future__ import annotations

import json
from typing import Any

from dragoman.decoding import RawEvent
from dragoman.errors import (
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance
from dragoman.testing.frames import aws_stream, join_frames

STREAM_TYPE = "application/vnd.amazon.eventstream"
USAGE = {
    "inputTokens": 12,
    "outputTokens": 30,
    "totalTokens": 50,
    "cacheReadInputTokens": 5,
    "cacheReadInputTokenCount": 5,
    "cacheWriteInputTokens": 3,
    "cacheWriteInputTokenCount": 3,
}
TOWERS = {"location": {"web": {"url": "https://towers.example/tallest", "domain": "towers.example"}}}


def block(
    whole: dict[str, Any], *deltas: dict[str, Any], start: dict[str, Any] | None = None
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """Return a block of an answer, and its events but for their index."""
    begin = [("contentBlockStart", {"start": start})] if start else []
    return whole, [
        *begin,
        *(("contentBlockDelta", {"delta": delta}) for delta in deltas),
        ("contentBlockStop", {}),
    ]


def spoken(*pieces: str) -> Any:
    return block({"text": "".join(pieces)}, *({"text": piece} for piece in pieces))


def call(id_: str, name: str, arguments: dict[str, Any], *pieces: str, **more: Any) -> Any:
    start = {"toolUseId": id_, "name": name, **more}
    deltas = ({"toolUse": {"input": piece}} for piece in pieces)
    return block({"toolUse": {**start, "input": arguments}}, *deltas, start={"toolUse": start})


def result(id_: str, type_: str, content: dict[str, Any]) -> Any:
    start = {"toolUseId": id_, "type": type_, "status": "success"}
    whole = {"toolResult": {**start, "content": [content]}}
    return block(whole, {"toolResult": [content]}, start={"toolResult": start})


def exchange(*blocks: Any, stop: str = "end_turn", **expected: Any) -> Exchange:
    body = {
        "output": {"message": {"role": "assistant", "content": [whole for whole, _ in blocks]}},
        "stopReason": stop,
        "usage": USAGE,
        "metrics": {"latencyMs": 400},
    }
    events = [
        (type_, {**payload, "contentBlockIndex": index, "p": "abcdef"})
        for index, (_, events) in enumerate(blocks)
        for type_, payload in events
    ]
    return Exchange(
        body=json.dumps(body).encode(),
        stream=aws_stream(
            ("messageStart", {"role": "assistant", "p": "ab"}),
            *events,
            ("messageStop", {"stopReason": stop, "p": "abcd"}),
            ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 400}, "p": "a"}),
        ),
        stream_type=STREAM_TYPE,
        usage=(20, 30),
        **expected,
    )


def refusal(
    status: int, type_: str, message: str, *, in_stream: bool = True, **payload: Any
) -> dict[str, Any]:
    frames = [
        RawEvent("messageStart", b'{"role": "assistant"}'),
        RawEvent("contentBlockDelta", b'{"contentBlockIndex": 0, "delta": {"text": "So"}}'),
        RawEvent(
            type_[0].lower() + type_[1:],
            json.dumps({"message": message, **payload}).encode(),
            is_exception=True,
        ),
    ]
    return {
        "status": status,
        "headers": {"x-amzn-errortype": f"{type_}:http://internal.amazon.com/coral/com.amazon.bedrock/"},
        "body": json.dumps({"message": message, **payload}).encode(),
        "stream": join_frames(frames, STREAM_TYPE) if in_stream else b"",
        "message": message,
    }


class TestBedrock(ProviderConformance):
    provider = "bedrock"
    model = "us.amazon.nova-2-lite-v1:0"
    settings = {
        "aws_region_name": "us-east-1",
        "aws_access_key_id": "AKIDEXAMPLE123456",
        "aws_secret_access_key": "wJalrXUtnFEMI-secret-key-123456",
    }
    text = exchange(spoken("Grü", "ße ", "to you"), text="Grüße to you")
    tool_call = exchange(
        spoken("Let me see."),
        call("tooluse_01", "get_weather", {"city": "Paris"}, '{"city"', ': "Paris"}', type="tool_use"),
        call("tooluse_02", "get_time", {}),
        stop="tool_use",
        text="Let me see.",
        calls=[("get_weather", {"city": "Paris"}), ("get_time", {})],
    )
    reasoning = exchange(
        block(
            {"reasoningContent": {"reasoningText": {"text": "They greet me.", "signature": "c2ln"}}},
            {"reasoningContent": {"text": "They greet"}},
            {"reasoningContent": {"text": " me."}},
            {"reasoningContent": {"signature": "c2ln"}},
        ),
        block(
            {"reasoningContent": {"redactedContent": "cmVkYWN0ZWQ="}},
            {"reasoningContent": {"redactedContent": "cmVkYWN0ZWQ="}},
        ),
        spoken("Hello"),
        text="Hello",
        reasoning="They greet me.",
        request={"reasoning": {"effort": "low"}},
    )
    exchanges = {
        "cut off": exchange(
            spoken("Once", " upon"), stop="max_tokens", text="Once upon", status="incomplete"
        ),
        "stopped by a guardrail": exchange(
            spoken("I cannot answer that."),
            stop="guardrail_intervened",
            text="I cannot answer that.",
            status="incomplete",
        ),
        "custom tool": exchange(
            call("tooluse_03", "run_code", {"input": 'print("hi")\n'}, '{"input": "pri', 'nt(\\"hi\\")\\n"}'),
            stop="tool_use",
            calls=[("run_code", 'print("hi")\n')],
        ),
        "code": exchange(
            call(
                "tooluse_04",
                "nova_code_interpreter",
                {"snippet": "6 * 7"},
                '{"snippet": "6 * 7"}',
                type="server_tool_use",
            ),
            result("tooluse_04", "nova_code_interpreter_result", {"json": {"stdOut": "42", "stdErr": ""}}),
            spoken("It is ", "42."),
            text="It is 42.",
            request={"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        ),
        "grounded": exchange(
            call(
                "tooluse_05",
                "nova_grounding",
                {"query": "tower"},
                '{"query": "tower"}',
                type="server_tool_use",
            ),
            result("tooluse_05", "nova_grounding_result", {"text": "[HIDDEN]"}),
            spoken("828 mètres"),
            block({"citationsContent": {"citations": [TOWERS]}}, {"citation": TOWERS}),
            spoken("."),
            text="828 mètres.",
            request={"tools": [{"type": "web_search"}]},
        ),
        "cited": exchange(
            block(
                {"citationsContent": {"content": [{"text": "828 metres"}], "citations": [TOWERS]}},
                {"citation": TOWERS},
                {"text": "828 "},
                {"text": "metres"},
            ),
            text="828 metres",
        ),
    }
    errors = (
        ErrorCase(
            raises=BadRequestError, **refusal(400, "ValidationException", "temperature is out of range")
        ),
        ErrorCase(
            raises=ContextWindowExceededError,
            code="context_length_exceeded",
            **refusal(400, "ValidationException", "Input is too long for requested model."),
        ),
        ErrorCase(
            raises=PermissionDeniedError,
            code="access_denied",
            **refusal(403, "AccessDeniedException", "not for you", in_stream=False),
        ),
        ErrorCase(
            raises=PermissionDeniedError,
            code="invalid_api_key",
            **refusal(403, "UnrecognizedClientException", "The security token is invalid.", in_stream=False),
        ),
        ErrorCase(
            raises=NotFoundError,
            code="model_not_found",
            **refusal(404, "ResourceNotFoundException", "This model is at its end.", in_stream=False),
        ),
        ErrorCase(raises=APITimeoutError, **refusal(408, "ModelTimeoutException", "took too long")),
        ErrorCase(
            raises=APIStatusError,
            code="model_error",
            **refusal(424, "ModelStreamErrorException", "The model failed.", originalStatusCode=422),
        ),
        ErrorCase(raises=RateLimitError, **refusal(429, "ThrottlingException", "Too many requests")),
        ErrorCase(raises=RateLimitError, **refusal(429, "ModelNotReadyException", "wait", in_stream=False)),
        ErrorCase(raises=InternalServerError, **refusal(500, "InternalServerException", "failed")),
        ErrorCase(
            raises=ServiceUnavailableError, **refusal(503, "ServiceUnavailableException", "overloaded")
        ),
    )
    samples = {
        "stop": "END",
        "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "DRAFT", "trace": "enabled"},
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "a"},
        "promptVariables": {"name": {"text": "Ada"}},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "additionalModelRequestFields": {"top_k": 5},
        "prompt_cache_options": {"mode": "implicit", "ttl": "12h"},
    }
