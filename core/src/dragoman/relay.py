"""Relay: the counterpart of Output for upstreams that speak the Responses API themselves.

What the upstream says is passed on as it is, known or unknown: parameters, items, fields and events of next
month included. Only what would break a client is mended, and only where it is broken: a missing
`response.created`, items that never close, ids that change, holes in the numbering, a stream without its
terminal event. The rules are those of ``dragoman.testing.legality``; a legal stream comes out unchanged but
for `dragoman` in its terminal response.

Three decisions where an upstream contradicts itself:

* What streamed has been seen. If the upstream's whole value begins with it, the rest follows as one more
  delta; if pieces are missing in the middle, the answer is damaged and fails (`malformed_stream`).
* A deltas' call whose `added` event is missing has no name yet: it is held back until its `done` event or the
  terminal response tells.
* The first id wins: of the response, of an item, of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman.output import new_id
from dragoman.relayed import (
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
    event,
    new_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.types import Event, Item

__all__ = ["Relay"]

_TERMINAL = frozenset({"completed", "failed", "incomplete"})
_PENDING = frozenset({"queued", "in_progress", "cancelled"})
_CALLS = frozenset({"function_call", "custom_tool_call"})
_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
_STATUS_BY_CODE = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "previous_response_not_found": 400,
    "context_length_exceeded": 400,
    "content_policy_violation": 400,
    "content_filter": 400,
    "invalid_prompt": 400,
    "bio_policy": 400,
    "misalignment_policy_violation": 400,
    "invalid_request_error": 400,
}
"""Codes and types of errors inside a stream -> the status that OpenAI gives them over HTTP; others are 500."""


class Relay:
    """One answer of a native upstream. The session drives it as it drives an ``Output``."""

    def __init__(self, response: dict[str, Any]) -> None:
        """Start an answer.

        Args:
            response: the Response as it stands before any output (see ``initial_response``). Its `dragoman`
                goes into the terminal response; the rest serves where the upstream gives nothing.
        """
        self.response = response
        """The response as last told: the upstream's own, with `dragoman`; final once `ended`."""
        self.ended = False
        self.error: ProviderError | None = None
        self.finish_reason: str | None = None
        self._dragoman: dict[str, Any] = response.get("dragoman", {})
        self._events: list[Event] = []
        self._number = 0
        self._id: str | None = None
        """The response's id; None until `response.created` has gone out."""
        self._early: list[Event] = []  # events of unknown types that came before response.created
        self._items: list[RelayedItem] = []
        self._numbered: dict[int | None, RelayedItem] = {}  # by the upstream's output_index
        self._writing: RelayedValue | None = None  # most deltas go where the one before went
        self._error_event: Event | None = None
        self._closed = False

    # ---- core's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take note that the upstream accepted: its own `response.created` opens the lifecycle."""

    def take_events(self) -> list[Event]:
        """Return the events written since the last call."""
        events = self._events
        self._events = []
        return events

    def event(self, data: Any) -> None:
        """Take one event of the upstream, its JSON parsed; it is changed in place where it has to be.

        What is no event (not an object, no type) is ignored, as clients do; an object that has no type but
        an `error` is one.
        """
        if self.ended or not isinstance(data, dict):
            return
        type_ = data.get("type")
        if not isinstance(type_, str):
            if data.get("error"):
                self._take_error(data)
            return
        if self.error is not None and type_ not in _ENDINGS:
            return  # an error is the end but for the response.failed that OpenAI sends behind it
        try:
            kind = _DELTAS.get(type_)
            if kind is not None:
                self._take_delta(data, kind)
            else:
                _HANDLERS.get(type_, Relay._take_unknown)(self, data)
        except EventsLostError:
            self.error = ProviderError(
                message="the answer is damaged: its pieces are not the whole that the provider names",
                status=502,
                code="malformed_stream",
            )
            self._fail()

    def whole(self, payload: Any) -> None:
        """Take an answer that was not streamed."""
        if not isinstance(payload, dict) or not (
            isinstance(payload.get("output"), list) or str(payload.get("object", "")).startswith("response")
        ):
            said = payload.get("error") if isinstance(payload, dict) else None
            self.error = _provider_error(said) if said else ProviderError(
                message="the provider answered with something that is not a response",
                status=502,
                code="malformed_response",
            )
            self.ended = True
            return
        status = payload.get("status", "completed")
        if status in _PENDING:  # a background response: told as it is, there is nothing to stream
            self._adopt(payload)
            self.finish_reason = status
            self.ended = self._closed = True
        else:
            ending = status if status in _TERMINAL else "completed"
            self.event({"type": f"response.{ending}", "response": payload})

    def complete(self) -> None:
        """End the answer: without a terminal event of the upstream it has failed."""
        if self._closed:
            return
        if self.error is None:
            self.error = ProviderError(
                message="the answer ended before the provider's end mark", status=502, code="stream_interrupted"
            )
        self._fail()

    # ---- the lifecycle ------------------------------------------------------------------------------

    def _emit(self, data: Event) -> None:
        if data.get("sequence_number") != self._number:
            data["sequence_number"] = self._number
        self._number += 1
        self._events.append(data)

    def _adopt(self, response: dict[str, Any]) -> None:
        """Make the upstream's response ours: the id that was told first, and what dragoman adds."""
        if self._id is not None and response.get("id") != self._id:
            response["id"] = self._id
        foreign = response.get("dragoman")
        added = {**self._dragoman, **foreign} if isinstance(foreign, dict) else self._dragoman
        self.response = {**response, "dragoman": added}

    def _open(self, snapshot: dict[str, Any] | None = None) -> None:
        """Write `response.created` where the upstream did not, from the first thing it did say."""
        if self._id is not None:
            return
        snapshot = snapshot or self.response
        fresh = {"status": "in_progress", "output": [], "error": None, "incomplete_details": None, "usage": None}
        response = {**snapshot, **fresh}
        if "completed_at" in response:
            response["completed_at"] = None
        self._take_created(event("response.created", response=response))

    def _take_created(self, data: Event) -> None:
        if self._id is not None:
            return  # told already
        response = data.get("response")
        if not isinstance(response, dict) or not response:
            response = data["response"] = {**self.response}
        if not isinstance(response.get("id"), str) or not response["id"]:
            response["id"] = self.response["id"]
        self._id = response["id"]
        self._adopt(response)
        self._emit(data)
        early, self._early = self._early, []
        for known in early:
            self._take_unknown(known)

    def _take_progress(self, data: Event) -> None:
        """`response.queued`, `response.in_progress`."""
        response = data.get("response")
        if not isinstance(response, dict) or not response:
            return
        self._open(response)
        self._adopt(response)
        self._emit(data)

    def _take_error(self, data: Event) -> None:
        # Held back: open items have to be closed before it, and response.failed must follow it at once.
        self._error_event = data
        self.error = _provider_error(data)
        self.finish_reason = "failed"

    def _take_ending(self, data: Event) -> None:
        response = data.get("response")
        if not isinstance(response, dict):
            response = {}
        status = str(data["type"]).removeprefix("response.")
        if self.error is not None and status != "failed":
            self._fail(response)  # an error was told: whatever else is said, the answer has failed
            return
        if not response.get("id") or not isinstance(response.get("output"), list):
            response = {**self.response, "output": [], "status": status, **response}
        response.setdefault("status", status)
        data["response"] = response
        self._end(data, status)

    def _fail(self, said: dict[str, Any] | None = None) -> None:
        """End with what arrived: the `error` event, then `response.failed`."""
        error = self.error or _provider_error(None)
        code = error.code if error.code in _RESPONSE_CODES else _response_code(error.status)
        response = {
            "output": [],
            **self.response,
            **(said or {}),
            "status": "failed",
            "error": {"code": code, "message": error.message},
        }
        self._error_event = self._error_event or event("error")
        self._end(event("response.failed", response=response), "failed")

    def _end(self, data: Event, status: str) -> None:
        response = data["response"]
        self._open(response)
        output = self._final_output(response["output"], cut=status != "completed")
        if not _identical(output, response["output"]):
            response["output"] = output
        if self.error is None and status == "failed":
            self.error = _provider_error(response.get("error"))
        if self._error_event is not None and self.error is not None:
            self._emit(_error_event(self._error_event, self.error))
        self._adopt(response)
        response["dragoman"] = self.response["dragoman"]
        self.response = response
        self._emit(data)
        self.finish_reason = status
        self.ended = self._closed = True

    def _final_output(self, said: list[Any], *, cut: bool) -> list[Item]:
        """Close what is open, add what never streamed; return the items in the order of their indexes."""
        copies, unseen = self._pair(said)
        for item in self._items:
            copy = copies.get(item.index)
            if not item.done:
                last = item.index == len(self._items) - 1 and not unseen
                self._close(item, copy, status="incomplete" if cut and last else "completed")
                copy = None
            elif copy is not None and item.agrees(copy):
                item.item = item.same_as(copy)
        for new in unseen:
            self._close(self._add(new, None), new)
        return [item.item for item in self._items]

    def _pair(self, said: list[Any]) -> tuple[dict[int, Item], list[Item]]:
        """Match the items of a terminal response with those that streamed: by id, else by place and type."""
        copies: dict[int, Item] = {}
        rest: list[tuple[int, Item]] = []
        by_id = {item.id: item for item in self._items}
        entries = [entry for entry in said if isinstance(entry, dict) and isinstance(entry.get("type"), str)]
        for place, entry in enumerate(entries):
            identity = entry.get("id")
            item = by_id.pop(identity, None) if isinstance(identity, str) else None
            if item is not None and item.item["type"] == entry["type"]:
                copies[item.index] = entry
            else:
                rest.append((place, entry))
        unseen: list[Item] = []
        for place, entry in rest:
            item = self._numbered.get(place)
            if item is not None and item.index not in copies and item.item["type"] == entry["type"]:
                copies[item.index] = entry
            else:
                unseen.append(entry)
        return copies, unseen

    # ---- items --------------------------------------------------------------------------------------

    def _add(self, item: Item, upstream_index: int | None, data: Event | None = None) -> RelayedItem:
        """Note a new item and write its `added` event: the upstream's `data`, or one of our own."""
        self._open()
        added = blank(item)
        if not isinstance(added.get("id"), str) or not added["id"]:
            added = {**added, "id": new_id(_PREFIXES.get(added["type"], "item"))}
        if data is None and "status" in added:
            added = {**added, "status": "in_progress"}
        relayed = RelayedItem(added, len(self._items), upstream_index)
        self._items.append(relayed)
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
        if item["type"] in _CALLS and not (item.get("call_id") and item.get("name")):
            return  # cannot be announced without its name: the `done` event will tell
        index = _index(data.get("output_index"))
        known = self._numbered.get(index)
        if known is not None and (known.id == item.get("id") or (not known.done and known.item["type"] == item["type"])):
            return  # told already
        self._add(item, index, data)

    def _take_done(self, data: Event) -> None:
        item = data.get("item")
        known = self._known(data, item if isinstance(item, dict) else None)
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            if known is not None and not known.done:
                self._close(known, None)
            return
        if known is not None and known.done and (known.id == item.get("id") or known.item["type"] == item["type"]):
            return
        if known is None or known.done or known.item["type"] != item["type"]:
            if item["type"] in _CALLS and not (item.get("call_id") and item.get("name")):
                return
            known = self._add(item, _index(data.get("output_index")))
        self._close(known, item, data)

    def _known(self, data: Event, item: Item | None = None) -> RelayedItem | None:
        """Return the item that an event is about: by its number, else by id, else the last one that is open."""
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
            said = final.get(holder)
            told = said if isinstance(said, list) else []
            if not told and not item.parts[holder]:
                continue
            parts = [self._close_part(item, holder, value, part) for value, part in item.pair(holder, told)]
            if not _identical(parts, told):
                final = {**final, holder: parts}
        if item.field is not None and item.field.kind is not None:
            name = item.field.kind.field
            value = self._say(item.field, final.get(name)) if final.get(name) or item.field.pieces else final.get(name)
            if value != final.get(name):
                final = {**final, name: value}
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

    def _take_delta(self, data: Event, kind: ValueKind) -> None:
        value = self._writing
        if (
            value is None
            or value.kind is not kind
            or data.get("output_index") != value.upstream_output
            or data.get(kind.index_name) != value.upstream_index
        ):
            value = self._value_for(data, kind)
            if value is None:
                return
            self._writing = value
        delta = data.get("delta")
        if value.said or not isinstance(delta, str):
            return
        value.pieces.append(delta)
        item = value.item
        if data.get("item_id") != item.id or item.index != item.upstream_index or value.index != value.upstream_index:
            data.update(value.address)
        if data.get("sequence_number") != self._number:
            data["sequence_number"] = self._number
        self._number += 1
        self._events.append(data)

    def _value_for(self, data: Event, kind: ValueKind) -> RelayedValue | None:
        """Return the value that an event is about, opening its item and part where the upstream has not."""
        item = self._known(data)
        if not kind.holder:
            value = item.field if item is not None and not item.done else None
            return value if value is not None and value.kind is kind else None
        if item is None or (_owner(item, kind) and item.item["type"] != kind.item_type):
            item = self._add(_new_item(kind, data), _index(data.get("output_index")))
        if item.done:
            return None
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
            rest = value.missing(said)
            logprobs: dict[str, Any] = {"logprobs": []} if kind.stem == "response.output_text" else {}
            if rest:
                value.pieces.append(rest)
                self._emit(event(f"{kind.stem}.delta", **value.address, delta=rest, **logprobs))
            streamed = value.streamed()
            value.pieces = [streamed]
            value.said = True
            if data is None:
                data = event(f"{kind.stem}.done", **value.address, **{kind.field: streamed}, **logprobs)
            else:
                changed = {kind.field: streamed, **value.address}
                data.update({name: new for name, new in changed.items() if data.get(name) != new})
            self._emit(data)
        return value.streamed()

    def _add_part(
        self,
        item: RelayedItem,
        holder: str,
        part: dict[str, Any],
        upstream_index: int | None,
        data: Event | None = None,
    ) -> RelayedValue:
        added = blank_part(part)
        value = item.add_part(holder, TEXTS.get(part.get("type", "")), added, upstream_index)
        stem, index_name = _PART_EVENTS[holder]
        address = {"item_id": item.id, "output_index": item.index, index_name: value.index}
        if data is None:
            data = event(f"{stem}.added", **address, part=added)
        else:
            changed = {**address, "part": added}
            data.update({name: new for name, new in changed.items() if data.get(name) != new})
        self._emit(data)
        return value

    def _take_part(self, data: Event) -> None:
        """A part is added or done."""
        stem, _, verb = data["type"].rpartition(".")
        holder, _, index_name = PART_STEMS[stem]
        part = data.get("part")
        if not isinstance(part, dict):
            return
        kind = TEXTS.get(part.get("type", ""))
        item = self._known(data)
        if item is None or (kind is not None and _owner(item, kind) and item.item["type"] != kind.item_type):
            if kind is None:
                return  # whose part this is, its item will tell
            item = self._add(_new_item(kind, data), _index(data.get("output_index")))
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
        annotations = part.get("annotations")
        if new and isinstance(annotations, list):
            for number, annotation in enumerate(annotations):
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
                changed = {**address, "part": part}
                data.update({name: new for name, new in changed.items() if data.get(name) != new})
            value.closed = True
            value.part = part
            self._emit(data)
        return part

    def _take_annotation(self, data: Event) -> None:
        value = self._value_for(data, TEXTS["output_text"])
        if value is None or value.closed or value.part is None:
            return  # comes with its part
        annotations = value.part.get("annotations")
        annotations = annotations if isinstance(annotations, list) else []
        value.part = {**value.part, "annotations": [*annotations, data.get("annotation")]}
        data.update({name: new for name, new in value.address.items() if data.get(name) != new})
        self._emit(data)

    def _take_unknown(self, data: Event) -> None:
        """Pass on an event of another type: progress of a hosted tool, or something of next month."""
        if self._id is None:
            self._early.append(data)
            return
        index = data.get("output_index")
        item = self._numbered.get(index) if isinstance(index, int) else None
        if item is not None:
            if index != item.index:
                data["output_index"] = item.index
            if "item_id" in data and data["item_id"] != item.id:
                data["item_id"] = item.id
        self._emit(data)


_ENDINGS = frozenset(f"response.{status}" for status in _TERMINAL)
_DELTAS = {f"{stem}.delta": kind for stem, kind in STEMS.items()}
_PART_EVENTS = {holder: (stem, index_name) for holder, stem, index_name in set(PART_STEMS.values())}
_HANDLERS: dict[str, Callable[[Relay, Event], None]] = {
    "response.created": Relay._take_created,
    "response.queued": Relay._take_progress,
    "response.in_progress": Relay._take_progress,
    "response.output_item.added": Relay._take_added,
    "response.output_item.done": Relay._take_done,
    "response.output_text.annotation.added": Relay._take_annotation,
    "error": Relay._take_error,
    **dict.fromkeys(_ENDINGS, Relay._take_ending),
    **dict.fromkeys((f"{stem}.done" for stem in STEMS), Relay._take_said),
    **dict.fromkeys((f"{stem}.{verb}" for stem in PART_STEMS for verb in ("added", "done")), Relay._take_part),
}
