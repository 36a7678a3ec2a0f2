"""Spans of time as people write them in budgets and expiries: ``90m``, ``30d``, ``month``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["MONTH", "PERIOD", "Window", "seconds_of", "window_at"]

MONTH = "month"
"""The period that is a calendar month, in UTC."""
PERIOD = r"[1-9][0-9]{0,3}[smhdw]"
"""Every other one: a number and a unit (a regular expression)."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Window(NamedTuple):
    """One of the spans that a period cuts time into, in Unix time."""

    start: float
    end: float


def seconds_of(period: str) -> float | None:
    """Return how long a period is; None where it reads like none, or is a month."""
    if not re.fullmatch(PERIOD, period):
        return None
    return float(int(period[:-1]) * _UNITS[period[-1]])


def window_at(period: str, since: float, now: float) -> Window:
    """Return the window that a moment is in.

    Args:
        period: ``month``, or as ``PERIOD`` says.
        since: where the first window begins; months begin on their first day, in UTC.
        now: the moment.
    """
    if period == MONTH:
        first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return Window(first.timestamp(), after.timestamp())
    span = seconds_of(period)
    if span is None:
        raise ValueError(f"{period!r} is no period")
    start = since + (now - since) // span * span
    return Window(start, start + span)
