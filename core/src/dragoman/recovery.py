"""What a caller is told of one response, over all attempts at it.

A response is one sequence of events, however many attempts it takes. Until content was told, any other
attempt may take the place of one that broke. Afterwards only one that says the same again: what it repeats is
swallowed, what it adds goes on where the broken one stopped. Text that differs is never told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.batches import RawEvents, events_of
from dragoman.stream_errors import failed_events
from dragoman.types import LIFECYCLE_EVENTS, TERMINAL_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dragoman.batches import Batch
    from dragoman.errors import APIError
    from dragoman.routing import StreamRecovery
    from dragoman.types import Event, Item

__all__ = ["Delivery", "MismatchError"]

_OPENING = frozenset(
    {"response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added"}
)


class MismatchError(Exception):
    """Another attempt says something else than what was told already."""


class Delivery:
    """Turns the events of attempts into those of one response.

    For each attempt: `begin`, then `take` the events, then `finish` with its last one, or `broke`. When no
    other attempt follows, `end`.
    """

    open = True
    """Whether another attempt could still be told."""
    committed = False
    """Whether content was told."""
    told = 0
    """How many events were told: the number of the next one."""

    def __init__(self, recovery: StreamRecovery, *, settled_id: bool) -> None:
        """Get ready.

        Args:
            recovery: what becomes of a stream that breaks.
            settled_id: whether all attempts give the response the same id. If not, its beginning is told with
                its first content.
        """
        self._recovery = recovery
        # What waits for content to follow it: an item announced may still go another way.
        self._waits = _OPENING if settled_id else _OPENING | LIFECYCLE_EVENTS
        self._known: set[str] = set()  # lifecycle events that were told
        self._waiting: list[Event] = []  # of this attempt
        self._ending: list[Event] = []  # to tell if no other attempt follows
        self._splice: Splice | None = None

    def begin(self) -> None:
        """Take up an attempt; events of the one before that were not told are forgotten."""
        self._waiting = []
        if self.committed:
            self._splice = Splice(self._partial_output())

    def take(self, batch: Batch) -> Iterator[Batch]:
        """Yield what is told now that an attempt has come to events, its last not among them.

        Raises:
            MismatchError: one says something else than the attempt whose place it takes; what came before it
                has been yielded.
        """
        told: list[Event | RawEvents] = []
        try:
            for part in batch:
                if self.committed and self._splice is None:
                    told += self._passed_on(part)
                else:
                    for event in events_of((part,)):
                        told += self._take(event)
        except MismatchError:
            if told:
                yield told
            raise
        if told:
            yield told

    def _take(self, event: Event) -> Sequence[Event]:
        if self._splice is not None:
            return self.numbered(self._splice.take(event))
        if self.committed:
            return self.numbered((event,))
        if self._recovery == "buffer" or event["type"] in self._waits:
            self._waiting.append(event)
            return ()
        self.committed = event["type"] not in LIFECYCLE_EVENTS
        return self._released(event)

    def finish(self, event: Event) -> Sequence[Event]:
        """Return what is told at the end of an attempt that came to one; its last event comes last.

        Raises:
            MismatchError: the answer ended before it had said what was told already.
        """
        if self._splice is not None:
            return self.numbered(self._splice.finish(event))
        return self._released(event)

    def broke(self, events: Sequence[Event], ending: Sequence[Event]) -> Sequence[Event]:
        """Return what is told of the last events of an attempt that failed.

        Args:
            events: all from those on that came with its failure.
            ending: the last of them: they end it, and are told only if no other attempt follows.
        """
        told: list[Event] = []
        try:
            for event in events[: len(events) - len(ending)]:
                if event["type"] != "error":
                    told += self._take(event)
        except MismatchError:
            self.open = False
            return told
        if not self.committed:
            self._ending = [*self._waiting, *ending]
        elif self._splice is None:
            self._ending = list(ending)
        else:
            self._ending = self._splice.broke(ending) or self._ending
        self._waiting = []
        if self.committed:
            self.open = self._recovery == "continue" and Splice.possible(self._partial_output())
        return told

    def give_up(self) -> None:
        """Say that no other attempt can be told."""
        self.open = False

    def end(self, error: APIError | None) -> Sequence[Event]:
        """Return the events that end a response that failed; none, where nobody was told of it.

        Args:
            error: why, where that is another reason than the attempt's of which they tell.
        """
        ending, self._ending = self._ending, []
        if ending and error is not None and not self.committed:
            failed = ending[-1]["response"]
            if failed["error"]["message"] != error.message:
                told = [event for event in ending if event["type"] not in {"error", "response.failed"}]
                ending = [*told, *failed_events(failed, error)]
        return self.numbered(ending)

    def announce(self, response: dict[str, Any]) -> Event:
        """Return ``response.created`` for a response that no upstream has accepted yet."""
        (event,) = self.numbered([{"type": "response.created", "sequence_number": 0, "response": response}])
        return event

    def _partial_output(self) -> list[Item]:
        output: list[Item] = self._ending[-1]["response"]["output"] if self._ending else []
        return output

    def _released(self, event: Event) -> Sequence[Event]:
        if not self._waiting:
            return self.numbered((event,))
        waiting, self._waiting = self._waiting, []
        return self.numbered([*waiting, event])

    def _passed_on(self, part: Event | RawEvents) -> Batch:
        if isinstance(part, RawEvents) and part.number == self.told:
            self.told += len(part.payloads)
            return (part,)
        return self.numbered(events_of((part,)))

    def numbered(self, events: Iterable[Event]) -> Sequence[Event]:
        """Return events as the next ones that are told, numbered on; what begins a response is told once."""
        told = []
        for event in events:
            kind = event["type"]
            if kind in LIFECYCLE_EVENTS:
                if kind in self._known:
                    continue
                self._known.add(kind)
            number = event.get("sequence_number")
            told.append(event if number == self.told else {**event, "sequence_number": self.told})
            self.told += 1
        return told


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
        if kind in _OPENING and not event.get("content_index"):
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
