"""Responses: read without mercy for ids, fields or calls that nobody knows."""

from __future__ import annotations

from typing import Any

from tests.storyteller.model import SIGNATURE, THOUGHT, Answer, Heard, Turn, Wire, call, demand, known

from dragoman.testing import sse_stream

__all__ = ["WIRE"]

_PARAMETERS = (
    "model input instructions previous_response_id conversation store stream stream_options background tools "
    "tool_choice parallel_tool_calls max_tool_calls reasoning text max_output_tokens temperature top_p "
    "top_logprobs truncation include metadata service_tier prompt prompt_cache_key prompt_cache_options "
    "prompt_cache_retention context_management moderation image safety_identifier user background_options"
)
_ITEMS = {
    "message": ("msg_", "id type role content status phase"),
    "reasoning": ("rs_", "id type summary content encrypted_content status"),
    "function_call": ("fc_", "id type call_id name arguments namespace status"),
    "function_call_output": ("fc", "id type call_id output status"),
}
_ROLES = {"developer": "system"}


def _hear(body: dict[str, Any]) -> Heard:
    known(body, _PARAMETERS, "")
    demand(body.get("previous_response_id") is None, "Previous response not found.")
    demand(body.get("conversation") is None, "Conversation not found.")
    turns = [Turn("system", body["instructions"])] if body.get("instructions") else []
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    thinks = bool(body.get("reasoning"))
    calls: set[str] = set()
    thought = False
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        prefix, fields = _ITEMS[kind]
        known(item, fields, f"input[{number}].")
        item_id = item.get("id", prefix)
        demand(
            item_id.startswith(prefix) and len(item_id) <= 64,
            f"Invalid 'input[{number}].id': {item_id!r}. Expected an ID that begins with {prefix!r}.",
        )
        if kind == "reasoning":
            demand(item.get("encrypted_content") == SIGNATURE, f"Item with id '{item_id}' not found.")
        elif kind == "function_call":
            demand(thought or not thinks, f"{item_id!r} was provided without its required 'reasoning' item")
            calls.add(item["call_id"])
            turns.append(call(item["name"], item["arguments"]))
        elif kind == "function_call_output":
            demand(item["call_id"] in calls, f"No tool call found for call_id {item['call_id']}")
            turns.append(Turn("result", _text(item["output"])))
        else:
            turns.append(Turn(_ROLES.get(item["role"], item["role"]), _text(item["content"])))
        thought = kind == "reasoning"
    functions = [tool for tool in body.get("tools") or () if tool["type"] == "function"]
    form = (body.get("text") or {}).get("format") or {}
    return Heard(
        turns,
        {tool["name"]: tool["parameters"] for tool in functions},
        form.get("schema"),
        body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), dict),
        thinks,
    )


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _items(answer: Answer) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.thinks:
        summary = [{"type": "summary_text", "text": THOUGHT}]
        items.append(
            {
                "id": f"rs_{answer.number}",
                "type": "reasoning",
                "summary": summary,
                "encrypted_content": SIGNATURE,
            }
        )
    if answer.call:
        items.append({
            "id": f"fc_{answer.number}", "type": "function_call", "call_id": f"call_{answer.number}",
            "name": answer.call[0], "arguments": "".join(answer.arguments), "status": "completed",
        })  # fmt: skip
    else:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        items.append({
            "id": f"msg_{answer.number}", "type": "message", "role": "assistant", "status": "completed",
            "content": [part],
        })  # fmt: skip
    return items


def _whole(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"resp_{answer.number}", "object": "response", "created_at": 1, "status": "completed",
        "model": "gpt-5.2", "output": _items(answer),
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": answer.input_tokens, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }  # fmt: skip


def _stream(answer: Answer) -> bytes:
    whole = _whole(answer)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(whole["output"]):
        bare, inside = _INSIDE[item["type"]](item, answer)
        place = {"item_id": item["id"], "output_index": index}
        events += [
            {"type": "response.output_item.added", "output_index": index, "item": {**item, **bare}},
            *({**event, **place} for event in inside),
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]
    events.append({"type": "response.completed", "response": whole})
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return sse_stream(*numbered, named_by="type")


def _thinking(item: dict[str, Any], answer: Answer) -> Any:
    part = item["summary"][0]
    begin = "response.reasoning_summary_"
    return {"summary": []}, [
        {"type": f"{begin}part.added", "summary_index": 0, "part": {**part, "text": ""}},
        {"type": f"{begin}text.delta", "summary_index": 0, "delta": THOUGHT},
        {"type": f"{begin}text.done", "summary_index": 0, "text": THOUGHT},
        {"type": f"{begin}part.done", "summary_index": 0, "part": part},
    ]


def _calling(item: dict[str, Any], answer: Answer) -> Any:
    begin = "response.function_call_arguments."
    deltas = [{"type": f"{begin}delta", "delta": piece} for piece in answer.arguments]
    done = {"type": f"{begin}done", "arguments": item["arguments"], "name": item["name"]}
    return {"arguments": "", "status": "in_progress"}, [*deltas, done]


def _saying(item: dict[str, Any], answer: Answer) -> Any:
    part = item["content"][0]
    begin = "response.output_text."
    events: list[dict[str, Any]] = [
        {"type": "response.content_part.added", "part": {**part, "text": ""}},
        *({"type": f"{begin}delta", "delta": piece, "logprobs": []} for piece in answer.pieces),
        {"type": f"{begin}done", "text": answer.text, "logprobs": []},
        {"type": "response.content_part.done", "part": part},
    ]
    return {"content": [], "status": "in_progress"}, [{"content_index": 0, **event} for event in events]


_INSIDE = {"reasoning": _thinking, "function_call": _calling, "message": _saying}


def _refusal(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": "input", "code": None}}


WIRE = Wire(_hear, _whole, _stream, _refusal)
