"""The arithmetic: counts times prices, each token once.

Counts are inclusive, so a token that has a finer price (read from a cache, sound) is taken out of the coarser
count. genai-prices does the same and checks its data every time, which takes 90 µs; this takes 10, and the
tests hold it to the same sums.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_prices.data_units import unit_data
from genai_prices.types import TieredPrices

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Amounts", "Prices", "amounts_of", "has_unit"]

Prices = dict[str, Decimal | TieredPrices]
"""Prices by genai-prices' keys: ``input_mtok`` (USD per million tokens), ``web_searches_kcount`` ..."""

_UNITS: dict[str, tuple[str, dict[str, Any]]] = {
    unit["price_key"]: (usage_key, unit) for usage_key, unit in unit_data.items()
}
_EACH_REQUEST = "requests"


class Amounts(NamedTuple):
    """What is to be paid, in USD."""

    input: Decimal
    output: Decimal
    others: Decimal
    """What is paid by the call and not by the token."""


class _Line(NamedTuple):
    key: str
    usage_key: str
    per: Decimal
    direction: str | None
    finer: tuple[int, ...]
    """The lines before this one whose counts are part of its own."""


def has_unit(key: str) -> bool:
    """Tell whether there is a unit of this price key."""
    return key in _UNITS


def amounts_of(prices: Prices, counts: Mapping[str, int]) -> Amounts:
    """Return what `counts` cost.

    Raises:
        ValueError: the counts contradict each other: a part is more than the whole.
    """
    sums = {"input": Decimal(0), "output": Decimal(0), None: Decimal(0)}
    left: list[int] = []
    for line in _plan(tuple(prices)):
        rest = count = 1 if line.usage_key == _EACH_REQUEST else counts.get(line.usage_key, 0)
        for place in line.finer:
            rest -= left[place]
        if rest < 0:
            raise ValueError(f"{line.usage_key} is {count}, and its parts are {count - rest}")
        left.append(rest)
        if rest:
            price = prices[line.key]
            if isinstance(price, TieredPrices):
                price = _tier(price, counts.get("input_tokens", 0))
            sums[line.direction] += price * rest / line.per
    return Amounts(sums["input"], sums["output"], sums[None])


def _tier(price: TieredPrices, input_tokens: int) -> Decimal:
    """Return the price of all tokens of an answer: it goes by the size of the whole input."""
    for tier in reversed(price.tiers):
        if input_tokens > tier.start:
            return tier.price
    return price.base


@lru_cache(maxsize=256)
def _plan(keys: tuple[str, ...]) -> tuple[_Line, ...]:
    """Return the units of these prices, the finest first."""
    units = [(key, *_UNITS[key]) for key in keys]
    units.sort(key=lambda unit: (-len(unit[2]["dimensions"]), unit[1]))
    lines: list[_Line] = []
    for key, usage_key, unit in units:
        dimensions = unit["dimensions"].items()
        finer = tuple(
            place
            for place, line in enumerate(lines)
            if dimensions <= _UNITS[line.key][1]["dimensions"].items()
        )
        direction = unit["dimensions"].get("direction")
        lines.append(_Line(key, usage_key, Decimal(unit["per"]), direction, finer))
    return tuple(lines)
