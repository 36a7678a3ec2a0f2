"""Output: the only writer of items, stream events and the final Response.

A provider plugin says what happened (some text, a call of this function, these tokens were used); Output
turns it into items, brackets, indexes, ids and sequence numbers. An illegal sequence cannot be written:
opening and closing happen by themselves, and the final Response is made of the very items that the events
announced, so a streamed and an unstreamed answer cannot disagree.

Two kinds of wire, one rule each:

* The wire numbers its blocks: pass the number as `key`, and ``close(key)`` where the
  block ends. Keyed blocks may interleave.
* The wire does not: leave `key` out. Writing something else closes what was open.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman.events.brackets import MAX_ID, Brackets, OpenItem, Part, new_id
from dragoman.tools import ArgumentsUnwrapper, ToolNames

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from dragoman.types import Item

__all__ = ["ItemWriter", "Output"]

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
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429


class ItemWriter:
    """A handle on one item of the output: a call whose arguments arrive, a hosted tool at work.

    What has its `done` event cannot be changed: writing to a closed item raises RuntimeError. An item that
    others may be written beside needs a `key`.
    """

    __slots__ = ("_open_item", "_output")

    def __init__(self, output: Output, open_item: OpenItem | None) -> None:
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

    def _writable(self) -> OpenItem | None:
        if self._open_item is not None and self._open_item.closed:
            item = self._open_item.item
            raise RuntimeError(f"{item['type']} {item['id']} is done; only a key keeps an item open")
        return self._open_item


class Output(Brackets):
    """What one answer consists of, written verb by verb.

    `state` is the plugin's own scratch space for this answer. Nothing else about the answer needs to be
    kept anywhere: one Output is one attempt at one target.
    """

    def __init__(
        self, response: dict[str, Any], tools: ToolNames | None = None, *, quiet: bool = False
    ) -> None:
        """Start an answer.

        Args:
            response: the Response as it stands before any output (see ``initial_response``).
            tools: how tool names and kinds were rewritten for this provider.
            quiet: whether only the events that end it are written: nobody reads those that lead there.
        """
        super().__init__(quiet=quiet)
        self.state: dict[str, Any] = {}
        self.response = response
        self.ended = False
        """Whether the wire's own end mark came: nothing more is to be read."""
        self.error: ProviderError | None = None
        self.finish_reason: str | None = None
        self._tools = tools or ToolNames()
        self._call_ids: set[str] = set(self._tools.known_call_ids)
        self._usage: dict[str, int] = {}
        self._usage_details: dict[str, int] = {}

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
        if self._quiet:
            return
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
        if not isinstance(part, Part) or part.kind_name != "output_text":
            self.warn("a citation came when its text was over; it was left out")
            return
        annotations = part.value["annotations"]
        annotations.append(dict(annotation))
        if not self._quiet:
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
        return part.length if isinstance(part, Part) else 0

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
        if not call_id or len(call_id) > MAX_ID or call_id in self._call_ids:
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
        details: Mapping[str, int] | None = None,
    ) -> None:
        """Report tokens, as totals of this answer so far; None leaves a figure as it was.

        Counts are inclusive: `input_tokens` holds cached and written ones, `output_tokens` the reasoning.
        `details` are finer counts that have a price of their own and no place in the standard's usage; they
        stand in ``response.dragoman.usage_details``, those that are 0 left out: ``cache_write_1h_tokens``,
        and ``input_``, ``output_`` and ``cache_..._read_tokens`` of ``audio``, ``image`` and ``video``.
        """
        if details is not None:
            self._usage_details = {name: count for name, count in details.items() if count > 0}
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
        if not self._quiet:
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
            # The standard allows no item after an incomplete one, so of several open ones the earlier count
            # as whole; but never a call whose arguments are not: somebody would run it.
            last = open_item.index == len(self._items) - 1
            cut = not whole and (last or _is_half_a_call(open_item))
            self._close_item(open_item, "incomplete" if cut else "completed")
        response["output"] = self._items
        response["usage"] = self._final_usage()
        if self._usage_details:
            response["dragoman"]["usage_details"] = self._usage_details
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
        self.state.clear()  # what is kept there mostly refers to this: a cycle, for the garbage collector

    def _emit_error(self, error: ProviderError) -> None:
        # Nested for the standard and the official SDK, flat for those that read OpenAI's documented form.
        details = {"code": error.code, "message": error.message, "param": error.param}
        self._emit("error", **details, error={"type": error.type or "server_error", **details})

    def _snapshot(self) -> dict[str, Any]:
        return {**self.response, "output": list(self._items)}

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


def _response_error_code(error: ProviderError) -> str:
    """Return the code of ``response.error``, a closed list at OpenAI on which clients decide to retry."""
    if error.status == _TOO_MANY_REQUESTS:
        return "rate_limit_exceeded"
    return "server_error" if error.status >= _SERVER_ERROR else "invalid_prompt"


def _is_half_a_call(open_item: OpenItem) -> bool:
    if open_item.item["type"] != "function_call":
        return False
    try:
        json.loads("".join(open_item.pieces) or "{}")
    except ValueError:
        return True
    return False
