"""Content blocks, written to the output: one class for each kind, whole and streamed alike.

A block begins with what ``content_block_start`` holds, grows by deltas, and stops. A block of a whole answer
begins with everything and stops at once, so the two ways cannot disagree.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal
from dragoman_anthropic.citations import annotation_for
from dragoman_anthropic.hosted import HostedTool, hosted_tool_for, is_failure, json_text, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dragoman.output import ItemWriter, Output

__all__ = ["JSON_TOOL", "Blocks"]

Block = dict[str, Any]

JSON_TOOL = "dragoman_json_response"
"""The tool by which models without structured output answer in a schema: its input is the answer."""


class Blocks:
    """The blocks of one answer: those that are open, and what later ones must know of earlier ones."""

    def __init__(self, output: Output, provider: str) -> None:
        """Write to `output`; what must come back verbatim is sealed for `provider`."""
        self.output = output
        self.provider = provider
        self.written = 0
        """How many blocks will be there when the answer is sent back: by it the place of a result is kept."""
        self.pending: dict[str, _ServerToolUse] = {}
        """Calls of server tools that wait for their result, by their id."""
        self._open: dict[Hashable, _OpenBlock] = {}

    def start(self, key: Hashable, block: Any) -> None:
        """Begin the block that the wire's number `key` names."""
        if not isinstance(block, dict):
            return
        self.stop(key)  # a number that is used again: the old block is over
        self._open[key] = _kind_of(block)(self, key, block)

    def delta(self, key: Hashable, delta: Any) -> None:
        """Add to a block; what no block of this kind understands is ignored."""
        block = self._open.get(key)
        if block is not None and isinstance(delta, dict):
            block.delta(delta)

    def stop(self, key: Hashable) -> None:
        """End a block."""
        block = self._open.pop(key, None)
        if block is not None:
            block.stop()

    def whole(self, key: Hashable, block: Any, *, cut: bool = False) -> None:
        """Write a block that is there at once; one that was `cut` off stays open."""
        self.start(key, block)
        if not cut:
            self.stop(key)

    def stop_all(self) -> bool:
        """End every open block; False where one of them cannot be ended, being the middle of a call."""
        for key, block in list(self._open.items()):
            if not block.can_stop():
                return False
            self.stop(key)
        return True

    def seal(self, state: Any) -> str:
        """Return `state` as only this provider reads it."""
        return seal(self.provider, state)


class _OpenBlock:
    """A block between its start and its stop."""

    def __init__(self, blocks: Blocks, key: Hashable, block: Block) -> None:
        self.blocks = blocks
        self.output = blocks.output
        self.key = key
        self.block = block
        self.pieces: list[str] = []  # of streamed JSON input
        self.start()

    def start(self) -> None:
        """Write what the block begins with."""

    def delta(self, delta: Block) -> None:
        """Add what has arrived."""

    def stop(self) -> None:
        """Write what only the whole block shows, and close."""

    def can_stop(self) -> bool:
        """Tell whether what has arrived may stand as a finished block."""
        return True

    def collect(self, delta: Block) -> str:
        """Keep and return the JSON that an ``input_json_delta`` adds."""
        piece = delta.get("partial_json")
        if delta.get("type") != "input_json_delta" or not isinstance(piece, str):
            return ""
        self.pieces.append(piece)
        return piece

    def finished(self) -> Block:
        """Return the block with its streamed input in place."""
        text = "".join(self.pieces)
        if not text:
            return self.block
        try:
            return {**self.block, "input": json.loads(text)}
        except ValueError:
            return self.block


class _Text(_OpenBlock):
    def start(self) -> None:
        self.citations = objects(self.block.get("citations"))
        self._write(self.block.get("text"))

    def delta(self, delta: Block) -> None:
        self._write(delta.get("text"))
        if isinstance(citation := delta.get("citation"), dict):
            self.citations.append(citation)

    def stop(self) -> None:
        length = self.output.position(self.key)
        if length:  # the API refuses empty text, so it is not kept, nor what it cites
            for citation in self.citations:
                self.output.annotation(annotation_for(citation, length, self.blocks.provider), self.key)
            self.blocks.written += 1
        self.output.close(self.key)

    def _write(self, text: Any) -> None:
        if isinstance(text, str):
            self.output.text(text, self.key)


class _Thinking(_OpenBlock):
    def start(self) -> None:
        self.signature = self.block.get("signature")
        self.output.open_item({"type": "reasoning", "summary": []}, self.key)
        self._write(self.block.get("thinking"))

    def delta(self, delta: Block) -> None:
        self._write(delta.get("thinking"))
        self.signature = delta.get("signature") or self.signature

    def stop(self) -> None:
        if self.signature:
            self.output.encrypted_reasoning(self.blocks.seal({"signature": self.signature}), self.key)
            self.blocks.written += 1  # the API refuses thinking without a signature
        self.output.close(self.key)

    def _write(self, text: Any) -> None:
        if isinstance(text, str):
            self.output.reasoning_summary(text, self.key)


class _RedactedThinking(_OpenBlock):
    def start(self) -> None:
        sealed = self.blocks.seal({"redacted_thinking": self.block.get("data")})
        self.output.item({"type": "reasoning", "summary": [], "encrypted_content": sealed})
        self.blocks.written += 1


