"""The same sixty words, and the same refusals, in the wires of four providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.failover.story import Refusal, Wire, usage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WIRES"]

_SSE = "text/event-stream"
_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
_CONTEXT = "prompt is too long: 250000 tokens > 200000 maximum"
_POLICY = "Output blocked by content filtering policy"


def _named(*payloads: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(payload["type"], payload) for payload in payloads]


# ---- OpenAI: Responses ----------------------------------------------------------------------------------


def _response(model: str, text: str, status: str = "completed") -> dict[str, Any]:
    done = status == "completed"
    given, made = usage_of(model)
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }
    return {
        "id": "resp_upstream", "object": "response", "created_at": 1, "status": status, "model": model,
        "output": [_message(text)] if done else [], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "usage": usage if done else None,
    }  # fmt: skip


def _message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _response_events(model: str, tokens: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    text = "".join(tokens)
    item = _message(text)
    (part,) = item["content"]
    begun = _response(model, text, "in_progress")
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    opened = {**item, "status": "in_progress", "content": []}
    deltas = [
        {"type": "response.output_text.delta", **at, "delta": token, "logprobs": []} for token in tokens
    ]
    events = _named(
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *deltas,
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": _response(model, text)},
    )
    return [(name, {**payload, "sequence_number": number}) for number, (name, payload) in enumerate(events)]


def _openai_refusal(status: int, message: str, type_: str, code: str | None) -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": type_, "param": None, "code": code}})


def _responses_last_turn(body: dict[str, Any]) -> tuple[str, str]:
    last = (
        body["input"][-1] if isinstance(body["input"], list) else {"role": "user", "content": body["input"]}
    )
    return last.get("role", ""), _text_of(last.get("content"))


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


_OPENAI = Wire(
    provider="openai",
    base="/v1",
    stream_type=_SSE,
    opening=4,
    end=b"data: [DONE]\n\n",
    whole=lambda model, tokens: _response(model, "".join(tokens)),
    events=_response_events,
    last_turn=_responses_last_turn,
    refusals={
        "rate_limit": _openai_refusal(429, "Rate limit reached", "requests", "rate_limit_exceeded"),
        "error": _openai_refusal(500, "The server had an error", "server_error", None),
        "unavailable": _openai_refusal(503, "The engine is overloaded", "server_error", None),
        "context": _openai_refusal(
            400,
            "Your input exceeds the context window of this model.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        "policy": _openai_refusal(
            400, "The request was rejected", "invalid_request_error", "content_policy_violation"
        ),
        "prefill": _openai_refusal(400, _PREFILL, "invalid_request_error", None),
    },
)

# ---- Anthropic: Messages --------------------------------------------------------------------------------


def _anthropic_message(model: str, tokens: Sequence[str]) -> dict[str, Any]:
    given, made = usage_of(model)
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": "".join(tokens)}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": given, "output_tokens": made},
    }  # fmt: skip


def _anthropic_events(model: str, tokens: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    message = _anthropic_message(model, tokens)
    begun = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": token}}
        for token in tokens
    ]
    return _named(
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": message["usage"]["output_tokens"]},
        },
        {"type": "message_stop"},
    )


def _anthropic_refusal(status: int, type_: str, message: str) -> Refusal:
    return Refusal(status, {"type": "error", "error": {"type": type_, "message": message}})


def _messages_last_turn(body: dict[str, Any]) -> tuple[str, str]:
    last = body["messages"][-1]
    return last["role"], _text_of(last["content"])


_ANTHROPIC = Wire(
    provider="anthropic",
    base="",
    stream_type=_SSE,
    opening=2,
    end=b"",
    whole=_anthropic_message,
    events=_anthropic_events,
    last_turn=_messages_last_turn,
    refusals={
        "rate_limit": _anthropic_refusal(429, "rate_limit_error", "This would exceed your rate limit"),
        "error": _anthropic_refusal(500, "api_error", "Internal server error"),
        "unavailable": _anthropic_refusal(503, "api_error", "Service unavailable"),
        "context": _anthropic_refusal(400, "invalid_request_error", _CONTEXT),
        "policy": _anthropic_refusal(400, "invalid_request_error", _POLICY),
        "prefill": _anthropic_refusal(400, "invalid_request_error", _PREFILL),
    },
)

# ---- Gemini: generateContent ----------------------------------------------------------------------------


def _gemini_chunk(model: str, text: str, *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    chunk: dict[str, Any] = {"candidates": [candidate], "modelVersion": model, "responseId": "r1"}
    if last:
        given, made = usage_of(model)
        candidate["finishReason"] = "STOP"
        chunk["usageMetadata"] = {
            "promptTokenCount": given,
            "candidatesTokenCount": made,
            "totalTokenCount": given + made,
        }
    return chunk


def _gemini_events(model: str, tokens: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    chunks = [_gemini_chunk(model, token, last=False) for token in tokens]
    return [("", chunk) for chunk in [*chunks, _gemini_chunk(model, "", last=True)]]


def _gemini_refusal(status: int, name: str, message: str) -> Refusal:
    return Refusal(status, {"error": {"code": status, "message": message, "status": name}})


def _contents_last_turn(body: dict[str, Any]) -> tuple[str, str]:
    last = body["contents"][-1]
    return {"model": "assistant"}.get(last["role"], last["role"]), _text_of(last["parts"])


_GEMINI = Wire(
    provider="gemini",
    base="/v1beta",
    stream_type=_SSE,
    opening=0,
    end=b"",
    whole=lambda model, tokens: _gemini_chunk(model, "".join(tokens), last=True),
    events=_gemini_events,
    last_turn=_contents_last_turn,
    refusals={
        "rate_limit": _gemini_refusal(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted"),
        "error": _gemini_refusal(500, "INTERNAL", "An internal error has occurred"),
        "unavailable": _gemini_refusal(503, "UNAVAILABLE", "The model is overloaded"),
        "context": _gemini_refusal(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        ),
        # Gemini has no refusal for it: the answer says so, with status 200.
        "policy": Refusal(
            200,
            {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": "fb-s13"},
            headers={"x-request-id": "req-blocked"},
        ),
        "prefill": _gemini_refusal(400, "INVALID_ARGUMENT", _PREFILL),
    },
)

# ---- Bedrock: Converse ----------------------------------------------------------------------------------


def _converse_usage(model: str) -> dict[str, int]:
    given, made = usage_of(model)
    return {"inputTokens": given, "outputTokens": made, "totalTokens": given + made}


def _converse_events(model: str, tokens: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    deltas = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": token}}) for token in tokens]
    return [
        ("messageStart", {"role": "assistant"}),
        *deltas,
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": _converse_usage(model), "metrics": {"latencyMs": 1}}),
    ]


def _bedrock_refusal(status: int, name: str, message: str) -> Refusal:
    return Refusal(status, {"message": message}, {"x-amzn-errortype": name})


_BEDROCK = Wire(
    provider="bedrock",
    base="",
    stream_type="application/vnd.amazon.eventstream",
    opening=1,
    end=b"",
    whole=lambda model, tokens: {
        "output": {"message": {"role": "assistant", "content": [{"text": "".join(tokens)}]}},
        "stopReason": "end_turn",
        "usage": _converse_usage(model),
        "metrics": {"latencyMs": 1},
    },
    events=_converse_events,
    last_turn=_messages_last_turn,
    refusals={
        "rate_limit": _bedrock_refusal(429, "ThrottlingException", "Too many requests"),
        "error": _bedrock_refusal(500, "InternalServerException", "The system encountered an error"),
        "unavailable": _bedrock_refusal(503, "ServiceUnavailableException", "Bedrock is unable to answer"),
        "context": _bedrock_refusal(400, "ValidationException", "Input is too long for requested model."),
        "policy": _bedrock_refusal(400, "ValidationException", _POLICY),
        "prefill": _bedrock_refusal(400, "ValidationException", _PREFILL),
    },
)

WIRES: dict[str, Wire] = {wire.provider: wire for wire in (_ANTHROPIC, _GEMINI, _BEDROCK, _OPENAI)}
