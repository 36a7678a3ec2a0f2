"""What an operator says about a new key: checked, and as it is kept."""

from __future__ import annotations

import re
import time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman_server.bodies import check_fields
from dragoman_server.keys import dollars, picodollars
from dragoman_server.periods import MONTH, PERIOD, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LAST_MOMENT", "MOST_DOLLARS", "read_amount", "read_terms"]

MOST_DOLLARS = 1_000_000
"""The largest budget."""
LAST_MOMENT = 253_402_300_799
"""The end of the year 9999, in Unix time."""
_LONGEST = 200  # characters of a name
_LARGEST = 10**12
_MOST_MODELS = 1000
_PAIRS, _LONGEST_NAME, _LONGEST_VALUE = 16, 64, 512
_AMOUNT = re.compile(r"[0-9]{1,7}(\.[0-9]{1,12})?")
_BUDGET = frozenset({"amount", "period", "unknown_prices"})


def read_terms(given: Mapping[str, Any], now: float | None = None) -> dict[str, Any]:
    """Return the terms of a key as they are kept: what is null, or was not said, is no limit.

    Args:
        given: name, models, expires_at or expires_in, rpm, tpm, max_parallel_requests, budget, metadata.
        now: Unix time from which on `expires_in` counts.

    Raises:
        BadRequestError: a term is wrong; `param` names it.
    """
    check_fields(given, frozenset(_TERMS) | {"expires_in"})
    terms = {
        name: _TERMS[name](name, value)
        for name, value in given.items()
        if value is not None and name in _TERMS
    }
    if given.get("expires_in") is not None:
        if "expires_at" in terms:
            raise _wrong("expires_in", "left out where there is expires_at", given["expires_in"])
        terms["expires_at"] = (time.time() if now is None else now) + _span("expires_in", given["expires_in"])
    return terms


def read_amount(field: str, value: object) -> str:
    """Return an amount of dollars, as it is kept: a number, or a decimal number in a text.

    Raises:
        BadRequestError: it is none, or too large.
    """
    text = value if isinstance(value, str) else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            text = format(Decimal(str(value or 0)), "f")  # -0.0 is 0
        except InvalidOperation:
            text = ""
        if "." in text:  # beyond a picodollar nothing is counted
            text = text[: text.index(".") + 13]
    if not _AMOUNT.fullmatch(text) or Decimal(text) > MOST_DOLLARS:
        raise _wrong(field, f"dollars, a number from 0 to {MOST_DOLLARS}", value)
    return dollars(picodollars(text))


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise _wrong(field, f"a text of 1 to {_LONGEST} characters", value)
    return value


def _models(field: str, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _MOST_MODELS:
        raise _wrong(field, f"a list of at most {_MOST_MODELS} models", value)
    for place, name in enumerate(value):
        _text(f"{field}[{place}]", name)
        if name.count("*") > 1:
            raise _wrong(f"{field}[{place}]", "a model, or a pattern with one *", name)
    return value


def _moment(field: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():  # 3.0 is an integer in JSON Schema
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LAST_MOMENT:
        raise _wrong(field, "a moment in Unix time, in whole seconds", value)
    return value


def _count(field: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
        raise _wrong(field, "a whole number of at least 1", value)
    return value


def _span(field: str, value: object) -> float:
    span = seconds_of(value) if isinstance(value, str) else None
    if span is None:
        raise _wrong(field, "a span of time such as 90m, 12h or 30d", value)
    return span


def _budget(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(field, 'an object such as {"amount": 5, "period": "30d"}', value)
    check_fields(value, _BUDGET)
    if value.get("amount") is None:
        raise BadRequestError(f"{field}.amount is missing: dollars.", param=f"{field}.amount", code="missing")
    period, unknown = value.get("period"), value.get("unknown_prices")
    if (
        period is not None
        and period != MONTH
        and (not isinstance(period, str) or not re.fullmatch(PERIOD, period))
    ):
        raise _wrong(f"{field}.period", "null (for ever), month, or a span such as 1d, 7d, 30d", period)
    if unknown is not None and not isinstance(unknown, bool):
        raise _wrong(f"{field}.unknown_prices", "true or false", unknown)
    return {
        "amount": read_amount(f"{field}.amount", value["amount"]),
        "period": period,
        "unknown_prices": bool(unknown),
    }


def _metadata(field: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _PAIRS:
        raise _wrong(field, f"an object with at most {_PAIRS} texts", value)
    for name, text in value.items():
        if len(name) > _LONGEST_NAME or not isinstance(text, str) or len(text) > _LONGEST_VALUE:
            raise _wrong(
                f"{field}.{name[:80]}",
                f"a text of at most {_LONGEST_VALUE} characters, under a name of at most {_LONGEST_NAME}",
                text,
            )
    return value


_TERMS: dict[str, Callable[[str, object], Any]] = {
    "name": _text,
    "models": _models,
    "expires_at": _moment,
    "rpm": _count,
    "tpm": _count,
    "max_parallel_requests": _count,
    "budget": _budget,
    "metadata": _metadata,
}


def _wrong(field: str, expected: str, value: object) -> BadRequestError:
    shown = repr(value)[:80] if isinstance(value, str | int | float) else type(value).__name__
    return BadRequestError(f"{field} must be {expected}, not {shown}.", param=field, code="invalid_value")
