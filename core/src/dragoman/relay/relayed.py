"""What a relay remembers of the items that an upstream streams: enough to close those that it leaves open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dragoman.relay.delta_form import DeltaForm
    from dragoman.types import Item

__all__ = [
    "CALLS",
    "FIELDS",
    "PART_STEMS",
    "STEMS",
    "TEXTS",
    "EventsLostError",
    "RelayedItem",
    "RelayedValue",
    "ValueKind",
    "are_complete",
    "blank",
    "blank_part",
    "new_item",
    "new_part",
    "text_kind",
]


class ValueKind(NamedTuple):
    """One kind of value that arrives in deltas: the text of a part, or a field of an item."""

    stem: str
    """What its events begin with: ``response.output_text`` for `.delta` and `.done`."""
    field: str
    """Where its whole value stands: in the `.done` event, and in the part or item."""
    item_type: str
    """The type of item that has such values."""
    holder: str = ""
    """The list of the item that holds the parts; "" where the value is a field of the item."""
    part_stem: str = ""
    index_name: str = ""


_CONTENT = ("content", "response.content_part", "content_index")
_SUMMARY = ("summary", "response.reasoning_summary_part", "summary_index")

CALLS = frozenset({"function_call", "custom_tool_call"})
"""Calls of the caller's own tools; they are announced with a name and the id of the call."""
TEXTS = {
    "output_text": ValueKind("response.output_text", "text", "message", *_CONTENT),
    "refusal": ValueKind("response.refusal", "refusal", "message", *_CONTENT),
    "reasoning_text": ValueKind("response.reasoning_text", "text", "reasoning", *_CONTENT),
    "summary_text": ValueKind("response.reasoning_summary_text", "text", "reasoning", *_SUMMARY),
}
"""By type of part."""
FIELDS = {
    "function_call": ValueKind("response.function_call_arguments", "arguments", "function_call"),
    "custom_tool_call": ValueKind("response.custom_tool_call_input", "input", "custom_tool_call"),
    "mcp_call": ValueKind("response.mcp_call_arguments", "arguments", "mcp_call"),
    "code_interpreter_call": ValueKind(
        "response.code_interpreter_call_code", "code", "code_interpreter_call"
    ),
}
"""By type of item."""
STEMS = {
    **{kind.stem: kind for kind in (*TEXTS.values(), *FIELDS.values())},
    "response.reasoning": TEXTS["reasoning_text"],  # the name in Open Responses
}
"""By the stem of the `.delta` and `.done` events."""
PART_STEMS = {
    "response.content_part": _CONTENT,
    "response.reasoning_part": _CONTENT,  # not in the standard, but said
    "response.reasoning_summary_part": _SUMMARY,
}
"""By the stem of the events that add and end a part: holder, usual stem and index name."""
_HOLDERS = ("summary", "content")


class EventsLostError(Exception):
    """What an upstream calls the whole of a value is not what it streamed."""


