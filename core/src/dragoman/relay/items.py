"""The brackets of a relayed answer: items, their parts and values, passed on or, where missing, written.

See ``dragoman.relay.relay`` for the rules.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from dragoman.events.batches import RawEvents
from dragoman.events.brackets import new_id
from dragoman.relay.delta_form import DeltaForm
from dragoman.relay.relayed import (
    CALLS,
    FIELDS,
    PART_STEMS,
    STEMS,
    TEXTS,
    EventsLostError,
    RelayedItem,
    RelayedValue,
    ValueKind,
    blank,
    blank_part,
    new_item,
    new_part,
    text_kind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dragoman.decoding import RawEvent
    from dragoman.types import Event, Item

__all__ = ["ItemRelay", "event", "identical"]

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
_TEXT = STEMS["response.output_text"]
_PART_EVENTS = {holder: (stem, index_name) for holder, stem, index_name in set(PART_STEMS.values())}


class ItemRelay:
    """The items of one answer, as an upstream streams them."""

    def __init__(self, known_call_ids: Iterable[str] = ()) -> None:
        self._events: list[Event | RawEvents] = []
        self._call_ids = set(known_call_ids)
        self._number = 0
        self._items: list[RelayedItem] = []
        self._numbered: dict[int | None, RelayedItem] = {}  # by the upstream's output_index
        self._expected = 0
        """The upstream's next number; 0 where it gives none."""
        self._gapless = True
        """Whether numbers and ids prove that no event was lost or is about another item."""
        self._held_back: list[int] = []  # numbers of items whose place is not known before the end
        self._writing: RelayedValue | None = None  # most deltas go where the one before went

    def _open(self) -> None:
        """Write `response.created` where it is missing: nothing may come before it."""
        raise NotImplementedError

    def _emit(self, data: Event) -> None:
        if data.get("sequence_number") != self._number:
            data["sequence_number"] = self._number
        self._number += 1
        self._events.append(data)

    # ---- items --------------------------------------------------------------------------------------

    def _add(self, item: Item, upstream_index: int | None, data: Event | None = None) -> RelayedItem:
        """Note a new item and write its `added` event: the upstream's `data`, or one of our own."""
        self._open()
        added = blank(item)
        if not isinstance(added.get("id"), str) or not added["id"]:
            added = {**added, "id": new_id(_PREFIXES.get(added["type"], "item"))}
        if data is None and "status" in added:
            added = {**added, "status": "in_progress"}
        if added["type"] in CALLS:
            if added.get("call_id") in self._call_ids:
                added = {**added, "call_id": new_id("call")}
            self._call_ids.add(added["call_id"])
        relayed = RelayedItem(added, len(self._items), upstream_index)
        self._items.append(relayed)
        self._writing = None  # an upstream that reuses a number means this item from now on
        if upstream_index is not None:
            self._numbered[upstream_index] = relayed
        if data is None:
            data = event("response.output_item.added", output_index=relayed.index, item=added)
        elif data["item"] is not added:
            data["item"] = added
        if data.get("output_index") != relayed.index:
            data["output_index"] = relayed.index
        self._emit(data)
        return relayed

    def _take_added(self, data: Event) -> None:
        item = data.get("item")
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            return
        if not _is_named(item):
            return  # cannot be announced without its name: the `done` event will tell
        index = _index(data.get("output_index"))
        known = self._numbered.get(index)
        if known is not None and (
            known.id == item.get("id") or (not known.done and known.item["type"] == item["type"])
        ):
            return  # told already
        if index is not None and index > len(self._items) and self._expected and not self._gapless:
            # The numbers say that events were lost, and with them items that belong before this one.
            self._held_back.append(index)
            return
        self._add(item, index, data)

    def _take_done(self, data: Event) -> None:
        item = data.get("item")
        known = self._known(data, item if isinstance(item, dict) else None)
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            if known is not None and not known.done:
                self._close(known, None)
            return
        if (
            known is not None
            and known.done
            and (known.id == item.get("id") or known.item["type"] == item["type"])
        ):
            return
        if known is None or known.done or known.item["type"] != item["type"]:
            if not _is_named(item):
                return
            known = self._add(item, _index(data.get("output_index")))
        self._close(known, item, data)

    def _known(self, data: Event, item: Item | None = None) -> RelayedItem | None:
        """Return the item that an event is about: by its number, else its id, else the last that is open."""
        index = data.get("output_index")
        if isinstance(index, int):
            return self._numbered.get(index)
        identity = data.get("item_id") or (item or {}).get("id")
        for known in reversed(self._items):
            if known.id == identity or (identity is None and not known.done):
                return known
        return None

    def _close(
        self, item: RelayedItem, whole: Item | None, data: Event | None = None, *, status: str = "completed"
    ) -> None:
        """Write the events that end an item and are still missing, its `done` event (or `data`) last."""
        final = whole if whole is not None else {**item.item, "status": status}
        for holder in ("summary", "content"):
            listed = _list(final.get(holder))
            if listed or item.parts[holder]:
                pairs = item.pair(holder, listed)
                parts = [self._close_part(item, holder, value, part) for value, part in pairs]
                if not identical(parts, listed):
                    final = {**final, holder: parts}
        if item.field is not None and item.field.kind is not None:
            name = item.field.kind.field
            told = final.get(name)
            if told or item.field.pieces or item.field.said:
                streamed = self._say(item.field, told)
                if streamed != (told or ""):
                    final = {**final, name: streamed}
        final = item.same_as(final)
        item.item = final
        item.done = True
        if data is None:
            data = event("response.output_item.done", output_index=item.index, item=final)
        elif data["item"] is not final:
            data["item"] = final
        if data.get("output_index") != item.index:
            data["output_index"] = item.index
        self._emit(data)

    # ---- parts and values ---------------------------------------------------------------------------

    def take_run(self, raw_events: Sequence[RawEvent], place: int) -> int:
        """Take events by their bytes, as long as they are deltas like the one before.

        Args:
            raw_events: what was decoded.
            place: where to begin.

        Returns:
            How many; the next one has to be parsed.
        """
        value, number = self._writing, self._number
        form = self._runs_on()
        if value is None or form is None:
            return 0
        payloads = []
        for raw in islice(raw_events, place, None):
            text = form.text(raw.data, number)
            if text is None:
                break
            value.pieces.append(text)
            payloads.append(raw.data)
            number += 1
        if payloads:
            self._events.append(RawEvents(form.type, self._number, payloads))
            self._expected = self._number = number
        return len(payloads)

    def take_bytes(self, data: bytes) -> int:
        """Take deltas from the beginning of a stream's bytes (see `take_run`); return how many bytes."""
        value = self._writing
        form = self._runs_on()
        if value is None or form is None:
            return 0
        taken, texts = form.run(data, self._number)
        if texts:
            value.pieces += texts
            self._events.append(RawEvents.as_written(form.type, self._number, len(texts), data[:taken]))
            self._expected = self._number = self._number + len(texts)
        return taken

    def _runs_on(self) -> DeltaForm | None:
        """Return the form of the deltas that may follow; None where they have to be parsed."""
        value = self._writing
        if value is None or value.said or self._number != self._expected or self._held_back:
            return None
        return value.form

    def _take_delta(self, data: Event, kind: ValueKind, payload: bytes) -> None:
        value = self._writing
        if (
            value is None
            or value.kind is not kind
            or data.get("output_index") != value.upstream_output
            or data.get(kind.index_name) != value.upstream_index
        ):
            value = self._value_for(data, kind)
            self._writing = value
        delta = data.get("delta")
        if value is None or value.said or not isinstance(delta, str):
            self._gapless = False
            return
        value.pieces.append(delta)
        as_it_came = data.get("sequence_number") == self._number
        if kind is _TEXT and "logprobs" not in data:
            data["logprobs"] = []  # clients read them unasked
            as_it_came = False
        if not value.in_place or data.get("item_id") != value.item_id:
            self._gapless = self._gapless and data.get("item_id") == value.item_id
            data.update(value.address)
            as_it_came = False
        if as_it_came and len(value.pieces) == 1:
            value.form = DeltaForm.of(data, payload)
        self._emit(data)

    def _value_for(self, data: Event, kind: ValueKind) -> RelayedValue | None:
        """Return the value that an event is about, opening its item and part where the upstream has not."""
        item = self._known(data)
        if not kind.holder:
            value = item.field if item is not None and not item.done else None
            self._gapless = self._gapless and item is not None and data.get("item_id") == item.id
            return value if value is not None and value.kind is kind else None
        if item is None or not _belongs(item, kind):
            item = self._add(new_item(kind, data.get("item_id")), _index(data.get("output_index")))
        if item.done:
            return None
        if data.get("item_id") != item.id:
            self._gapless = False
        number = _index(data.get(kind.index_name))
        value = item.part_at(kind.holder, number)
        if value is None:
            return self._add_part(item, kind.holder, new_part(kind), number)
        return value if value.kind is kind else None

    def _take_said(self, data: Event) -> None:
        """`.done` of a value."""
        kind = STEMS[data["type"].rpartition(".")[0]]
        value = self._value_for(data, kind)
        if value is not None and not value.said:
            self._say(value, data.get(kind.field), data)

    def _say(self, value: RelayedValue, said: object, data: Event | None = None) -> str:
        """Write a value's `.done` event where it is missing; return the whole value."""
        kind = value.kind
        if kind is None:
            return ""
        if not value.said:
            rest = self._missing(value, said)
            logprobs: dict[str, Any] = {"logprobs": []} if kind is _TEXT else {}
            if rest:
                value.pieces.append(rest)
                self._emit(event(f"{kind.stem}.delta", **value.address, delta=rest, **logprobs))
            streamed = value.streamed()
            value.pieces = [streamed]
            value.said = True
            if data is None:
                data = event(f"{kind.stem}.done", **value.address, **{kind.field: streamed}, **logprobs)
            else:
                _amend(data, {kind.field: streamed, **value.address})
                if logprobs and "logprobs" not in data:
                    data.update(logprobs)
            self._emit(data)
        return value.streamed()

    def _missing(self, value: RelayedValue, said: object) -> str:
        try:
            return value.missing(said)
        except EventsLostError:
            if not self._gapless:
                raise
            value.pieces = [str(said)]
            return ""

    def _add_part(
        self,
        item: RelayedItem,
        holder: str,
        part: dict[str, Any],
        upstream_index: int | None,
        data: Event | None = None,
    ) -> RelayedValue:
        added = blank_part(part)
        value = item.add_part(holder, text_kind(part), added, upstream_index)
        stem, index_name = _PART_EVENTS[holder]
        address = {"item_id": item.id, "output_index": item.index, index_name: value.index}
        if data is None:
            data = event(f"{stem}.added", **address, part=added)
        else:
            _amend(data, {**address, "part": added})
        self._emit(data)
        return value

    def _take_part(self, data: Event) -> None:
        """A part is added or done."""
        stem, _, verb = data["type"].rpartition(".")
        holder, _, index_name = PART_STEMS[stem]
        part = data.get("part")
        if not isinstance(part, dict):
            return
        kind = text_kind(part)
        item = self._known(data)
        if item is None or not _belongs(item, kind):
            if kind is None:
                return  # whose part this is, its item will tell
            item = self._add(new_item(kind, data.get("item_id")), _index(data.get("output_index")))
        if item.done:
            return
        number = _index(data.get(index_name))
        value = item.part_at(holder, number)
        if verb == "added":
            if value is None:
                self._add_part(item, holder, part, number, data)
            return
        if value is None:
            value = self._add_part(item, holder, part, number)
        if not value.closed and value.kind is kind:
            self._close_part(item, holder, value, part, data)

    def _close_part(
        self,
        item: RelayedItem,
        holder: str,
        value: RelayedValue | None,
        part: dict[str, Any],
        data: Event | None = None,
    ) -> dict[str, Any]:
        """Write the events that end a part and are still missing; return the part."""
        new = value is None
        if value is None:
            value = self._add_part(item, holder, part, None)
        stem, index_name = _PART_EVENTS[holder]
        address = {"item_id": item.id, "output_index": item.index, index_name: value.index}
        if new:
            for number, annotation in enumerate(_list(part.get("annotations"))):
                numbered = {"annotation_index": number, "annotation": annotation}
                self._emit(event("response.output_text.annotation.added", **address, **numbered))
        if value.kind is not None:
            whole = self._say(value, part.get(value.kind.field))
            if part.get(value.kind.field) != whole:
                part = {**part, value.kind.field: whole}
        if not value.closed:
            if data is None:
                data = event(f"{stem}.done", **address, part=part)
            else:
                _amend(data, {**address, "part": part})
            value.closed = True
            value.part = part
            self._emit(data)
        return part

    def _take_annotation(self, data: Event) -> None:
        value = self._value_for(data, TEXTS["output_text"])
        if value is None or value.closed or value.part is None:
            return  # comes with its part
        annotations = [*_list(value.part.get("annotations")), data.get("annotation")]
        value.part = {**value.part, "annotations": annotations}
        _amend(data, value.address)
        self._emit(data)

    def _pass_on(self, data: Event) -> None:
        """Pass on an event of another type: progress of a hosted tool, or something of next month."""
        index = data.get("output_index")
        item = self._numbered.get(index) if isinstance(index, int) else None
        if item is not None:
            if index != item.index:
                data["output_index"] = item.index
            if "item_id" in data and data["item_id"] != item.id:
                data["item_id"] = item.id
        self._emit(data)


def event(type_: str, **fields: Any) -> Event:
    """Return an event of our own; its number is given when it is emitted."""
    return {"type": type_, "sequence_number": -1, **fields}


def identical(ours: Sequence[Any], told: Sequence[Any]) -> bool:
    """Tell whether two lists hold the same objects, so that nothing has to be replaced."""
    return len(ours) == len(told) and all(own is other for own, other in zip(ours, told, strict=True))


def _is_named(item: Item) -> bool:
    """Tell whether an item can be announced: a call needs its name and the id of the call."""
    return item["type"] not in CALLS or bool(item.get("call_id") and item.get("name"))


def _belongs(item: RelayedItem, kind: ValueKind | None) -> bool:
    """Tell whether values of this kind can stand in this item; in one of an unknown type they can."""
    type_ = item.item["type"]
    return (
        kind is None or type_ == kind.item_type or not (type_ in FIELDS or type_ in {"message", "reasoning"})
    )


def _index(number: object) -> int | None:
    return number if isinstance(number, int) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _amend(data: Event, changes: dict[str, Any]) -> None:
    for name, new in changes.items():
        if data.get(name) != new:
            data[name] = new
