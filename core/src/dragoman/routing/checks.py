"""Values of settings, checked: each is returned as it is meant, or the error names the field."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["flag", "nearest", "number", "seconds", "section", "text", "texts", "whole", "wrong"]


def wrong(field: str, expected: str, value: object) -> BadRequestError:
    """Return the error for a value of the wrong kind."""
    shown = value if isinstance(value, str | int | float | bool) or value is None else type(value).__name__
    return BadRequestError(f"{field} must be {expected}, not {shown!r}", param=field, code="invalid_value")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that looks most alike; nothing where none does."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""


def number(field: str, value: object, *, least: float = 0.0, expected: str = "") -> float:
    """Return a number; digits in a text are one, as environment variables have them."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        found = float(value)
        if not (math.isfinite(found) and found >= least):
            raise ValueError
    except (TypeError, ValueError):
        raise wrong(field, expected or f"a number of at least {least:g}", value) from None
    return found


def seconds(field: str, value: object, *, otherwise: str = "") -> float:
    """Return a time of more than none; `otherwise` is what else there may be in its place."""
    expected = f"seconds, more than none{otherwise}"
    found = number(field, value, expected=expected)
    if not found:
        raise wrong(field, expected, value)
    return found


def whole(field: str, value: object, *, least: int = 0) -> int:
    """Return a whole number."""
    found = number(field, value, least=least)
    if not found.is_integer():
        raise wrong(field, "a whole number", value)
    return int(found)


def flag(field: str, value: object) -> bool:
    """Return true or false."""
    said = value.lower() if isinstance(value, str) else value
    if said in {"true", "false"}:
        return said == "true"
    if not isinstance(value, bool):
        raise wrong(field, "true or false", value)
    return value


def text(field: str, value: object) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(field, "a text", value)
    return value.strip()


def texts(field: str, value: object) -> tuple[str, ...]:
    """Return texts."""
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise wrong(field, "a list of texts", value)
    return tuple(text(f"{field}[{place}]", one) for place, one in enumerate(value))


def section(field: str, value: object) -> Mapping[str, Any]:
    """Return a mapping with texts as keys."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise wrong(field, "a mapping", value)
    return value
