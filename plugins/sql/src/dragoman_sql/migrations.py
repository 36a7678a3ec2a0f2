"""How the tables came to be, step by step. A step that was released is never changed: a new one follows it.

Each step is SQL that SQLite and PostgreSQL both understand, and runs in a transaction of its own together
with the row that says so: a process that dies in the middle leaves the step before it. Processes that start
at once wait for each other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dragoman.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STEPS", "migrate"]

STEPS: tuple[tuple[str, ...], ...] = (
    (  # 1: 0.1.0
        """CREATE TABLE dragoman_responses (
            id TEXT NOT NULL PRIMARY KEY,
            owner TEXT NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            previous_response_id TEXT,
            conversation_id TEXT,
            unfinished BOOLEAN NOT NULL,
            expires_at DOUBLE PRECISION,
            lease_until DOUBLE PRECISION,
            input TEXT NOT NULL,
            response TEXT NOT NULL
        )""",
        "CREATE INDEX dragoman_responses_expires ON dragoman_responses (expires_at)",
        "CREATE INDEX dragoman_responses_unfinished ON dragoman_responses (created_at) WHERE unfinished",
        """CREATE TABLE dragoman_events (
            response_id TEXT NOT NULL,
            sequence_number BIGINT NOT NULL,
            event TEXT NOT NULL,
            PRIMARY KEY (response_id, sequence_number),
            FOREIGN KEY (response_id) REFERENCES dragoman_responses (id) ON DELETE CASCADE
        )""",
        """CREATE TABLE dragoman_conversations (
            id TEXT NOT NULL PRIMARY KEY,
            owner TEXT NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            metadata TEXT NOT NULL
        )""",
        """CREATE TABLE dragoman_items (
            conversation_id TEXT NOT NULL,
            position BIGINT NOT NULL,
            item_key TEXT NOT NULL,
            item TEXT NOT NULL,
            PRIMARY KEY (conversation_id, position),
            UNIQUE (conversation_id, item_key),
            FOREIGN KEY (conversation_id) REFERENCES dragoman_conversations (id) ON DELETE CASCADE
        )""",
    ),
    (  # 2: chains end where one begins anew; items are found by ids, but not those of responses from before
        "ALTER TABLE dragoman_responses ADD COLUMN begins_anew BOOLEAN NOT NULL DEFAULT FALSE",
        """CREATE TABLE dragoman_holders (
            item_key TEXT NOT NULL,
            response_id TEXT NOT NULL,
            PRIMARY KEY (item_key, response_id),
            FOREIGN KEY (response_id) REFERENCES dragoman_responses (id) ON DELETE CASCADE
        )""",
        # Or deleting a response would read through all that others have.
        "CREATE INDEX dragoman_holders_response ON dragoman_holders (response_id)",
        "CREATE INDEX dragoman_items_key ON dragoman_items (item_key)",
    ),
    (  # 3: what every call took, and sums of what older ones did
        """CREATE TABLE dragoman_ledger (
            id TEXT NOT NULL PRIMARY KEY,
            at DOUBLE PRECISION NOT NULL,
            day BIGINT NOT NULL,
            owner TEXT NOT NULL,
            end_user TEXT NOT NULL,
            asked TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            tags TEXT NOT NULL,
            conversation TEXT,
            outcome TEXT NOT NULL,
            input_tokens BIGINT NOT NULL,
            cached_tokens BIGINT NOT NULL,
            output_tokens BIGINT NOT NULL,
            reasoning_tokens BIGINT NOT NULL,
            cost BIGINT,
            attempts BIGINT NOT NULL,
            duration DOUBLE PRECISION NOT NULL
        )""",
        "CREATE INDEX dragoman_ledger_at ON dragoman_ledger (at)",
        "CREATE INDEX dragoman_ledger_owner ON dragoman_ledger (owner, at)",
        """CREATE TABLE dragoman_ledger_days (
            key TEXT NOT NULL PRIMARY KEY,
            day BIGINT NOT NULL,
            owner TEXT NOT NULL,
            end_user TEXT NOT NULL,
            asked TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            tags TEXT NOT NULL,
            calls BIGINT NOT NULL,
            failed BIGINT NOT NULL,
            unpriced BIGINT NOT NULL,
            input_tokens BIGINT NOT NULL,
            cached_tokens BIGINT NOT NULL,
            output_tokens BIGINT NOT NULL,
            reasoning_tokens BIGINT NOT NULL,
            cost BIGINT NOT NULL
        )""",
        "CREATE INDEX dragoman_ledger_days_day ON dragoman_ledger_days (day)",
    ),
    (  # 4: keys, and money that was spent or may be
        """CREATE TABLE dragoman_keys (
            id TEXT NOT NULL PRIMARY KEY,
            digest TEXT NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            terms TEXT NOT NULL
        )""",
        """CREATE TABLE dragoman_accounts (
            id TEXT NOT NULL PRIMARY KEY,
            spent BIGINT NOT NULL,
            held BIGINT NOT NULL
        )""",
        """CREATE TABLE dragoman_holds (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL,
            amount BIGINT NOT NULL,
            lease_until DOUBLE PRECISION NOT NULL
        )""",
        "CREATE INDEX dragoman_holds_lease ON dragoman_holds (lease_until)",
    ),
)

_HISTORY = sa.table("dragoman_schema", sa.column("version"), sa.column("applied_at"))
_LOCK = 0x647261676F6D616E  # "dragoman": the key of PostgreSQL's advisory lock


def migrate(engine: sa.Engine, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Bring a database to the newest version.

    Raises:
        PluginError: it is newer than these steps.
    """
    while True:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # SQLite has one writer anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            version = _version(connection)
            if version > len(steps):
                raise PluginError(
                    f"the database was made by a newer dragoman-sql (its tables are of version {version}, "
                    f"this one knows {len(steps)}): pip install --upgrade dragoman-sql"
                )
            if version == len(steps):
                return
            for statement in steps[version]:
                connection.exec_driver_sql(statement)
            connection.execute(sa.insert(_HISTORY).values(version=version + 1, applied_at=time.time()))


def _version(connection: sa.Connection) -> int:
    if not sa.inspect(connection).has_table(_HISTORY.name):
        connection.exec_driver_sql(
            "CREATE TABLE dragoman_schema "
            "(version INTEGER NOT NULL PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)"
        )
    version: int | None = connection.scalar(sa.select(sa.func.max(_HISTORY.c.version)))
    return version or 0
