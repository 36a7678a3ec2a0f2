"""From echo's wire to output: an answer is a list of blocks, a stream the same blocks in smaller pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal
from dragoman_echo.errors import provider_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.output import Output

__all__ = ["write_answer", "write_block"]


def write_answer(payload: Any, output: Output) -> None:
    """Write a whole answer: ``{"blocks": [...]}``."""
    for block in payload.get("blocks", ()):
        write_block(block, output)


def write_block(block: Any, output: Output) -> None:
    """Write one block; types that are not known here are left alone."""
    write = _WRITERS.get(block.get("type", "")) if isinstance(block, dict) else None
    if write is not None:
        write(block, output)


def _start(block: dict[str, Any], output: Output) -> None:
    output.model(block["model"])
    output.usage(input_tokens=block["input_tokens"], cached_tokens=0)


def _reasoning_state(block: dict[str, Any], output: Output) -> None:
    output.encrypted_reasoning(seal("echo", block["state"]))
    output.close()


def _item(block: dict[str, Any], output: Output) -> None:
    item = block["item"]
    if not item["type"].startswith("echo:"):  # known as ours by its seal when it returns
        item = {"encrypted_content": seal("echo", {"item": item["type"]}), **item}
    output.item(item)


def _call(block: dict[str, Any], output: Output) -> None:
    output.state["call"] = output.function_call(block["id"], block["name"])


_FIGURES = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_WRITERS: dict[str, Callable[[dict[str, Any], Output], None]] = {
    "start": _start,
    "text": lambda block, output: output.text(block["text"], logprobs=block.get("logprobs")),
    "refusal": lambda block, output: output.refusal(block["text"]),
    "annotation": lambda block, output: output.annotation(block["annotation"]),
    "reasoning": lambda block, output: output.reasoning_summary(block["text"]),
    "reasoning_state": _reasoning_state,
    "call": _call,
    "arguments": lambda block, output: output.state["call"].write(block["text"]),
    "item": _item,
    "usage": lambda block, output: output.usage(**{name: block["usage"].get(name) for name in _FIGURES}),
    "finish": lambda block, output: output.finish(block["reason"]),
    "error": lambda block, output: output.fail(provider_error(block["error"])),
    "end": lambda _, output: output.end(),
}