class _ToolUse(_OpenBlock):
    def start(self) -> None:
        fields: dict[str, Any] = {}
        caller = self.block.get("caller")
        if isinstance(caller, dict) and caller.get("type") != "direct":
            # A program that runs in Anthropic's container calls: it must be told so when the result comes.
            fields["caller"] = {"type": "program", "caller_id": str(caller.get("tool_id") or "")}
            fields["encrypted_content"] = self.blocks.seal({"caller": caller})
        name = str(self.block.get("name") or "")
        call_id = self.block.get("id")
        self.writer = self.output.function_call(str(call_id) if call_id else None, name, self.key, **fields)

    def delta(self, delta: Block) -> None:
        self.writer.write(self.collect(delta))

    def stop(self) -> None:
        if not "".join(self.pieces) and self.block.get("input"):
            self.writer.write(json_text(self.block["input"]))
        self.output.close(self.key)
        self.blocks.written += bool(self.writer.id)  # "": a call that tool_choice forbids

    def can_stop(self) -> bool:
        try:
            json.loads("".join(self.pieces) or "{}")
        except ValueError:
            return False
        return True


class _JSONAnswer(_OpenBlock):
    """The call that stands for structured output: its input is the text of the answer."""

    def delta(self, delta: Block) -> None:
        self.output.text(self.collect(delta), self.key)

    def stop(self) -> None:
        if not "".join(self.pieces) and isinstance(self.block.get("input"), dict):
            self.output.text(json_text(self.block["input"]), self.key)
        self.blocks.written += self.output.position(self.key) > 0
        self.output.close(self.key)


class _ServerToolUse(_OpenBlock):
    """A call that Anthropic's side carries out; the item waits for the result."""

    tool: HostedTool
    writer: ItemWriter

    def start(self) -> None:
        self.tool = hosted_tool_for(self.block)
        self.blocks.written += 1
        self.place = self.blocks.written
        item = {"type": self.tool.item_type, **self.tool.opening(self.block)}
        # The wire's number is free again when the call stops, long before the result: it cannot be the key.
        self.writer = self.output.open_item(item, ("server tool", self.place))
        if self.tool.stage:
            self.writer.announce(self.tool.stage)
        self.blocks.pending[str(self.block.get("id"))] = self

    def delta(self, delta: Block) -> None:
        piece = self.collect(delta)
        if self.tool.relays_input:
            self.writer.write(piece)

    def stop(self) -> None:
        use = self.block = self.finished()
        if self.tool.relays_input and not "".join(self.pieces):
            self.writer.write(json_text(use.get("input") or {}))
        if self.tool.streamed is not None:
            self.writer.write(self.tool.streamed(use))
        sealed = self.blocks.seal({"use": use})
        self.writer.update(**self.tool.called(use), encrypted_content=sealed)

    def answer(self, result: Block) -> None:
        """Finish the item with the block that answers the call."""
        self.blocks.stop(self.key)
        between = self.blocks.written - self.place
        sealed = self.blocks.seal({"use": self.block, "result": result, "between": between})
        status = "failed" if is_failure(result) else "completed"
        self.writer.close(**self.tool.answered(self.block, result), encrypted_content=sealed, status=status)
        self.blocks.written += 1


class _ServerToolResult(_OpenBlock):
    def stop(self) -> None:
        use = self.blocks.pending.pop(str(self.block.get("tool_use_id")), None)
        if use is not None:
            use.answer(self.block)
        else:  # the call stands in an earlier answer: a program that waited for the caller's function
            _write_opaque(self.blocks, self.block)


class _Compaction(_OpenBlock):
    def delta(self, delta: Block) -> None:
        self.block = {**self.block, **{name: value for name, value in delta.items() if name != "type"}}

    def stop(self) -> None:
        self.output.item({"type": "compaction", "encrypted_content": self.blocks.seal({"block": self.block})})
        self.blocks.written += 1


class _Unknown(_OpenBlock):
    """A block from the future, or one without counterpart: shown by its type, kept as it is."""

    def delta(self, delta: Block) -> None:
        self.collect(delta)
        for name in ("text", "thinking"):
            if isinstance(piece := delta.get(name), str):
                self.block = {**self.block, name: f"{self.block.get(name) or ''}{piece}"}
        if isinstance(signature := delta.get("signature"), str):
            self.block = {**self.block, "signature": signature}
        if isinstance(citation := delta.get("citation"), dict):
            self.block = {**self.block, "citations": [*objects(self.block.get("citations")), citation]}

    def stop(self) -> None:
        _write_opaque(self.blocks, self.finished())


def _write_opaque(blocks: Blocks, block: Block) -> None:
    type_ = block.get("type") or "block"
    blocks.output.item(
        {"type": f"anthropic:{type_}", "block": block, "encrypted_content": blocks.seal({"block": block})}
    )
    blocks.written += 1


_KINDS: dict[str, type[_OpenBlock]] = {
    "text": _Text,
    "thinking": _Thinking,
    "redacted_thinking": _RedactedThinking,
    "tool_use": _ToolUse,
    "server_tool_use": _ServerToolUse,
    "mcp_tool_use": _ServerToolUse,
    "compaction": _Compaction,
}


def _kind_of(block: Block) -> Callable[[Blocks, Hashable, Block], _OpenBlock]:
    type_ = str(block.get("type"))
    if type_ == "tool_use" and block.get("name") == JSON_TOOL:
        return _JSONAnswer
    if type_ not in _KINDS and type_.endswith("_tool_result"):
        return _ServerToolResult
    return _KINDS.get(type_, _Unknown)