class RelayedValue:
    """A value that arrives in pieces."""

    __slots__ = (
        "closed",
        "form",
        "in_place",
        "index",
        "item_id",
        "kind",
        "output_index",
        "part",
        "pieces",
        "said",
        "upstream_index",
        "upstream_output",
    )

    def __init__(
        self,
        item: RelayedItem,
        kind: ValueKind | None,
        part: dict[str, Any] | None = None,
        *,
        index: int = 0,
        upstream_index: int | None = None,
    ) -> None:
        # Not the item itself: the two would keep each other alive until the garbage collector comes.
        self.item_id = item.id
        self.output_index = item.index
        self.kind = kind  # None: a part of a type that is not known here
        self.part = part
        """The part as it stands; None for a field of an item."""
        self.index = index
        self.upstream_output = item.upstream_index
        self.upstream_index = upstream_index
        """The number that the upstream gives the part; some upstreams do not count from 0."""
        self.in_place = item.index == item.upstream_index and (part is None or index == upstream_index)
        """Whether the upstream's numbers are ours, so that its deltas go through as they are."""
        self.pieces: list[str] = []
        self.form: DeltaForm | None = None
        """How the upstream writes its deltas, where they go through as they are."""
        self.said = False
        """Whether its `.done` event went out."""
        self.closed = False
        """Whether its part is done."""

    @property
    def address(self) -> dict[str, Any]:
        """The fields by which its events name it."""
        address = {"item_id": self.item_id, "output_index": self.output_index}
        if self.kind is not None and self.kind.index_name:
            address[self.kind.index_name] = self.index
        return address

    def streamed(self) -> str:
        """Return what arrived so far."""
        return "".join(self.pieces)

    def missing(self, said: object) -> str:
        """Return what has to follow, so that what streamed is the whole value that the upstream names.

        An upstream that names less (nothing, or trimmed) or writes the same in another form is not heeded:
        callers have the pieces already.

        Raises:
            EventsLostError: pieces are missing in the middle.
        """
        streamed = self.streamed()
        if not isinstance(said, str) or streamed.startswith(said):
            return ""
        if said.startswith(streamed):
            return said[len(streamed) :]
        if _same_but_for_form(streamed, said):
            return ""
        raise EventsLostError


class RelayedItem:
    """An item of the upstream's output."""

    __slots__ = ("done", "field", "id", "index", "item", "parts", "upstream_index")

    def __init__(self, item: Item, index: int, upstream_index: int | None) -> None:
        self.item = item
        """The item as its last event had it."""
        self.id: str = item["id"]
        self.index = index
        self.upstream_index = upstream_index
        self.done = False
        self.parts: dict[str, list[RelayedValue]] = {holder: [] for holder in _HOLDERS}
        kind = FIELDS.get(item["type"])
        self.field = RelayedValue(self, kind) if kind is not None else None

    def part_at(self, holder: str, upstream_index: object) -> RelayedValue | None:
        """Return the part to which the upstream gives this number."""
        for value in self.parts[holder]:
            if value.upstream_index == upstream_index:
                return value
        return None

    def add_part(
        self, holder: str, kind: ValueKind | None, part: dict[str, Any], upstream_index: int | None
    ) -> RelayedValue:
        """Note a new part, numbered in order of appearance."""
        siblings = self.parts[holder]
        value = RelayedValue(self, kind, part, index=len(siblings), upstream_index=upstream_index)
        siblings.append(value)
        return value

    def pair(self, holder: str, said: Sequence[Any]) -> list[tuple[RelayedValue | None, dict[str, Any]]]:
        """Return the parts in our order, each with what the upstream's whole item says of it.

        A part that the upstream leaves out stands with itself, one that never streamed with None.
        """
        ours = self.parts[holder]
        parts = [part for part in said if isinstance(part, dict)]
        numbers = {value.upstream_index for value in ours}
        as_numbered = len(numbers) == len(ours) and all(
            isinstance(number, int) and 0 <= number < len(parts) for number in numbers
        )
        pairs: list[tuple[RelayedValue | None, dict[str, Any]]] = []
        taken = set()
        for value in ours:
            number = value.upstream_index if as_numbered and value.upstream_index is not None else value.index
            own = value.part or {}
            if number < len(parts) and parts[number].get("type") == own.get("type"):
                taken.add(number)
                pairs.append((value, parts[number]))
            else:
                pairs.append((value, own))
        pairs.extend((None, part) for number, part in enumerate(parts) if number not in taken)
        return pairs

    def same_as(self, item: Item) -> Item:
        """Return `item` under the identity that this one was added with.

        Of calls of the caller's own tools alone the call's id is kept too: OpenAI itself gives a tool search
        another one when it is done, and knows only that one afterwards.
        """
        own = self.item
        names = ("id", "call_id") if own["type"] in CALLS else ("id",)
        identity: Item = {name: own[name] for name in names if own[name] != item.get(name)}
        return {**item, **identity} if identity else item

    def agrees(self, item: Item) -> bool:
        """Tell whether another copy of this item, which is done, has the same values."""
        own = self.item
        if self.field is not None and self.field.kind is not None:
            name = self.field.kind.field
            if own.get(name) != item.get(name):
                return False
        return all(
            _texts(own.get(holder)) == _texts(item.get(holder))
            for holder in _HOLDERS
            if own["type"] in {"message", "reasoning"} or self.parts[holder]
        )


