"""The kinds of content blocks, each between its start and its stop."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from dragoman_bedrock.citations import annotation_for
from dragoman_bedrock.hosted import hosted_tool_for, json_text, objects
from dragoman_bedrock.options import JSON_TOOL

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dragoman_bedrock.blocks import Blocks

__all__ = ["KINDS", "OpenBlock", "kind_of_start"]

Block = dict[str, Any]


class OpenBlock:
    """A block between its start and its stop."""

    def __init__(self, blocks: Blocks, key: Hashable, start: Block) -> None:
        """Begin the block that the wire's number `key` names."""
        self.blocks = blocks
        self.output = blocks.output
        self.key = key
        self.pieces: list[str] = []
        self.start(start)

    def start(self, start: Block) -> None:
        """Write what the block begins with."""

    def delta(self, delta: Block) -> None:
        """Add what has arrived."""

    def stop(self) -> None:
        """Write what only the whole block shows, and close."""

    def can_stop(self, *, cut: bool) -> bool:  # noqa: ARG002
        """Tell whether what has arrived may stand as a finished block; `cut`: the answer was cut off."""
        return True


class Text(OpenBlock):
    """Text and what it rests on: a citation may come before the words that it is for, or without any."""

    def start(self, start: Block) -> None:  # noqa: ARG002
        self.citations: list[Block] = []
        self.began = False

    def delta(self, delta: Block) -> None:
        if isinstance(citation := delta.get("citation"), dict):
            self.citations.append(citation)
        text = delta.get("text")
        if isinstance(text, str) and text:
            if not self.began:
                self.blocks.settle()
                self.began = True
            self.output.text(text, self.key)
            self.pieces.append(text)

    def stop(self) -> None:
        if self.began:
            self._cite(self.key, 0)
            self.blocks.text_is_over(self.key)
            self.blocks.written += bool("".join(self.pieces).strip())  # blank text cannot be sent back
        elif self.citations and self.blocks.last_text is not None:
            self.blocks.cited_alone += 1
            self._cite(self.blocks.last_text, self.blocks.cited_alone)
            self.blocks.written += 1
        elif self.citations:
            self.blocks.opaque({"citationsContent": {"citations": self.citations}})

    def _cite(self, key: Hashable, block: int) -> None:
        end = self.output.position(key)
        for citation in self.citations:
            self.output.annotation(annotation_for(citation, end, block, self.blocks.provider), key)


class Reasoning(OpenBlock):
    """Reasoning with its signature, or encrypted altogether."""

    def start(self, start: Block) -> None:  # noqa: ARG002
        self.blocks.settle()
        self.signature = ""
        self.redacted: list[str] = []
        # Summaries and raw reasoning are written alike; which it is depends on the model.
        write = self.output.reasoning_text if self.blocks.raw_reasoning else self.output.reasoning_summary
        self.write = write
        self.output.open_item({"type": "reasoning", "summary": []}, self.key)

    def delta(self, delta: Block) -> None:
        said = delta.get("reasoningContent")
        if not isinstance(said, dict):
            return
        if isinstance(text := said.get("text"), str):
            self.write(text, self.key)
        if isinstance(signature := said.get("signature"), str):
            self.signature += signature
        if isinstance(redacted := said.get("redactedContent"), str):
            self.redacted.append(redacted)

    def stop(self) -> None:
        state = {"redacted": _joined(self.redacted)} if self.redacted else {"signature": self.signature}
        if any(state.values()):  # what is neither signed nor encrypted cannot be sent back
            sealed = self.blocks.seal({**state, "maker": self.blocks.maker})
            self.output.encrypted_reasoning(sealed, self.key)
            self.blocks.written += 1
        self.output.close(self.key)


class ToolUse(OpenBlock):
    """A call of one of the request's tools."""

    def start(self, start: Block) -> None:
        self.blocks.settle()
        call_id = start.get("toolUseId")
        name = str(start.get("name") or "")
        self.writer = self.output.function_call(str(call_id) if call_id else None, name, self.key)

    def delta(self, delta: Block) -> None:
        piece = _input(delta)
        self.pieces.append(piece)
        self.writer.write(piece)

    def stop(self) -> None:
        self.output.close(self.key)
        self.blocks.written += bool(self.writer.id)  # "": a call that tool_choice forbids

    def can_stop(self, *, cut: bool) -> bool:
        try:
            json.loads("".join(self.pieces) or "{}")
        except ValueError:
            return False
        return not cut


class JSONAnswer(OpenBlock):
    """The call that stands for structured output: its input is the text of the answer."""

    def start(self, start: Block) -> None:  # noqa: ARG002
        self.blocks.settle()

    def delta(self, delta: Block) -> None:
        self.output.text(_input(delta), self.key)

    def stop(self) -> None:
        self.blocks.written += self.output.position(self.key) > 0
        self.output.close(self.key)


