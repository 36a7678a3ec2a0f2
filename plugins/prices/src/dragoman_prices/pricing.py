"""The price of a use: the deployment's own prices over those of the list, times what was used."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import genai_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice

from dragoman.costs import Cost
from dragoman_prices.deployments import own_prices
from dragoman_prices.rates import amounts_of, has_unit
from dragoman_prices.sellers import FREE, find_listing, is_free, seller_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from genai_prices.data_snapshot import DataSnapshot

    from dragoman.costs import Use
    from dragoman_prices.rates import Amounts, Prices
    from dragoman_prices.sellers import Listing

__all__ = ["price_use"]

_STANDARD_TIERS = frozenset({None, "", "auto", "default", "standard", "on_demand"})
_CONTEXTS = {"anthropic": {"fast": ("speed", "fast")}}
"""Seller -> tier -> how genai-prices calls it there; elsewhere it is ``service_tier``."""
_TOOLS = {
    "web_search": "web_searches",
    "file_search": "storage_searches",
    "code_interpreter": "code_executions",
}
"""Kinds of hosted tools -> genai-prices' units."""
_NAMELESS = frozenset({"web_search_queries", "web_fetch"})
"""Counts that are no fee of their own."""
_IN_THE_TOKENS = {
    "google": {"code_interpreter", "file_search", "image_generation"},
    "aws": {"image_generation"},
    "openrouter": {"image_generation"},
}
"""Seller -> tools that are paid with the tokens alone."""
_SEARCHES_BY_REQUEST = ("gemini-1", "gemini-2", "gemini-flash-1", "gemini-pro-1", "gemini-live-2")
"""Google takes its fee once for an answer that searched; from Gemini 3 on for each query."""


class _Terms(NamedTuple):
    """The prices that count, and what is to be said about them."""

    prices: Prices
    source: str
    warnings: list[str]
    free: bool = False
    """Whether the model is given away."""
    lasting: bool = False
    """Whether they hold at any hour and for every deployment: the same for the next answer."""


_known: dict[tuple[object, ...], _Terms] = {}
"""The terms of uses that only differ in their counts: to find them takes 40 µs."""
_known_of: DataSnapshot | None = None
_MOST_KNOWN = 1000


def price_use(use: Use) -> Cost | None:
    """Return what a use costs; None where there is no price for it."""
    if use.provider in FREE:
        return Cost(
            total=Decimal(0), input=Decimal(0), output=Decimal(0), tools=Decimal(0), source="runs here, free"
        )
    terms = _known_terms(use)
    if terms is None:
        return None
    tools = _tool_counts(use, terms)
    counts = _token_counts(use.usage)
    if not terms.free and not _covers(terms.prices, counts):
        return None
    amounts = _amounts(terms, {**counts, **tools}, use.details)
    return Cost(
        total=amounts.input + amounts.output + amounts.others,
        input=amounts.input,
        output=amounts.output,
        tools=amounts.others,
        source=terms.source,
        warnings=tuple(terms.warnings),
    )


# ---- prices ---------------------------------------------------------------------------------------------


def _known_terms(use: Use) -> _Terms | None:
    """Return the terms of a use, whose warnings may be added to."""
    global _known_of  # noqa: PLW0603
    if use.prices:
        return _terms(use)
    snapshot = get_snapshot()
    if snapshot is not _known_of or len(_known) >= _MOST_KNOWN:
        _known.clear()
        _known_of = snapshot
    key = (use.provider, use.model, use.asked, use.api_base, use.service_tier, use.batch, use.region)
    terms = _known.get(key)
    if terms is None:
        terms = _terms(use)
        if terms is None or not terms.lasting:
            return terms
        _known[key] = terms
    return terms._replace(warnings=[*terms.warnings])


