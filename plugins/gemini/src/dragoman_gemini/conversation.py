"""Input items as Gemini's `systemInstruction` and `contents`.

Items of one side become parts of one content. Within the model's turn the parts stand as the model wrote
them, in a user's turn the results of functions come first, in the order of their calls.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.canonical import call_arguments
from dragoman.errors import BadRequestError
from dragoman.sealing import sealed_state
from dragoman_gemini.content import content_parts
from dragoman_gemini.signatures import signed_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_gemini.models import Model
    from dragoman_gemini.notes import Notes

__all__ = ["Conversation"]

Item = dict[str, Any]
Part = dict[str, Any]

_IN_RESULTS = frozenset({"inlineData", "fileData"})
_NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google wants on a call that another model made: newer Gemini refuse one without any signature."""


class Conversation:
    """A conversation under translation: add the items in order, then `finish`."""

    def __init__(self, model: Model, notes: Notes) -> None:
        """Start with nothing said."""
        self.system: list[Part] = []
        self.contents: list[dict[str, Any]] = []
        self._model = model
        self._notes = notes
        self._calls: dict[str, tuple[int, Part]] = {}
        """The calls by their id: their number, and Gemini's own object."""
        self._places: dict[int, int] = {}
        """The number of the call that a result (by identity) belongs to."""
        self._lent: str | None = None
        """The signature of the call that follows, as the thought before it keeps it."""

    def add(self, item: Item, param: str) -> None:
        """Add one input item; `param` says where it stands.

        Raises:
            BadRequestError: an item that has no counterpart.
        """
        if item["type"] != "function_call":
            self._lent = None
        add = _ITEMS.get(item["type"], Conversation._sealed)
        add(self, item, param)

    def finish(self) -> None:
        """Say that all items were added."""
        if not self._model.new:
            return
        for content in self.contents:
            calls = [part for part in content["parts"] if "functionCall" in part]
            if calls and not any("thoughtSignature" in part for part in content["parts"]):
                calls[0]["thoughtSignature"] = _NO_SIGNATURE

    # ---- the items ----------------------------------------------------------------------------------

    def _message(self, item: Item, param: str) -> None:
        if item["role"] == "assistant":
            self._model_parts(self._answer(item, param))
            return
        parts = content_parts(item["content"], f"{param}.content", self._model, self._notes)
        if item["role"] == "user":
            self._turn("user").extend(parts)
        elif not self.contents:
            self.system.extend(parts)
        else:
            # Gemini takes system text at the beginning alone, where it would speak too early.
            self._turn("user").extend(_as_system_note(part) for part in parts)

    def _answer(self, item: Item, param: str) -> list[Part]:
        state = sealed_state(self._notes.provider, item, param)
        if state is not None and "signed" in state:
            texts = [part.get("text") for part in item["content"]]
            parts = signed_parts("".join(text for text in texts if text), state["signed"])
            if parts is not None:
                return parts
            self._notes.warn("the text was changed, so its signatures were left out", param)
        return content_parts(item["content"], f"{param}.content", self._model, self._notes)

    def _reasoning(self, item: Item, param: str) -> None:
        state = sealed_state(self._notes.provider, item, param)
        if state is None:
            self._notes.warn("Gemini takes back only its own reasoning; this was left out", param)
        elif "parts" in state:
            self._model_parts(state["parts"])
        else:
            text = "".join(part.get("text") or "" for part in item.get("summary") or ())
            spans = state.get("signed") or []
            parts = signed_parts(text, spans)
            if parts is None:  # a summary that was shortened or left out: the signature still counts
                parts = [{"text": text, "thoughtSignature": spans[-1][-1]}]
            self._model_parts([{**part, "thought": True} for part in parts])
            self._lent = state.get("call")

    def _function_call(self, item: Item, param: str) -> None:
        state = sealed_state(self._notes.provider, item, param) or {}
        kept = state.get("part") or {}
        if self._lent is not None and not kept:
            kept = {"thoughtSignature": self._lent}
        self._lent = None
        arguments = call_arguments(item, param)
        call = {**(kept.get("functionCall") or {}), "name": item["name"], "args": arguments}
        self._calls[item["call_id"]] = (len(self._calls), call)
        self._model_parts([{**kept, "functionCall": call}])

    def _function_call_output(self, item: Item, param: str) -> None:
        known = self._calls.get(item["call_id"])
        if known is None:
            raise BadRequestError(
                f"there is no call {item['call_id']!r} before this output; send the call's item as well",
                param=f"{param}.call_id",
            )
        place, call = known
        parts = content_parts(item["output"], f"{param}.output", self._model, self._notes)
        text = "\n".join(part["text"] for part in parts if "text" in part)
        media = [part for part in parts if "text" not in part]
        response: Part = {"id": call["id"]} if "id" in call else {}
        response |= {
            "name": call["name"],
            "response": _response(text, failed=item.get("status") == "incomplete"),
        }
        if media and self._model.new:
            response["parts"] = [self._inside_result(part, f"{param}.output") for part in media]
        self._result({"functionResponse": response}, place)
        if not self._model.new:
            self._turn("user").extend(media)  # older models see media only beside the result

    def _inside_result(self, part: Part, param: str) -> Part:
        """Return a part of media as it may stand in a result: the data or its address, and nothing else."""
        for name in part.keys() - _IN_RESULTS:
            self._notes.warn(f"Gemini takes no {name} inside a function's result; it was left out", param)
        return {name: value for name, value in part.items() if name in _IN_RESULTS}

    def _result(self, part: Part, place: int) -> None:
        """Add a result before everything else of the turn, in the order of the calls."""
        turn = self._turn("user")
        index = sum(self._places.get(id(other), place + 1) < place for other in turn)
        self._places[id(part)] = place
        turn.insert(index, part)

    def _image_generation_call(self, item: Item, param: str) -> None:
        state = sealed_state(self._notes.provider, item, param)
        part = (state or {}).get("part")
        if part is None or not item.get("result"):
            self._sealed(item, param)
            return
        self._model_parts([{**part, "inlineData": {**part["inlineData"], "data": item["result"]}}])

    def _sealed(self, item: Item, param: str) -> None:
        """Add what only Gemini can have written: its parts as they were."""
        state = sealed_state(self._notes.provider, item, param) or {}
        if "parts" in state:
            self._model_parts(state["parts"])
        elif "whole" in state and isinstance(item.get("part"), dict):
            self._model_parts([item["part"]])
        else:
            raise BadRequestError(
                f"Gemini cannot read this item of the type {item['type']!r}: it takes messages, function "
                "calls, their outputs, and what it wrote itself, with its encrypted_content",
                param=param,
            )

    # ---- the turns ----------------------------------------------------------------------------------

    def _turn(self, role: str) -> list[Part]:
        """Return the parts of this side's turn, begun if need be."""
        if not self.contents or self.contents[-1]["role"] != role:
            self.contents.append({"role": role, "parts": []})
        return self.contents[-1]["parts"]  # type: ignore[no-any-return]

    def _model_parts(self, parts: list[Part]) -> None:
        if parts:
            self._turn("model").extend(parts)


def _as_system_note(part: Part) -> Part:
    return {**part, "text": f"<system>\n{part['text']}\n</system>"} if "text" in part else part


def _response(text: str, *, failed: bool) -> dict[str, Any]:
    """Return a result as the object that Gemini demands; what is no object stands under `output`."""
    if failed:
        return {"error": text}
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # NaN and 1e999 are read, but cannot be sent on
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    return {"output": text} if text else {}


_ITEMS: dict[str, Callable[[Conversation, Item, str], None]] = {
    "message": Conversation._message,
    "reasoning": Conversation._reasoning,
    "function_call": Conversation._function_call,
    "function_call_output": Conversation._function_call_output,
    "image_generation_call": Conversation._image_generation_call,
}
