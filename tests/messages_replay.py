"""Recorded Messages conversations in the Responses API's words: what a caller would have sent to dragoman.

The reverse of the plugin's job, written for the tests alone. An assistant's turn is not converted but taken
from the Response that the recorded answer became; one that was never recorded is made an answer first.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.messages_wire import turns

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

__all__ = ["Answer", "Replay", "caller_tools", "outputs_for"]

Block = dict[str, Any]
Item = dict[str, Any]

_SOURCES = frozenset({"base64", "file", "text", "url"})
_STAND_IN = {"type": "text", "text": "(a part that the Responses API has no word for)"}


class Answer:
    """A recorded answer: its blocks, and the output items that dragoman made of it."""

    def __init__(self, blocks: list[Block], output: list[Item], container: str | None = None) -> None:
        self.blocks = blocks
        self.container = container
        self.output = output
        self.marks = _marks(blocks)


class Replay:
    """One recorded request, as input items, and the messages that must come out of them."""

    def __init__(
        self,
        messages: list[dict[str, Any]],
        answers: Sequence[Answer],
        answer_of: Callable[[list[Block]], Answer],
        notes: Counter[str],
    ) -> None:
        """Convert.

        Args:
            messages: of the recorded request.
            answers: those recorded earlier in the same conversation.
            answer_of: makes an answer of an assistant's turn that was not recorded as one.
            notes: counts what could not be compared, and why.
        """
        self.items: list[Item] = []
        self.expected: list[dict[str, Any]] = []
        self.replays = 0
        """How many turns are answers given back."""
        self._notes = notes
        for role, blocks in turns(messages):
            if role == "assistant":
                self._assistant(blocks, answers, answer_of)
            else:
                self._caller(role, blocks)

    # ---- the assistant's turns ------------------------------------------------------------------------

    def _assistant(
        self, blocks: list[Block], answers: Sequence[Answer], answer_of: Callable[[list[Block]], Answer]
    ) -> None:
        marks = _marks(blocks)
        answer = next((answer for answer in answers if answer.blocks == blocks), None)
        if answer is None:
            answer = next((answer for answer in answers if answer.marks & marks), None)
            if answer is not None:
                self._notes[f"the client changed the answer ({_change(answer.blocks, blocks)})"] += 1
        if answer is None:
            self._notes["assistant turn that the client wrote"] += 1
            answer = answer_of(blocks)
        else:
            self.replays += 1
        self.items += answer.output
        self.expected.append({"role": "assistant", "content": answer.blocks})

    # ---- the caller's turns ---------------------------------------------------------------------------

    def _caller(self, role: str, blocks: list[Block]) -> None:
        parts: list[dict[str, Any]] = []
        kept: list[Block] = []
        for block in blocks:
            if block["type"] == "tool_result":
                self._message(role, parts)
                parts = []
                kept.append(self._tool_result(block))
                continue
            expressible = self._expressible(block)
            if expressible is not None:
                parts.append(_part(expressible))
                kept.append(expressible)
        self._message(role, parts)
        if kept:
            self.expected.append({"role": role, "content": kept})

    def _message(self, role: str, parts: list[dict[str, Any]]) -> None:
        if parts:
            self.items.append({"type": "message", "role": role, "content": parts})

    def _tool_result(self, block: Block) -> Block:
        content = [self._expressible(inner) or _STAND_IN for inner in block["content"]]
        plain = {name: value for name, value in block.items() if name != "is_error"}
        if plain != block:
            self._notes["is_error has no counterpart in the Responses API"] += 1
        output: Any = [_part(inner) for inner in content]
        if len(content) == 1 and content[0]["type"] == "text":
            output = content[0]["text"]
        elif not content:
            output = ""
        item = {"type": "function_call_output", "call_id": block["tool_use_id"], "output": output}
        self.items.append(item)
        return {**plain, "content": content}

    def _expressible(self, block: Block) -> Block | None:
        """Return the block without what the Responses API has no field for; None where nothing is left."""
        if block["type"] not in _PARTS or block.get("source", _STAND_IN)["type"] not in _SOURCES:
            self._notes[f"{block['type']} has no counterpart in the Responses API"] += 1
            return None
        unknown = set(block) - {"type", "text", "source", "title"}
        if unknown:
            self._notes[f"{block['type']}.{min(unknown)} has no counterpart in the Responses API"] += 1
        return {name: value for name, value in block.items() if name not in unknown}


def _marks(blocks: list[Block]) -> frozenset[str]:
    """Return what makes a turn recognisable though a client changed it: ids, signatures, texts."""
    names = ("id", "signature", "text", "data")
    return frozenset(block[name] for block in blocks for name in names if block.get(name))


def _change(answered: list[Block], replayed: list[Block]) -> str:
    """Name how a client's replay differs from the answer."""
    missing = [block["type"] for block in answered if block not in replayed]
    added = [block["type"] for block in replayed if block not in answered]
    changed = sorted(set(missing) & set(added))
    if changed:
        return f"changed {changed[0]}"
    return f"left out {missing[0]}" if missing else f"added {added[0]}" if added else "moved blocks"


def _text(block: Block) -> dict[str, Any]:
    return {"type": "input_text", "text": block["text"]}


def _image(block: Block) -> dict[str, Any]:
    source = block["source"]
    if source["type"] == "file":
        return {"type": "input_image", "file_id": source["file_id"], "detail": "auto"}
    return {"type": "input_image", "image_url": _url(source), "detail": "auto"}


def _document(block: Block) -> dict[str, Any]:
    source = block["source"]
    part: dict[str, Any] = {"type": "input_file"}
    if block.get("title"):
        part["filename"] = block["title"]
    if source["type"] == "file":
        return {**part, "file_id": source["file_id"]}
    if source["type"] == "url":
        return {**part, "file_url": source["url"]}
    return {**part, "file_data": _url(source)}


def _url(source: dict[str, Any]) -> str:
    if source["type"] == "url":
        return str(source["url"])
    if source["type"] == "text":
        data = base64.b64encode(source["data"].encode()).decode()
        return f"data:{source['media_type']};base64,{data}"
    return f"data:{source['media_type']};base64,{source['data']}"


_PARTS: dict[str, Callable[[Block], dict[str, Any]]] = {"text": _text, "image": _image, "document": _document}


def _part(block: Block) -> dict[str, Any]:
    return _PARTS[block["type"]](block)


_HOSTED: dict[str, dict[str, Any]] = {
    "code_execution": {"type": "code_interpreter", "container": {"type": "auto"}},
    "web_search": {"type": "web_search"},
}


def caller_tools(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a recorded request's tools as a caller would declare them; other servers' tools are left out."""
    declared: list[dict[str, Any]] = []
    for tool in tools:
        if tool.get("input_schema"):
            declared.append(
                {
                    "type": "function",
                    "name": tool["name"],
                    "description": tool.get("description"),
                    "parameters": tool["input_schema"],
                    "strict": tool.get("strict"),
                }
            )
        elif tool.get("name") in _HOSTED:
            declared.append(_HOSTED[tool["name"]])
    return declared


def outputs_for(blocks: list[Block]) -> list[Item]:
    """Return an output for each call of an answer, so that it can be given back."""
    return [
        {"type": "function_call_output", "call_id": block["id"], "output": json.dumps({"done": True})}
        for block in blocks
        if block["type"] == "tool_use"
    ]
