"""Brackets: the machinery below ``Output``, which keeps every sequence of events legal.

Items open and close, parts open and close inside them, and each event has its number, its item's id and its
indexes. Nothing here knows what an answer means; nothing outside can write an event.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.randomness import random_hex

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dragoman.tools import ArgumentsUnwrapper
    from dragoman.types import Event, Item

__all__ = ["CUT_STATUS", "MAX_ID", "Brackets", "OpenItem", "Part", "new_id"]


class _PartKind(NamedTuple):
    """How one kind of text travels: where it stands in its item, and what its events are called."""

    field: str
    """The field of the part, and of the `.done` event, that holds the whole text."""
    stem: str
    part_stem: str
    index_name: str
    holder: str
    """The list of the item that holds parts of this kind."""


_PART_KINDS = {
    "output_text": _PartKind(
        "text", "response.output_text", "response.content_part", "content_index", "content"
    ),
    "refusal": _PartKind("refusal", "response.refusal", "response.content_part", "content_index", "content"),
    "reasoning_text": _PartKind(
        "text", "response.reasoning_text", "response.content_part", "content_index", "content"
    ),
    "summary_text": _PartKind(
        "text",
        "response.reasoning_summary_text",
        "response.reasoning_summary_part",
        "summary_index",
        "summary",
    ),
}
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "image_generation_call": "ig",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "compaction": "cmp",
}
# The field of an item that arrives in deltas, and the stem of the events that carry them.
_STREAMED_FIELDS = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
    "code_interpreter_call": ("code", "response.code_interpreter_call_code"),
}
# Hosted tools that announce their progress, and how those call it that report failure.
_ANNOUNCED = frozenset(
    {
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
    }
)
_REPORTS_FAILURE = frozenset({"mcp_call", "mcp_list_tools"})
CUT_STATUS = {
    "apply_patch_call": "in_progress",
    "image_generation_call": "failed",
    "web_search_call": "failed",
}
"""What a cut item is called where the standard's "incomplete" is none of the type's states at OpenAI."""
MAX_ID = 64
"""The longest id that every client and provider takes."""


def new_id(prefix: str) -> str:
    """Return a fresh id such as ``msg_<32 hex digits>``: the millisecond, then 80 random bits, as in UUIDv7.

    What is made together stands together in the indexes of a store. Ids without any order would each change a
    page of its own in every index, which costs more than all else that is done to keep a response.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{random_hex()[12:]}"


class Part:
    """A stretch of text inside a message or reasoning item, while it is written."""

    __slots__ = (
        "group",
        "index",
        "key",
        "kind",
        "kind_name",
        "length",
        "logprobs",
        "open_item",
        "pieces",
        "value",
    )

    def __init__(self, open_item: OpenItem, kind_name: str, key: Hashable, group: Hashable) -> None:
        self.open_item = open_item
        self.kind_name = kind_name
        self.kind = _PART_KINDS[kind_name]
        self.key = key
        self.group = group
        self.pieces: list[str] = []
        self.length = 0
        self.logprobs: list[Any] = []
        self.value: dict[str, Any] = {"type": kind_name, self.kind.field: ""}
        if kind_name == "output_text":
            self.value["annotations"] = []
            self.value["logprobs"] = []
        siblings = open_item.item.setdefault(self.kind.holder, [])
        self.index = len(siblings)
        siblings.append(self.value)


class OpenItem:
    """An output item between its `added` and its `done` event."""

    __slots__ = ("closed", "index", "item", "keys", "parts", "pieces", "unwrapper")

    def __init__(self, item: Item, index: int) -> None:
        self.item = item
        self.index = index
        self.keys: set[Hashable] = set()
        """The provider's keys that may still write here; while there are any, the item stays open."""
        self.parts: list[Part] = []
        self.pieces: list[str] = []
        self.unwrapper: ArgumentsUnwrapper | None = None
        self.closed = False


