"""Another attempt in the place of one that broke: what of it the caller does not know yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.types import TERMINAL_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.types import Event, Item

__all__ = ["OPENING", "MismatchError", "Splice"]

OPENING = frozenset(
    {"response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added"}
)
"""Events that announce what is to come."""


class MismatchError(Exception):
    """Another attempt says something else than what was told already."""


class Splice:
    """Joins what was told of a broken answer with another attempt at the same.

    Possible where nothing but finished reasoning and then the text of one message was told: a call that was
    begun cannot be taken back, nor be begun again.
    """

    def __init__(self, told: Sequence[Item]) -> None:
        """Get ready.

        Args:
            told: the output items that the caller knows, the last one as it was cut.
        """
        self._message = told[-1] if told and told[-1]["type"] == "message" else None
        self._before = list(told[: len(told) - (self._message is not None)])
        self._text = _text(self._message) if self._message else ""
        self._repeated = ""
        self._skipped = 0  # items of the new answer, all reasoning, that the caller has no use for
        self._answering = False  # whether the new answer has come to what follows its reasoning

    @staticmethod
    def possible(told: Sequence[Item]) -> bool:
        """Return whether an answer can be continued that was cut here."""
        *before, last = told or [{"type": "reasoning"}]
        whole = all(item["type"] == "reasoning" and item.get("status") != "incomplete" for item in before)
        if last["type"] == "reasoning":
            return whole and last.get("status") != "incomplete"
        plain = last["type"] == "message" and len(last["content"]) <= 1
        return whole and plain and all(
            part["type"] == "output_text" and not part["annotations"] for part in last["content"]
        )  # fmt: skip

    def take(self, event: Event) -> Sequence[Event]:
        """Return what an event adds to what was told.

        Raises:
            MismatchError: it says something else.
        """
        if "output_index" not in event:
            return ()
        kind, index = event["type"], event["output_index"]
        if not self._answering:
            if kind != "response.output_item.added":
                return ()
            if event["item"]["type"] == "reasoning":
                self._skipped += 1
                return ()
            self._answering = True
            if self._message is not None and event["item"]["type"] != "message":
                raise MismatchError
        place = index - self._skipped + len(self._before)
        if index > self._skipped or self._message is None:
            return ({**event, "output_index": place},)
        return self._of_message({**event, "output_index": place})

    def finish(self, event: Event) -> Sequence[Event]:
        """Return the last event, with the whole of the answer.

        Raises:
            MismatchError: the answer ended before it had said what was told already.
        """
        if self._message is not None and not self._caught_up:
            raise MismatchError
        response = event["response"]
        added = response["output"][self._skipped :]
        if self._message is not None:
            added = [{**added[0], "id": self._message["id"]}, *added[1:]]
        return ({**event, "response": {**response, "output": [*self._before, *added]}},)

    def broke(self, ending: Sequence[Event]) -> list[Event] | None:
        """Return the events that end the new answer, as those of the one that was told.

        None where it had not come as far: then the first answer's own stand.
        """
        if not self._answering or not self._caught_up:
            return None
        joined: list[Event] = []
        for event in ending:
            if event["type"] in TERMINAL_EVENTS:
                joined += self.finish(event)
            else:
                joined += self.take(event) if "output_index" in event else (event,)
        return joined

    @property
    def _caught_up(self) -> bool:
        return len(self._repeated) >= len(self._text)

    def _of_message(self, event: Event) -> Sequence[Event]:
        """Return what an event of the message adds that was cut."""
        assert self._message is not None  # noqa: S101 - there is one, or nobody asks
        kind = event["type"]
        if kind in OPENING and not event.get("content_index"):
            return (
                () if self._message["content"] or kind == "response.output_item.added" else self._own(event)
            )
        if event.get("content_index", 0) == 0 and kind == "response.output_text.delta":
            return self._delta(event)
        if not self._caught_up:
            raise MismatchError
        return self._own(event)

    def _delta(self, event: Event) -> Sequence[Event]:
        before = len(self._repeated)
        self._repeated += event["delta"]
        common = min(len(self._text), len(self._repeated))
        if self._repeated[before:common] != self._text[before:common]:
            raise MismatchError
        fresh = self._repeated[max(before, len(self._text)) :]
        return self._own({**event, "delta": fresh}) if fresh else ()

    def _own(self, event: Event) -> Sequence[Event]:
        """Return an event of the new message as one of the message that was told."""
        assert self._message is not None  # noqa: S101 - see above
        told_id = self._message["id"]
        if "item" in event:
            return ({**event, "item": {**event["item"], "id": told_id}},)
        return ({**event, "item_id": told_id},)


def _text(message: Item) -> str:
    return "".join(part["text"] for part in message["content"])
