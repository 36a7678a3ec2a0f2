"""What the upstreams of ``speed.py`` answer, whatever they are asked: the same text on each wire."""

from __future__ import annotations

import json

DELTAS = 300
WORDS = [f"word{number} " for number in range(DELTAS)]
TEXT = "".join(WORDS)
CREATED = 1_767_225_600


def upstream_files() -> dict[str, bytes]:
    """Return the answers by their path below the upstream's address; the SDKs' paths are theirs."""
    return {
        "whole/v1/messages": json.dumps(_message([{"type": "text", "text": TEXT}], "end_turn")).encode(),
        "stream/v1/messages": _anthropic_stream(),
        "whole/responses": json.dumps(_response("completed", [_item("completed", TEXT)])).encode(),
        "stream/responses": _openai_stream(),
    }


def _sse(events: list[dict[str, object]]) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()
        for event in events
    )


# ---- Anthropic Messages -------------------------------------------------------------------------------


def _message(content: list[dict[str, object]], stop_reason: str | None) -> dict[str, object]:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-5-20250929", "content": content, "stop_reason": stop_reason,
        "stop_sequence": None, "usage": {"input_tokens": 12, "output_tokens": DELTAS},
    }  # fmt: skip


def _anthropic_stream() -> bytes:
    return _sse(
        [
            {"type": "message_start", "message": _message([], None)},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *(
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
                for word in WORDS
            ),
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": DELTAS},
            },
            {"type": "message_stop"},
        ]
    )


# ---- OpenAI Responses ---------------------------------------------------------------------------------


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(status: str, text: str) -> dict[str, object]:
    content = [_part(text)] if text else []
    message = {"id": "msg_0a1b2c3d4e5f", "type": "message", "role": "assistant"}
    return {**message, "status": status, "content": content}


def _response(status: str, output: list[dict[str, object]]) -> dict[str, object]:
    usage = {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": DELTAS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12 + DELTAS,
    }
    return {
        "id": "resp_0a1b2c3d4e5f", "object": "response", "created_at": CREATED, "status": status,
        "background": False, "completed_at": CREATED if output else None, "error": None,
        "incomplete_details": None, "instructions": None, "max_output_tokens": None, "max_tool_calls": None,
        "model": "gpt-5.2-2025-12-11", "output": output, "parallel_tool_calls": True,
        "previous_response_id": None, "reasoning": {"effort": "none", "summary": None}, "store": False,
        "temperature": 1.0, "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "top_logprobs": 0, "truncation": "disabled",
        "usage": usage if output else None, "user": None, "metadata": {}, "service_tier": "default",
        "safety_identifier": None, "prompt_cache_key": None, "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }  # fmt: skip


def _openai_stream() -> bytes:
    item = {"item_id": "msg_0a1b2c3d4e5f", "output_index": 0}
    place = {**item, "content_index": 0}
    pending = _response("in_progress", [])
    events: list[dict[str, object]] = [
        {"type": "response.created", "response": pending},
        {"type": "response.in_progress", "response": pending},
        {"type": "response.output_item.added", "output_index": 0, "item": _item("in_progress", "")},
        {"type": "response.content_part.added", **place, "part": _part("")},
        *(
            {
                "type": "response.output_text.delta",
                **place,
                "delta": word,
                "logprobs": [],
                "obfuscation": "mJ6Dl0pX",
            }
            for word in WORDS
        ),
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": _part(TEXT)},
        {"type": "response.output_item.done", "output_index": 0, "item": _item("completed", TEXT)},
        {"type": "response.completed", "response": _response("completed", [_item("completed", TEXT)])},
    ]
    return _sse([{**event, "sequence_number": number} for number, event in enumerate(events)])
