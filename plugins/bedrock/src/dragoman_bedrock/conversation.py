"""Input items as Converse's `system` and `messages`.

Messages alternate there, so items of one side become blocks of one message. Within an assistant's turn the
blocks stand as the model wrote them; in a user's turn the results of tools come first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dragoman.canonical import call_arguments
from dragoman.errors import BadRequestError
from dragoman.sealing import sealed_state
from dragoman_bedrock.content import cache_point, content_blocks
from dragoman_bedrock.documents import DocumentNames, with_text_beside_documents

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_bedrock.models import Model
    from dragoman_bedrock.notes import Notes

__all__ = ["Conversation"]

Block = dict[str, Any]
Item = dict[str, Any]

_FOREIGN_IN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_IN_SYSTEM = frozenset({"text", "guardContent", "cachePoint"})


class Conversation:
    """A conversation under translation: add the items in order, then `finish`."""

    def __init__(self, model: Model, notes: Notes) -> None:
        """Start with nothing said."""
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.called: list[str] = []
        """The names of the tools that the conversation has called."""
        self._model = model
        self._notes = notes
        self._names = DocumentNames()
        self._late_system: list[Block] = []
        self._written = 0
        self._results: list[tuple[int, Block]] = []  # (after how many blocks it stood, result)

    def add(self, item: Item, param: str) -> None:
        """Add one input item; `param` says where it stands.

        Raises:
            BadRequestError: an item that has no counterpart.
        """
        add = _ITEMS.get(item["type"], Conversation._sealed)
        add(self, item, param)

    def finish(self) -> None:
        """Say that all items were added."""
        self._write_results(all_of_them=True)
        self._say_late_system()
        for message in self.messages:
            if message["role"] == "user":
                message["content"] = with_text_beside_documents(message["content"])

    # ---- the items ----------------------------------------------------------------------------------

    def _message(self, item: Item, param: str) -> None:
        blocks = content_blocks(item["content"], f"{param}.content", self._names, self._notes)
        role = item["role"]
        if role in {"system", "developer"} and any(not block.keys() <= _IN_SYSTEM for block in blocks):
            raise BadRequestError(
                "Bedrock takes text alone in system messages",
                param=f"{param}.content",
                code="unsupported_part",
            )
        if role == "assistant":
            for block in blocks:
                self._assistant(block)
        elif role == "user":
            self._user().extend(blocks)
        elif not self.messages:
            self.system.extend(blocks)
        elif self._model.inline_system:
            self._write_results(all_of_them=True)
            self._late_system.extend(blocks)
        else:
            # Other models take system text at the beginning alone, where it would speak too early.
            self._user().extend(_as_system_note(block) for block in blocks)

    def _reasoning(self, item: Item, param: str) -> None:
        state = sealed_state(self._notes.provider, item, param) or {}
        maker = state.get("maker")
        if maker and self._notes.maker and maker != self._notes.maker:
            self._notes.warn(f"only models of {maker} can read this reasoning; it was left out", param)
        elif "redacted" in state:
            self._assistant({"reasoningContent": {"redactedContent": state["redacted"]}})
        elif "signature" in state:
            parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
            text = "".join(part.get("text") or "" for part in parts)
            reasoning = {"text": text, "signature": state["signature"]}
            self._assistant({"reasoningContent": {"reasoningText": reasoning}})
        else:
            self._notes.warn(
                "models on Bedrock take back only reasoning that they signed; this was left out", param
            )

    def _function_call(self, item: Item, param: str) -> None:
        call = {
            "toolUseId": _wire_id(item["call_id"]),
            "name": item["name"],
            "input": call_arguments(item, param),
        }
        self.called.append(item["name"])
        self._assistant({"toolUse": call})

    def _function_call_output(self, item: Item, param: str) -> None:
        result: Block = {
            "toolUseId": _wire_id(item["call_id"]),
            "content": content_blocks(item["output"], f"{param}.output", self._names, self._notes),
        }
        marks = [block for block in result["content"] if "cachePoint" in block]
        result["content"] = [block for block in result["content"] if "cachePoint" not in block]
        if item.get("status") == "incomplete":
            if self._model.family:
                result["status"] = "error"
            else:
                self._notes.warn(
                    "this model has no status for failed calls; it was left out", f"{param}.status"
                )
        turn = self._user()
        others = (n for n, block in enumerate(turn) if not block.keys() & {"toolResult", "cachePoint"})
        place = next(others, len(turn))
        mark = cache_point(item)
        turn[place:place] = [{"toolResult": result}, *([mark] if mark else marks[-1:])]

    def _image_generation_call(self, item: Item, param: str) -> None:
        format_ = (sealed_state(self._notes.provider, item, param) or {}).get("image")
        if format_ is None or not item.get("result"):
            self._sealed(item, param)
            return
        self._assistant({"image": {"format": format_, "source": {"bytes": item["result"]}}})

    def _sealed(self, item: Item, param: str) -> None:
        """Add what only Bedrock can have written: its blocks as they were."""
        state = sealed_state(self._notes.provider, item, param) or {}
        if "use" in state and self._model.family and not self._model.system_tools:
            self._notes.warn("this model does not know the tool of this call; it was left out", param)
        elif "use" in state:
            self._server_tool(state["use"], state.get("result"), int(state.get("between") or 0))
        elif "block" in state:
            self._assistant(state["block"])
        elif "unreadable" in state:
            self._notes.warn("this block came in pieces of an unknown kind and cannot be sent back", param)
        elif "about" not in state:
            raise BadRequestError(
                f"Bedrock cannot read this item of the type {item['type']!r}: it takes messages, function "
                "calls, their outputs, and what its models wrote, with the encrypted_content",
                param=param,
            )

    # ---- the turns ----------------------------------------------------------------------------------

    def _user(self) -> list[Block]:
        """Return the content of the user's turn, begun if need be."""
        if not self.messages or self.messages[-1]["role"] != "user":
            self._write_results(all_of_them=True)
            self.messages.append({"role": "user", "content": []})
        return self.messages[-1]["content"]  # type: ignore[no-any-return]

    def _assistant(self, block: Block) -> None:
        self._write(block)
        self._write_results()

    def _server_tool(self, use: Block, result: Block | None, between: int) -> None:
        """Add a call and hold its result back until `between` other blocks stand behind the call."""
        self._write(use)
        if result is not None:
            self._results.append((self._written + between, result))
            self._results.sort(key=lambda held: held[0])
        self._write_results()

    def _write(self, block: Block) -> None:
        self._say_late_system()
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": []})
        self.messages[-1]["content"].append(block)
        self._written += 1

    def _write_results(self, *, all_of_them: bool = False) -> None:
        """Write the results whose place has come; each brings the next nearer to its own."""
        while self._results and (all_of_them or self._results[0][0] <= self._written):
            self._write(self._results.pop(0)[1])

    def _say_late_system(self) -> None:
        if self._late_system:
            self.messages.append({"role": "system", "content": self._late_system})
            self._late_system = []


def _as_system_note(block: Block) -> Block:
    return {**block, "text": f"<system>\n{block['text']}\n</system>"} if "text" in block else block


def _wire_id(call_id: str) -> str:
    """Return a call id as Bedrock takes it; other providers' ids may hold anything."""
    return _FOREIGN_IN_ID.sub("_", call_id)[:64]


_ITEMS: dict[str, Callable[[Conversation, Item, str], None]] = {
    "message": Conversation._message,
    "reasoning": Conversation._reasoning,
    "function_call": Conversation._function_call,
    "function_call_output": Conversation._function_call_output,
    "image_generation_call": Conversation._image_generation_call,
}
