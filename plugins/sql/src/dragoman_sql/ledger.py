"""The ledger, in SQL: entries, sums of them by day, and what both add up to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dragoman.spending import Day, Sums, Tally, day_of, sums_of
from dragoman.state import LedgerEntry
from dragoman_sql.execution import Statement
from dragoman_sql.schema import ledger, ledger_days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine.interfaces import DBAPICursor

    from dragoman.state import Spend
    from dragoman_sql.statements import Statements

__all__ = ["add_entry", "get_entry", "get_spend", "roll_up"]

_COLUMNS = {field.name: field.name for field in fields(LedgerEntry)} | {"user": "end_user"}
"""Names of an entry's fields -> those of the columns: "user" is a word of SQL."""
_VALUES = attrgetter(*_COLUMNS)
_OF_A_DAY = {name: _COLUMNS.get(name, name) for name in Day._fields}
_FAILED = sa.case((ledger.c.outcome == "failed", 1), else_=0)
_UNPRICED = sa.case((ledger.c.cost.is_(None), 1), else_=0)
_DAY = 86400
_PART = 10**9
"""Costs are added up in two parts, so that no sum is too large for a database's numbers."""


def add_entry(cursor: DBAPICursor, statements: Statements, entry: LedgerEntry) -> bool:
    """Append an entry; tell whether it is new."""
    row = dict(zip(_COLUMNS.values(), _VALUES(entry), strict=True))
    return statements.add_entry.execute(cursor, {**row, "day": entry.day}) > 0


def get_entry(cursor: DBAPICursor, statements: Statements, entry_id: str) -> LedgerEntry | None:
    """Return an entry; None where there is none any more."""
    rows = statements.get_entry.fetch_named(cursor, {"id_": entry_id})
    return _entry(rows[0]) if rows else None


def get_spend(
    cursor: DBAPICursor,
    statements: Statements,
    by: Sequence[str],
    *,
    since: float | None,
    until: float | None,
    where: Mapping[str, str],
) -> Sequence[Spend]:
    """Return what calls took together."""
    wanted = dict.fromkeys("tags" if name == "tag" else name for name in (*by, *where))
    both = sa.union_all(
        *(
            _in_period(_chosen(table, wanted, where), at, since, until)
            for table, at in ((ledger, ledger.c.at), (ledger_days, ledger_days.c.day * _DAY))
        )
    ).subquery()
    groups = [both.c[_OF_A_DAY[name]] for name in wanted]
    sums = [sa.func.sum(both.c[name]) for name in Sums._fields[:-1]]
    parts = (sa.func.sum(both.c.cost // _PART), sa.func.sum(both.c.cost % _PART))
    anything = sa.func.count() > 0  # without groups there is a row even of nothing
    statement = sa.select(*groups, *sums, *parts).group_by(*groups).having(anything)
    tally = Tally(by, where)
    for values in Statement(statement, statements.dialect).fetch(cursor):
        *figures, high, low = map(int, values[len(groups) :])
        tally.add(dict(zip(wanted, values, strict=False)), Sums._make((*figures, high * _PART + low)))
    return tally.rows()


def roll_up(cursor: DBAPICursor, statements: Statements, before: float, most: int) -> int:
    """Make sums by day of the oldest entries."""
    old = statements.get_oldest_entries.fetch_named(cursor, {"before_": before, "most_": most})
    days: dict[Day, Sums] = {}
    for row in old:
        entry = _entry(row)
        day, sums = day_of(entry), sums_of(entry)
        days[day] = days[day].plus(sums) if day in days else sums
    rows = [
        {
            "key": _key(day),
            **{_OF_A_DAY[name]: value for name, value in day._asdict().items()},
            **sums._asdict(),
        }
        for day, sums in days.items()
    ]
    if rows:
        # In one order, so that two processes that do this at once don't wait for each other in a circle.
        statements.add_days.execute_all(cursor, sorted(rows, key=lambda row: row["key"]))
        statements.delete_entry.execute_all(cursor, [{"id_": row["id"]} for row in old])
    return len(old)


def _chosen(table: sa.Table, wanted: Mapping[str, None], where: Mapping[str, str]) -> sa.Select[Any]:
    """Return the rows of a table that count, with what they are grouped by and what is added up."""
    figures: dict[str, sa.ColumnElement[Any]] = dict(table.c.items())
    if table is ledger:
        cost = sa.func.coalesce(ledger.c.cost, 0)
        figures |= {"calls": sa.literal(1), "failed": _FAILED, "unpriced": _UNPRICED, "cost": cost}
    chosen = sa.select(
        *(table.c[_OF_A_DAY[name]] for name in wanted),
        *(figures[name].label(name) for name in Sums._fields),
    )
    for name, value in where.items():
        if name != "tag":  # the Tally tells tags apart
            chosen = chosen.where(table.c[_OF_A_DAY[name]] == value)
    return chosen


def _in_period(
    chosen: sa.Select[Any], at: sa.ColumnElement[Any], since: float | None, until: float | None
) -> sa.Select[Any]:
    if since is not None:
        chosen = chosen.where(at >= since)
    return chosen if until is None else chosen.where(at < until)


def _entry(row: Mapping[str, Any]) -> LedgerEntry:
    made = {name: row[column] for name, column in _COLUMNS.items()}
    return LedgerEntry(**{**made, "tags": tuple(made["tags"])})


def _key(day: Day) -> str:
    return hashlib.sha256(json.dumps(day).encode()).hexdigest()
