"""Anthropic's Messages wire, read independently of the plugin: folded, compared, found again in a Response.

Written from the wire's semantics (events and blocks as Anthropic documents them), so that it can judge a
translator: nothing here knows how the plugin works, but that sealed state (``dragoman.sealing``) may hold
what the Responses API has no field for.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dragoman.sealing import is_sealed, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Folded", "end_mark", "fold", "lost", "same_turns", "scalars", "sse_events", "turns"]

Block = dict[str, Any]


# ---- streams ------------------------------------------------------------------------------------------


def sse_events(raw: str) -> Iterator[dict[str, Any]]:
    """Yield the parsed data of every event of a stream; a last one without its blank line counts."""
    lines: list[str] = []
    for line in [*raw.replace("\r\n", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            lines.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and lines:
            yield json.loads("\n".join(lines))
            lines = []


def end_mark(wire: bytes) -> int | None:
    """Return the offset of the byte that makes `message_stop` whole; None where the stream has none."""
    offset = 0
    for line in wire.splitlines(keepends=True):
        if line.startswith(b"data:") and b"message_stop" in line:
            with contextlib.suppress(ValueError):
                if json.loads(line[5:]).get("type") == "message_stop":
                    return offset + len(line.rstrip()) - 1
        offset += len(line)
    return None


@dataclass
class Folded:
    """What a stream amounts to."""

    body: dict[str, Any] = field(default_factory=dict)
    """The answer as it would have come whole."""
    cut_inputs: dict[int, str] = field(default_factory=dict)
    """Tool inputs that stopped in the middle, by block: the JSON as far as it came. Whole answers say {}."""
    restarted: bool = False
    """Whether a second message began before the first had stopped: no answer can be told."""


def fold(raw: str) -> Folded:
    """Fold a stream's first message."""
    folded = Folded()
    blocks: dict[int, Block] = {}
    inputs: dict[int, str] = {}
    for event in sse_events(raw):
        match event["type"]:
            case "message_start":
                folded.restarted = bool(folded.body)
                folded.body = {**event["message"], "usage": dict(event["message"].get("usage") or {})}
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                _add(blocks[event["index"]], event["delta"], inputs, event["index"])
            case "message_delta":
                figures = {name: value for name, value in event.get("usage", {}).items() if value is not None}
                folded.body["usage"].update(figures)
                folded.body.update(event["delta"])
                folded.body.update(
                    {name: value for name, value in event.items() if name not in {"type", "delta", "usage"}}
                )
            case "message_stop":
                break
    for index, text in inputs.items():
        try:
            blocks[index]["input"] = json.loads(text) if text.strip() else blocks[index].get("input", {})
        except ValueError:
            folded.cut_inputs[index] = text
            blocks[index]["input"] = {}
    folded.body["content"] = [blocks[index] for index in sorted(blocks)]
    return folded


def _add(block: Block, delta: dict[str, Any], inputs: dict[int, str], index: int) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] = block.get("text", "") + delta["text"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        case "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            inputs[index] = inputs.get(index, "") + delta["partial_json"]
        case "compaction_delta":
            block.update(
                {name: value for name, value in delta.items() if name != "type" and value is not None}
            )


# ---- turns, compared ----------------------------------------------------------------------------------


def turns(messages: list[dict[str, Any]]) -> list[tuple[str, list[Block]]]:
    """Return messages as (role, blocks), in one spelling where the wire allows several.

    A string is one text block; neighbours of one role are one turn; what says only the default
    (``caller: direct``, ``is_error: false``, null, no citations) and the client's cache marks are left out;
    so is empty text, which Anthropic refuses to take back.
    """
    found: list[tuple[str, list[Block]]] = []
    for message in messages:
        blocks = _blocks(message["content"])
        if found and found[-1][0] == message["role"]:
            found[-1][1].extend(blocks)
        else:
            found.append((message["role"], blocks))
    return [turn for turn in found if turn[1]]


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_plain(block) for block in content]
    return [block for block in blocks if block["type"] != "text" or block["text"]]