class ServerTool(OpenBlock):
    """A call that Amazon's side carries out; the item waits for the result."""

    def start(self, start: Block) -> None:
        self.blocks.settle()
        self.use: Block = {**start, "input": {}}
        self.tool = hosted_tool_for(str(start.get("name") or ""))
        self.blocks.written += 1
        self.place = self.blocks.written
        item = {"type": self.tool.item_type, **self.tool.fields({}, [])}
        # The wire's number is free again when the call stops, long before the result: it cannot be the key.
        self.writer = self.output.open_item(item, ("server tool", self.place))
        if self.tool.stage:
            self.writer.announce(self.tool.stage)
        self.blocks.pending[str(start.get("toolUseId"))] = self

    def delta(self, delta: Block) -> None:
        self.pieces.append(_input(delta))

    def stop(self) -> None:
        text = "".join(self.pieces)
        try:
            self.use["input"] = json.loads(text) if text.strip() else {}
        except ValueError:
            self.use["input"] = {}
        given = self.use["input"]
        if self.tool.code is not None:
            self.writer.write(self.tool.code(given))
        sealed = self.blocks.seal({"use": {"toolUse": self.use}})
        self.writer.update(**self.tool.fields(given, []), encrypted_content=sealed)

    def answer(self, result: Block) -> None:
        """Finish the item with the block that answers the call."""
        self.blocks.stop(self.key)
        between = self.blocks.written - self.place
        state = {"use": {"toolUse": self.use}, "result": {"toolResult": result}, "between": between}
        content = objects(result.get("content"))
        failed = result.get("status") == "error" or any(
            isinstance(entry.get("json"), dict) and entry["json"].get("isError") is True for entry in content
        )
        self.writer.close(
            **self.tool.fields(self.use["input"], content),
            encrypted_content=self.blocks.seal(state),
            status="failed" if failed else "completed",
        )
        self.blocks.written += 1


class ToolResult(OpenBlock):
    """What a server tool gave; in streams its delta is a list."""

    def start(self, start: Block) -> None:
        self.result: Block = {**start, "content": []}

    def delta(self, delta: Block) -> None:
        for entry in objects(delta.get("toolResult")):
            content = self.result["content"]
            known = content[-1] if content else {}
            text = entry.get("text")
            if (
                isinstance(text, str)
                and isinstance(known.get("text"), str)
                and set(entry) == set(known) == {"text"}
            ):
                content[-1] = {"text": known["text"] + text}
            else:
                content.append(entry)

    def stop(self) -> None:
        use = self.blocks.pending.pop(str(self.result.get("toolUseId")), None)
        if use is not None:
            use.answer(self.result)
        else:
            self.blocks.opaque({"toolResult": self.result})


class Image(OpenBlock):
    """An image that the model made."""

    def start(self, start: Block) -> None:
        self.format = str(start.get("format") or "png")
        self.others: list[Block] = []

    def delta(self, delta: Block) -> None:
        image = delta.get("image")
        source = image.get("source") if isinstance(image, dict) else None
        data = source.get("bytes") if isinstance(source, dict) else None
        if isinstance(data, str):
            self.pieces.append(data)
        elif isinstance(image, dict):
            self.others.append(image)

    def stop(self) -> None:
        data = _joined(self.pieces)
        if not data:  # in S3, or a failure to make one
            self.blocks.opaque({"image": {"format": self.format, **(self.others[-1] if self.others else {})}})
            return
        self.blocks.settle()
        self.output.item(
            {
                "type": "image_generation_call",
                "result": data,
                "output_format": self.format,
                "encrypted_content": self.blocks.seal({"image": self.format}),
            }
        )
        self.blocks.written += 1


class Unknown(OpenBlock):
    """A block from the future: shown as the deltas that came."""

    def start(self, start: Block) -> None:
        self.deltas: list[Block] = [start] if start else []

    def delta(self, delta: Block) -> None:
        self.deltas.append(delta)

    def stop(self) -> None:
        self.blocks.settle()
        name = next((name for delta in self.deltas for name in delta), "block")
        sealed = self.blocks.seal({"unreadable": True})
        self.output.item({"type": f"bedrock:{name}", "deltas": self.deltas, "encrypted_content": sealed})


KINDS: dict[str, type[OpenBlock]] = {
    "text": Text,
    "citation": Text,
    "reasoningContent": Reasoning,
    "toolUse": ToolUse,
    "toolResult": ToolResult,
    "image": Image,
    "": Unknown,
}
"""The kind of a block by what its first delta holds."""


def kind_of_start(start: Any) -> tuple[type[OpenBlock], Block] | None:
    """Return the kind of the block that begins so, and what it begins with; None where nothing tells."""
    if not isinstance(start, dict) or not start:
        return None
    for name in ("toolUse", "toolResult", "image"):
        inner = start.get(name)
        if isinstance(inner, dict):
            return _kind_of_use(inner) if name == "toolUse" else KINDS[name], inner
    return None if start.keys() & KINDS.keys() else (Unknown, start)


def _kind_of_use(use: Block) -> type[OpenBlock]:
    if use.get("type") == "server_tool_use":
        return ServerTool
    return JSONAnswer if use.get("name") == JSON_TOOL else ToolUse


def _input(delta: Block) -> str:
    use = delta.get("toolUse")
    given = use.get("input") if isinstance(use, dict) else None
    return given if isinstance(given, str) else json_text(given) if given else ""


def _joined(pieces: list[str]) -> str:
    """Return base64 that came in pieces, each with its own padding, as one; a single piece as it is."""
    if len(pieces) <= 1:
        return "".join(pieces)
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece) for piece in pieces)).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)
