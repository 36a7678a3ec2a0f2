"""Input items as Gemini's `systemInstruction` and `contents`.

Items of one side become parts of one content. Within the model's turn the parts stand as the model wrote
them, in a user's turn the results of functions come first, in the order of their calls.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman.sealing import unseal
from dragoman_gemini.content import content_parts
from dragoman_gemini.signatures import signed_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_gemini.models import Model
    from dragoman_gemini.notes import Notes

__all__ = ["Conversation"]

Item = dict[str, Any]
Part = dict[str, Any]

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

    def add(self, item: Item, param: str) -> None:
        """Add one input item; `param` says where it stands.

        Raises:
            BadRequestError: an item that has no counterpart.
        """
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
        state = self._state(item, param)
        if state is not None and "signed" in state:
            texts = [part.get("text") for part in item["content"]]
            parts = signed_parts("".join(text for text in texts if text), state["signed"])
            if parts is not None:
                return parts
            self._notes.warn("the text was changed, so its signatures were left out", param)
        return content_parts(item["content"], f"{param}.content", self._model, self._notes)

    def _reasoning(self, item: Item, param: str) -> None:
        state = self._state(item, param)
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

    def _function_call(self, item: Item, param: str) -> None:
        state = self._state(item, param) or {}
        kept = state.get("part") or {}
        arguments = _arguments(item, f"{param}.arguments")
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
            response["parts"] = media
        self._result({"functionResponse": response}, place)
        if not self._model.new:
            self._turn("user").extend(media)  # older models see media only beside the result

    def _result(self, part: Part, place: int) -> None:
        """Add a result before everything else of the turn, in the order of the calls."""
        turn = self._turn("user")
        index = sum(self._places.get(id(other), place + 1) < place for other in turn)
        self._places[id(part)] = place
        turn.insert(index, part)

    def _image_generation_call(self, item: Item, param: str) -> None:
        state = self._state(item, param)
        part = (state or {}).get("part")
        if part is None or not item.get("result"):
            self._sealed(item, param)
            return
        self._model_parts([{**part, "inlineData": {**part["inlineData"], "data": item["result"]}}])

    def _sealed(self, item: Item, param: str) -> None:
        """Add what only Gemini can have written: its parts as they were."""
        state = self._state(item, param) or {}
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

    def _state(self, item: Item, param: str) -> dict[str, Any] | None:
        """Return what this provider sealed into the item; None where it sealed nothing."""
        where = f"{param}.encrypted_content"
        state = unseal(self._notes.provider, item.get("encrypted_content"), param=where)
        return state if isinstance(state, dict) else None

    def _item_reference(self, item: Item, param: str) -> None:
        raise BadRequestError(
            f"{item.get('id')!r} is a reference, and there is no store of items to find it in: send the item",
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
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    return {"output": text} if text else {}


def _arguments(item: Item, param: str) -> dict[str, Any]:
    text = item["arguments"].strip() or "{}"
    try:
        arguments = json.loads(text)
    except ValueError as problem:
        if item.get("status") == "incomplete":
            return {}
        raise BadRequestError(
            f"the arguments of {item['name']!r} are not JSON: {problem}", param=param
        ) from None
    if not isinstance(arguments, dict):
        raise BadRequestError(f"the arguments of {item['name']!r} must be a JSON object", param=param)
    return arguments


_ITEMS: dict[str, Callable[[Conversation, Item, str], None]] = {
    "message": Conversation._message,
    "reasoning": Conversation._reasoning,
    "function_call": Conversation._function_call,
    "function_call_output": Conversation._function_call_output,
    "image_generation_call": Conversation._image_generation_call,
    "item_reference": Conversation._item_reference,
}