def _plain(block: Block) -> Block:
    plain = {name: value for name, value in block.items() if value is not None and name != "cache_control"}
    if plain.get("caller") == {"type": "direct"}:
        del plain["caller"]
    if plain.get("is_error") is False:
        del plain["is_error"]
    if not plain.get("citations"):
        plain.pop("citations", None)
    else:
        plain["citations"] = _without_nulls(plain["citations"])
    if plain["type"] == "tool_result":
        plain["content"] = _blocks(plain.get("content") or [])
    elif "content" in plain:
        plain["content"] = _without_nulls(plain["content"])
    return plain


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
        return {
            name: inner for name, inner in kept.items() if inner != {"type": "direct"} or name != "caller"
        }
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def same_turns(found: list[tuple[str, list[Block]]], expected: list[tuple[str, list[Block]]]) -> None:
    """Raise where two lists of turns differ, saying where first.

    Raises:
        AssertionError: a turn or block is missing, added, moved or changed.
    """
    for number, (mine, theirs) in enumerate(zip(found, expected, strict=False)):
        assert mine[0] == theirs[0], f"messages[{number}] is of {mine[0]}, not of {theirs[0]}"
        for place, (block, wanted) in enumerate(zip(mine[1], theirs[1], strict=False)):
            assert block == wanted, (
                f"messages[{number}].content[{place}] is {_short(block)}, not {_short(wanted)}"
            )
        kinds = [[block["type"] for block in blocks] for blocks in (mine[1], theirs[1])]
        assert kinds[0] == kinds[1], f"messages[{number}] has {kinds[0]}, not {kinds[1]}"
    roles = [[role for role, _ in side] for side in (found, expected)]
    assert roles[0] == roles[1], f"the turns are {roles[0]}, not {roles[1]}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 250 else f"{text[:170]}...{text[-70:]}"


# ---- an answer, found again in a Response ---------------------------------------------------------------


def scalars(value: Any) -> Iterator[Any]:
    """Yield every string and number inside a value, also inside what is sealed and inside JSON in strings."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif is_sealed(value):
        yield from scalars(unseal("anthropic", value, param="output"))
    elif isinstance(value, str):
        yield value
        if value[:1] in {"{", "["}:
            with contextlib.suppress(ValueError):
                yield from scalars(json.loads(value))
    elif value is not None and not isinstance(value, bool):
        yield value


class _Trove:
    """Everything that stands somewhere in an item or part."""

    def __init__(self, *values: Any) -> None:
        self._all = {scalar for value in values for scalar in scalars(value)}
        self._text = "\0".join(scalar for scalar in self._all if isinstance(scalar, str))

    def lacks(self, wanted: Any) -> Any:
        """Return the first scalar of `wanted` that is nowhere here; None where all are."""
        for scalar in scalars(_untyped(wanted)):
            if scalar not in self._all and not (isinstance(scalar, str) and scalar in self._text):
                return scalar
        return None


def _untyped(value: Any) -> Any:
    # A type may be implied by where the data went: an mcp_call need not say that it was an mcp_tool_use.
    if isinstance(value, dict):
        return {name: _untyped(inner) for name, inner in value.items() if name != "type"}
    return [_untyped(inner) for inner in value] if isinstance(value, list) else value


def lost(body: dict[str, Any], response: dict[str, Any]) -> Iterator[str]:
    """Yield what of an answer's content is not in the Response, or not in its place."""
    content, output = _plain({**body, "type": "message"})["content"], response["output"]
    yield from _lost_texts(content, output)
    yield from _lost_calls(content, output)
    yield from _lost_reasoning(content, output)
    yield from _lost_order(content, output)
    everything = _Trove(*output)
    if (missing := everything.lacks(body.get("container"))) is not None:
        yield f"container: {_short(missing)} is nowhere"
    for block in content:
        if "tool_use_id" in block and (missing := everything.lacks(block)) is not None:
            yield f"{block['type']}: {_short(missing)} is nowhere"


