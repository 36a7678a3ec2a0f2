"""Responses that are being made, as a store knows them: kept alive, followed, ended once.

The process that makes a response holds a lease on it. Where a lease runs out the process is gone, and the
response has failed. Whoever ends a response tells so as its last event, in the same transaction.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.memory.chains import find_response
from dragoman.records.ledger import enter, entry_of_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dragoman.state import LedgerEntry, StoredResponse, Transaction
    from dragoman.types import Event

__all__ = ["LOST", "end", "fail_abandoned", "last_event", "look", "new_lease", "save"]

_MADE_SO_FAR = ("model", "output", "usage", "dragoman")
_LEASE = 20.0  # seconds
LOST = {"code": "server_error", "message": "the process that made this response ended before it was done"}
"""The `error` of a response whose process is gone."""
_LAST_EVENTS = {"completed": "response.completed", "incomplete": "response.incomplete"}


def new_lease() -> float:
    """Return until when a process that is alive now is believed to be."""
    return time.time() + _LEASE


def fail_abandoned(
    transaction: Transaction,
    now: float,
    *,
    alone_at: float | None = None,
    entered: Callable[[Transaction, LedgerEntry], None] | None = None,
) -> int:
    """Fail the responses whose process is gone; return how many there were.

    Args:
        transaction: of the store.
        now: leases that end by then have run out.
        alone_at: when nobody else had the store open; leases from before are nobody's.
        entered: is told of what is entered of them (see ``dragoman.records.ledger.enter``).
    """
    until = now if alone_at is None else max(now, alone_at + _LEASE)
    abandoned = [stored for stored in transaction.get_unfinished() if (stored.lease_until or 0) <= until]
    for stored in abandoned:
        ended = _finish(transaction, stored, "failed", LOST, None)
        enter(transaction, entry_of_lost(ended, now), entered)
    return len(abandoned)


def save(transaction: Transaction, *, owner: str, response_id: str, events: Sequence[Event]) -> bool:
    """Keep events, and the lease; return False where the response is over or deleted, whoever did that."""
    if transaction.renew(response_id, new_lease()) is False:
        return False
    if any(event["type"] == "response.in_progress" for event in events):
        stored = find_response(transaction, owner, response_id)
        transaction.put_response(replace(stored, response={**stored.response, "status": "in_progress"}))
    transaction.add_events(response_id, events)
    return True


def look(
    transaction: Transaction, *, owner: str, response_id: str, after: int
) -> tuple[Sequence[Event], bool]:
    """Return the events behind a sequence number, and whether nothing will follow them.

    Raises:
        NotFoundError: this owner has no such response.
    """
    stored = find_response(transaction, owner, response_id)
    events = transaction.get_events(response_id, after)
    lost = stored.finished and stored.response["status"] == "failed"
    if lost and not events and after >= 0 and not transaction.get_events(response_id, after - 1):
        # It was told more than was kept before the process died: that it has ended is new to whoever asks.
        events = [{**last_event(stored.response), "sequence_number": after + 1}]
    return events, stored.finished


def end(
    transaction: Transaction,
    *,
    owner: str,
    response_id: str,
    status: str,
    error: dict[str, Any] | None,
    partly: dict[str, Any] | None = None,
    events: Sequence[Event] = (),
) -> dict[str, Any]:
    """End a response that is not over; return it.

    Its entry in the ledger is made by the process that makes the response, which knows what that took: where
    it is ended elsewhere, only when that process hears of it.

    Args:
        transaction: of the store.
        owner: whose it is.
        response_id: its id.
        status: "failed" or "cancelled".
        error: why it failed.
        partly: the response, as far as it had come.
        events: those that are not kept yet, but for the last.

    Raises:
        NotFoundError: this owner has no such response.
    """
    stored = find_response(transaction, owner, response_id)
    if not stored.finished:
        transaction.add_events(response_id, events)
        stored = _finish(transaction, stored, status, error, partly)
    return stored.response


def last_event(response: dict[str, Any]) -> Event:
    """Return the event that tells the end of a response, without a number."""
    return {"type": _LAST_EVENTS.get(response["status"], "response.failed"), "response": response}


def _finish(
    transaction: Transaction,
    stored: StoredResponse,
    status: str,
    error: dict[str, Any] | None,
    partly: dict[str, Any] | None,
) -> StoredResponse:
    response = {**stored.response, "status": status, "error": error}
    if partly is not None:
        response |= {name: partly[name] for name in _MADE_SO_FAR}
    ended = replace(stored, response=response, lease_until=None)
    transaction.put_response(ended)
    number = (
        max((event["sequence_number"] for event in transaction.get_events(stored.id, -1)), default=-1) + 1
    )
    transaction.add_events(stored.id, [{**last_event(response), "sequence_number": number}])
    return ended
