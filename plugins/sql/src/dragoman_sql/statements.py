"""Every statement that is ever sent, spelled once per store; but for what is asked of the ledger."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.spending import Sums
from dragoman_sql.execution import Statement
from dragoman_sql.schema import (
    accounts,
    conversations,
    events,
    holders,
    holds,
    items,
    keys,
    ledger,
    ledger_days,
    responses,
)

__all__ = ["Statements"]

_INSERTS: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_OWN_RESPONSE = sa.and_(responses.c.id == sa.bindparam("id_"), responses.c.owner == sa.bindparam("owner_"))
_OWN_CONVERSATION = sa.and_(
    conversations.c.id == sa.bindparam("id_"), conversations.c.owner == sa.bindparam("owner_")
)
_ACCOUNTS = 0x6163636F756E7473  # "accounts": the key of PostgreSQL's advisory lock
_UNFINISHED = sa.text("unfinished")  # word for word what the index says, or it would not be used
_RUN_OUT = sa.and_(holds.c.lease_until <= sa.bindparam("now_"), holds.c.amount > 0)


def _chain() -> sa.Select[Any]:
    """The response of an owner and all before it, back to one that begins anew.

    The owner is asked for at each step.
    """
    before_it = sa.case((responses.c.begins_anew, None), else_=responses.c.previous_response_id)
    first = sa.select(responses.c.id, before_it.label("previous_response_id"), sa.literal(0).label("depth"))
    chain = first.where(_OWN_RESPONSE).cte("chain", recursive=True)
    before = (
        sa.select(responses.c.id, before_it, chain.c.depth + 1)
        .join(chain, responses.c.id == chain.c.previous_response_id)
        .where(responses.c.owner == sa.bindparam("owner_"))
    )
    chain = chain.union_all(before)
    return sa.select(responses).join(chain, responses.c.id == chain.c.id).order_by(chain.c.depth.desc())


class Statements:
    """The statements of one kind of database. Locks are PostgreSQL's: SQLite has one writer."""

    def __init__(self, dialect: sa.Dialect) -> None:
        """Spell them for a dialect."""
        self.dialect = dialect
        spell = partial(Statement, dialect=dialect)
        insert = _INSERTS[dialect.name]

        get_response = sa.select(responses).where(_OWN_RESPONSE)
        self.get_response = spell(get_response)
        # What may still change is locked until whoever read it has decided; what is finished never changes.
        self.get_response_to_change = spell(get_response.with_for_update(key_share=True))
        self.put_response = spell(_replacing(insert(responses), responses))
        self.delete_response = spell(sa.delete(responses).where(_OWN_RESPONSE))
        self.get_chain = spell(_chain())
        self.get_unfinished = spell(
            sa.select(responses)
            .where(_UNFINISHED)
            .order_by(responses.c.created_at, responses.c.id)
            .with_for_update(key_share=True)
        )
        self.renew = spell(
            sa.update(responses)
            .where(responses.c.id == sa.bindparam("id_"), _UNFINISHED)
            .values(lease_until=sa.bindparam("until_"))
        )
        self.purge = spell(sa.delete(responses).where(responses.c.expires_at <= sa.bindparam("now_")))

        self.hold_response = spell(
            sa.select(sa.literal(1))
            .select_from(responses)
            .where(responses.c.id == sa.bindparam("id_"))
            .with_for_update(read=True, key_share=True)
        )
        # Whoever was not told that a write arrived sends the same events again.
        self.add_events = spell(insert(events).on_conflict_do_nothing())
        self.get_events = spell(
            sa.select(events.c.event)
            .where(
                events.c.response_id == sa.bindparam("id_"), events.c.sequence_number > sa.bindparam("after_")
            )
            .order_by(events.c.sequence_number)
        )

        self.get_conversation = spell(sa.select(conversations).where(_OWN_CONVERSATION))
        self.put_conversation = spell(_replacing(insert(conversations), conversations))
        self.delete_conversation = spell(sa.delete(conversations).where(_OWN_CONVERSATION))
        self.hold_conversation = spell(
            sa.select(sa.literal(1))
            .select_from(conversations)
            .where(conversations.c.id == sa.bindparam("id_"))
            .with_for_update(key_share=True)
        )
        self.last_position = spell(
            sa.select(sa.func.coalesce(sa.func.max(items.c.position), -1)).where(
                items.c.conversation_id == sa.bindparam("id_")
            )
        )
        self.get_items = spell(
            sa.select(items.c.item)
            .where(items.c.conversation_id == sa.bindparam("id_"))
            .order_by(items.c.position)
        )
        adding = insert(items)
        self.add_items = spell(
            adding.on_conflict_do_update(
                index_elements=["conversation_id", "item_key"], set_={"item": adding.excluded.item}
            )
        )
        self.delete_item = spell(
            sa.delete(items).where(
                items.c.conversation_id == sa.bindparam("id_"), items.c.item_key == sa.bindparam("key_")
            )
        )

        self.add_holders = spell(insert(holders).on_conflict_do_nothing())
        self.get_holders = spell(
            sa.select(holders.c.response_id)
            .join(responses, responses.c.id == holders.c.response_id)
            .where(holders.c.item_key == sa.bindparam("key_"), responses.c.owner == sa.bindparam("owner_"))
            .order_by(responses.c.created_at.desc())
        )
        self.get_item_of_conversation = spell(
            sa.select(items.c.item)
            .join(conversations, conversations.c.id == items.c.conversation_id)
            .where(items.c.item_key == sa.bindparam("key_"), conversations.c.owner == sa.bindparam("owner_"))
            .limit(1)
        )

        changed_key = insert(keys)
        self.put_key = spell(
            changed_key.on_conflict_do_update(
                index_elements=["id"],
                set_={name: changed_key.excluded[name] for name in ("digest", "created_at", "terms")},
            )
        )
        self.get_key = spell(
            sa.select(keys).where(keys.c.id == sa.bindparam("id_")).with_for_update(key_share=True)
        )
        self.list_keys = spell(sa.select(keys).order_by(keys.c.created_at, keys.c.id))

        # One lock for all accounts: who takes rows one by one, several in a transaction, ends in deadlocks.
        self.lock_accounts = (
            spell(sa.select(sa.func.pg_advisory_xact_lock(_ACCOUNTS)))
            if dialect.name == "postgresql"
            else None
        )
        self.open_account = spell(insert(accounts).on_conflict_do_nothing())
        self.get_account = spell(
            sa.select(accounts.c.spent, accounts.c.held).where(accounts.c.id == sa.bindparam("id_"))
        )
        self.hold_on_account = spell(
            sa.update(accounts)
            .where(
                accounts.c.id == sa.bindparam("id_"),
                accounts.c.spent + accounts.c.held + sa.bindparam("amount_") <= sa.bindparam("most_"),
            )
            .values(held=accounts.c.held + sa.bindparam("amount_"))
        )
        self.change_account = spell(
            sa.update(accounts)
            .where(accounts.c.id == sa.bindparam("id_"))
            .values(
                spent=accounts.c.spent + sa.bindparam("spent_"),
                held=accounts.c.held - sa.bindparam("freed_"),
            )
        )
        self.add_hold = spell(sa.insert(holds))
        self.end_hold = spell(
            sa.delete(holds)
            .where(holds.c.id == sa.bindparam("id_"))
            .returning(holds.c.account, holds.c.amount)
        )
        self.renew_hold = spell(
            sa.update(holds)
            .where(holds.c.id == sa.bindparam("id_"))
            .values(lease_until=sa.bindparam("until_"))
        )
        self.sum_of_run_out = spell(
            sa.select(holds.c.account, sa.func.sum(holds.c.amount), sa.func.count())
            .where(_RUN_OUT)
            .group_by(holds.c.account)
        )
        self.free_holds = spell(sa.update(holds).where(_RUN_OUT).values(amount=0))
        self.forget_holds = spell(sa.delete(holds).where(holds.c.lease_until <= sa.bindparam("before_")))

        self.add_entry = spell(insert(ledger).on_conflict_do_nothing())
        self.get_entry = spell(sa.select(ledger).where(ledger.c.id == sa.bindparam("id_")))
        self.get_oldest_entries = spell(
            sa.select(ledger)
            .where(ledger.c.at < sa.bindparam("before_"))
            .order_by(ledger.c.at)
            .limit(sa.bindparam("most_"))
            .with_for_update(skip_locked=True)
        )
        self.delete_entry = spell(sa.delete(ledger).where(ledger.c.id == sa.bindparam("id_")))
        adding_days = insert(ledger_days)
        self.add_days = spell(
            adding_days.on_conflict_do_update(
                index_elements=["key"],
                set_={name: ledger_days.c[name] + adding_days.excluded[name] for name in Sums._fields},
            )
        )


def _replacing(adding: Any, table: sa.Table) -> Any:
    """Insert, or replace the row of the same id, if it is the same owner's; else nothing is written."""
    changed = {name: adding.excluded[name] for name in table.c.keys() if name not in {"id", "owner"}}  # noqa: SIM118
    return adding.on_conflict_do_update(
        index_elements=["id"], set_=changed, where=table.c.owner == adding.excluded.owner
    )