def _lost_texts(content: list[Block], output: list[dict[str, Any]]) -> Iterator[str]:
    blocks = [block for block in content if block["type"] == "text" and block["text"]]
    parts = [
        part
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    ]
    texts = [[value["text"] for value in side] for side in (blocks, parts)]
    if texts[0] != texts[1]:
        yield f"texts are {_short(texts[1])}, not {_short(texts[0])}"
        return
    for block, part in zip(blocks, parts, strict=True):
        citations = block.get("citations") or []
        cited = [(_address(cited), cited.get("title") or "") for cited in citations if _address(cited)]
        annotated = [(a["url"], a["title"]) for a in part["annotations"] if a["type"] == "url_citation"]
        if len(part["annotations"]) != len(citations):
            yield f"{len(citations)} citations became {len(part['annotations'])} annotations"
        if cited != annotated:
            yield f"url citations are {_short(annotated)}, not {_short(cited)}"
        if (missing := _Trove(part).lacks(citations)) is not None:
            yield f"a citation has lost {_short(missing)}"
        for annotation in part["annotations"]:
            start, end = annotation.get("start_index", 0), annotation.get("end_index", 0)
            if not 0 <= start <= end <= len(part["text"]):
                yield f"an annotation spans {start} to {end} of {len(part['text'])} characters"


def _address(citation: Block) -> str | None:
    """Return the page that a citation names, if it names one."""
    address = citation.get("url") or citation.get("source")
    return address if isinstance(address, str) and address.startswith("http") else None


def _lost_calls(content: list[Block], output: list[dict[str, Any]]) -> Iterator[str]:
    said = [(block["id"], block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
    calls = [item for item in output if item["type"] == "function_call"]
    found = [(call["call_id"], call["name"], _arguments(call)) for call in calls]
    if said != found:
        yield f"calls are {_short(found)}, not {_short(said)}"
    for block in content:
        if block["type"] == "tool_use" and (tool_id := block.get("caller", {}).get("tool_id")):
            call = next((call for call in calls if call["call_id"] == block["id"]), {})
            if _Trove(call).lacks(tool_id) is not None:
                yield f"the caller of {block['id']} is lost"


def _arguments(call: dict[str, Any]) -> Any:
    try:
        return json.loads(call["arguments"])
    except ValueError:
        return call["arguments"]


def _lost_reasoning(content: list[Block], output: list[dict[str, Any]]) -> Iterator[str]:
    said = "".join(block.get("thinking", "") for block in content if block["type"] == "thinking")
    readable = "".join(
        part["text"]
        for item in output
        if item["type"] == "reasoning"
        for part in [*item["summary"], *(item.get("content") or [])]
    )
    if said != readable:
        yield f"thinking is {_short(readable)}, not {_short(said)}"


def _lost_order(content: list[Block], output: list[dict[str, Any]]) -> Iterator[str]:
    """Look for one block after the other, never going back to an earlier item."""
    troves = [_Trove(item) for item in output]
    used = {block["id"] for block in content if "id" in block}
    position = 0
    for block in content:
        # A result may stand in the item of its call, and so before what came between the two.
        if block.get("tool_use_id") in used or (block["type"] == "text" and not block["text"]):
            continue
        kinds = _HOMES.get(block["type"])
        wanted = block["signature"] if block["type"] == "thinking" and block.get("signature") else block
        for index in range(position, len(output)):
            if kinds is not None and output[index]["type"] not in kinds:
                continue
            if troves[index].lacks(wanted) is None:
                position = index
                break
        else:
            yield f"{block['type']} {_short(wanted)} is not in the output after item {position}"


_HOMES = {
    "text": {"message"},
    "tool_use": {"function_call", "custom_tool_call"},
    "thinking": {"reasoning"},
    "redacted_thinking": {"reasoning"},
}
