"""A transaction's verbs, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.accounts import KEPT_AFTER_LEASE, Account, StoredKey
from dragoman.state import StoredConversation, StoredResponse
from dragoman_sql import ledger
from dragoman_sql.schema import item_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine.interfaces import DBAPICursor

    from dragoman.accounts import Hold
    from dragoman.state import LedgerEntry, Spend
    from dragoman.types import Event, Item
    from dragoman_sql.execution import Statement
    from dragoman_sql.statements import Statements

__all__ = ["SQLTransaction"]


class SQLTransaction:
    """See ``dragoman.state.Transaction``."""

    def __init__(self, cursor: DBAPICursor, statements: Statements) -> None:
        """Make the verbs of a transaction that has begun on a cursor's connection."""
        self._cursor = cursor
        self._statements = statements
        self._locked = False

    # ---- responses

    def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        """Return a response of this owner; nobody else changes an unfinished one before this ends."""
        wanted = {"owner_": owner, "id_": response_id}
        found = self._responses(self._statements.get_response, wanted)
        if found and not found[0].finished:
            found = self._responses(self._statements.get_response_to_change, wanted)
        return found[0] if found else None

    def put_response(self, stored: StoredResponse) -> None:
        """Add or replace a response.

        Raises:
            ValueError: another owner has one of that id.
        """
        row = {**_values(stored), "unfinished": not stored.finished}
        if not self._statements.put_response.execute(self._cursor, row):
            raise ValueError(f"response {stored.id!r} is another owner's")
        holders = [{"item_key": item_key(item_id), "response_id": stored.id} for item_id in stored.items]
        if holders:
            self._statements.add_holders.execute_all(self._cursor, holders)

    def delete_response(self, owner: str, response_id: str) -> bool:
        """Delete a response of this owner, with its events."""
        wanted = {"owner_": owner, "id_": response_id}
        return self._statements.delete_response.execute(self._cursor, wanted) > 0

    def get_chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all before it, oldest first."""
        return self._responses(self._statements.get_chain, {"owner_": owner, "id_": response_id})

    def get_unfinished(self) -> Sequence[StoredResponse]:
        """Return the responses that are queued or in progress, oldest first."""
        return self._responses(self._statements.get_unfinished, {})

    def renew(self, response_id: str, lease_until: float) -> bool:
        """Set the lease of an unfinished response; tell whether there is one."""
        wanted = {"id_": response_id, "until_": lease_until}
        return self._statements.renew.execute(self._cursor, wanted) > 0

    # ---- events

    def add_events(self, response_id: str, events: Sequence[Event]) -> None:
        """Append events; those of a response that was deleted are dropped."""
        if not events or not self._holds(self._statements.hold_response, response_id):
            return
        rows = [
            {"response_id": response_id, "sequence_number": event["sequence_number"], "event": event}
            for event in events
        ]
        self._statements.add_events.execute_all(self._cursor, rows)

    def get_events(self, response_id: str, after: int) -> Sequence[Event]:
        """Return the events behind a sequence number."""
        wanted = {"id_": response_id, "after_": after}
        return [event for (event,) in self._statements.get_events.fetch(self._cursor, wanted)]

    # ---- conversations

    def get_conversation(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """Return a conversation of this owner."""
        wanted = {"owner_": owner, "id_": conversation_id}
        rows = self._statements.get_conversation.fetch_named(self._cursor, wanted)
        return StoredConversation(**rows[0]) if rows else None

    def put_conversation(self, stored: StoredConversation) -> None:
        """Add or replace a conversation.

        Raises:
            ValueError: another owner has one of that id.
        """
        if not self._statements.put_conversation.execute(self._cursor, _values(stored)):
            raise ValueError(f"conversation {stored.id!r} is another owner's")

    def delete_conversation(self, owner: str, conversation_id: str) -> bool:
        """Delete a conversation of this owner, with its items."""
        wanted = {"owner_": owner, "id_": conversation_id}
        return self._statements.delete_conversation.execute(self._cursor, wanted) > 0

    def add_items(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items; one whose id is there already takes that one's place.

        Raises:
            KeyError: there is no such conversation.
        """
        if not self._holds(self._statements.hold_conversation, conversation_id):
            raise KeyError(conversation_id)
        ((last,),) = self._statements.last_position.fetch(self._cursor, {"id_": conversation_id})
        rows = [
            {
                "conversation_id": conversation_id,
                "position": position,
                "item_key": item_key(item["id"]),
                "item": item,
            }
            for position, item in enumerate(items, last + 1)
        ]
        if rows:
            self._statements.add_items.execute_all(self._cursor, rows)

    def get_items(self, conversation_id: str) -> Sequence[Item]:
        """Return the items, oldest first."""
        return [item for (item,) in self._statements.get_items.fetch(self._cursor, {"id_": conversation_id})]

    def delete_item(self, conversation_id: str, item_id: str) -> bool:
        """Delete an item."""
        wanted = {"id_": conversation_id, "key_": item_key(item_id)}
        return self._statements.delete_item.execute(self._cursor, wanted) > 0

    # ---- items

    def get_item(self, owner: str, item_id: str) -> Item | None:
        """Return an item of this owner's, wherever it is."""
        wanted = {"owner_": owner, "key_": item_key(item_id)}
        for (response_id,) in self._statements.get_holders.fetch(self._cursor, wanted):
            (found,) = self._responses(self._statements.get_response, {"owner_": owner, "id_": response_id})
            if item_id in found.items:
                return found.items[item_id]
        rows = self._statements.get_item_of_conversation.fetch(self._cursor, wanted)
        return rows[0][0] if rows else None

    # ---- keys

    def put_key(self, stored: StoredKey) -> None:
        """Add or replace a key."""
        self._statements.put_key.execute(self._cursor, _values(stored))

    def get_key(self, key_id: str) -> StoredKey | None:
        """Return a key; nobody else changes it before this ends."""
        rows = self._statements.get_key.fetch_named(self._cursor, {"id_": key_id})
        return StoredKey(**rows[0]) if rows else None

    def list_keys(self) -> Sequence[StoredKey]:
        """Return all keys, oldest first."""
        return [StoredKey(**row) for row in self._statements.list_keys.fetch_named(self._cursor)]

    # ---- accounts

    def get_account(self, account: str) -> Account:
        """Return what an account stands at."""
        rows = self._statements.get_account.fetch(self._cursor, {"id_": account})
        return Account(*rows[0]) if rows else Account()

    def hold(self, hold: Hold, most: int) -> bool:
        """Add a hold, unless it is too much."""
        self._lock_accounts()
        self._statements.open_account.execute(self._cursor, {"id": hold.account, "spent": 0, "held": 0})
        wanted = {"id_": hold.account, "amount_": hold.amount, "most_": most}
        if not self._statements.hold_on_account.execute(self._cursor, wanted):
            return False
        self._statements.add_hold.execute(self._cursor, _values(hold))
        return True

    def settle(self, hold_id: str, cost: int) -> bool:
        """End a hold."""
        self._lock_accounts()
        rows = self._statements.end_hold.fetch(self._cursor, {"id_": hold_id})
        if not rows:
            return False
        account, amount = rows[0]
        change = {"id_": account, "spent_": cost, "freed_": amount}
        self._statements.change_account.execute(self._cursor, change)
        return True

    def renew_holds(self, hold_ids: Sequence[str], lease_until: float) -> None:
        """Set the leases of holds."""
        if hold_ids:
            self._lock_accounts()
            rows = [{"id_": hold_id, "until_": lease_until} for hold_id in hold_ids]
            self._statements.renew_hold.execute_all(self._cursor, rows)

    def free_holds(self, now: float) -> int:
        """Make what has expired count for nothing."""
        self._lock_accounts()
        freed = 0
        expired = self._statements.sum_of_run_out.fetch(self._cursor, {"now_": now})
        for account, amount, count in expired:
            change = {"id_": account, "spent_": 0, "freed_": int(amount)}
            self._statements.change_account.execute(self._cursor, change)
            freed += count
        if expired:
            self._statements.free_holds.execute(self._cursor, {"now_": now})
        self._statements.forget_holds.execute(self._cursor, {"before_": now - KEPT_AFTER_LEASE})
        return freed

    def _lock_accounts(self) -> None:
        """Let nobody else change accounts before this ends; SQLite has one writer anyway."""
        if not self._locked and self._statements.lock_accounts is not None:
            self._statements.lock_accounts.execute(self._cursor)
        self._locked = True

    # ---- retention

    def purge(self, now: float) -> int:
        """Delete the responses that have expired."""
        return self._statements.purge.execute(self._cursor, {"now_": now})

    # ---- the ledger

    def add_entry(self, entry: LedgerEntry) -> bool:
        """Append an entry; tell whether it is new."""
        return ledger.add_entry(self._cursor, self._statements, entry)

    def get_entry(self, entry_id: str) -> LedgerEntry | None:
        """Return an entry that was not rolled up."""
        return ledger.get_entry(self._cursor, self._statements, entry_id)

    def get_spend(
        self,
        *,
        by: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Sequence[Spend]:
        """Return what calls took together."""
        return ledger.get_spend(
            self._cursor, self._statements, by, since=since, until=until, where=where or {}
        )

    def roll_up(self, before: float, most: int) -> int:
        """Make sums by day of the oldest entries."""
        return ledger.roll_up(self._cursor, self._statements, before, most)

    # ---- rows

    def _responses(self, statement: Statement, wanted: Mapping[str, Any]) -> list[StoredResponse]:
        rows = statement.fetch_named(self._cursor, wanted)
        return [StoredResponse(**{name: row[name] for name in _RESPONSE_FIELDS}) for row in rows]

    def _holds(self, statement: Statement, id_: str) -> bool:
        """Tell whether a row is there, and keep it there until this ends."""
        return bool(statement.fetch(self._cursor, {"id_": id_}))


def _values(stored: StoredResponse | StoredConversation | StoredKey | Hold) -> dict[str, Any]:
    """Return the values of its fields, as they are: `dataclasses.asdict` would copy all that is in them."""
    return {name: getattr(stored, name) for name in stored.__dataclass_fields__}


_RESPONSE_FIELDS = tuple(StoredResponse.__dataclass_fields__)
