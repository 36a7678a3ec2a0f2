"""What dragoman remembers, and the protocol of a store that keeps it.

A store is small: transactions with the verbs below, each of which sees only what its owner made. What they
mean together (chains, conversations, background work) is decided in ``dragoman.memory``, the same for every
store. ``MemoryStore`` is the one that comes with core; dragoman-sql is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from dragoman.accounts import Account, Hold, StoredKey
    from dragoman.types import Event, Item

__all__ = ["LedgerEntry", "Spend", "Store", "StoredConversation", "StoredResponse", "Transaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """One turn: what went in, and what came out so far."""

    id: str
    owner: str
    """Whose it is: the key's name on a server, "" where there is one user. Nobody else can see it."""
    created_at: float
    """Unix time."""
    input: Sequence[Item]
    """What this turn added to its context: items, each with an id. Not what came before it."""
    response: dict[str, Any]
    """The Response as last told; final once its `status` is."""
    previous_response_id: str | None = None
    conversation_id: str | None = None
    expires_at: float | None = None
    """Unix time after which it may be purged; None: never."""
    begins_anew: bool = False
    """Whether its output stands for all that came before it: no chain has to be read further back."""
    lease_until: float | None = None
    """Unix time until which a process is known to be at work on an unfinished one."""

    @property
    def finished(self) -> bool:
        """Whether nothing of it will change."""
        return self.response["status"] not in {"queued", "in_progress"}

    @property
    def items(self) -> dict[str, Item]:
        """Its items by id, input and output."""
        output: list[Item] = self.response["output"]
        return {item["id"]: item for item in (*self.input, *output) if "id" in item}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConversation:
    """A conversation without its items."""

    id: str
    owner: str
    created_at: float
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What one call took, for whom. Tokens and cost are those of all its attempts, failed ones included."""

    id: str
    """The call's: that of its response, where the response is kept here."""
    at: float
    """Unix time of its end."""
    owner: str = ""
    """Whose key it was; "" without keys."""
    user: str = ""
    """The end user, as the caller named them; "": nobody was named."""
    asked: str
    """The model as the caller named it: on a server, the name of a group of deployments."""
    provider: str
    model: str
    """The upstream's model that answered, else the one that was asked last."""
    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    conversation: str | None = None
    outcome: str
    """"completed", "incomplete", "failed" or "cancelled"."""
    input_tokens: int = 0
    cached_tokens: int = 0
    """Part of the input."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Part of the output."""
    cost: int | None = None
    """In millionths of a millionth of a dollar, so that sums are exact everywhere; None: not known."""
    attempts: int = 1
    duration: float = 0.0
    """Seconds."""

    @property
    def day(self) -> int:
        """The day of its end, in UTC, counted from 1970-01-01."""
        return int(self.at // 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What some calls took together."""

    of: Mapping[str, str]
    """What they have in common: a value for each thing that was asked for; days as "2026-11-23"."""
    calls: int
    failed: int
    """How many of the calls failed."""
    unpriced: int
    """Of how many calls the cost is not known: `cost` does not hold them."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: int
    """In millionths of a millionth of a dollar."""

    @property
    def dollars(self) -> Decimal | None:
        """The cost; None where it is not known of any of the calls."""
        return None if self.unpriced == self.calls else self.cost * Decimal("1e-12")


class Transaction(Protocol):
    """What may be done in one go: all of it is kept, or nothing."""

    # ---- responses

    def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        """Return a response; None where this owner has none of that id."""

    def put_response(self, stored: StoredResponse) -> None:
        """Add a response, or replace the one of its id.

        Raises:
            ValueError: another owner has one of that id; it stays as it is.
        """

    def delete_response(self, owner: str, response_id: str) -> bool:
        """Delete a response with its input and events; tell whether there was one."""

    def get_chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all before it, oldest first.

        It goes back to the last one that begins anew; it begins late where one was deleted.
        """

    def get_unfinished(self) -> Sequence[StoredResponse]:
        """Return every owner's responses whose status is queued or in_progress."""

    def renew(self, response_id: str, lease_until: float) -> bool:
        """Set the lease of an unfinished response; tell whether there is one."""

    # ---- events of background responses

    def add_events(self, response_id: str, events: Sequence[Event]) -> None:
        """Append events; those that are there already, or of a response that is not, mean nothing."""

    def get_events(self, response_id: str, after: int) -> Sequence[Event]:
        """Return the events whose sequence number is higher than `after`, in order."""

    # ---- conversations

    def get_conversation(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """Return a conversation; None where this owner has none of that id."""

    def put_conversation(self, stored: StoredConversation) -> None:
        """Add a conversation, or replace the one of its id; its items stay.

        Raises:
            ValueError: another owner has one of that id; it stays as it is.
        """

    def delete_conversation(self, owner: str, conversation_id: str) -> bool:
        """Delete a conversation with its items; tell whether there was one."""

    def add_items(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items, each with an id, to a conversation; one whose id is there already is replaced."""

    def get_items(self, conversation_id: str) -> Sequence[Item]:
        """Return the items of a conversation, oldest first."""

    def delete_item(self, conversation_id: str, item_id: str) -> bool:
        """Delete an item of a conversation; tell whether there was one."""

    # ---- items, wherever they are

    def get_item(self, owner: str, item_id: str) -> Item | None:
        """Return an item of this owner's responses (input or output) or conversations; None: there is none.

        Of several with that id it is one of the response that was made last; a conversation's, where no
        response has it.
        """

    # ---- keys

    def put_key(self, stored: StoredKey) -> None:
        """Add a key, or replace the one of its id."""

    def get_key(self, key_id: str) -> StoredKey | None:
        """Return a key; None: there is none of that id. Nobody else changes it before this ends."""

    def list_keys(self) -> Sequence[StoredKey]:
        """Return all keys, oldest first."""

    # ---- accounts (see ``dragoman.accounts``)

    def get_account(self, account: str) -> Account:
        """Return what an account stands at; one that nobody has used stands at nothing."""

    def hold(self, hold: Hold, most: int) -> bool:
        """Add a hold, unless its account would then have more than `most` spent and held; tell whether.

        However many ask at once, it is as if they asked one after the other.
        """

    def settle(self, hold_id: str, cost: int) -> bool:
        """End a hold, and add the cost to what its account has spent; False: it has been settled already.

        One that counts for nothing, since its lease ran out, is settled like any other.
        """

    def renew_holds(self, hold_ids: Sequence[str], lease_until: float) -> None:
        """Set the leases of holds that are there."""

    def free_holds(self, now: float) -> int:
        """Make holds whose lease ended at `now` or before count for nothing; return how many did till then.

        Those whose lease ended ``KEPT_AFTER_LEASE`` before are forgotten.
        """

    # ---- retention

    def purge(self, now: float) -> int:
        """Delete the responses that expired at `now` or before; return how many there were."""

    # ---- the ledger

    def add_entry(self, entry: LedgerEntry) -> bool:
        """Append an entry; tell whether it is new: one whose id is there already means nothing."""

    def get_entry(self, entry_id: str) -> LedgerEntry | None:
        """Return an entry; None where there is none, or none any more (see ``roll_up``)."""

    def get_spend(
        self,
        *,
        by: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Sequence[Spend]:
        """Return what all calls took together, or each group of them; ``dragoman.spending`` helps stores.

        Args:
            by: what tells groups apart: names of ``dragoman.spending.GROUPS``. A call with several tags is
                in the group of each, one without in that of "".
            since: Unix time; calls that ended before do not count.
            until: Unix time; calls that ended then or later do not count. What was rolled up counts where
                its day begins.
            where: only calls that have these values count: of `by`'s names, but for the day.

        Returns:
            A row for each group that has calls, in the order of the groups' values.
        """

    def roll_up(self, before: float, most: int) -> int:
        """Make of the oldest entries sums by day, which count as the entries did; return how many they were.

        Args:
            before: Unix time; entries from then on stay.
            most: how many entries at most.
        """


class Store(Protocol):
    """Where it is kept. Threads may share a store; each transaction stays in one thread."""

    blocking: bool
    """Whether a transaction waits for a disk or a network, and so must not run on an event loop."""

    alone_at: float | None
    """Unix time at which no other process had it open; None: that cannot be told."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin; leaving the block commits, an exception rolls back.

        Raises:
            Exception: the store cannot be reached; anything but a DragomanError becomes a 503.
        """

    def close(self) -> None:
        """Let go of files and connections."""