def blank(item: Item) -> Item:
    """Return a new item as its `added` event has it: nothing in it yet, unfinished."""
    kind = FIELDS.get(item["type"])
    changes: dict[str, Any] = {}
    if kind is not None and item.get(kind.field):
        changes[kind.field] = ""
    if item["type"] == "message" and item.get("content") != []:
        changes["content"] = []
    if item["type"] == "reasoning":
        if item.get("summary") != []:
            changes["summary"] = []
        if item.get("content"):
            changes["content"] = []
    return {**item, **changes} if changes else item


def blank_part(part: dict[str, Any]) -> dict[str, Any]:
    """Return a new part as the event that adds it has it."""
    kind = text_kind(part)
    if kind is None or part.get(kind.field) == "":
        return part
    empty = {**part, kind.field: ""}
    empty.update({name: [] for name in ("annotations", "logprobs") if part.get(name)})
    return empty


def new_part(kind: ValueKind) -> dict[str, Any]:
    """Return the part in which a delta of this kind stands, where the upstream announced none."""
    type_ = next(name for name, known in TEXTS.items() if known is kind)
    if type_ == "output_text":
        return {"type": type_, "text": "", "annotations": [], "logprobs": []}
    return {"type": type_, kind.field: ""}


def new_item(kind: ValueKind, item_id: object) -> Item:
    """Return the item in which a part of this kind stands, where the upstream announced none."""
    identity = item_id if isinstance(item_id, str) else ""
    item: Item = {"id": identity, "type": kind.item_type, "status": "in_progress"}
    return (
        {**item, "summary": []}
        if kind.item_type == "reasoning"
        else {**item, "role": "assistant", "content": []}
    )


def text_kind(part: dict[str, Any]) -> ValueKind | None:
    """Return how a part's text travels; None for a part of a type that is not known here."""
    type_ = part.get("type")
    return TEXTS.get(type_) if isinstance(type_, str) else None


def are_complete(items: Sequence[Any], call_ids: Collection[str]) -> bool:
    """Tell whether an upstream's whole items are as callers get them, so that nothing has to be added.

    Args:
        items: what it says its output is.
        call_ids: of the conversation; a new call must have another.
    """
    taken = set(call_ids)
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            return False
        if not isinstance(item.get("id"), str) or not item["id"]:
            return False
        if item["type"] in CALLS:
            if not item.get("name") or not item.get("call_id") or item["call_id"] in taken:
                return False
            taken.add(item["call_id"])
        kind = FIELDS.get(item["type"])
        if kind is not None and not isinstance(item.get(kind.field, ""), str):
            return False
        for holder in _HOLDERS:
            for part in item.get(holder) or ():
                if not isinstance(part, dict):
                    return False
                kind = text_kind(part)
                if kind is not None and not isinstance(part.get(kind.field), str):
                    return False
    return True


def _texts(parts: object) -> list[Any]:
    if not isinstance(parts, list):
        return []
    return [
        part.get(kind.field) if (kind := text_kind(part)) is not None else None
        for part in parts
        if isinstance(part, dict)
    ]


def _same_but_for_form(streamed: str, said: str) -> bool:
    """Tell whether two writings differ in white space alone, or are the same JSON."""
    if "".join(streamed.split()) == "".join(said.split()):
        return True
    if not said.lstrip().startswith(("{", "[")):
        return False
    try:
        return bool(json.loads(streamed) == json.loads(said))
    except ValueError:
        return False
