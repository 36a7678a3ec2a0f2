"""The tables, as the newest migration leaves them, and how Python's values stand in them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import sqlalchemy as sa
from pydantic_core import PydanticSerializationError, from_json, to_json

__all__ = [
    "accounts",
    "conversations",
    "events",
    "holders",
    "holds",
    "item_key",
    "items",
    "keys",
    "ledger",
    "ledger_days",
    "metadata",
    "responses",
]

_LONGEST_KEY = 200
_UNSTORABLE = re.compile('^"|[\0\ud800-\udfff]')


class _JSON(sa.types.TypeDecorator[Any]):
    """JSON in a text column. The databases' own types refuse NUL, reorder keys or round numbers."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:  # noqa: ARG002
        try:
            return to_json(value).decode()
        except PydanticSerializationError:  # halves of surrogate pairs, which no UTF-8 can hold
            return json.dumps(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002
        try:
            return from_json(value)
        except ValueError:  # the same, on its way back
            return json.loads(value)


class _Name(sa.types.TypeDecorator[str]):
    """An id or an owner, as it is; as a JSON string where it holds what a text column cannot.

    Whoever asks for ``resp_\\0`` is thus told that there is none, not that the database broke.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        if value is None or (value.isprintable() and not value.startswith('"')):
            return value  # at once: what is printable holds nothing of the kind
        return json.dumps(value) if _UNSTORABLE.search(value) else value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return json.loads(value) if value is not None and value.startswith('"') else value


def item_key(item_id: str) -> str:
    """Return what stands for an item's id in an index: callers choose these ids, and indexes have a limit."""
    if len(item_id) <= _LONGEST_KEY:
        return item_id
    return "sha256:" + hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).hexdigest()


metadata = sa.MetaData()

responses = sa.Table(
    "dragoman_responses",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("owner", _Name, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("previous_response_id", _Name),
    sa.Column("conversation_id", _Name),
    sa.Column("unfinished", sa.Boolean, nullable=False),
    sa.Column("expires_at", sa.Double),
    sa.Column("lease_until", sa.Double),
    sa.Column("input", _JSON, nullable=False),
    sa.Column("response", _JSON, nullable=False),
    sa.Column("begins_anew", sa.Boolean, nullable=False),
)
sa.Index("dragoman_responses_expires", responses.c.expires_at)
sa.Index(
    "dragoman_responses_unfinished",
    responses.c.created_at,
    sqlite_where=sa.text("unfinished"),
    postgresql_where=sa.text("unfinished"),
)

events = sa.Table(
    "dragoman_events",
    metadata,
    sa.Column(
        "response_id", _Name, sa.ForeignKey("dragoman_responses.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("sequence_number", sa.BigInteger, primary_key=True),
    sa.Column("event", _JSON, nullable=False),
)

holders = sa.Table(
    "dragoman_holders",
    metadata,
    sa.Column("item_key", _Name, primary_key=True),
    sa.Column(
        "response_id", _Name, sa.ForeignKey("dragoman_responses.id", ondelete="CASCADE"), primary_key=True
    ),
)
"""Which responses have an item; some had it before they were replaced."""
sa.Index("dragoman_holders_response", holders.c.response_id)

conversations = sa.Table(
    "dragoman_conversations",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("owner", _Name, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("metadata", _JSON, nullable=False),
)

items = sa.Table(
    "dragoman_items",
    metadata,
    sa.Column(
        "conversation_id",
        _Name,
        sa.ForeignKey("dragoman_conversations.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("item_key", _Name, nullable=False),
    sa.Column("item", _JSON, nullable=False),
    sa.UniqueConstraint("conversation_id", "item_key"),
)
sa.Index("dragoman_items_key", items.c.item_key)

_TAKEN = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")

ledger = sa.Table(
    "dragoman_ledger",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("day", sa.BigInteger, nullable=False),
    sa.Column("owner", _Name, nullable=False),
    sa.Column("end_user", _Name, nullable=False),
    sa.Column("asked", _Name, nullable=False),
    sa.Column("provider", _Name, nullable=False),
    sa.Column("model", _Name, nullable=False),
    sa.Column("tags", _JSON, nullable=False),
    sa.Column("conversation", _Name),
    sa.Column("outcome", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in _TAKEN),
    sa.Column("cost", sa.BigInteger),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("duration", sa.Double, nullable=False),
)
"""What each call took; `day` is that of `at`."""
sa.Index("dragoman_ledger_at", ledger.c.at)
sa.Index("dragoman_ledger_owner", ledger.c.owner, ledger.c.at)

ledger_days = sa.Table(
    "dragoman_ledger_days",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("day", sa.BigInteger, nullable=False),
    sa.Column("owner", _Name, nullable=False),
    sa.Column("end_user", _Name, nullable=False),
    sa.Column("asked", _Name, nullable=False),
    sa.Column("provider", _Name, nullable=False),
    sa.Column("model", _Name, nullable=False),
    sa.Column("tags", _JSON, nullable=False),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("failed", sa.BigInteger, nullable=False),
    sa.Column("unpriced", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in _TAKEN),
    sa.Column("cost", sa.BigInteger, nullable=False),
)
"""What the calls of a day took together that are alike otherwise; `key` is a digest of how."""
sa.Index("dragoman_ledger_days_day", ledger_days.c.day)

keys = sa.Table(
    "dragoman_keys",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("digest", _Name, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("terms", _JSON, nullable=False),
)

accounts = sa.Table(
    "dragoman_accounts",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
)

holds = sa.Table(
    "dragoman_holds",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("account", _Name, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("lease_until", sa.Double, nullable=False),
)
sa.Index("dragoman_holds_lease", holds.c.lease_until)
