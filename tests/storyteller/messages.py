"""Messages: results follow their calls at once, and a call comes back with the thought before it."""

from __future__ import annotations

from typing import Any

from tests.storyteller.model import SIGNATURE, THOUGHT, Answer, Heard, Turn, Wire, call, demand, known

from dragoman.testing import sse_stream

__all__ = ["WIRE"]

_PARAMETERS = (
    "model messages max_tokens system stream tools tool_choice temperature top_p top_k stop_sequences "
    "metadata thinking service_tier output_config cache_control anthropic_version"
)


def _hear(body: dict[str, Any]) -> Heard:
    known(body, _PARAMETERS, "")
    thinks = (body.get("thinking") or {"type": "disabled"})["type"] != "disabled"
    system = body.get("system") or []
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    turns = [Turn("system", block["text"]) for block in blocks]
    due: list[str] = []
    for number, message in enumerate(body["messages"]):
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        demand(blocks, f"messages.{number}: content is empty")
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        demand(results == due, f"messages.{number}: `tool_use` ids {due}, `tool_result` ids {results}")
        due = [block["id"] for block in blocks if block["type"] == "tool_use"]
        demand(not due or message["role"] == "assistant", f"messages.{number}: a call of the user's")
        demand(
            not (thinks and due) or blocks[0]["type"] == "thinking",
            f"messages.{number}.content.0.type: Expected `thinking`, but found `{blocks[0]['type']}`",
        )
        turns += filter(None, (_turn(block, message["role"]) for block in blocks))
    demand(not due, f"calls without results: {due}")
    choice = (body.get("tool_choice") or {}).get("type")
    demand(not thinks or choice not in {"any", "tool"}, "Thinking may not be enabled when a call is forced.")
    return Heard(
        turns,
        {tool["name"]: tool["input_schema"] for tool in body.get("tools") or ()},
        (body.get("output_config") or {}).get("format", {}).get("schema"),
        choice in {"any", "tool"},
        thinks,
    )


def _turn(block: dict[str, Any], role: str) -> Turn | None:
    match block["type"]:
        case "text":
            demand(block["text"].strip(), "text content blocks must contain non-whitespace text")
            return Turn(role, block["text"])
        case "tool_use":
            return call(block["name"], block["input"])
        case "tool_result":
            return Turn("result", "".join(part["text"] for part in block["content"]))
        case "thinking":
            demand((block["thinking"], block["signature"]) == (THOUGHT, SIGNATURE), "Invalid `signature`")
            return None
    demand(False, f"unknown block {block['type']}")
    return None


def _whole(answer: Answer) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if answer.thinks:
        content.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    if answer.call:
        name, arguments = answer.call
        content.append({"type": "tool_use", "id": f"toolu_{answer.number}", "name": name, "input": arguments})
    else:
        content.append({"type": "text", "text": answer.text})
    return {
        "id": f"msg_{answer.number}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": content,
        "stop_reason": "tool_use" if answer.call else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
    }  # fmt: skip


def _stream(answer: Answer) -> bytes:
    whole = _whole(answer)
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    ]
    for index, block in enumerate(whole["content"]):
        begun, deltas = _DELTAS[block["type"]](block, answer)
        events += [
            {"type": "content_block_start", "index": index, "content_block": {**block, **begun}},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": answer.output_tokens}
    events += [{"type": "message_delta", "delta": stop, "usage": usage}, {"type": "message_stop"}]
    return sse_stream(*events, named_by="type")


_DELTAS: dict[str, Any] = {
    "thinking": lambda block, answer: (
        {"thinking": "", "signature": ""},
        [
            {"type": "thinking_delta", "thinking": THOUGHT},
            {"type": "signature_delta", "signature": SIGNATURE},
        ],
    ),
    "tool_use": lambda block, answer: (
        {"input": {}},
        [{"type": "input_json_delta", "partial_json": piece} for piece in answer.arguments],
    ),
    "text": lambda block, answer: (
        {"text": ""},
        [{"type": "text_delta", "text": piece} for piece in answer.pieces],
    ),
}


def _refusal(message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


WIRE = Wire(_hear, _whole, _stream, _refusal)
