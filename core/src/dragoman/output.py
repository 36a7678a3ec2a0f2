"""Output: the only writer of items, stream events and the final Response.

A provider plugin says what happened (some text, a call of this function, these tokens were used); Output
turns it into items, brackets, indexes, ids and sequence numbers. An illegal sequence cannot be written:
opening and closing happen by themselves, and the final Response is made of the very items that the events
announced, so a streamed and an unstreamed answer cannot disagree.

Two kinds of wire, one rule each:

* The wire numbers its blocks (Anthropic, Bedrock): pass the number as `key`, and ``close(key)`` where the
  block ends. Keyed blocks may interleave.
* The wire does not: leave `key` out. Writing something else closes what was open.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import ProviderError
from dragoman.tools import ArgumentsUnwrapper, ToolNames

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from dragoman.types import Event, Item

__all__ = ["ItemWriter", "Output", "new_id"]


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
# What a cut item is called where the standard's "incomplete" is none of the type's states at OpenAI.
_CUT_STATUS = {"web_search_call": "failed", "image_generation_call": "failed"}
# OpenAI: "when present, tool families with no recorded usage have zero counts"; its types require both.
_NO_TOOL_USAGE: Mapping[str, Mapping[str, Any]] = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "total_tokens": 0,
    },
    "web_search": {"num_requests": 0},
}
_MAX_ID = 64
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429


def new_id(prefix: str) -> str:
    """Return a fresh id such as ``msg_<32 hex digits>``: 128 random bits, at most 64 characters."""
    return f"{prefix}_{secrets.token_hex(16)}"


class _Part:
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

    def __init__(self, open_item: _OpenItem, kind_name: str, key: Hashable, group: Hashable) -> None:
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


class _OpenItem:
    """An output item between its `added` and its `done` event."""

    __slots__ = ("closed", "index", "item", "keys", "parts", "pieces", "unwrapper")

    def __init__(self, item: Item, index: int) -> None:
        self.item = item
        self.index = index
        self.keys: set[Hashable] = set()
        """The provider's keys that may still write here; while there are any, the item stays open."""
        self.parts: list[_Part] = []
        self.pieces: list[str] = []
        self.unwrapper: ArgumentsUnwrapper | None = None
        self.closed = False


class ItemWriter:
    """A handle on one item of the output: a call whose arguments arrive, a hosted tool at work.

    What has its `done` event cannot be changed: writing to a closed item raises RuntimeError. An item that
    others may be written beside needs a `key`.
    """

    __slots__ = ("_open_item", "_output")

    def __init__(self, output: Output, open_item: _OpenItem | None) -> None:
        self._output = output
        self._open_item = open_item  # None: a call that tool_choice forbids; writes go nowhere

    @property
    def id(self) -> str:
        """The item's id ("" for a call that `tool_choice` suppressed)."""
        return str(self._open_item.item["id"]) if self._open_item else ""

    def write(self, delta: str) -> None:
        """Append to the field that streams: `arguments`, `input` (custom tools) or `code`."""
        if delta and (open_item := self._writable()) is not None:
            self._output._write_field(open_item, delta)

    def update(self, **fields: Any) -> None:
        """Set fields that are known only now; they appear in the item's `done` event."""
        if fields and (open_item := self._writable()) is not None:
            self._output._set_fields(open_item, fields)

    def announce(self, stage: str) -> None:
        """Emit a hosted tool's progress event: ``announce("searching")``."""
        if (open_item := self._writable()) is not None:
            self._output._announce(open_item, stage)

    def close(self, **fields: Any) -> None:
        """Finish the item, with its last fields (`status` is completed unless given)."""
        self.update(**fields)
        if self._open_item is not None:
            self._output._close_item(self._open_item, str(fields.get("status", "completed")))

    def _writable(self) -> _OpenItem | None:
        if self._open_item is not None and self._open_item.closed:
            item = self._open_item.item
            raise RuntimeError(f"{item['type']} {item['id']} is done; only a key keeps an item open")
        return self._open_item


