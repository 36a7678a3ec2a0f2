"""The arithmetic: counts times prices, each token once.

Counts are inclusive, so a token that has a finer price (read from a cache, sound) is taken out of the coarser
count. genai-prices does the same and checks its data every time, which takes 90 µs; this takes 5, and the
tests hold it to the same sums.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_prices.data_units import unit_data
from genai_prices.types import TieredPrices

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Amounts", "Prices", "Tariff", "has_unit"]

Prices = dict[str, Decimal | TieredPrices]
"""Prices by genai-prices' keys: ``input_mtok`` (USD per million tokens), ``web_searches_kcount`` ..."""

_UNITS: dict[str, tuple[str, dict[str, Any]]] = {
    unit["price_key"]: (usage_key, unit) for usage_key, unit in unit_data.items()
}
_EACH_REQUEST = "requests"
_INPUT, _OUTPUT, _OTHERS = range(3)
_DIRECTIONS = {"input": _INPUT, "output": _OUTPUT, None: _OTHERS}
_NOTHING = Decimal(0)


class Amounts(NamedTuple):
    """What is to be paid, in USD."""

    input: Decimal
    output: Decimal
    others: Decimal
    """What is paid by the call and not by the token."""


class _Line(NamedTuple):
    usage_key: str
    default: int
    """The count where nobody has counted."""
    price: Decimal | TieredPrices
    per: Decimal
    """How many the price is for."""
    direction: int
    finer: tuple[int, ...]
    """The lines before this one whose counts are part of its own."""


class Tariff:
    """Prices, laid out for the arithmetic."""

    def __init__(self, prices: Prices) -> None:
        """Lay them out, the finest first."""
        self.prices = prices
        units = [(key, *_UNITS[key]) for key in prices]
        units.sort(key=lambda unit: (-len(unit[2]["dimensions"]), unit[1]))
        self._lines: list[_Line] = []
        for place, (key, usage_key, unit) in enumerate(units):
            dimensions = unit["dimensions"]
            finer = (
                before
                for before, (_, _, known) in enumerate(units[:place])
                if dimensions.items() <= known["dimensions"].items()
            )
            self._lines.append(
                _Line(
                    usage_key,
                    default=int(usage_key == _EACH_REQUEST),
                    price=prices[key],
                    per=Decimal(unit["per"]),
                    direction=_DIRECTIONS[dimensions.get("direction")],
                    finer=tuple(finer),
                )
            )

    def amounts_of(self, counts: Mapping[str, int]) -> Amounts:
        """Return what `counts` cost.

        Raises:
            ValueError: the counts contradict each other: a part is more than the whole.
        """
        sums = [_NOTHING, _NOTHING, _NOTHING]
        left: list[int] = []
        for usage_key, default, price, per, direction, finer in self._lines:
            rest = count = counts.get(usage_key, default)
            for place in finer:
                rest -= left[place]
            if rest < 0:
                raise ValueError(f"{usage_key} is {count}, and its parts are {count - rest}")
            left.append(rest)
            if rest:
                if isinstance(price, TieredPrices):
                    price = _tier(price, counts.get("input_tokens", 0))  # noqa: PLW2901
                sums[direction] += price * rest / per
        return Amounts._make(sums)


def has_unit(key: str) -> bool:
    """Tell whether there is a unit of this price key."""
    return key in _UNITS


def _tier(price: TieredPrices, input_tokens: int) -> Decimal:
    """Return the price of all tokens of an answer: it goes by the size of the whole input."""
    for tier in reversed(price.tiers):
        if input_tokens > tier.start:
            return tier.price
    return price.base
