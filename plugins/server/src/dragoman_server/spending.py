"""``GET /spend``: what calls have taken, from the ledger; ``dragoman spend`` asks and tells the same."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError, PermissionDeniedError
from dragoman.records.ledger import dollars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dragoman.state import Spend, Transaction
    from dragoman_server.exchange import Exchange

__all__ = ["CHOSEN_BY", "TOLD_BY", "Question", "answer", "read_question", "spend"]

CHOSEN_BY = {
    "key": "owner",
    "user": "user",
    "model": "model",
    "provider": "provider",
    "asked": "asked",
    "tag": "tag",
}
"""What calls can be chosen by, as people name it -> as the store does (see ``dragoman.spending``)."""
TOLD_BY = {**CHOSEN_BY, "day": "day"}
"""What calls can be told apart by."""
_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
_DAY = 86400
_AGO = re.compile(r"([0-9]{1,4})d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked."""

    by: tuple[str, ...] = ()
    """Names of ``TOLD_BY``."""
    since: date | None = None
    """The first day, in UTC."""
    until: date | None = None
    """The last day."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Names of ``CHOSEN_BY`` -> values."""


def read_question(
    by: Iterable[str], since: str | None, until: str | None, where: Mapping[str, str | None]
) -> Question:
    """Return what is asked in people's words.

    Args:
        by: names, also several with commas between them.
        since: the first day: ``2026-11-23``, or ``7d`` for seven days ago.
        until: the last day, likewise.
        where: values by names of ``CHOSEN_BY``; other names, and those without a value, mean nothing.

    Raises:
        BadRequestError: an unknown name, or no date; `param` names it.
    """
    names = tuple(dict.fromkeys(name.strip() for part in by for name in part.split(",") if name.strip()))
    for name in names:
        if name not in TOLD_BY:
            raise BadRequestError(f"by must be of {', '.join(TOLD_BY)}; not {name[:40]!r}", param="by")
    chosen = {name: value for name in CHOSEN_BY if (value := where.get(name)) is not None}
    return Question(by=names, since=_date("since", since), until=_date("until", until), where=chosen)


def answer(transaction: Transaction, question: Question) -> dict[str, Any]:
    """Return what a store's ledger says, as JSON; money as decimal strings, null where no price is known."""
    last = _begin(question.until)
    period: dict[str, Any] = {
        "since": _begin(question.since),
        "until": None if last is None else last + _DAY,
    }
    where = {CHOSEN_BY[name]: value for name, value in question.where.items()}
    rows = transaction.get_spend(by=[TOLD_BY[name] for name in question.by], where=where, **period)
    total = transaction.get_spend(where=where, **period)
    return {
        "object": "list",
        "by": question.by,
        "since": question.since and question.since.isoformat(),
        "until": question.until and question.until.isoformat(),
        "data": [_told(row, question.by) for row in rows],
        "total": _told(total[0], ()) if total else _NOTHING,
    }


async def spend(exchange: Exchange) -> None:
    """``GET /spend``; what others have spent is for the master key alone."""
    if not exchange.owner.admin:
        raise PermissionDeniedError(
            "What was spent is told to the master key alone.", code="master_key_needed"
        )
    query = exchange.query()
    question = read_question(exchange.query_list("by"), query.get("since"), query.get("until"), query)
    await exchange.answer(await exchange.service.operate(answer, question=question))


def _told(row: Spend, by: Sequence[str]) -> dict[str, Any]:
    known = row.unpriced < row.calls
    return {
        **{name: row.of[TOLD_BY[name]] for name in by},
        "calls": row.calls,
        "failed_calls": row.failed,
        "unpriced_calls": row.unpriced,
        **{name: getattr(row, name) for name in _TOKENS},
        "cost": _plain(row.cost) if known else None,
        "currency": "USD",
    }


_NOTHING = {
    **dict.fromkeys(("calls", "failed_calls", "unpriced_calls", *_TOKENS), 0),
    "cost": "0",
    "currency": "USD",
}


def _plain(cost: int) -> str:
    text = format(dollars(cost), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _date(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago:
        return datetime.fromtimestamp(time.time() - int(ago[1]) * _DAY, UTC).date()
    try:
        if len(text) == 10:  # the other forms of ISO 8601 are nobody's habit
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadRequestError(
        f"{name} must be a day such as 2026-11-23, or 7d for seven days ago; not {text[:40]!r}", param=name
    )


def _begin(day: date | None) -> float | None:
    """Return the Unix time at which a day begins, in UTC."""
    return None if day is None else float((day - _EPOCH).days * _DAY)


_EPOCH = date(1970, 1, 1)
