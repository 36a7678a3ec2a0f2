"""Is this a legal sequence of stream events? The one question behind every test of a stream.

The rules are those that clients rely on; some of them raise where one is broken:

* `response.created` first, exactly one terminal event (completed, failed, incomplete) last, an `error` event
  only directly before `response.failed`; the response's id never changes;
* `sequence_number` counts from 0; `output_index`, `content_index` and `summary_index` have no gaps;
* brackets: every item is added once and done once, its parts are added and done inside it, deltas come inside
  their part, or for a call's arguments and the like inside their item;
* what `added` opens is empty; the deltas sum to the value in `.done`, which is that of the part, of the item
  in its `done` event and of the item in the terminal response;
* an item keeps its type and id, a call of a caller's tool its call_id; the terminal response holds all
  items, in order, and no others.

Events of unknown types only have to be counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.types import Event

__all__ = ["check_events"]


class _Stem(NamedTuple):
    """A family of `.delta` and `.done` events."""

    field: str
    """The field that holds the whole value: of the `.done` event, and of the part or item."""
    index_name: str = ""
    """What numbers the part; "" where the value is a field of the item itself."""


_STEMS = {
    "response.output_text": _Stem("text", "content_index"),
    "response.refusal": _Stem("refusal", "content_index"),
    "response.reasoning_text": _Stem("text", "content_index"),
    "response.reasoning": _Stem("text", "content_index"),
    "response.reasoning_summary_text": _Stem("text", "summary_index"),
    "response.function_call_arguments": _Stem("arguments"),
    "response.custom_tool_call_input": _Stem("input"),
    "response.mcp_call_arguments": _Stem("arguments"),
    "response.code_interpreter_call_code": _Stem("code"),
}
_PART_STEMS = {
    "response.content_part": "content_index",
    "response.reasoning_part": "content_index",
    "response.reasoning_summary_part": "summary_index",
}
_HOLDERS = {"content_index": "content", "summary_index": "summary"}
_PART_FIELDS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}
_ITEM_FIELDS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "code_interpreter_call": "code",
}
_CALLS = frozenset({"function_call", "custom_tool_call"})
_LIFECYCLE = frozenset({"response.created", "response.queued", "response.in_progress"})
_STATUSES = ("queued", "in_progress", "completed", "failed", "incomplete", "cancelled")
_TERMINAL = frozenset({"response.completed", "response.failed", "response.incomplete"})


class _Value:
    """What arrives in deltas: the text of a part, a field of an item."""

    def __init__(self, part: Mapping[str, Any] | None = None) -> None:
        self.part = part
        self.pieces: list[str] = []
        self.whole: str | None = None
        """The value of the `.done` event."""
        self.closed = False


class _OpenItem:
    def __init__(self, item: Mapping[str, Any]) -> None:
        self.item = item
        self.parts: dict[str, list[_Value]] = {"content_index": [], "summary_index": []}
        self.field = _Value()
        self.done = False


class _Checker:
    def __init__(self) -> None:
        self.items: list[_OpenItem] = []
        self.response_id: object = None
        self.error_seen = False
        self.event: Event = {}

    def illegal(self, problem: str) -> NoReturn:
        number, type_ = self.event.get("sequence_number"), self.event.get("type")
        raise AssertionError(f"illegal event {number} ({type_}): {problem}")

    def require(self, condition: object, problem: str) -> None:
        if not condition:
            self.illegal(problem)

    def check(self, event: Event, *, number: int, last: bool) -> None:
        self.event = event
        type_ = event.get("type")
        if not isinstance(type_, str):
            self.illegal("an event needs a type")
        found = event.get("sequence_number")
        self.require(found == number, f"sequence_number should be {number}")
        self.require((type_ == "response.created") == (number == 0), "response.created comes first, and once")
        self.require((type_ in _TERMINAL) == last, "exactly one terminal event, at the end")
        self.require(
            not self.error_seen or type_ == "response.failed", "only response.failed follows an error"
        )
        stem, _, verb = type_.rpartition(".")
        if type_ in _LIFECYCLE:
            self.lifecycle()
        elif type_ in _TERMINAL:
            self.lifecycle()
            self.terminal(type_)
        elif type_ == "error":
            self.error_seen = True
        elif type_ == "response.output_item.added":
            self.item_added()
        elif type_ == "response.output_item.done":
            self.item_done()
        elif stem in _PART_STEMS:
            self.part(_PART_STEMS[stem], verb)
        elif stem in _STEMS and verb in {"delta", "done"}:
            self.value(_STEMS[stem], verb)

    # ---- the response -------------------------------------------------------------------------------

    def lifecycle(self) -> None:
        response = self.event.get("response")
        if not isinstance(response, dict):
            self.illegal("needs a response")
        identity = response.get("id")
        self.require(isinstance(identity, str) and identity, "the response needs an id")
        self.response_id = self.response_id or identity
        self.require(identity == self.response_id, f"the response's id was {self.response_id}, is {identity}")

    def terminal(self, type_: str) -> None:
        response = self.event["response"]
        status = response.get("status")
        known = status in _STATUSES or not isinstance(status, str)
        self.require(not known or type_ == f"response.{status}", "the response's status contradicts the type")
        output = response.get("output")
        if not isinstance(output, list):
            self.illegal("the response needs its output")
        self.require(
            len(output) == len(self.items), f"{len(self.items)} items streamed, {len(output)} in output"
        )
        for index, (opened, item) in enumerate(zip(self.items, output, strict=True)):
            self.require(opened.done, f"item {index} was never done")
            self.same_item(opened.item, item, f"output[{index}]")
            self.same_values(opened, item, f"output[{index}]")

    # ---- items --------------------------------------------------------------------------------------

    def item_added(self) -> None:
        index, item = self.event.get("output_index"), self.event.get("item")
        self.require(index == len(self.items), f"output_index should be {len(self.items)}, is {index}")
        if not isinstance(item, dict):
            self.illegal("needs an item")
        self.require(item.get("id") and item.get("type"), "an item needs type and id")
        self.require(
            not item.get("content") or item["type"] != "message", "content of a new message is empty"
        )
        self.require(not item.get("summary"), "the summary of a new item is empty")
        field = _ITEM_FIELDS.get(item["type"], "")
        self.require(not item.get(field), f"{field} of a new item is empty")
        self.items.append(_OpenItem(item))

    def open_item(self) -> _OpenItem:
        index = self.event.get("output_index")
        if not isinstance(index, int) or not 0 <= index < len(self.items):
            self.illegal(f"no item was added at output_index {index}")
        opened = self.items[index]
        self.require(not opened.done, f"the item at output_index {index} is done")
        if self.event["type"] != "response.output_item.done":
            expected = opened.item["id"]
            self.require(self.event.get("item_id") == expected, f"item_id should be {expected}")
        return opened

    def item_done(self) -> None:
        opened, item = self.open_item(), self.event.get("item")
        if not isinstance(item, dict):
            self.illegal("needs an item")
        self.same_item(opened.item, item, "the item")
        for parts in opened.parts.values():
            self.require(all(part.closed for part in parts), "a part of the item is not done")
        self.same_values(opened, item, "the item")
        opened.done = True

    def same_item(self, added: Mapping[str, Any], item: Any, where: str) -> None:
        if not isinstance(item, dict):
            self.illegal(f"{where} is not an object")
        # Not that of hosted tools: OpenAI gives a tool search another call_id when it is done.
        kept = ("type", "id", "call_id") if added.get("type") in _CALLS else ("type", "id")
        for name in kept:
            was, found = added.get(name), item.get(name)
            self.require(found == was, f"{name} of {where} was {was}, is {found}")

    def same_values(self, opened: _OpenItem, item: Mapping[str, Any], where: str) -> None:
        for index_name, parts in opened.parts.items():
            holder = _HOLDERS[index_name]
            held = item.get(holder) or []
            if not parts and item["type"] not in {"message", "reasoning"}:
                continue
            self.require(
                len(held) == len(parts), f"{len(parts)} parts streamed, {len(held)} in {holder} of {where}"
            )
            for index, (value, part) in enumerate(zip(parts, held, strict=True)):
                field = _PART_FIELDS.get(part.get("type"))
                if field is not None:
                    same = part.get(field) == value.whole
                    self.require(same, f"{field} of {holder}[{index}] of {where} is not what streamed")
        field = _ITEM_FIELDS.get(opened.item["type"])
        if field is not None:
            same = (item.get(field) or "") == (opened.field.whole or "")
            self.require(same, f"{field} of {where} is not what streamed")
            self.require(not opened.field.pieces or opened.field.whole is not None, f"{field} is not done")

    # ---- parts and values ---------------------------------------------------------------------------

    def part(self, index_name: str, verb: str) -> None:
        opened, part = self.open_item(), self.event.get("part")
        if not isinstance(part, dict):
            self.illegal("needs a part")
        parts, index = opened.parts[index_name], self.event.get(index_name)
        field = _PART_FIELDS.get(part.get("type", ""))
        if verb == "added":
            self.require(index == len(parts), f"{index_name} should be {len(parts)}, is {index}")
            self.require(field is None or not part.get(field), "a new part is empty")
            parts.append(_Value(part))
            return
        value = self.open_part(opened, index_name)
        self.require(
            value.part is not None and value.part.get("type") == part.get("type"), "the part's type changed"
        )
        if field is not None:
            self.require(value.whole is not None, "the text of the part is not done")
            self.require(part.get(field) == value.whole, f"{field} of the part is not what streamed")
        value.closed = True

    def open_part(self, opened: _OpenItem, index_name: str) -> _Value:
        parts, index = opened.parts[index_name], self.event.get(index_name)
        if not isinstance(index, int) or not 0 <= index < len(parts):
            self.illegal(f"no part was added at {index_name} {index}")
        self.require(not parts[index].closed, f"the part at {index_name} {index} is done")
        return parts[index]

    def value(self, stem: _Stem, verb: str) -> None:
        opened = self.open_item()
        value = self.open_part(opened, stem.index_name) if stem.index_name else opened.field
        self.require(value.whole is None, "its value is done")
        if verb == "delta":
            delta = self.event.get("delta")
            if not isinstance(delta, str):
                self.illegal("needs a delta, a string")
            value.pieces.append(delta)
            return
        value.whole = self.event.get(stem.field)
        self.require(value.whole == "".join(value.pieces), f"{stem.field} is not the sum of the deltas")


def check_events(events: Sequence[Event]) -> None:
    """Check that these are all the events of one streamed response, in a legal order (see the module).

    Raises:
        AssertionError: names the first event that breaks a rule, and the rule.
    """
    if not events:
        raise AssertionError("a stream needs events: at least response.created and a terminal event")
    checker = _Checker()
    for number, event in enumerate(events):
        checker.check(event, number=number, last=number == len(events) - 1)
