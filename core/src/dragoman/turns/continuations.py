"""An answer that broke, continued by a model that is given what was told of it as its own beginning.

Providers call it a prefill. The model goes on right behind the last message, so nothing is told twice, and
the answer need not come out the same again. Where it is refused, the answer is made anew
(``dragoman.turns.splices``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.attempts.token_counts import estimate_tokens
from dragoman.errors import APIError
from dragoman.turns.splices import OPENING, MismatchError, Splice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.attempts.call import Call
    from dragoman.types import Event, Item

__all__ = ["Continuation", "continued_request", "may_continue", "not_continued", "text_to_continue"]

_LEAST_OUTPUT = 16  # the smallest max_output_tokens that every upstream takes


def text_to_continue(told: Sequence[Item]) -> str:
    """Return what a model would be given of an answer that was cut; nothing, where it cannot go on there.

    White space at the end is left out: upstreams refuse it there. It is expected to come back.
    """
    if len(told) != 1 or told[0]["type"] != "message" or not Splice.possible(told):
        return ""
    text = "".join(part["text"] for part in told[0]["content"])
    return text.rstrip()


def may_continue(call: Call) -> bool:
    """Tell whether a call can be made with the beginning of its answer.

    Not with a form that the whole answer must have, a tool that must be called, or thoughts before the text.
    """
    request = call.request
    form = ((request.get("text") or {}).get("format") or {}).get("type", "text")
    effort = (request.get("reasoning") or {}).get("effort") or "none"
    plain = form == "text" and effort == "none" and request.get("tool_choice") in {None, "auto", "none"}
    if not plain or request.get("context_management") or call.mocked:
        return False
    try:
        return call.provider.supports_prefill(request, call.target)
    except Exception:
        return False  # there is another way, and no plugin's defect is to stand in it


def continued_request(request: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a request with the beginning of its answer, and as many tokens less to write."""
    if not text:
        return request
    given = request.get("input") or []
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
    part = {"type": "output_text", "text": text, "annotations": []}
    beginning = {"type": "message", "role": "assistant", "content": [part]}
    longer = {**request, "input": [*items, beginning]}
    if limit := request.get("max_output_tokens"):
        longer["max_output_tokens"] = min(limit, max(_LEAST_OUTPUT, limit - estimate_tokens([text])))
    return longer


def not_continued() -> APIError:
    """Return why an attempt was given up that did not go on where it was asked to."""
    return APIError("the answer did not go on where it had broken off", code="not_continued")


class Continuation(Splice):
    """Joins what was told of a broken answer with what a model wrote behind it."""

    def __init__(self, told: Mapping[str, Any], beginning: str) -> None:
        """Get ready.

        Args:
            told: the response as the caller knows it; its output is one message, as it was cut.
            beginning: what the model was given of it.
        """
        super().__init__(told["output"])
        self._cut: Item = told["output"][0]
        self._usage = told.get("usage")
        self._beginning = self._repeated = beginning
        self._closed: Item | None = None  # the message, where the new answer adds nothing to it

    def take(self, event: Event) -> Sequence[Event]:
        """Return what an event adds to what was told.

        Raises:
            MismatchError: the answer does not go on with what was told.
        """
        opens = event["type"] == "response.output_item.added" and not self._answering
        if opens and event["item"]["type"] not in {"message", "reasoning"}:
            return (*self._close("completed"), *super().take(event))
        return super().take(event)

    def finish(self, event: Event) -> Sequence[Event]:
        """Return the last event, with the whole of the answer, and what it took from both attempts.

        Raises:
            MismatchError: the answer does not go on with what was told.
        """
        if not self._caught_up and self._answering:
            raise MismatchError
        response = event["response"]
        closing: tuple[Event, ...] = ()
        if not self._answering:
            closing = self._close("completed" if event["type"] == "response.completed" else "incomplete")
        if self._closed is None:
            message, *others = response["output"][self._skipped :]
            message = {**self._whole_item(message), "id": self._cut["id"]}
        else:
            message, others = self._closed, response["output"][self._skipped + 1 :]
        usage = _sum(self._usage, response.get("usage"))
        whole = {**response, "output": [message, *others], "usage": usage}
        return (*closing, {**event, "response": whole})

    def _close(self, status: str) -> tuple[Event, ...]:
        """Return the events that close the message as it was told; what follows stands behind it."""
        part = self._cut["content"][0]
        self._closed = {**self._cut, "status": status}
        self._answering, self._repeated = True, self._text
        self._skipped -= 1
        at: Event = {"item_id": self._cut["id"], "output_index": 0, "content_index": 0}
        text = {"text": part["text"], "logprobs": part.get("logprobs") or []}
        return (
            {"type": "response.output_text.done", **at, **text},
            {"type": "response.content_part.done", **at, "part": part},
            {"type": "response.output_item.done", "output_index": 0, "item": self._closed},
        )

    def _of_message(self, event: Event) -> Sequence[Event]:
        opens = event["type"] in OPENING and "part" in event and not event["content_index"]
        if opens and event["part"]["type"] != "output_text":
            raise MismatchError
        return super()._of_message(event)

    def _own(self, event: Event) -> Sequence[Event]:
        if not event.get("content_index"):
            if event["type"] == "response.output_text.done":
                event = {**event, "text": self._beginning + event["text"]}
            elif "annotation" in event:
                event = {**event, "annotation": self._shifted(event["annotation"])}
            elif "part" in event:
                event = {**event, "part": self._whole_part(event["part"])}
            elif "item" in event:
                event = {**event, "item": self._whole_item(event["item"])}
        return super()._own(event)

    def _whole_item(self, message: Item) -> Item:
        first, *others = message["content"]
        return {**message, "content": [self._whole_part(first), *others]}

    def _whole_part(self, part: dict[str, Any]) -> dict[str, Any]:
        annotations = [self._shifted(annotation) for annotation in part["annotations"]]
        return {**part, "text": self._beginning + part["text"], "annotations": annotations}

    def _shifted(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """Return an annotation of the new text as one of the whole."""
        places = {name: annotation[name] for name in ("start_index", "end_index") if name in annotation}
        return annotation | {name: place + len(self._beginning) for name, place in places.items()}


def _sum(first: Any, second: Any) -> Any:
    """Return what two attempts took together, as far as they say it."""
    if isinstance(first, dict) and isinstance(second, dict):
        return second | {name: _sum(value, second.get(name)) for name, value in first.items()}
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    return first if second is None else second
