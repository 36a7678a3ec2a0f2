"""Converse: roles take turns, calls and results match, tools are declared where history has calls."""

from __future__ import annotations

import json
from typing import Any

from tests.storyteller.model import SIGNATURE, THOUGHT, Answer, Heard, Turn, Wire, call, demand, known

from dragoman.testing import aws_stream

__all__ = ["WIRE"]

_PARAMETERS = (
    "messages system inferenceConfig toolConfig guardrailConfig additionalModelRequestFields promptVariables "
    "additionalModelResponseFieldPaths requestMetadata performanceConfig serviceTier outputConfig"
)


def _hear(body: dict[str, Any]) -> Heard:
    known(body, _PARAMETERS, "")
    more = body.get("additionalModelRequestFields") or {}
    thinks = (more.get("thinking") or {"type": "disabled"})["type"] != "disabled"
    turns = [Turn("system", block["text"]) for block in body.get("system") or ()]
    due: list[str] = []
    before = "assistant"
    for number, message in enumerate(body["messages"]):
        role, blocks = message["role"], message["content"]
        demand(role != before, "A conversation must alternate between user and assistant roles.")
        before = role
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        demand(results == due, f"messages.{number}: calls {due}, results {results}")
        due = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        demand(not (thinks and due) or "reasoningContent" in blocks[0], f"messages.{number}: no thinking")
        turns += filter(None, (_turn(block, role) for block in blocks))
    demand(before == "user" and not due, "The conversation must end with a user message.")
    config = body.get("toolConfig") or {}
    tools = {
        tool["toolSpec"]["name"]: tool["toolSpec"]["inputSchema"]["json"] for tool in config.get("tools", ())
    }
    demand(
        tools or not any(turn.who == "call" for turn in turns),
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    )
    form = (body.get("outputConfig") or {}).get("textFormat")
    return Heard(
        turns,
        tools,
        json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None,
        bool(config.get("toolChoice", {"auto": {}}).keys() - {"auto"}),
        thinks,
    )


def _turn(block: dict[str, Any], role: str) -> Turn | None:
    if "toolUse" in block:
        return call(block["toolUse"]["name"], block["toolUse"]["input"])
    if "toolResult" in block:
        return Turn("result", "".join(part["text"] for part in block["toolResult"]["content"]))
    if "reasoningContent" in block:
        demand(block["reasoningContent"]["reasoningText"] == _THOUGHT, "Invalid `signature`")
        return None
    return Turn(role, block["text"])


_THOUGHT = {"text": THOUGHT, "signature": SIGNATURE}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "usage": {
            "inputTokens": answer.input_tokens,
            "outputTokens": answer.output_tokens,
            "totalTokens": answer.input_tokens + answer.output_tokens,
        },
        "metrics": {"latencyMs": 1},
    }


def _whole(answer: Answer) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if answer.thinks:
        content.append({"reasoningContent": {"reasoningText": _THOUGHT}})
    if answer.call:
        name, arguments = answer.call
        content.append(
            {"toolUse": {"toolUseId": f"tooluse_{answer.number}", "name": name, "input": arguments}}
        )
    else:
        content.append({"text": answer.text})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if answer.call else "end_turn",
        **_usage(answer),
    }


def _stream(answer: Answer) -> bytes:
    blocks: list[tuple[dict[str, Any] | None, list[dict[str, Any]]]] = []
    if answer.thinks:
        thought = [{"reasoningContent": {name: value}} for name, value in _THOUGHT.items()]
        blocks.append((None, thought))
    if answer.call:
        begin = {"toolUse": {"toolUseId": f"tooluse_{answer.number}", "name": answer.call[0]}}
        blocks.append((begin, [{"toolUse": {"input": piece}} for piece in answer.arguments]))
    else:
        blocks.append((None, [{"text": piece} for piece in answer.pieces]))
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index, (start, deltas) in enumerate(blocks):
        place = {"contentBlockIndex": index}
        if start:
            events.append(("contentBlockStart", {**place, "start": start}))
        events += [("contentBlockDelta", {**place, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", place))
    stop = {"stopReason": "tool_use" if answer.call else "end_turn"}
    return aws_stream(*events, ("messageStop", stop), ("metadata", _usage(answer)))


WIRE = Wire(
    _hear, _whole, _stream, lambda message: {"message": message}, "application/vnd.amazon.eventstream"
)
