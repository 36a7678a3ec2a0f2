"""Sums over the ledger: by what calls are told apart, and how stores add them up.

A store that cannot group by itself makes a ``Tally`` of its entries; one that can, of the groups that its
database returns, because tags are told apart here alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dragoman.errors import BadRequestError
from dragoman.state import Spend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.state import LedgerEntry, Transaction

__all__ = ["FILTERS", "GROUPS", "Day", "Sums", "Tally", "day_of", "spend", "sums_of"]

FILTERS = ("owner", "user", "asked", "provider", "model", "tag")
"""What calls can be chosen by."""
GROUPS = (*FILTERS, "day")
"""What calls can be told apart by."""


class Day(NamedTuple):
    """What the calls of a row of daily sums have in common."""

    day: int
    """Counted from 1970-01-01, in UTC."""
    owner: str
    user: str
    asked: str
    provider: str
    model: str
    tags: tuple[str, ...]


class Sums(NamedTuple):
    """What they took, in the order of ``Spend``."""

    calls: int
    failed: int
    unpriced: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: int

    def plus(self, other: Sums) -> Sums:
        """Return both together."""
        return Sums(*map(int.__add__, self, other))


def day_of(entry: LedgerEntry) -> Day:
    """Return the daily sums that an entry belongs to."""
    return Day(entry.day, entry.owner, entry.user, entry.asked, entry.provider, entry.model, entry.tags)


def sums_of(entry: LedgerEntry) -> Sums:
    """Return what a single entry adds."""
    return Sums(
        1,
        int(entry.outcome == "failed"),
        int(entry.cost is None),
        entry.input_tokens,
        entry.cached_tokens,
        entry.output_tokens,
        entry.reasoning_tokens,
        entry.cost or 0,
    )


class Tally:
    """Adds rows up, by what is asked for."""

    def __init__(self, by: Sequence[str], where: Mapping[str, str] | None) -> None:
        """Begin with nothing.

        Args:
            by: names of ``GROUPS``.
            where: values that rows must have, by names of ``FILTERS``.
        """
        self._by = tuple(dict.fromkeys(by))
        self._where = where or {}
        self._sums: dict[tuple[str, ...], Sums] = {}

    def add(self, day: Mapping[str, object], sums: Sums) -> None:
        """Add a row.

        Args:
            day: the fields of a ``Day`` that are asked for, or chosen by.
            sums: of its calls.
        """
        tags: Sequence[str] = day.get("tags") or ("",)  # type: ignore[assignment]
        for name, value in self._where.items():
            if value not in tags if name == "tag" else day[name] != value:
                return
        for tag in tags if "tag" in self._by else ("",):
            group = tuple(_shown(name, tag if name == "tag" else day[name]) for name in self._by)
            known = self._sums.get(group)
            self._sums[group] = sums if known is None else known.plus(sums)

    def rows(self) -> list[Spend]:
        """Return the sums, in the order of their groups."""
        return [
            Spend(of=dict(zip(self._by, group, strict=True)), **sums._asdict())
            for group, sums in sorted(self._sums.items())
        ]


def _shown(name: str, value: object) -> str:
    if name == "day" and isinstance(value, int):
        return datetime.fromtimestamp(value * 86400, UTC).date().isoformat()
    return str(value)


def spend(
    transaction: Transaction,
    *,
    by: Sequence[str],
    since: float | None,
    until: float | None,
    where: Mapping[str, str],
) -> Sequence[Spend]:
    """Return what calls took (see ``Transaction.get_spend``).

    Raises:
        BadRequestError: an unknown name; `param` is "by", or the filter.
    """
    for name in by:
        if name not in GROUPS:
            raise BadRequestError(
                f"spend cannot be told by {name!r}; there is: {', '.join(GROUPS)}", param="by"
            )
    for name in where:
        if name not in FILTERS:
            raise BadRequestError(
                f"calls cannot be chosen by {name!r}; there is: {', '.join(FILTERS)}", param=name
            )
    return transaction.get_spend(by=by, since=since, until=until, where=where)
