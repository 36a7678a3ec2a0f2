"""The wire of Bedrock's Converse, read independently of the plugin: folded, compared, found in a Response.

Written from the wire's semantics, so that it can judge a translator: nothing here knows how the plugin works,
but that sealed state (``dragoman.sealing``) may hold what the Responses API has no field for. Frames of event
streams are read by botocore.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]

from dragoman.sealing import is_sealed, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.recordings import Recording

__all__ = ["Frame", "end_of_message_stop", "fold", "frames", "lost", "model_of", "plain_blocks", "turns"]

Block = dict[str, Any]
Frame = tuple[str, dict[str, Any], bool]
"""Event or exception type, payload, whether it is an exception."""

_DATA = frozenset({"input", "json", "schema"})  # the caller's own, or the model's


def model_of(recording: Recording) -> str | None:
    """Return the model that was asked; None where the source kept no name."""
    path = str(recording.document["request"]["url"]).partition("/model/")[2]
    model = unquote(path.rpartition("/")[0])
    return None if model in {"", "MODEL"} else model


# ---- streams ------------------------------------------------------------------------------------------


def frames(wire: bytes) -> list[Frame]:
    """Return the frames of a stream; what botocore finds damaged raises."""
    buffer = EventStreamBuffer()
    buffer.add_data(wire)
    found: list[Frame] = []
    for frame in buffer:
        headers = frame.headers
        failed = headers[":message-type"] != "event"
        name = headers[":exception-type"] if failed else headers[":event-type"]
        payload = {key: value for key, value in json.loads(frame.payload).items() if key != "p"}
        found.append((name, payload, failed))
    return found


def end_of_message_stop(wire: bytes) -> int | None:
    """Return the offset behind the frame `messageStop`; None where the stream has none."""
    offset = 0
    while offset + 12 <= len(wire):
        length = int.from_bytes(wire[offset : offset + 4])
        if b"messageStop" in wire[offset : offset + 100]:
            return offset + length
        offset += length
    return None


def fold(events: list[Frame]) -> dict[str, Any]:
    """Fold a stream into the answer as it would have come whole."""
    blocks: dict[int, Block] = {}
    inputs: dict[int, str] = {}
    body: dict[str, Any] = {"usage": {}}
    for name, payload, _ in events:
        index = payload.get("contentBlockIndex", -1)
        if name == "contentBlockStart":
            blocks[index] = {kind: dict(start) for kind, start in payload["start"].items()}
            if "toolUse" in blocks[index]:
                inputs[index] = ""
        elif name == "contentBlockDelta":
            _add(blocks.setdefault(index, {}), payload["delta"], inputs, index)
        elif name in {"messageStop", "metadata"}:
            body.update(payload)
    for index, text in inputs.items():
        try:
            blocks[index]["toolUse"]["input"] = json.loads(text or "{}")
        except ValueError:
            blocks[index]["toolUse"]["input"] = {}
            body["cut"] = True
    for index, block in blocks.items():
        if "citations" in block:
            text = block.pop("text", None)
            spoken = {"content": [{"text": text}]} if text else {}
            blocks[index] = {"citationsContent": {**spoken, "citations": block["citations"]}}
    content = [blocks[index] for index in sorted(blocks)]
    return {**body, "output": {"message": {"role": "assistant", "content": content}}}


def _add(block: Block, delta: Block, inputs: dict[int, str], index: int) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    if "citation" in delta:
        block.setdefault("citations", []).append(delta["citation"])
    if "toolUse" in delta:
        inputs[index] = inputs.get(index, "") + delta["toolUse"]["input"]
    if "toolResult" in delta:
        block["toolResult"].setdefault("content", []).extend(delta["toolResult"])
    for name, value in delta.get("reasoningContent", {}).items():
        reasoning = block.setdefault("reasoningContent", {})
        if name == "redactedContent":
            reasoning[name] = value
        else:
            said = reasoning.setdefault("reasoningText", {"text": ""})
            said[name] = said.get(name, "") + value


# ---- turns, compared ----------------------------------------------------------------------------------


def turns(messages: list[dict[str, Any]]) -> list[tuple[str, list[Block]]]:
    """Return messages as (role, blocks), in one spelling; neighbours of one role are one turn."""
    found: list[tuple[str, list[Block]]] = []
    for message in messages:
        blocks = plain_blocks(message["content"])
        if found and found[-1][0] == message["role"]:
            found[-1][1].extend(blocks)
        else:
            found.append((message["role"], blocks))
    return [turn for turn in found if turn[1]]


def plain_blocks(content: list[Block]) -> list[Block]:
    """Return blocks in one spelling: without nulls, types that say nothing, blank text, empty citations."""
    found = []
    for given in content:
        block = _plain(given)
        block.pop("type", None)
        if "toolUse" in block and block["toolUse"].get("type") == "tool_use":
            del block["toolUse"]["type"]
        if block.get("toolResult", {}).get("status") == "success" and "type" not in block["toolResult"]:
            del block["toolResult"]["status"]
        if "toolResult" in block:
            block["toolResult"]["content"] = plain_blocks(block["toolResult"]["content"])
        cited = block.get("citationsContent")
        if cited is not None and not cited.get("citations"):
            found += plain_blocks(cited.get("content") or [])
        elif block and not ("text" in block and not block["text"].strip()):
            found.append(block)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        name: inner if name in _DATA else _plain(inner) for name, inner in value.items() if inner is not None
    }


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
        yield from scalars(unseal("bedrock", value, param="output"))
    elif isinstance(value, str):
        yield value
        if value[:1] in {"{", "["}:
            with contextlib.suppress(ValueError):
                yield from scalars(json.loads(value))
    elif value is not None and not isinstance(value, bool):
        yield value


def lost(body: dict[str, Any], response: dict[str, Any]) -> Iterator[str]:
    """Yield what of an answer is not in the Response, or not in its place."""
    content, output = body["output"]["message"]["content"], response["output"]
    texts = [text for block in content if (text := _text(block))]
    parts = [
        part
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    ]
    if texts != [part["text"] for part in parts]:
        yield f"texts are {[part['text'][:40] for part in parts]}, not {[text[:40] for text in texts]}"
    calls = [
        (use["toolUseId"], use["name"], use["input"])
        for block in content
        if (use := block.get("toolUse")) and use.get("type") != "server_tool_use"
    ]
    found = [
        (item["call_id"], item["name"], _parsed(item["arguments"]))
        for item in output
        if item["type"] == "function_call"
    ]
    if calls != found and not body.get("cut"):
        yield f"calls are {found}, not {calls}"
    everything = set(scalars(output))
    for block in content:
        for scalar in scalars({name: value for name, value in block.items() if name not in {"type", "text"}}):
            if scalar not in everything and scalar != "tool_use" and not body.get("cut"):
                yield f"{str(scalar)[:80]!r} of {sorted(block)} is nowhere"
    for name in ("trace", "additionalModelResponseFields", "performanceConfig"):
        for scalar in scalars(body.get(name)):
            if scalar not in everything:
                yield f"{str(scalar)[:80]!r} of {name} is nowhere"
    citations = [c for block in content for c in block.get("citationsContent", {}).get("citations", [])]
    annotations = [note for part in parts for note in part["annotations"]]
    if len(citations) != len(annotations):
        yield f"{len(citations)} citations became {len(annotations)} annotations"
    for citation, note in zip(citations, annotations, strict=False):
        url = citation["location"].get("web", {}).get("url") or citation.get("source")
        if url and note.get("url") != url:
            yield f"the citation of {url} is {note}"
    yield from _lost_order(content, output)


def _text(block: Block) -> str:
    cited = block.get("citationsContent", {}).get("content") or []
    return str(block.get("text") or "".join(part["text"] for part in cited))


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


_KINDS = {"message": "text", "reasoning": "reasoning", "function_call": "call"}


def _lost_order(content: list[Block], output: list[dict[str, Any]]) -> Iterator[str]:
    kinds: list[str] = []
    for block in content:
        kind = "text" if _text(block) else "reasoning" if "reasoningContent" in block else ""
        if "toolUse" in block:
            kind = "hosted" if block["toolUse"].get("type") == "server_tool_use" else "call"
        if kind and not (kind == "text" and kinds[-1:] == ["text"]):
            kinds.append(kind)
    about = re.compile(r"bedrock:(trace|additional_model_response_fields|performance_config)")
    found = [_KINDS.get(item["type"], "hosted") for item in output if not about.fullmatch(item["type"])]
    if kinds != found:
        yield f"the order is {found}, not {kinds}"
