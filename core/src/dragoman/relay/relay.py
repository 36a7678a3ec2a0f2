"""Relay: the counterpart of Output for upstreams that speak the Responses API themselves.

What the upstream says is passed on as it is, known or unknown: parameters, items, fields and events of next
month included. Only what would break a client is mended, and only where it is broken: a missing
`response.created`, items that never close, ids that change, holes in the numbering, a stream without its
terminal event. The rules are those of ``dragoman.testing.legality``; a legal stream comes out unchanged but
for `dragoman` in its terminal response.

Three decisions where an upstream contradicts itself:

* What streamed has been seen. If the upstream's whole value begins with it, the rest follows as one more
  delta. If it is another value altogether, events were lost and the answer fails (`malformed_stream`); unless
  the upstream's numbering has no hole, which proves the contradiction to be its own: then it is passed on.
* A call whose `added` event is missing has no name yet, an item behind one that was lost no place: what is
  said of them is held back until a `done` event or the terminal response tells the whole.
* The first id wins: of the response, of an item, of a call. A call's that the conversation has used already
  (some servers number the calls of every turn from 0) is replaced by a fresh one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman.events.brackets import CUT_STATUS
from dragoman.events.stream_errors import error_event, response_error, stream_error
from dragoman.relay.items import ItemRelay, event, identical
from dragoman.relay.relayed import PART_STEMS, STEMS, EventsLostError, are_complete

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dragoman.events.batches import RawEvents
    from dragoman.tools import ToolNames
    from dragoman.types import Event, Item

__all__ = ["Relay"]

_TERMINAL = frozenset({"completed", "failed", "incomplete"})
_PENDING = frozenset({"queued", "in_progress", "cancelled"})
_ENDINGS = frozenset(f"response.{status}" for status in _TERMINAL)
_NOT_A_RESPONSE = ProviderError(
    message="the provider answered with something that is not a response",
    status=502,
    code="malformed_response",
)
_NO_DETAILS = {
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
"""Clients read these without asking whether they are there."""
_DAMAGED = ProviderError(
    message="the answer is damaged: its pieces are not the whole that the provider names",
    status=502,
    code="malformed_stream",
)
_CUT = ProviderError(
    message="the answer ended before the provider's end mark", status=502, code="stream_interrupted"
)


class Relay(ItemRelay):
    """One answer of a native upstream. The session drives it as it drives an ``Output``."""

    def __init__(
        self, response: dict[str, Any], names: ToolNames | None = None, *, own: Sequence[str] = ()
    ) -> None:
        """Start an answer.

        Args:
            response: the Response as it stands before any output (see ``initial_response``). Its `dragoman`
                goes into the terminal response; the rest serves where the upstream gives nothing.
            names: knows the call ids that the conversation has used.
            own: the fields of it that count, whatever the upstream says.
        """
        super().__init__(names.known_call_ids if names is not None else ())
        self.response = response
        """The response as last told: the upstream's own, with `dragoman`; final once `ended`."""
        self.ended = False
        self.error: ProviderError | None = None
        self.finish_reason: str | None = None
        self._dragoman: dict[str, Any] = response.get("dragoman", {})
        self._own = {name: response[name] for name in own if name in response}
        # What the standard requires of a response: an upstream may leave it out, or say null.
        self._defaults = {n: v for n, v in response.items() if n not in {"output", "status", "dragoman"}}
        self._id: str | None = None
        """The response's id; None until `response.created` has gone out."""
        self._early: list[Event] = []  # events of unknown types that came before response.created
        self._error_event: Event | None = None
        self._closed = False
        self._quiet = False

    # ---- core's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take note that the upstream accepted: its own `response.created` opens the lifecycle."""

    @property
    def pending(self) -> int:
        """How many events, or runs of them, were written since the last call of `take_events`."""
        return len(self._events)

    def take_events(self) -> list[Event | RawEvents]:
        """Return the events written since the last call."""
        events = self._events
        self._events = []
        return events

    def event(self, data: Any, payload: bytes = b"") -> None:
        """Take one event of the upstream, its JSON parsed; it is changed in place where it has to be.

        What is no event (not an object, no type) is ignored, as clients do; an object that has no type but
        an `error` is one.

        Args:
            data: the event.
            payload: its JSON, where there is any.
        """
        if self.ended or not isinstance(data, dict):
            return
        number = data.get("sequence_number")
        if number != self._expected:
            self._gapless = False
        self._expected = number + 1 if isinstance(number, int) else 0
        type_ = data.get("type")
        if not isinstance(type_, str):
            if data.get("error"):
                self._take_error(data)
            return
        if self.error is not None and type_ not in _ENDINGS:
            return  # an error is the end but for the response.failed that OpenAI sends behind it
        if self._held_back and data.get("output_index") in self._held_back:
            return
        try:
            kind = _DELTAS.get(type_)
            if kind is not None:
                self._take_delta(data, kind, payload)
            else:
                _HANDLERS.get(type_, Relay._take_unknown)(self, data)
        except EventsLostError:
            self.error = self.error or _DAMAGED
            self._fail()

    def whole(self, payload: Any, *, quiet: bool = False) -> None:
        """Take an answer that was not streamed.

        Args:
            payload: its JSON, changed in place where it has to be.
            quiet: whether its end alone is to be told, and none of the events that lead there.
        """
        self._quiet = quiet
        kind = payload.get("object", "response") if isinstance(payload, dict) else None
        status = str(payload.get("status", "completed")) if isinstance(payload, dict) else ""
        if kind == "response" and status not in _PENDING and isinstance(payload.get("output"), list):
            self.event(
                {"type": f"response.{status if status in _TERMINAL else 'completed'}", "response": payload}
            )
        elif isinstance(kind, str) and (kind.startswith("response.") or status in _PENDING):
            # A background response, or another object than a response: there is nothing to stream.
            self._adopt(payload)
            self.finish_reason = status
            self.ended = self._closed = True
        else:
            said = payload.get("error") if isinstance(payload, dict) else None
            self.error = stream_error(payload) if said else _NOT_A_RESPONSE
            self.ended = True

    def complete(self) -> None:
        """End the answer: without a terminal event of the upstream it has failed."""
        if self._closed:
            return
        self.error = self.error or _CUT
        self._fail()

    # ---- the lifecycle ------------------------------------------------------------------------------

    def _adopt(self, response: dict[str, Any]) -> None:
        """Make the upstream's response ours: the id that was told first, and what dragoman adds."""
        if self._own:
            response.update(self._own)
            _fill(response, self._defaults)
            if isinstance(response.get("usage"), dict):
                _fill_details(response["usage"])
        elif self._id is not None and response.get("id") != self._id:
            response["id"] = self._id
        foreign = response.get("dragoman")
        added = {**self._dragoman, **foreign} if isinstance(foreign, dict) else self._dragoman
        self.response = {**response, "dragoman": added}

    def _open(self, snapshot: dict[str, Any] | None = None) -> None:
        """Write `response.created` where the upstream did not, from the first thing it did say."""
        if self._id is not None:
            return
        snapshot = snapshot or self.response
        fresh: dict[str, Any] = {
            "status": "in_progress",
            "output": [],
            "error": None,
            "incomplete_details": None,
            "usage": None,
        }
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
        self._id = self._own.get("id", response["id"])
        self._adopt(response)
        self._emit(data)
        early, self._early = self._early, []
        for known in early:
            self._pass_on(known)

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
        self.error = stream_error(data)
        self.finish_reason = "failed"
        self._writing = None  # nothing more is said of it

    def _take_ending(self, data: Event) -> None:
        response = data.get("response")
        if not isinstance(response, dict):
            response = {}
        status = str(data["type"]).removeprefix("response.")
        if self.error is not None and status != "failed":
            self._fail(response)  # an error was told: whatever else is said, the answer has failed
            return
        if not response.get("id"):
            response = {**self.response, "output": [], **response}
        told = response.get("status")
        if told != status and (not isinstance(told, str) or told in _PENDING | _TERMINAL):
            response["status"] = status
        data["response"] = response
        self._end(data, status)

    def _fail(self, said: dict[str, Any] | None = None) -> None:
        """End with what arrived: the `error` event, then `response.failed`."""
        self.error = self.error or stream_error(None)
        failed = {"status": "failed", "error": response_error(self.error)}
        self._error_event = self._error_event or event("error")
        response = {**self.response, "output": [], **(said or {}), **failed}
        self._end(event("response.failed", response=response), "failed")

    def _end(self, data: Event, status: str) -> None:
        response = data["response"]
        listed = response.get("output")
        said = listed if isinstance(listed, list) else []
        if self._quiet and isinstance(response["id"], str) and are_complete(said, self._call_ids):
            output = said
        else:
            self._open(response)
            output = self._final_output(said, cut=status != "completed")
        if listed is not said or not identical(output, said):
            response["output"] = output
        if self.error is None and status == "failed":
            self.error = stream_error(response.get("error"))
        if self._error_event is not None and self.error is not None:
            self._emit(error_event(self._error_event, self.error))
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
                cut_off = CUT_STATUS.get(item.item["type"], "incomplete")
                self._close(item, copy, status=cut_off if cut and last else "completed")
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
        in_order = [item.item["type"] for item in self._items] == [entry["type"] for entry in entries]
        for place, entry in rest:
            item = self._items[place] if in_order else self._numbered.get(place)
            if item is not None and item.index not in copies and item.item["type"] == entry["type"]:
                copies[item.index] = entry
            else:
                unseen.append(entry)
        return copies, unseen

    def _take_unknown(self, data: Event) -> None:
        if self._id is None:
            self._early.append(data)
        else:
            self._pass_on(data)


def _fill(value: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for name, default in defaults.items():
        if value.get(name) is None:
            value[name] = default


def _fill_details(usage: dict[str, Any]) -> None:
    for name, defaults in _NO_DETAILS.items():
        details = usage.get(name)
        usage[name] = {**defaults, **details} if isinstance(details, dict) else dict(defaults)


_DELTAS = {f"{stem}.delta": kind for stem, kind in STEMS.items()}
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
    **dict.fromkeys(
        (f"{stem}.{verb}" for stem in PART_STEMS for verb in ("added", "done")), Relay._take_part
    ),
}
