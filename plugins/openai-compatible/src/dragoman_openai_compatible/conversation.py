"""Input items as the messages of Chat Completions.

An answer's items (reasoning, text, calls) are one message there, and the results of its calls must follow it
directly: items are put together, and late results are put where they belong.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman.sealing import sealed_state, unseal
from dragoman_openai_compatible.content import content_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_openai_compatible.notes import Notes

__all__ = ["Conversation"]

Item = dict[str, Any]
Message = dict[str, Any]

_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
_SEE_BELOW = "(shown in the next message)"
_UNDERSTOOD = "OK."


class Conversation:
    """A conversation under translation: add the items in order, then `finish`."""

    def __init__(self, notes: Notes) -> None:
        """Start with nothing said."""
        self.messages: list[Message] = []
        self._notes = notes
        self._goes_on = False  # whether reasoning came in the middle of an answer: its text may go on
        self._shown: list[Message] = []  # what calls gave beside text: told by the user, after the results

    def add(self, item: Item, param: str) -> None:
        """Add one input item; `param` says where it stands.

        Raises:
            BadRequestError: an item that has no counterpart.
        """
        if item["type"] != "function_call_output":
            self._show()
        add = _ITEMS.get(item["type"])
        if add is not None:
            add(self, item, param)
        elif (state := sealed_state(self._notes.provider, item, param)) is not None:
            self._kept(item, state)
        else:
            raise BadRequestError(
                f"{self._notes.provider} cannot read an item of the type {item['type']!r}: it takes "
                "messages, reasoning, function calls and their outputs",
                param=param,
            )

    def finish(self) -> None:
        """Say that all items were added: every answer gets its content, which servers look for."""
        self._show()
        for message in self.messages:
            if message["role"] == "assistant":
                message["content"] = _written(message.get("content"), bool(message.get("tool_calls")))
        if self._notes.host.acknowledges_results:
            self._acknowledge()

    def say(self, role: str, content: str | list[dict[str, Any]]) -> None:
        """Add a message."""
        self.messages.append({"role": role, "content": content})

    def instruct(self, text: str) -> None:
        """Add to the instructions in front."""
        first = self.messages[0] if self.messages else {}
        if first.get("role") == "system" and isinstance(first["content"], str):
            self.messages[0] = {**first, "content": f"{first['content']}\n\n{text}"}
        else:
            self.messages.insert(0, {"role": "system", "content": text})

    # ---- the items ----------------------------------------------------------------------------------

    def _message(self, item: Item, param: str) -> None:
        role, where = item["role"], f"{param}.content"
        if role != "assistant":
            role = self._notes.host.developer_role if role == "developer" else role
            self.say(role, content_of(item["content"], where, self._notes))
            return
        goes_on, self._goes_on = self._goes_on, False
        message = self._answer(
            new=lambda said: not goes_on and _has_spoken(said) and "tool_calls" not in said
        )
        message.setdefault("content", []).extend(parts_of(item["content"], where, self._notes))
        if self._notes.host.returns_annotations:
            self._return_annotations(message, item["content"], where)

    def _return_annotations(self, message: Message, parts: list[dict[str, Any]], param: str) -> None:
        for place, part in enumerate(parts):
            for index, annotation in enumerate(part.get("annotations") or ()):
                where = f"{param}[{place}].annotations[{index}].encrypted_content"
                state = unseal(self._notes.provider, annotation.get("encrypted_content"), param=where)
                if state is not None:
                    message.setdefault("annotations", []).append(state)

    def _reasoning(self, item: Item, param: str) -> None:
        text = "".join(part.get("text") or "" for part in item.get("content") or ())
        text = text or "\n\n".join(part.get("text") or "" for part in item.get("summary") or ())
        state = sealed_state(self._notes.provider, item, param)
        field = self._notes.host.reasoning_field
        if state is None:
            if not text or field is None:
                self._notes.warn(
                    f"{self._notes.provider} takes back only reasoning of its own; this was left out", param
                )
                return
            state = {"field": field}
        self._goes_on = late = bool(state.get("late"))
        message = self._answer(new=lambda said: not late and _has_spoken(said) and "tool_calls" not in said)
        if "details" in state:
            message.setdefault("reasoning_details", []).extend(state["details"])
        elif state.get("field") == "thinking":
            part = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
            message.setdefault("content", []).append(part)
        elif "field" in state:
            message[state["field"]] = message.get(state["field"], "") + text
        if "extra_content" in state:
            message["extra_content"] = state["extra_content"]

    def _function_call(self, item: Item, param: str) -> None:
        call: dict[str, Any] = {
            "id": self._call_id(item["call_id"]),
            "type": "function",
            "function": {"name": item["name"], "arguments": item["arguments"].strip() or "{}"},
        }
        state = sealed_state(self._notes.provider, item, param)
        if state is not None:
            call.update(state)
        message = self._answer(new=lambda _: False)
        message.setdefault("tool_calls", []).append(call)

    def _function_call_output(self, item: Item, param: str) -> None:
        where, call_id = f"{param}.output", self._call_id(item["call_id"])
        parts = item["output"]
        texts = [part for part in parts if part["type"] in {"input_text", "output_text", "text"}]
        if len(texts) < len(parts):
            # A tool's message holds text alone almost everywhere; whatever else it gave, the user shows.
            content = content_of(parts, where, self._notes)
            intro = {"type": "text", "text": f"This is what the call {call_id} gave:"}
            self._shown.append({"role": "user", "content": [intro, *content]})
            texts = [*texts, {"type": "input_text", "text": _SEE_BELOW}]
        message = {
            "role": "tool",
            "tool_call_id": call_id,
            "content": content_of(texts, where, self._notes),
        }
        self.messages.insert(self._place_for(call_id), message)

    def _kept(self, item: Item, state: dict[str, Any]) -> None:
        """Give back what only this host can have written: an image, a voice."""
        if state.get("kind") == "executed_tool":
            return
        message = self._answer(new=lambda _: False)
        if state.get("kind") == "image":
            url = f"{state.get('prefix', '')}{item.get('result') or ''}"
            message.setdefault("images", []).append({"type": "image_url", "image_url": {"url": url}})
        elif "audio" in state:
            message["audio"] = state["audio"]

    # ---- helpers ------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Say that nothing belongs to the last results any more."""
        self.messages += self._shown
        self._shown = []

    def _acknowledge(self) -> None:
        """Have the assistant speak between results and the user's next message, where that must be."""
        spoken: list[Message] = []
        for message in self.messages:
            if spoken and spoken[-1]["role"] == "tool" and message["role"] not in {"tool", "assistant"}:
                spoken.append({"role": "assistant", "content": _UNDERSTOOD})
            spoken.append(message)
        self.messages = spoken

    def _answer(self, *, new: Callable[[Message], bool]) -> Message:
        """Return the assistant's message that is being put together; begun where there is none, or `new`."""
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant" or new(last):
            self.messages.append({"role": "assistant"})
        return self.messages[-1]

    def _place_for(self, call_id: str) -> int:
        """Return where the result of a call belongs: behind the call's message and the results there."""
        for index in range(len(self.messages) - 1, -1, -1):
            calls = self.messages[index].get("tool_calls") or ()
            if any(call["id"] == call_id for call in calls):
                place = index + 1
                while place < len(self.messages) and self.messages[place]["role"] == "tool":
                    place += 1
                return place
        return len(self.messages)

    def _call_id(self, call_id: str) -> str:
        if not self._notes.host.short_call_ids or _SHORT_ID.fullmatch(call_id):
            return call_id
        return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def _has_spoken(message: Message) -> bool:
    return any(part["type"] != "thinking" for part in message.get("content") or ())


def _written(parts: list[dict[str, Any]] | None, calls: bool) -> str | list[dict[str, Any]] | None:
    """Return an answer's content: a string where it is text alone, else parts, adjoining texts joined."""
    if not parts:
        return None if calls else ""
    if all(set(part) == {"type", "text"} for part in parts):
        return "".join(part["text"] for part in parts)
    joined: list[dict[str, Any]] = []
    for part in parts:
        if joined and set(part) == set(joined[-1]) == {"type", "text"}:
            joined[-1] = {**part, "text": joined[-1]["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


_ITEMS: dict[str, Callable[[Conversation, Item, str], None]] = {
    "message": Conversation._message,
    "reasoning": Conversation._reasoning,
    "function_call": Conversation._function_call,
    "function_call_output": Conversation._function_call_output,
}
