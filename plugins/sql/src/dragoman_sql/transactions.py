"""A transaction's verbs, in SQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dragoman.state import StoredConversation, StoredResponse
from dragoman_sql import ledger
from dragoman_sql.schema import item_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from dragoman.state import LedgerEntry, Spend
    from dragoman.types import Event, Item
    from dragoman_sql.statements import Statements

__all__ = ["SQLTransaction"]


class SQLTransaction:
    """See ``dragoman.state.Transaction``."""

    def __init__(self, connection: sa.Connection, statements: Statements) -> None:
        """Make the verbs of a transaction that has begun on a connection."""
        self._connection = connection
        self._statements = statements

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
        row = {name: getattr(stored, name) for name in _RESPONSE_FIELDS}
        row["unfinished"] = not stored.finished
        if not self._connection.execute(self._statements.put_response, row).rowcount:
            raise ValueError(f"response {stored.id!r} is another owner's")
        holders = [{"item_key": item_key(item_id), "response_id": stored.id} for item_id in stored.items]
        if holders:
            self._connection.execute(self._statements.add_holders, holders)

    def delete_response(self, owner: str, response_id: str) -> bool:
        """Delete a response of this owner, with its events."""
        wanted = {"owner_": owner, "id_": response_id}
        return self._connection.execute(self._statements.delete_response, wanted).rowcount > 0

    def get_chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all before it, oldest first."""
        return self._responses(self._statements.get_chain, {"owner_": owner, "id_": response_id})

    def get_unfinished(self) -> Sequence[StoredResponse]:
        """Return the responses that are queued or in progress, oldest first."""
        return self._responses(self._statements.get_unfinished, {})

    def renew(self, response_id: str, lease_until: float) -> bool:
        """Set the lease of an unfinished response; tell whether there is one."""
        wanted = {"id_": response_id, "until_": lease_until}
        return self._connection.execute(self._statements.renew, wanted).rowcount > 0

    # ---- events

    def add_events(self, response_id: str, events: Sequence[Event]) -> None:
        """Append events; those of a response that was deleted are dropped."""
        if not events or not self._holds(self._statements.hold_response, response_id):
            return
        rows = [
            {"response_id": response_id, "sequence_number": event["sequence_number"], "event": event}
            for event in events
        ]
        self._connection.execute(self._statements.add_events, rows)

    def get_events(self, response_id: str, after: int) -> Sequence[Event]:
        """Return the events behind a sequence number."""
        wanted = {"id_": response_id, "after_": after}
        return self._connection.scalars(self._statements.get_events, wanted).all()

    # ---- conversations

    def get_conversation(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """Return a conversation of this owner."""
        wanted = {"owner_": owner, "id_": conversation_id}
        row = self._connection.execute(self._statements.get_conversation, wanted).one_or_none()
        return None if row is None else StoredConversation(**row._mapping)

    def put_conversation(self, stored: StoredConversation) -> None:
        """Add or replace a conversation.

        Raises:
            ValueError: another owner has one of that id.
        """
        if not self._connection.execute(self._statements.put_conversation, asdict(stored)).rowcount:
            raise ValueError(f"conversation {stored.id!r} is another owner's")

    def delete_conversation(self, owner: str, conversation_id: str) -> bool:
        """Delete a conversation of this owner, with its items."""
        wanted = {"owner_": owner, "id_": conversation_id}
        return self._connection.execute(self._statements.delete_conversation, wanted).rowcount > 0

    def add_items(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Append items; one whose id is there already takes that one's place.

        Raises:
            KeyError: there is no such conversation.
        """
        if not self._holds(self._statements.hold_conversation, conversation_id):
            raise KeyError(conversation_id)
        last = self._connection.execute(self._statements.last_position, {"id_": conversation_id}).scalar_one()
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
            self._connection.execute(self._statements.add_items, rows)

    def get_items(self, conversation_id: str) -> Sequence[Item]:
        """Return the items, oldest first."""
        return self._connection.scalars(self._statements.get_items, {"id_": conversation_id}).all()

    def delete_item(self, conversation_id: str, item_id: str) -> bool:
        """Delete an item."""
        wanted = {"id_": conversation_id, "key_": item_key(item_id)}
        return self._connection.execute(self._statements.delete_item, wanted).rowcount > 0

    # ---- items

    def get_item(self, owner: str, item_id: str) -> Item | None:
        """Return an item of this owner's, wherever it is."""
        wanted = {"owner_": owner, "key_": item_key(item_id)}
        for response_id in self._connection.scalars(self._statements.get_holders, wanted).all():
            (found,) = self._responses(self._statements.get_response, {"owner_": owner, "id_": response_id})
            if item_id in found.items:
                return found.items[item_id]
        item: Item | None = self._connection.scalar(self._statements.get_item_of_conversation, wanted)
        return item

    # ---- retention

    def purge(self, now: float) -> int:
        """Delete the responses that have expired."""
        return self._connection.execute(self._statements.purge, {"now_": now}).rowcount

    # ---- the ledger

    def add_entry(self, entry: LedgerEntry) -> bool:
        """Append an entry; tell whether it is new."""
        return ledger.add_entry(self._connection, self._statements, entry)

    def get_entry(self, entry_id: str) -> LedgerEntry | None:
        """Return an entry that was not rolled up."""
        return ledger.get_entry(self._connection, entry_id)

    def get_spend(
        self,
        *,
        by: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Sequence[Spend]:
        """Return what calls took together."""
        return ledger.get_spend(self._connection, by, since, until, where or {})

    def roll_up(self, before: float, most: int) -> int:
        """Make sums by day of the oldest entries."""
        return ledger.roll_up(self._connection, self._statements, before, most)

    # ---- rows

    def _responses(self, statement: sa.Select[Any], wanted: Mapping[str, Any]) -> list[StoredResponse]:
        rows = self._connection.execute(statement, wanted)
        return [StoredResponse(**{name: row[name] for name in _RESPONSE_FIELDS}) for row in rows.mappings()]

    def _holds(self, statement: sa.Select[Any], id_: str) -> bool:
        """Tell whether a row is there, and keep it there until this ends."""
        return self._connection.scalar(statement, {"id_": id_}) is not None


_RESPONSE_FIELDS = tuple(StoredResponse.__dataclass_fields__)