class Brackets:
    """Open items, their parts, and the events written so far."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._events: list[Event] = []
        self._quiet = quiet  # whether nobody reads what leads to the end
        self._sequence_number = 0
        self._open: list[OpenItem] = []
        self._current: OpenItem | None = None
        self._keys: dict[Hashable, Part | OpenItem] = {}
        self._writing: Part | None = None  # the part written last: most deltas go where the one before went
        self._items: list[Item] = []

    @property
    def pending(self) -> int:
        """How many events were written since the last call of `take_events`."""
        return len(self._events)

    def take_events(self) -> list[Event]:
        """Return the events written since the last call."""
        events = self._events
        self._events = []
        return events

    def close(self, key: Hashable = None) -> None:
        """End the block that `key` names; without a key, whatever is open and has none. Unknown: no-op."""
        if key is None:
            self._close_free_items()
            return
        target = self._keys.pop(key, None)
        if isinstance(target, Part):
            target.open_item.keys.discard(key)
            self._close_part(target)
        elif target is not None:
            target.keys.discard(key)
            self._close_item(target, "completed")

    def _emit(self, type_: str, **fields: Any) -> None:
        self._events.append({"type": type_, "sequence_number": self._sequence_number, **fields})
        self._sequence_number += 1

    def _open_item(self, item: Item, key: Hashable) -> OpenItem:
        if key is not None:
            self.close(key)  # a key names one block: the one that had it is over
        self._close_free_items()
        type_ = item["type"]
        if type_ in {"message", "reasoning"} and (item.get("content") or item.get("summary")):
            raise ValueError(f"what a {type_} says is written by verbs: text, refusal, reasoning_summary ...")
        item = {"id": "", **_copy(item), "status": "in_progress"}
        item["id"] = self._item_id(item)
        open_item = OpenItem(item, len(self._items))
        streamed_field, _ = _STREAMED_FIELDS.get(type_, ("", ""))
        streamed = item.get(streamed_field)
        if streamed_field:
            item[streamed_field] = ""
        self._items.append(item)
        self._open.append(open_item)
        self._current = open_item
        if key is not None:
            open_item.keys.add(key)
            self._keys[key] = open_item
        if not self._quiet:
            self._emit("response.output_item.added", output_index=open_item.index, item=_copy(item))
        if type_ in _ANNOUNCED:
            self._announce(open_item, "in_progress")
        if streamed:
            self._write_field(open_item, streamed)
        return open_item

    def _item_id(self, item: Item) -> str:
        """Return the provider's id where it can serve: short, and no other item's."""
        given = str(item.get("id") or "")
        if given and len(given) <= MAX_ID and all(other["id"] != given for other in self._items):
            return given
        return new_id(_PREFIXES.get(item["type"], "item"))

    def _set_fields(self, open_item: OpenItem, fields: dict[str, Any]) -> None:
        streamed_field, _ = _STREAMED_FIELDS.get(open_item.item["type"], ("", ""))
        streamed = fields.pop(streamed_field, None)
        open_item.item.update(fields)
        if streamed:
            self._write_field(open_item, streamed)

    def _item_for(self, item_type: str, key: Hashable) -> OpenItem:
        """Return the open item that `key` names, else the current one if of that type, else a new one."""
        if key is not None:
            known = self._keys.get(key)
            if isinstance(known, OpenItem) and known.item["type"] == item_type:
                return known
        elif (
            (current := self._current) is not None and current.item["type"] == item_type and not current.keys
        ):
            return current
        item: Item = {"type": item_type}
        if item_type == "message":
            item |= {"role": "assistant", "content": []}
        else:
            item["summary"] = []
        return self._open_item(item, key)

    def _part(self, item_type: str, kind: str, key: Hashable, group: Hashable = None) -> Part:
        """Return the part that (`kind`, `key`, `group`) names, opening it and its item where needed."""
        if item_type == "message":
            # A message's key names a part, so that blocks of text stay apart inside one message.
            known = self._keys.get(key) if key is not None else None
            if isinstance(known, Part) and known.kind_name == kind:
                self._writing = known
                return known
            if isinstance(known, OpenItem) and known.item["type"] == "message":
                current: OpenItem | None = known
            else:
                if known is not None:
                    self.close(key)  # a key names one block: the one that had it is over
                current = self._current
            if current is None or current.item["type"] != "message":
                current = self._item_for("message", None)
        else:
            current = self._item_for(item_type, key)
        for part in current.parts:
            if part.kind_name == kind and part.key == key and part.group == group:
                self._writing = part
                return part
        for part in list(current.parts):
            if part.key is None or item_type == "reasoning":
                self._close_part(part)
        part = Part(current, kind, key, group)
        current.parts.append(part)
        if item_type == "message" and key is not None:
            current.keys.add(key)
            self._keys[key] = part
        self._writing = part
        if not self._quiet:
            self._emit(
                f"{part.kind.part_stem}.added",
                item_id=current.item["id"],
                output_index=current.index,
                **{part.kind.index_name: part.index, "part": _copy(part.value)},
            )
        return part

    def _write_part(
        self, item_type: str, kind: str, delta: str, key: Hashable, group: Hashable = None
    ) -> None:
        if not delta:
            return
        part = self._writing
        if part is None or part.kind_name != kind or part.key != key or part.group != group:
            part = self._part(item_type, kind, key, group)
        part.pieces.append(delta)
        part.length += len(delta)
        if self._quiet:
            return
        self._emit(
            f"{part.kind.stem}.delta",
            item_id=part.open_item.item["id"],
            output_index=part.open_item.index,
            **{part.kind.index_name: part.index, "delta": delta},
        )

    def _write_field(self, open_item: OpenItem, delta: str) -> None:
        if open_item.unwrapper is not None:
            delta = open_item.unwrapper.feed(delta)
        if not delta:
            return
        if open_item.item["type"] not in _STREAMED_FIELDS:
            raise TypeError(f"no field of a {open_item.item['type']} arrives in pieces: use update or close")
        open_item.pieces.append(delta)
        if self._quiet:
            return
        _, stem = _STREAMED_FIELDS[open_item.item["type"]]
        number = self._sequence_number
        self._sequence_number = number + 1
        self._events.append(
            {
                "type": f"{stem}.delta",
                "sequence_number": number,
                "item_id": open_item.item["id"],
                "output_index": open_item.index,
                "delta": delta,
            }
        )

    def _announce(self, open_item: OpenItem, stage: str) -> None:
        if open_item.item["type"] not in _ANNOUNCED and stage != "compacting":
            raise TypeError(f"the progress of a {open_item.item['type']} has no events")
        if self._quiet:
            return
        self._emit(
            f"response.{open_item.item['type']}.{stage}",
            item_id=open_item.item["id"],
            output_index=open_item.index,
        )

    def _close_part(self, part: Part) -> None:
        open_item = part.open_item
        open_item.parts.remove(part)
        if self._writing is part:
            self._writing = None
        text = "".join(part.pieces)
        part.value[part.kind.field] = text
        logprobs: dict[str, Any] = {}
        if part.kind_name == "output_text":
            part.value["logprobs"] = part.logprobs
            logprobs = {"logprobs": part.logprobs}
        if self._quiet:
            return
        address = {
            "item_id": open_item.item["id"],
            "output_index": open_item.index,
            part.kind.index_name: part.index,
        }
        self._emit(f"{part.kind.stem}.done", **address, **{part.kind.field: text}, **logprobs)
        self._emit(f"{part.kind.part_stem}.done", **address, part=_copy(part.value))

    def _close_free_items(self) -> None:
        for open_item in list(self._open):
            if not open_item.keys:
                self._close_item(open_item, "completed")

    def _close_item(self, open_item: OpenItem, status: str) -> None:
        if open_item.closed:
            return
        for key in open_item.keys:
            self._keys.pop(key, None)
        for part in list(open_item.parts):
            self._close_part(part)
        item = open_item.item
        type_ = item["type"]
        if type_ in _STREAMED_FIELDS:
            self._close_field(open_item, whole=status == "completed")
        item["status"] = status
        if status == "incomplete":
            item["status"] = CUT_STATUS.get(type_, status)
        elif type_ in _ANNOUNCED:
            failed = status == "failed" and type_ in _REPORTS_FAILURE
            self._announce(open_item, "failed" if failed else "completed")
        open_item.closed = True
        self._open.remove(open_item)
        if self._current is open_item:
            self._current = None
        if not self._quiet:
            self._emit("response.output_item.done", output_index=open_item.index, item=item)

    def _close_field(self, open_item: OpenItem, *, whole: bool) -> None:
        item = open_item.item
        field, stem = _STREAMED_FIELDS[item["type"]]
        pieces = open_item.pieces
        if open_item.unwrapper is not None:
            rest, open_item.unwrapper = open_item.unwrapper.close(), None
            self._write_field(open_item, rest)
        elif field == "arguments" and whole and not "".join(pieces).strip():
            # A call without arguments: providers send nothing, callers parse JSON.
            pieces.clear()
            self._write_field(open_item, "{}")
        item[field] = "".join(pieces)
        if not self._quiet:
            address = {"item_id": item["id"], "output_index": open_item.index}
            self._emit(f"{stem}.done", **address, **{field: item[field]})


def _copy(item: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot of an item or part: its lists are copied, what is in them is final."""
    return {name: list(value) if isinstance(value, list) else value for name, value in item.items()}