class Output:
    """What one answer consists of, written verb by verb.

    `state` is the plugin's own scratch space for this answer. Nothing else about the answer needs to be
    kept anywhere: one Output is one attempt at one target.
    """

    def __init__(self, response: dict[str, Any], tools: ToolNames | None = None) -> None:
        """Start an answer.

        Args:
            response: the Response as it stands before any output (see ``initial_response``).
            tools: how tool names and kinds were rewritten for this provider.
        """
        self.state: dict[str, Any] = {}
        self.response = response
        self.ended = False
        """Whether the wire's own end mark came: nothing more is to be read."""
        self.error: ProviderError | None = None
        self.finish_reason: str | None = None
        self._tools = tools or ToolNames()
        self._events: list[Event] = []
        self._sequence_number = 0
        self._open: list[_OpenItem] = []
        self._current: _OpenItem | None = None
        self._keys: dict[Hashable, _Part | _OpenItem] = {}
        self._writing: _Part | None = None  # the part written last: most deltas go where the one before went
        self._items: list[Item] = []
        self._call_ids: set[str] = set(self._tools.known_call_ids)
        self._usage: dict[str, int] = {}

    # ---- text ---------------------------------------------------------------------------------------

    def text(self, delta: str, key: Hashable = None, *, logprobs: list[dict[str, Any]] | None = None) -> None:
        """Write text of the answer. A new `key` starts a new part of the same message.

        Args:
            delta: the next piece of text.
            key: the provider's number of this block, where it has one.
            logprobs: this piece's tokens, ``[{token, bytes, logprob, top_logprobs}]``.
        """
        if not delta and not logprobs:
            return
        part = self._writing
        if part is None or part.kind_name != "output_text" or part.key != key:
            part = self._part("message", "output_text", key)
        part.pieces.append(delta)
        part.length += len(delta)
        if logprobs:
            part.logprobs.extend(logprobs)
        number = self._sequence_number
        self._sequence_number = number + 1
        self._events.append(
            {
                "type": "response.output_text.delta",
                "sequence_number": number,
                "item_id": part.open_item.item["id"],
                "output_index": part.open_item.index,
                "content_index": part.index,
                "delta": delta,
                "logprobs": logprobs or [],
            }
        )

    def refusal(self, delta: str, key: Hashable = None) -> None:
        """Write the model's refusal: a part of the message beside its text."""
        self._write_part("message", "refusal", delta, key)

    def annotation(self, annotation: Mapping[str, Any], key: Hashable = None) -> None:
        """Attach a citation to the text part that `key` names, else to the part written last.

        `start_index` and `end_index` of a `url_citation` count characters of that part's text.
        """
        part = self._keys.get(key) if key is not None else self._writing
        if not isinstance(part, _Part) or part.kind_name != "output_text":
            self.warn("a citation came when its text was over; it was left out")
            return
        annotations = part.value["annotations"]
        annotations.append(dict(annotation))
        self._emit(
            "response.output_text.annotation.added",
            item_id=part.open_item.item["id"],
            output_index=part.open_item.index,
            content_index=part.index,
            annotation_index=len(annotations) - 1,
            annotation=dict(annotation),
        )

    def position(self, key: Hashable = None) -> int:
        """Return how many characters the text part at `key` (else the last written) has so far."""
        part = self._keys.get(key) if key is not None else self._writing
        return part.length if isinstance(part, _Part) else 0

    # ---- reasoning ----------------------------------------------------------------------------------

    def reasoning_summary(self, delta: str, key: Hashable = None, *, part: Hashable = None) -> None:
        """Write summarised reasoning, the kind that users may see. A new `part` starts a new paragraph."""
        self._write_part("reasoning", "summary_text", delta, key, part)

    def reasoning_text(self, delta: str, key: Hashable = None, *, part: Hashable = None) -> None:
        """Write raw reasoning, as open-weight models show it."""
        self._write_part("reasoning", "reasoning_text", delta, key, part)

    def encrypted_reasoning(self, value: str, key: Hashable = None) -> None:
        """Set what the provider must get back verbatim with this reasoning (see ``dragoman.sealing``)."""
        self._item_for("reasoning", key).item["encrypted_content"] = value

    # ---- calls and other items ----------------------------------------------------------------------

    def function_call(
        self, call_id: str | None, name: str, key: Hashable = None, **fields: Any
    ) -> ItemWriter:
        """Open a call of one of the request's tools; write its arguments (JSON) to the handle.

        Custom and namespaced tools that were sent as plain functions come out as what they are. A call
        that `tool_choice` does not allow is suppressed, with a warning. `call_id` is minted where the
        provider has none, or reuses one of the conversation's.
        """
        tool = self._tools.resolve(name)
        if not self._tools.allows(name):
            self.warn(f"the model called {name!r}, which tool_choice does not allow; the call was left out")
            return ItemWriter(self, None)
        if not call_id or len(call_id) > _MAX_ID or call_id in self._call_ids:
            call_id = new_id("call")
        self._call_ids.add(call_id)
        item: Item = {"type": tool.item_type, "call_id": call_id, "name": tool.name}
        if tool.namespace is not None:
            item["namespace"] = tool.namespace
        open_item = self._open_item({**item, **fields}, key)
        if tool.item_type == "custom_tool_call" and tool.wrapped:
            open_item.unwrapper = ArgumentsUnwrapper()
        return ItemWriter(self, open_item)

    def open_item(self, item: Mapping[str, Any], key: Hashable = None) -> ItemWriter:
        """Open an item of any other type, such as a hosted tool's call; finish it through the handle."""
        return ItemWriter(self, self._open_item(dict(item), key))

    def item(self, item: Mapping[str, Any]) -> None:
        """Write a whole item at once. A type that OpenAI does not have is named ``<provider>:<type>``."""
        self.open_item(item).close(status=item.get("status", "completed"))

    def close(self, key: Hashable = None) -> None:
        """End the block that `key` names; without a key, whatever is open and has none. Unknown: no-op."""
        if key is None:
            self._close_free_items()
            return
        target = self._keys.pop(key, None)
        if isinstance(target, _Part):
            target.open_item.keys.discard(key)
            self._close_part(target)
        elif target is not None:
            target.keys.discard(key)
            self._close_item(target, "completed")

    # ---- about the answer as a whole ----------------------------------------------------------------

    def model(self, name: str | None) -> None:
        """Say which model answered."""
        if name:
            self.response["model"] = name

    def service_tier(self, tier: str | None) -> None:
        """Say which service tier was used."""
        if tier:
            self.response["service_tier"] = tier

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> None:
        """Report tokens, as totals of this answer so far; None leaves a figure as it was.

        Counts are inclusive: `input_tokens` holds cached and written ones, `output_tokens` the reasoning.
        """
        figures = {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cached_tokens": cached_tokens,
            "cache_write_tokens": cache_write_tokens,
            "reasoning_tokens": reasoning_tokens,
        }
        self._usage.update({name: figure for name, figure in figures.items() if figure is not None})

    def tool_usage(self, **counts: Mapping[str, int]) -> None:
        """Report what hosted tools did: ``tool_usage(web_search={"num_requests": 2})``."""
        self.response["tool_usage"] = {**_NO_TOOL_USAGE, **self.response.get("tool_usage", {}), **counts}

    def warn(self, message: str, *, param: str | None = None) -> None:
        """Tell the caller about something that was not carried; stands in ``response.dragoman.warnings``."""
        warning = {"message": message, "param": param}
        warnings = self.response["dragoman"]["warnings"]
        if warning not in warnings:
            warnings.append(warning)

    def finish(self, reason: str = "completed") -> None:
        """Say why the model stopped: "completed", "max_output_tokens", "content_filter", or another name.

        Anything but "completed" makes the response `incomplete` with that reason. Without a finish the
        response counts as cut off. Text and usage may still follow; ``end`` is the end.
        """
        self.finish_reason = reason

    def fail(self, error: ProviderError) -> None:
        """Say that the provider failed in the middle; what was written stays in the failed response."""
        self.error = error
        self.ended = True

    def end(self) -> None:
        """Say that the wire's own end mark came: the answer is over, whatever the connection does."""
        self.ended = True

    # ---- core's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the lifecycle: `response.created`, `response.in_progress`."""
        self._emit("response.created", response=self._snapshot())
        self._emit("response.in_progress", response=self._snapshot())

    def complete(self) -> None:
        """Close everything and write the terminal event: exactly one, made of what was written."""
        response = self.response
        reason = self.finish_reason
        if self.error is None and reason is None:
            self.error = ProviderError(
                message="the answer ended before the provider's end mark",
                status=502,
                code="stream_interrupted",
            )
        whole = self.error is None and reason == "completed"
        for open_item in list(self._open):
            # Only the last item can be unfinished: the standard allows no item after an incomplete one.
            cut = not whole and open_item.index == len(self._items) - 1
            self._close_item(open_item, "incomplete" if cut else "completed")
        response["output"] = self._items
        response["usage"] = self._final_usage()
        if self.error is not None:
            response["status"] = "failed"
            response["error"] = {"code": _response_error_code(self.error), "message": self.error.message}
            self._emit_error(self.error)
        elif whole:
            response["status"] = "completed"
            response["completed_at"] = int(time.time())
        else:
            response["status"] = "incomplete"
            response["incomplete_details"] = {"reason": reason}
        self._emit(f"response.{response['status']}", response=response)

    def take_events(self) -> list[Event]:
        """Return the events written since the last call."""
        events = self._events
        self._events = []
        return events

    # ---- the machinery ------------------------------------------------------------------------------

    def _emit(self, type_: str, **fields: Any) -> None:
        self._events.append({"type": type_, "sequence_number": self._sequence_number, **fields})
        self._sequence_number += 1

    def _emit_error(self, error: ProviderError) -> None:
        # Nested for the standard and the official SDK, flat for those that read OpenAI's documented form.
        details = {"code": error.code, "message": error.message, "param": error.param}
        self._emit("error", **details, error={"type": error.type or "server_error", **details})

    def _snapshot(self) -> dict[str, Any]:
        return {**self.response, "output": list(self._items)}

    def _open_item(self, item: Item, key: Hashable) -> _OpenItem:
        if key is not None:
            self.close(key)  # a key names one block: the one that had it is over
        self._close_free_items()
        type_ = item["type"]
        if type_ in {"message", "reasoning"} and (item.get("content") or item.get("summary")):
            raise ValueError(f"what a {type_} says is written by verbs: text, refusal, reasoning_summary ...")
        item = {"id": "", **_copy(item), "status": "in_progress"}
        item["id"] = self._item_id(item)
        open_item = _OpenItem(item, len(self._items))
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
        self._emit("response.output_item.added", output_index=open_item.index, item=_copy(item))
        if type_ in _ANNOUNCED:
            self._announce(open_item, "in_progress")
        if streamed:
            self._write_field(open_item, streamed)
        return open_item

    def _item_id(self, item: Item) -> str:
        """Return the provider's id where it can serve: short, and no other item's."""
        given = str(item.get("id") or "")
        if given and len(given) <= _MAX_ID and all(other["id"] != given for other in self._items):
            return given
        return new_id(_PREFIXES.get(item["type"], "item"))

    def _set_fields(self, open_item: _OpenItem, fields: dict[str, Any]) -> None:
        streamed_field, _ = _STREAMED_FIELDS.get(open_item.item["type"], ("", ""))
        streamed = fields.pop(streamed_field, None)
        open_item.item.update(fields)
        if streamed:
            self._write_field(open_item, streamed)

    def _item_for(self, item_type: str, key: Hashable) -> _OpenItem:
        """Return the open item that `key` names, else the current one if of that type, else a new one."""
        if key is not None:
            known = self._keys.get(key)
            if isinstance(known, _OpenItem) and known.item["type"] == item_type:
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

    def _part(self, item_type: str, kind: str, key: Hashable, group: Hashable = None) -> _Part:
        """Return the part that (`kind`, `key`, `group`) names, opening it and its item where needed."""
        if item_type == "message":
            # A message's key names a part, so that blocks of text stay apart inside one message.
            known = self._keys.get(key) if key is not None else None
            if isinstance(known, _Part) and known.kind_name == kind:
                self._writing = known
                return known
            if isinstance(known, _OpenItem) and known.item["type"] == "message":
                current: _OpenItem | None = known
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
        part = _Part(current, kind, key, group)
        current.parts.append(part)
        if item_type == "message" and key is not None:
            current.keys.add(key)
            self._keys[key] = part
        self._writing = part
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
        self._emit(
            f"{part.kind.stem}.delta",
            item_id=part.open_item.item["id"],
            output_index=part.open_item.index,
            **{part.kind.index_name: part.index, "delta": delta},
        )

    def _write_field(self, open_item: _OpenItem, delta: str) -> None:
        if open_item.unwrapper is not None:
            delta = open_item.unwrapper.feed(delta)
        if not delta:
            return
        if open_item.item["type"] not in _STREAMED_FIELDS:
            raise TypeError(f"no field of a {open_item.item['type']} arrives in pieces: use update or close")
        open_item.pieces.append(delta)
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

    def _announce(self, open_item: _OpenItem, stage: str) -> None:
        if open_item.item["type"] not in _ANNOUNCED and stage != "compacting":
            raise TypeError(f"the progress of a {open_item.item['type']} has no events")
        self._emit(
            f"response.{open_item.item['type']}.{stage}",
            item_id=open_item.item["id"],
            output_index=open_item.index,
        )

    def _close_part(self, part: _Part) -> None:
        open_item = part.open_item
        open_item.parts.remove(part)
        if self._writing is part:
            self._writing = None
        text = "".join(part.pieces)
        part.value[part.kind.field] = text
        address = {
            "item_id": open_item.item["id"],
            "output_index": open_item.index,
            part.kind.index_name: part.index,
        }
        logprobs: dict[str, Any] = {}
        if part.kind_name == "output_text":
            part.value["logprobs"] = part.logprobs
            logprobs = {"logprobs": part.logprobs}
        self._emit(f"{part.kind.stem}.done", **address, **{part.kind.field: text}, **logprobs)
        self._emit(f"{part.kind.part_stem}.done", **address, part=_copy(part.value))

    def _close_free_items(self) -> None:
        for open_item in list(self._open):
            if not open_item.keys:
                self._close_item(open_item, "completed")

    def _close_item(self, open_item: _OpenItem, status: str) -> None:
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
            item["status"] = _CUT_STATUS.get(type_, status)
        elif type_ in _ANNOUNCED:
            failed = status == "failed" and type_ in _REPORTS_FAILURE
            self._announce(open_item, "failed" if failed else "completed")
        open_item.closed = True
        self._open.remove(open_item)
        if self._current is open_item:
            self._current = None
        self._emit("response.output_item.done", output_index=open_item.index, item=item)

    def _close_field(self, open_item: _OpenItem, *, whole: bool) -> None:
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
        self._emit(f"{stem}.done", item_id=item["id"], output_index=open_item.index, **{field: item[field]})

    def _final_usage(self) -> dict[str, Any] | None:
        if not self._usage:
            return None
        figures = self._usage
        input_tokens = figures.get("input_tokens", 0)
        output_tokens = figures.get("output_tokens", 0)
        cached = min(figures.get("cached_tokens", 0), input_tokens)
        return {
            "input_tokens": input_tokens,
            "input_tokens_details": {
                "cached_tokens": cached,
                "cache_write_tokens": min(figures.get("cache_write_tokens", 0), input_tokens - cached),
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {
                "reasoning_tokens": min(figures.get("reasoning_tokens", 0), output_tokens)
            },
            "total_tokens": input_tokens + output_tokens,
        }


def _copy(item: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot of an item or part: its lists are copied, what is in them is final."""
    return {name: list(value) if isinstance(value, list) else value for name, value in item.items()}


def _response_error_code(error: ProviderError) -> str:
    """Return the code of ``response.error``, a closed list at OpenAI on which clients decide to retry."""
    if error.status == _TOO_MANY_REQUESTS:
        return "rate_limit_exceeded"
    return "server_error" if error.status >= _SERVER_ERROR else "invalid_prompt"
