"""Every statement that is ever sent, built once per store."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.spending import Sums
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

    get_response = sa.select(responses).where(_OWN_RESPONSE)
    # What may still change is locked until whoever read it has decided; what is finished never changes.
    get_response_to_change = get_response.with_for_update(key_share=True)
    delete_response = sa.delete(responses).where(_OWN_RESPONSE)
    get_chain = _chain()
    get_unfinished = (
        sa.select(responses)
        .where(_UNFINISHED)
        .order_by(responses.c.created_at, responses.c.id)
        .with_for_update(key_share=True)
    )
    renew = (
        sa.update(responses)
        .where(responses.c.id == sa.bindparam("id_"), _UNFINISHED)
        .values(lease_until=sa.bindparam("until_"))
    )
    purge = sa.delete(responses).where(responses.c.expires_at <= sa.bindparam("now_"))

    hold_response = (
        sa.select(sa.literal(1))
        .select_from(responses)
        .where(responses.c.id == sa.bindparam("id_"))
        .with_for_update(read=True, key_share=True)
    )
    get_events = (
        sa.select(events.c.event)
        .where(events.c.response_id == sa.bindparam("id_"), events.c.sequence_number > sa.bindparam("after_"))
        .order_by(events.c.sequence_number)
    )

    get_conversation = sa.select(conversations).where(_OWN_CONVERSATION)
    delete_conversation = sa.delete(conversations).where(_OWN_CONVERSATION)
    hold_conversation = (
        sa.select(sa.literal(1))
        .select_from(conversations)
        .where(conversations.c.id == sa.bindparam("id_"))
        .with_for_update(key_share=True)
    )
    last_position = sa.select(sa.func.coalesce(sa.func.max(items.c.position), -1)).where(
        items.c.conversation_id == sa.bindparam("id_")
    )
    get_items = (
        sa.select(items.c.item)
        .where(items.c.conversation_id == sa.bindparam("id_"))
        .order_by(items.c.position)
    )
    delete_item = sa.delete(items).where(
        items.c.conversation_id == sa.bindparam("id_"), items.c.item_key == sa.bindparam("key_")
    )

    get_holders = (
        sa.select(holders.c.response_id)
        .join(responses, responses.c.id == holders.c.response_id)
        .where(holders.c.item_key == sa.bindparam("key_"), responses.c.owner == sa.bindparam("owner_"))
        .order_by(responses.c.created_at.desc())
    )
    get_item_of_conversation = (
        sa.select(items.c.item)
        .join(conversations, conversations.c.id == items.c.conversation_id)
        .where(items.c.item_key == sa.bindparam("key_"), conversations.c.owner == sa.bindparam("owner_"))
        .limit(1)
    )

    get_key = sa.select(keys).where(keys.c.id == sa.bindparam("id_")).with_for_update(key_share=True)
    list_keys = sa.select(keys).order_by(keys.c.created_at, keys.c.id)

    get_account = sa.select(accounts.c.spent, accounts.c.held).where(accounts.c.id == sa.bindparam("id_"))
    hold_on_account = (
        sa.update(accounts)
        .where(
            accounts.c.id == sa.bindparam("id_"),
            accounts.c.spent + accounts.c.held + sa.bindparam("amount_") <= sa.bindparam("most_"),
        )
        .values(held=accounts.c.held + sa.bindparam("amount_"))
    )
    change_account = (
        sa.update(accounts)
        .where(accounts.c.id == sa.bindparam("id_"))
        .values(
            spent=accounts.c.spent + sa.bindparam("spent_"), held=accounts.c.held - sa.bindparam("freed_")
        )
    )
    add_hold = sa.insert(holds)
    end_hold = (
        sa.delete(holds).where(holds.c.id == sa.bindparam("id_")).returning(holds.c.account, holds.c.amount)
    )
    renew_hold = (
        sa.update(holds).where(holds.c.id == sa.bindparam("id_")).values(lease_until=sa.bindparam("until_"))
    )
    _run_out = sa.and_(holds.c.lease_until <= sa.bindparam("now_"), holds.c.amount > 0)
    sum_of_run_out = (
        sa.select(holds.c.account, sa.func.sum(holds.c.amount), sa.func.count())
        .where(_run_out)
        .group_by(holds.c.account)
    )
    free_holds = sa.update(holds).where(_run_out).values(amount=0)
    forget_holds = sa.delete(holds).where(holds.c.lease_until <= sa.bindparam("before_"))

    def __init__(self, dialect: str) -> None:
        """Build those that the databases' dialects spell.

        Args:
            dialect: "sqlite" or "postgresql".
        """
        insert = _INSERTS[dialect]
        self.put_response = _replacing(insert(responses), responses)
        self.put_conversation = _replacing(insert(conversations), conversations)
        changed_key = insert(keys)
        self.put_key = changed_key.on_conflict_do_update(
            index_elements=["id"],
            set_={name: changed_key.excluded[name] for name in ("digest", "created_at", "terms")},
        )
        self.open_account = insert(accounts).on_conflict_do_nothing()
        # One lock for all accounts: who takes rows one by one, several in a transaction, ends in deadlocks.
        self.lock_accounts = (
            sa.select(sa.func.pg_advisory_xact_lock(_ACCOUNTS)) if dialect == "postgresql" else None
        )
        # Whoever was not told that a write arrived sends the same events again.
        self.add_events = insert(events).on_conflict_do_nothing()
        self.add_holders = insert(holders).on_conflict_do_nothing()
        self.add_entry = insert(ledger).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
        adding_days = insert(ledger_days)
        self.add_days = adding_days.on_conflict_do_update(
            index_elements=["key"],
            set_={name: ledger_days.c[name] + adding_days.excluded[name] for name in Sums._fields},
        )
        adding = insert(items)
        self.add_items = adding.on_conflict_do_update(
            index_elements=["conversation_id", "item_key"], set_={"item": adding.excluded.item}
        )


def _replacing(adding: Any, table: sa.Table) -> Any:
    """Insert, or replace the row of the same id, if it is the same owner's."""
    changed = {name: adding.excluded[name] for name in table.c.keys() if name not in {"id", "owner"}}  # noqa: SIM118
    replacing = adding.on_conflict_do_update(
        index_elements=["id"], set_=changed, where=table.c.owner == adding.excluded.owner
    )
    return replacing.execution_options(preserve_rowcount=True)  # 0 tells that it is another owner's
