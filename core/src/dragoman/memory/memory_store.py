"""The store that comes with core: this process's memory, bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from dragoman.accounts import KEPT_AFTER_LEASE, Account
from dragoman.spending import Day, Sums, Tally, day_of, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dragoman.accounts import Hold, StoredKey
    from dragoman.state import LedgerEntry, Spend, StoredConversation, StoredResponse
    from dragoman.types import Event, Item

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps the newest responses and conversations, and forgets the oldest: a chain that is used stays.

    Of the ledger it keeps the newest entries, and of older ones sums by day; where there are too many
    different sums, it forgets the oldest.
    """

    blocking = False
    alone_at: float | None = None

    def __init__(
        self, *, max_responses: int = 1000, max_conversations: int = 1000, max_entries: int = 1000
    ) -> None:
        """Make an empty store.

        Args:
            max_responses: how many are kept; unfinished ones always are.
            max_conversations: the same.
            max_entries: of the ledger; and how many sums by day.
        """
        self._max_entries = max_entries
        self._max_responses = max_responses
        self._max_conversations = max_conversations
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()
        self._events: dict[str, list[Event]] = {}
        self._conversations: OrderedDict[str, StoredConversation] = OrderedDict()
        self._items: dict[str, dict[str, Item]] = {}
        # Which responses have an item: as keys, in the order in which they came.
        self._holders: dict[str, dict[str, None]] = {}
        self._keys: dict[str, StoredKey] = {}
        self._accounts: dict[str, Account] = {}
        self._holds: dict[str, Hold] = {}
        self._entries: dict[str, LedgerEntry] = {}
        self._days: dict[Day, Sums] = {}
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[MemoryStore]:
        """Begin; other threads wait. What was done before an exception stays: operations check first."""
        with self._lock:
            yield self

    def close(self) -> None:
        """Nothing is held open."""

    # ---- responses

    def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        """Return a response of this owner."""
        stored = self._responses.get(response_id)
        return stored if stored is not None and stored.owner == owner else None

    def put_response(self, stored: StoredResponse) -> None:
        """Add or replace a response; the least used finished one goes where there are too many.

        Raises:
            ValueError: another owner has one of that id.
        """
        before = self._responses.get(stored.id)
        if before is not None:
            if before.owner != stored.owner:
                raise ValueError(f"response {stored.id!r} is another owner's")
            self._release(before)
        self._responses[stored.id] = stored
        for item_id in stored.items:
            self._holders.setdefault(item_id, {})[stored.id] = None
        self._responses.move_to_end(stored.id)
        if len(self._responses) > self._max_responses:
            oldest = next((known for known in self._responses.values() if known.finished), None)
            if oldest is not None:
                self.delete_response(oldest.owner, oldest.id)

    def delete_response(self, owner: str, response_id: str) -> bool:
        """Delete a response of this owner."""
        if self.get_response(owner, response_id) is None:
            return False
        self._release(self._responses.pop(response_id))
        self._events.pop(response_id, None)
        return True

    def _release(self, stored: StoredResponse) -> None:
        """Forget which items a response has."""
        for item_id in stored.items:
            holders = self._holders[item_id]
            del holders[stored.id]
            if not holders:
                del self._holders[item_id]

    def get_chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all before it, oldest first, back to one that begins anew."""
        chain: list[StoredResponse] = []
        following: str | None = response_id
        while following is not None:
            stored = self.get_response(owner, following)
            if stored is None:
                break
            self._responses.move_to_end(following)
            chain.append(stored)
            following = None if stored.begins_anew else stored.previous_response_id
        return chain[::-1]

    def get_unfinished(self) -> Sequence[StoredResponse]:
        """Return the responses that are queued or in progress."""
        return [stored for stored in self._responses.values() if not stored.finished]

    def renew(self, response_id: str, lease_until: float) -> bool:
        """Set the lease of an unfinished response; tell whether there is one."""
        stored = self._responses.get(response_id)
        if stored is None or stored.finished:
            return False
        self._responses[response_id] = replace(stored, lease_until=lease_until)
        return True

    # ---- events

    def add_events(self, response_id: str, events: Sequence[Event]) -> None:
        """Append events; a response that was deleted has none."""
        if response_id in self._responses:
            known = self._events.setdefault(response_id, [])
            known.extend(event for event in events if event["sequence_number"] >= len(known))

    def get_events(self, response_id: str, after: int) -> Sequence[Event]:
        """Return the events behind a sequence number, which is their place."""
        return self._events.get(response_id, [])[after + 1 :]

    # ---- conversations

    def get_conversation(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """Return a conversation of this owner."""
        stored = self._conversations.get(conversation_id)
        return stored if stored is not None and stored.owner == owner else None

    def put_conversation(self, stored: StoredConversation) -> None:
        """Add or replace a conversation; the least used one goes where there are too many.

        Raises:
            ValueError: another owner has one of that id.
        """
        before = self._conversations.get(stored.id)
        if before is not None and before.owner != stored.owner:
            raise ValueError(f"conversation {stored.id!r} is another owner's")
        self._conversations[stored.id] = stored
        self._conversations.move_to_end(stored.id)
        self._items.setdefault(stored.id, {})
        if len(self._conversations) > self._max_conversations:
            oldest = next(iter(self._conversations.values()))
            self.delete_conversation(oldest.owner, oldest.id)

    def delete_conversation(self, owner: str, conversation_id: str) -> bool:
        """Delete a conversation of this owner."""
        if self.get_conversation(owner, conversation_id) is None:
            return False
        del self._conversations[conversation_id]
        del self._items[conversation_id]
        return True

    def add_items(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items."""
        self._conversations.move_to_end(conversation_id)
        self._items[conversation_id].update((item["id"], item) for item in items)

    def get_items(self, conversation_id: str) -> Sequence[Item]:
        """Return the items, oldest first."""
        return list(self._items.get(conversation_id, {}).values())

    def delete_item(self, conversation_id: str, item_id: str) -> bool:
        """Delete an item."""
        return self._items.get(conversation_id, {}).pop(item_id, None) is not None

    # ---- items

    def get_item(self, owner: str, item_id: str) -> Item | None:
        """Return an item of this owner's, wherever it is."""
        holders = [self._responses[response_id] for response_id in self._holders.get(item_id, ())]
        holders = [stored for stored in holders if stored.owner == owner]
        if holders:
            return max(holders, key=lambda stored: stored.created_at).items[item_id]
        for conversation in self._conversations.values():
            if conversation.owner == owner and item_id in self._items[conversation.id]:
                return self._items[conversation.id][item_id]
        return None

    # ---- keys

    def put_key(self, stored: StoredKey) -> None:
        """Add or replace a key."""
        self._keys[stored.id] = stored

    def get_key(self, key_id: str) -> StoredKey | None:
        """Return a key."""
        return self._keys.get(key_id)

    def list_keys(self) -> Sequence[StoredKey]:
        """Return all keys, oldest first."""
        return sorted(self._keys.values(), key=lambda stored: (stored.created_at, stored.id))

    # ---- accounts

    def get_account(self, account: str) -> Account:
        """Return what an account stands at."""
        return self._accounts.get(account, Account())

    def hold(self, hold: Hold, most: int) -> bool:
        """Add a hold, unless it is too much."""
        account = self.get_account(hold.account)
        if account.spent + account.held + hold.amount > most:
            return False
        self._holds[hold.id] = hold
        self._change(hold.account, held=hold.amount)
        return True

    def settle(self, hold_id: str, cost: int) -> bool:
        """End a hold."""
        hold = self._holds.pop(hold_id, None)
        if hold is None:
            return False
        self._change(hold.account, spent=cost, held=-hold.amount)
        return True

    def renew_holds(self, hold_ids: Sequence[str], lease_until: float) -> None:
        """Set the leases of holds."""
        for hold_id in hold_ids:
            if hold_id in self._holds:
                self._holds[hold_id] = replace(self._holds[hold_id], lease_until=lease_until)

    def free_holds(self, now: float) -> int:
        """Make what has expired count for nothing."""
        freed = 0
        for hold in [one for one in self._holds.values() if one.lease_until <= now]:
            if hold.lease_until <= now - KEPT_AFTER_LEASE:
                del self._holds[hold.id]
            else:
                self._holds[hold.id] = replace(hold, amount=0)
            if hold.amount:
                self._change(hold.account, held=-hold.amount)
                freed += 1
        return freed

    def _change(self, account: str, *, spent: int = 0, held: int = 0) -> None:
        before = self.get_account(account)
        self._accounts[account] = Account(before.spent + spent, before.held + held)

    # ---- retention

    def purge(self, now: float) -> int:
        """Delete what has expired."""
        expired = [
            stored
            for stored in self._responses.values()
            if stored.expires_at is not None and stored.expires_at <= now
        ]
        for stored in expired:
            self.delete_response(stored.owner, stored.id)
        return len(expired)

    # ---- the ledger

    def add_entry(self, entry: LedgerEntry) -> bool:
        """Append an entry; half of them become sums where there are too many."""
        if entry.id in self._entries:
            return False
        self._entries[entry.id] = entry
        if len(self._entries) > self._max_entries:
            self._roll_up(list(islice(self._entries.values(), len(self._entries) // 2 or 1)))
        return True

    def get_entry(self, entry_id: str) -> LedgerEntry | None:
        """Return an entry that was not rolled up."""
        return self._entries.get(entry_id)

    def get_spend(
        self,
        *,
        by: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Sequence[Spend]:
        """Return what calls took together."""
        tally = Tally(by, where)
        rows = [(entry.at, day_of(entry), sums_of(entry)) for entry in self._entries.values()]
        rows += [(day.day * 86400.0, day, sums) for day, sums in self._days.items()]
        for at, day, sums in rows:
            if (since is None or since <= at) and (until is None or at < until):
                tally.add(day._asdict(), sums)
        return tally.rows()

    def roll_up(self, before: float, most: int) -> int:
        """Make sums by day of the oldest entries."""
        old = sorted(
            (entry for entry in self._entries.values() if entry.at < before), key=lambda entry: entry.at
        )[:most]
        self._roll_up(old)
        return len(old)

    def _roll_up(self, entries: Sequence[LedgerEntry]) -> None:
        for entry in entries:
            day, sums = day_of(entry), sums_of(entry)
            known = self._days.get(day)
            self._days[day] = sums if known is None else known.plus(sums)
            del self._entries[entry.id]
        while len(self._days) > self._max_entries:
            del self._days[min(self._days, key=lambda day: day.day)]
