"""Chat Completions: the messages of tools follow the calls that they answer."""

from __future__ import annotations

from typing import Any

from tests.storyteller.model import Answer, Heard, Turn, Wire, call, demand, known

from dragoman.testing import sse_stream

__all__ = ["WIRE"]

_PARAMETERS = (
    "model messages stream stream_options tools tool_choice parallel_tool_calls response_format max_tokens "
    "max_completion_tokens temperature top_p reasoning_effort metadata user seed stop n logprobs"
)


def _hear(body: dict[str, Any]) -> Heard:
    known(body, _PARAMETERS, "")
    turns: list[Turn] = []
    due: list[str] = []
    for number, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            demand(message["tool_call_id"] in due, f"messages[{number}]: a result without its call")
            due.remove(message["tool_call_id"])
            turns.append(Turn("result", _text(message["content"])))
            continue
        demand(not due, f"messages[{number}]: calls without results: {due}")
        if message.get("content"):
            turns.append(Turn(_ROLES.get(message["role"], message["role"]), _text(message["content"])))
        for made in message.get("tool_calls") or ():
            due.append(made["id"])
            turns.append(call(made["function"]["name"], made["function"]["arguments"]))
    demand(not due, f"calls without results: {due}")
    form = (body.get("response_format") or {}).get("json_schema")
    return Heard(
        turns,
        {tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools") or ()},
        form["schema"] if form else None,
        body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), dict),
    )


_ROLES = {"developer": "system"}


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


_HEAD: dict[str, Any] = {"id": "chat_1", "created": 1, "model": "some-model"}


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _whole(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.call:
        function = {"name": answer.call[0], "arguments": "".join(answer.arguments)}
        message["tool_calls"] = [{"id": f"call_{answer.number}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    return {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _usage(answer)}


def _stream(answer: Answer) -> bytes:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if answer.call:
        begun = {"index": 0, "id": f"call_{answer.number}", "type": "function"}
        deltas.append({"tool_calls": [{**begun, "function": {"name": answer.call[0], "arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in answer.arguments
        ]
    else:
        deltas += [{"content": piece} for piece in answer.pieces]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": _finish(answer)})
    head = {**_HEAD, "object": "chat.completion.chunk"}
    return sse_stream(
        *({**head, "choices": [choice]} for choice in choices),
        {**head, "choices": [], "usage": _usage(answer)},
        end=b"[DONE]",
    )


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.call else "stop"


def _refusal(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


WIRE = Wire(_hear, _whole, _stream, _refusal)
