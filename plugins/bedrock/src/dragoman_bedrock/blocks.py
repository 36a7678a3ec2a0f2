"""Content blocks, written to the output: one class for each kind, whole and streamed alike.

A whole block is taken apart into the start and the deltas that a stream would have brought, so the two ways
cannot disagree. In streams only calls and results of tools have a start; the first delta of any other block
says what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal
from dragoman_bedrock.block_kinds import KINDS, kind_of_start
from dragoman_bedrock.hosted import json_text, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dragoman.output import Output
    from dragoman_bedrock.block_kinds import OpenBlock, ServerTool

__all__ = ["Blocks"]

Block = dict[str, Any]


class Blocks:
    """The blocks of one answer: those that are open, and what later ones must know of earlier ones."""

    def __init__(self, output: Output, provider: str, maker: str, *, raw_reasoning: bool) -> None:
        """Write to `output`; what must come back verbatim is sealed for `provider`.

        `maker` made the model, as far as known; `raw_reasoning`: whether it shows what it thinks as it is.
        """
        self.output = output
        self.provider = provider
        self.maker = maker
        self.raw_reasoning = raw_reasoning
        self.written = 0
        """How many blocks will be there when the answer is sent back: by it the place of a result is kept."""
        self.pending: dict[str, ServerTool] = {}
        """Calls of server tools that wait for their result, by their id."""
        self.cited_alone = 0
        """How many blocks of citations alone stand behind the last text."""
        self._last_text: Hashable = None
        self._open: dict[Hashable, OpenBlock] = {}

    # ---- the wire's events ----------------------------------------------------------------------------

    def start(self, key: Hashable, start: Any) -> None:
        """Begin a block; one whose start says nothing begins with its first delta."""
        self.stop(key)  # a number that is used again: the old block is over
        begun = kind_of_start(start)
        if begun is not None:
            self._begin(key, *begun)
        elif isinstance(start, dict) and start:
            self.delta(key, start)  # servers that begin every block begin these with what a delta holds

    def delta(self, key: Hashable, delta: Any) -> None:
        """Add to a block; what no block of its kind understands is ignored."""
        if not isinstance(delta, dict):
            return
        block = self._open.get(key)
        if block is None:
            name = next((name for name in KINDS if name in delta), "")
            block = self._begin(key, KINDS[name], {})
        block.delta(delta)

    def stop(self, key: Hashable) -> None:
        """End a block."""
        block = self._open.pop(key, None)
        if block is not None:
            block.stop()

    def stop_all(self, *, cut: bool) -> None:
        """End the blocks that the wire left open, but a call that was `cut` off or is not whole."""
        for key, block in list(self._open.items()):
            if block.can_stop(cut=cut):
                self.stop(key)
        self.settle()

    def whole(self, key: Hashable, block: Any, *, cut: bool = False) -> None:
        """Write a block that is there at once; a call that was `cut` off stays open."""
        if not isinstance(block, dict):
            return
        name = next((name for name in _PIECES if name in block), None)
        if name is None:
            self.opaque(block)
            return
        start, deltas = _PIECES[name](block[name])
        self.start(key, start)
        for delta in deltas:
            self.delta(key, delta)
        if not cut:
            self.stop(key)

    def _begin(self, key: Hashable, kind: type[OpenBlock], start: Block) -> OpenBlock:
        block = self._open[key] = kind(self, key, start)
        return block

    # ---- what the kinds share -------------------------------------------------------------------------

    def settle(self) -> None:
        """Close the last text: nothing more is cited for it."""
        if self._last_text is not None:
            self.output.close(self._last_text)
            self._last_text = None
        self.cited_alone = 0

    def text_is_over(self, key: Hashable) -> None:
        """Keep a finished text open for the blocks of citations that may follow it."""
        self._last_text = key

    @property
    def last_text(self) -> Hashable:
        """The key of the text that blocks of citations belong to; None where there is none."""
        return self._last_text

    def opaque(self, block: Block) -> None:
        """Write a block that has no counterpart as it is."""
        self.settle()
        name = next(iter(block), "block")
        item = {"type": f"bedrock:{name}", "block": block, "encrypted_content": self.seal({"block": block})}
        self.output.item(item)
        self.written += 1

    def seal(self, state: Any) -> str:
        """Return `state` as only this provider reads it."""
        return seal(self.provider, state)


# ---- whole blocks, taken apart -----------------------------------------------------------------------


def _text(text: Any) -> tuple[Block, list[Block]]:
    return {}, [{"text": text}]


def _reasoning(content: Any) -> tuple[Block, list[Block]]:
    content = content if isinstance(content, dict) else {}
    if "redactedContent" in content:
        return {}, [{"reasoningContent": {"redactedContent": content["redactedContent"]}}]
    said = content.get("reasoningText")
    said = said if isinstance(said, dict) else {}
    deltas = [{"reasoningContent": {name: said[name]}} for name in ("text", "signature") if said.get(name)]
    return {}, deltas or [{"reasoningContent": {}}]


def _tool_use(use: Any) -> tuple[Block, list[Block]]:
    use = use if isinstance(use, dict) else {}
    given = use.get("input")
    text = given if isinstance(given, str) else json_text(given) if given else ""
    return {"toolUse": {name: value for name, value in use.items() if name != "input"}}, (
        [{"toolUse": {"input": text}}] if text else []
    )


def _tool_result(result: Any) -> tuple[Block, list[Block]]:
    result = result if isinstance(result, dict) else {}
    start = {name: value for name, value in result.items() if name != "content"}
    return {"toolResult": start}, [{"toolResult": result.get("content")}]


def _citations(content: Any) -> tuple[Block, list[Block]]:
    content = content if isinstance(content, dict) else {}
    deltas: list[Block] = [{"citation": citation} for citation in objects(content.get("citations"))]
    return {}, deltas + [{"text": part.get("text")} for part in objects(content.get("content"))]


def _image(image: Any) -> tuple[Block, list[Block]]:
    image = image if isinstance(image, dict) else {}
    return {"image": {"format": image.get("format")}}, [{"image": {"source": image.get("source")}}]


_PIECES: dict[str, Callable[[Any], tuple[Block, list[Block]]]] = {
    "text": _text,
    "reasoningContent": _reasoning,
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "citationsContent": _citations,
    "image": _image,
}
