"""What a caller is told of one response, over all attempts at it.

A response is one sequence of events, however many attempts it takes. Until content was told, any other
attempt may take the place of one that broke. Afterwards only one that goes on where the broken one stopped:
because it is given what was told as its beginning (``continuations``), or because it says the same
again, and what it repeats is swallowed (``splices``). Text that differs is never told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ContentPolicyViolationError
from dragoman.events.batches import RawEvents, events_of
from dragoman.events.stream_errors import failed_events
from dragoman.turns.continuations import Continuation, text_to_continue
from dragoman.turns.splices import OPENING, MismatchError, Splice
from dragoman.types import LIFECYCLE_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dragoman.errors import APIError
    from dragoman.events.batches import Batch
    from dragoman.routing import StreamRecovery
    from dragoman.types import Event, Item

__all__ = ["Delivery", "MismatchError"]


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
        self._waits = OPENING if settled_id else OPENING | LIFECYCLE_EVENTS
        self._known: set[str] = set()  # lifecycle events that were told
        self._waiting: list[Event] = []  # of this attempt
        self._ending: list[Event] = []  # to tell if no other attempt follows
        self._splice: Splice | None = None
        self._continues = True  # whether an attempt may be given what was told
        self._told_before = 0  # the current attempt

    @property
    def to_continue(self) -> str:
        """What the next attempt may be given as the beginning of its answer; mostly nothing."""
        may = self._continues and self.committed and self._recovery == "continue"
        return text_to_continue(self._partial_output()) if may else ""

    def begin(self, beginning: str = "") -> None:
        """Take up an attempt; events of the one before that were not told are forgotten.

        Args:
            beginning: what of the text it is given (see `to_continue`).
        """
        self._waiting = []
        self._told_before = self.told
        if self.committed:
            told = self._ending[-1]["response"] if self._ending else {"output": []}
            self._splice = Continuation(told, beginning) if beginning else Splice(told["output"])

    def declined(self) -> bool:
        """Tell whether the attempt was to continue and did not, so that another may say all of it again."""
        was = isinstance(self._splice, Continuation) and self.told == self._told_before
        self._continues = self._continues and not was
        return was

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

    def refusal(self, event: Event) -> APIError | None:
        """Return what the last event of an attempt comes to, where it is a content policy's refusal.

        Some upstreams say so by an empty answer that their content filter has ended.
        """
        response = event["response"]
        if self.committed or event["type"] != "response.incomplete" or response["output"]:
            return None
        if (response.get("incomplete_details") or {}).get("reason") != "content_filter":
            return None
        return ContentPolicyViolationError(
            "the upstream's content filter ended the answer before it began", code="content_filter"
        )

    def refused(self, response: dict[str, Any], refusal: APIError) -> None:
        """Take an attempt's whole answer as a refusal: it is told if no other attempt follows."""
        self._ending = [*self._waiting, *failed_events({**response, "incomplete_details": None}, refusal)]
        self._waiting = []

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
            self.told += part.count
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
