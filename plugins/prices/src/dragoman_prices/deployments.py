"""The prices that a config gives a deployment, by the names that LiteLLM has for them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_prices.types import Tier, TieredPrices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_prices.rates import Prices

__all__ = ["OwnPrices", "own_prices"]

_MILLION = Decimal(1_000_000)
_THOUSAND = Decimal(1000)
_TOKENS = {
    "input_cost_per_token": "input_mtok",
    "output_cost_per_token": "output_mtok",
    "cache_read_input_token_cost": "cache_read_mtok",
    "input_cost_per_token_cache_hit": "cache_read_mtok",
    "cache_creation_input_token_cost": "cache_write_mtok",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_mtok",
    "output_cost_per_reasoning_token": "output_reasoning_mtok",
    "input_cost_per_audio_token": "input_audio_mtok",
    "output_cost_per_audio_token": "output_audio_mtok",
    "cache_read_input_audio_token_cost": "cache_audio_read_mtok",
    "input_cost_per_image_token": "input_image_mtok",
    "output_cost_per_image_token": "output_image_mtok",
}
"""USD per token."""
_CALLS = {
    "search_context_cost_per_query": ("web_searches_kcount", _THOUSAND),
    "file_search_cost_per_1k_calls": ("storage_searches_kcount", Decimal(1)),
    "code_interpreter_cost_per_session": ("code_executions_kcount", _THOUSAND),
    "input_cost_per_query": ("requests_kcount", _THOUSAND),
}
"""USD per call, and what makes it USD per thousand."""
_NAME = re.compile(
    r"(?P<price>.+?)(?:_above_(?P<size>\d+)k_tokens)?(?:_(?P<tier>priority|flex|batches|ultrafast|balanced|decisions))?"
)
_IS_PRICE = re.compile(r"cost|tiered_pricing|uplift")
_SEARCH_SIZES = ("search_context_size_medium", "search_context_size_low", "search_context_size_high")


class OwnPrices(NamedTuple):
    """What a deployment's config says about its price."""

    prices: Prices
    base_model: str | None
    """The model whose listed prices count, where the deployment's own name says nothing."""
    for_tier: bool
    """Whether some of the prices are those of the very tier."""
    warnings: tuple[str, ...]


def own_prices(said: Mapping[str, Any], tier: str | None) -> OwnPrices:
    """Return the prices in `said`; of those for a service tier (or "batches") only those of `tier`."""
    bases: dict[str, Decimal] = {}
    of_tier: dict[str, Decimal] = {}
    sizes: dict[str, dict[int, Decimal]] = {}
    sizes_of_tier: dict[str, dict[int, Decimal]] = {}
    unused: list[str] = []
    for name, value in said.items():
        if value is None or not _IS_PRICE.search(name) or name == "tiered_pricing":
            continue
        parts = _NAME.fullmatch(name)
        unit = _unit(parts["price"], value) if parts else None
        if parts is None or unit is None:
            unused.append(name)
            continue
        if parts["tier"] not in {None, tier}:
            continue
        key, price = unit
        if parts["size"]:
            steps = (sizes_of_tier if parts["tier"] else sizes).setdefault(key, {})
            steps[int(parts["size"]) * 1000] = price
        else:
            (of_tier if parts["tier"] else bases)[key] = price
    prices: Prices = {}
    for key, base in {**bases, **of_tier}.items():
        steps = sizes_of_tier.get(key, {}) if key in of_tier else sizes.get(key, {})
        prices[key] = _stepped(base, steps) if steps else base
    prices |= _tiered(said.get("tiered_pricing"))
    warnings = tuple(
        f"{name} is not counted: nothing in an answer says how often it is due" for name in unused
    )
    base_model = said.get("base_model")
    return OwnPrices(prices, str(base_model) if base_model else None, bool(of_tier), warnings)


def _unit(name: str, value: Any) -> tuple[str, Decimal] | None:
    """Return the price key and the price that a setting gives; None where it is of another kind."""
    if name in _TOKENS:
        amount = _decimal(value)
        return None if amount is None else (_TOKENS[name], amount * _MILLION)
    if name in _CALLS:
        if hasattr(value, "get"):  # searches have a price for each size of context; few say which they take
            value = next((value[size] for size in _SEARCH_SIZES if size in value), None)
        amount, (key, times) = _decimal(value), _CALLS[name]
        return None if amount is None else (key, amount * times)
    return None


def _decimal(value: Any) -> Decimal | None:
    """Return a number as it was written: 3e-06 is 0.000003, and not the binary fraction beside it."""
    if isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _stepped(base: Decimal, steps: Mapping[int, Decimal]) -> TieredPrices:
    return TieredPrices(base=base, tiers=[Tier(start, price) for start, price in sorted(steps.items())])


def _tiered(said: Any) -> Prices:
    """Return the prices of ``tiered_pricing``: ``[{"range": [0, 32000], "input_cost_per_token": ...}]``."""
    steps: dict[str, dict[int, Decimal]] = {}
    for entry in said if isinstance(said, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("range"), list) or not entry["range"]:
            continue
        start = _decimal(entry["range"][0])
        for name, key in _TOKENS.items():
            amount = _decimal(entry.get(name))
            if amount is not None and start is not None:
                steps.setdefault(key, {})[int(start)] = amount * _MILLION
    return {
        key: _stepped(of_size[min(of_size)], {start: of_size[start] for start in sorted(of_size)[1:]})
        for key, of_size in steps.items()
    }