def _terms(use: Use) -> _Terms | None:
    tier = None if use.service_tier in _STANDARD_TIERS else use.service_tier
    own = own_prices(use.prices or {}, "batches" if use.batch else tier)
    listing = find_listing(use, own.base_model)
    if listing is None:
        return _Terms(own.prices, "own prices", [*own.warnings]) if own.prices else None
    warnings = [*own.warnings]
    context = dict(_context(listing, tier, batch=use.batch))
    for name, value in context.items():
        if not own.for_tier and not _has_variant(listing, name, value):
            warnings.append(
                f"{listing.model.id} has no known price for {name} {value!r}: the standard one counts"
            )
    if listing.seller.id == "google" and listing.model.id.startswith("claude") and _is_regional(use.region):
        warnings.append(
            f"endpoints in a region such as {use.region} cost 10 % more than the global price here"
        )
    at = use.at or datetime.now(UTC)
    listed = listing.model.get_prices(at, context if listing.own else None)
    source = f"genai-prices {genai_prices.__version__}: {listing.seller.id}/{listing.model.id}"
    prices: dict[str, Any] = {
        key: price for key, price in vars(listed).items() if price is not None and has_unit(key)
    }
    return _Terms(
        {**prices, **own.prices},
        f"own prices over {source}" if own.prices else source,
        warnings,
        free=is_free(listing),
        lasting=isinstance(listing.model.prices, ModelPrice) and not context,
    )


def _context(listing: Listing, tier: str | None, *, batch: bool) -> Iterator[tuple[str, str]]:
    """Yield what a price may depend on beside the model, in genai-prices' words."""
    if tier is not None:
        yield _CONTEXTS.get(listing.seller.id, {}).get(tier, ("service_tier", tier))
    if batch:
        yield "processing", "batch"


def _has_variant(listing: Listing, name: str, value: str) -> bool:
    variants = listing.model.price_variants or () if listing.own else ()
    return any(variant.when.get(name) == value for variant in variants)


def _is_regional(region: str | None) -> bool:
    return region is not None and region != "global"


def _covers(prices: Prices, counts: Mapping[str, int]) -> bool:
    """Tell whether all tokens have a price: what has none is unknown, and not free."""
    return not any(
        counts[f"{direction}_tokens"] and f"{direction}_mtok" not in prices
        for direction in ("input", "output")
    )


# ---- counts ---------------------------------------------------------------------------------------------


def _token_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the tokens in genai-prices' words; figures that contradict each other are capped."""
    input_tokens, output_tokens = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    of_input, of_output = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    cached = min(_count(of_input, "cached_tokens"), input_tokens)
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": cached,
        "cache_write_tokens": min(_count(of_input, "cache_write_tokens"), input_tokens - cached),
        "output_reasoning_tokens": min(_count(of_output, "reasoning_tokens"), output_tokens),
    }


def _count(figures: Any, name: str) -> int:
    figure = figures.get(name) if hasattr(figures, "get") else None
    return figure if isinstance(figure, int) and figure > 0 else 0


def _tool_counts(use: Use, terms: _Terms) -> dict[str, int]:
    """Return the calls of hosted tools that have a price; warn of those that have none."""
    counts: dict[str, int] = {}
    seller = seller_of(use) or use.provider
    for kind, calls in use.tool_calls.items():
        unit = _TOOLS.get(kind)
        if not calls or kind in _NAMELESS or kind in _IN_THE_TOKENS.get(seller, ()):
            continue
        if unit is None or f"{unit}_kcount" not in terms.prices:
            terms.warnings.append(f"the fee for {kind} ({calls}) is not known and not in the total")
            continue
        if seller == "google" and kind == "web_search":
            by_request = use.model.rpartition("/")[2].startswith(_SEARCHES_BY_REQUEST)
            calls = 1 if by_request else use.tool_calls.get("web_search_queries", calls)  # noqa: PLW2901
        counts[unit] = calls
    return counts


def _amounts(terms: _Terms, counts: dict[str, int], details: Mapping[str, int]) -> Amounts:
    if not details:
        return amounts_of(terms.prices, counts)
    try:
        return amounts_of(terms.prices, {**counts, **details})
    except ValueError as problem:
        terms.warnings.append(f"the finer counts are left out, they contradict each other: {problem}")
        return amounts_of(terms.prices, counts)
