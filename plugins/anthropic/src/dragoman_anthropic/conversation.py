"""Input items as Anthropic's `system` and `messages`.

Messages alternate there, so items of one side become blocks of one message. Within an assistant's turn the
blocks stand as the model wrote them, in a user's turn the results of tools come first: the API demands both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dragoman.canonical import call_arguments
from dragoman.errors import BadRequestError
from dragoman.sealing import sealed_state
from dragoman_anthropic.content import content_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_anthropic.models import Model
    from dragoman_anthropic.notes import Notes

__all__ = ["Conversation"]

Block = dict[str, Any]
Item = dict[str, Any]

_FOREIGN_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


class Conversation:
    """A conversation under translation: add the items in order, then `finish`."""

    def __init__(self, model: Model, notes: Notes) -> None:
        """Start with nothing said."""
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.container: str | None = None
        """The container in which a program waits for the results of calls it made."""
        self._model = model
        self._notes = notes
        self._late_system: list[Block] = []  # the API wants it behind the user's turn in which it stands
        self._written = 0
        self._results: list[tuple[int, Block]] = []  # (after how many blocks it stood, result)
        self._last_container: str | None = None
        self._program_calls = False

    def add(self, item: Item, param: str) -> None:
        """Add one input item; `param` says where it stands.

        Raises:
            BadRequestError: an item that has no counterpart.
        """
        add = _ITEMS.get(item["type"], Conversation._sealed)
        add(self, item, param)

    def finish(self) -> None:
        """Say that all items were added."""
        self._end_model_turn()
        self._say_late_system()
        if self._program_calls:
            self.container = self._last_container

    # ---- the items ----------------------------------------------------------------------------------

    def _message(self, item: Item, param: str) -> None:
        blocks = content_blocks(item["content"], f"{param}.content", self._notes)
        if item["role"] == "assistant":
            self._assistant(*blocks)
        elif item["role"] == "user":
            self._user().extend(blocks)
        elif not self.messages:
            self.system.extend(blocks)
        elif self._model.inline_system:
            self._end_model_turn()
            self._late_system.extend(blocks)
        else:
            # These models take system text at the beginning alone, where it would speak too early.
            self._user().extend(_as_system_note(block) for block in blocks)

    def _reasoning(self, item: Item, param: str) -> None:
        state = sealed_state(self._notes.provider, item, param)
        if state is None:
            self._notes.warn("Claude takes back only reasoning that it signed; this was left out", param)
        elif "redacted_thinking" in state:
            self._assistant({"type": "redacted_thinking", "data": state["redacted_thinking"]})
        else:
            text = "".join(part.get("text") or "" for part in item.get("summary") or ())
            self._assistant({"type": "thinking", "thinking": text, "signature": state.get("signature")})

    def _function_call(self, item: Item, param: str) -> None:
        block = {
            "type": "tool_use",
            "id": _wire_id(item["call_id"]),
            "name": item["name"],
            "input": call_arguments(item, param),
        }
        state = sealed_state(self._notes.provider, item, param)
        if state is not None and "caller" in state:
            block["caller"] = state["caller"]
        self._assistant(block)
        self._program_calls = self._program_calls or "caller" in block

    def _function_call_output(self, item: Item, param: str) -> None:
        block: Block = {
            "type": "tool_result",
            "tool_use_id": _wire_id(item["call_id"]),
            "content": content_blocks(item["output"], f"{param}.output", self._notes),
        }
        if item.get("status") == "incomplete":
            block["is_error"] = True
        if item.get("cache_control"):
            block["cache_control"] = item["cache_control"]
        content = self._user()
        content.insert(sum(other["type"] == "tool_result" for other in content), block)

    def _sealed(self, item: Item, param: str) -> None:
        """Add what only Anthropic can have written: its blocks as they were."""
        type_ = item["type"]
        state = sealed_state(self._notes.provider, item, param)
        if state is None or not state.keys() & {"use", "block", "container"}:
            raise BadRequestError(
                f"Claude cannot read this item of the type {type_!r}: it takes messages, function calls, "
                "their outputs, and what it wrote itself, with its encrypted_content",
                param=param,
            )
        if "container" in state:
            self._last_container = state["container"]
        elif "block" in state:
            self._assistant(state["block"])
        else:
            self._server_tool(state["use"], state.get("result"), state.get("between", 0))

    # ---- the turns ----------------------------------------------------------------------------------

    def _user(self) -> list[Block]:
        """Return the content of the user's turn, begun if need be."""
        if not self.messages or self.messages[-1]["role"] != "user":
            self._end_model_turn()
            self.messages.append({"role": "user", "content": []})
        return self.messages[-1]["content"]  # type: ignore[no-any-return]

    def _assistant(self, *blocks: Block) -> None:
        """Add blocks of the model's turn."""
        for block in blocks:
            self._write(block)
            self._write_results(self._written)

    def _server_tool(self, use: Block, result: Block | None, between: int) -> None:
        """Add a call and hold its result back until `between` other blocks stand behind the call."""
        self._write(use)
        if result is not None:
            self._results.append((self._written + between, result))
            self._results.sort(key=lambda held: held[0])
        self._write_results(self._written)

    def _write(self, block: Block) -> None:
        self._say_late_system()
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": []})
            self._program_calls = False
        self.messages[-1]["content"].append(block)
        self._written += 1

    def _write_results(self, place: float) -> None:
        """Write the results that stand at `place` or before; each brings the next nearer to its own."""
        while self._results and self._results[0][0] <= max(place, self._written):
            self._write(self._results.pop(0)[1])

    def _end_model_turn(self) -> None:
        self._write_results(float("inf"))

    def _say_late_system(self) -> None:
        if self._late_system:
            self.messages.append({"role": "system", "content": self._late_system})
            self._late_system = []


def _as_system_note(block: Block) -> Block:
    return {**block, "text": f"<system>\n{block['text']}\n</system>"} if block["type"] == "text" else block


def _wire_id(call_id: str) -> str:
    """Return a call id as the API takes it; other providers' ids may hold dots and colons."""
    return _FOREIGN_IN_ID.sub("_", call_id)


_ITEMS: dict[str, Callable[[Conversation, Item, str], None]] = {
    "message": Conversation._message,
    "reasoning": Conversation._reasoning,
    "function_call": Conversation._function_call,
    "function_call_output": Conversation._function_call_output,
}
