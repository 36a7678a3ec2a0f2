"""The price of a use: the deployment's own prices over those of the list, times what was used."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import genai_prices
from genai_prices.data_snapshot import get_snapshot

from dragoman.costs import Cost
from dragoman_prices.deployments import own_prices
from dragoman_prices.rates import Tariff, has_unit
from dragoman_prices.sellers import FREE, find_listing, is_free, seller_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

    tariff: Tariff
    source: str
    warnings: tuple[str, ...]
    seller: str
    """Who is paid, as genai-prices calls them."""
    free: bool = False
    """Whether the model is given away."""


class _Known(NamedTuple):
    """Terms that were worked out, and what they rest on beside the key that they are found under."""

    terms: _Terms | None
    snapshot: object
    own: Mapping[str, Any] | None
    said: dict[str, Any]
    """What `own` held then."""


_known: dict[tuple[object, ...], _Known] = {}
_MOST_KNOWN = 512
_MINUTE = 60  # seconds: prices change with the hour of the day at some sellers, never faster


def price_use(use: Use) -> Cost | None:
    """Return what a use costs; None where there is no price for it."""
    if use.provider in FREE and not use.prices:
        return Cost(
            total=Decimal(0), input=Decimal(0), output=Decimal(0), tools=Decimal(0), source="runs here, free"
        )
    terms = _known_terms(use)
    if terms is None:
        return None
    warnings = [*terms.warnings]
    tools = _tool_counts(use, terms, warnings) if use.tool_calls else {}
    counts = _token_counts(use.usage)
    if not terms.free and not _covers(terms.tariff.prices, counts):
        return None
    amounts = _amounts(terms, {**counts, **tools} if tools else counts, use.details, warnings)
    return Cost(
        total=amounts.input + amounts.output + amounts.others,
        input=amounts.input,
        output=amounts.output,
        tools=amounts.others,
        source=terms.source,
        warnings=tuple(warnings),
    )


# ---- prices ---------------------------------------------------------------------------------------------


def _known_terms(use: Use) -> _Terms | None:
    """Return the prices that count for a use: worked out once a minute for all uses like it."""
    at, own, snapshot = use.at or datetime.now(UTC), use.prices, get_snapshot()
    key = (
        use.provider, use.model, use.asked, use.api_base, use.service_tier, use.batch, use.region, id(own),
        at.timestamp() // _MINUTE,
    )  # fmt: skip
    known = _known.get(key)
    # An own mapping is held here, so that no other can have its place in memory; it may have changed.
    if known is None or known.snapshot is not snapshot or (own is not None and known.said != own):
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = _known[key] = _Known(_terms(use, at), snapshot, own, dict(own or {}))
    return known.terms


def _terms(use: Use, at: datetime) -> _Terms | None:
    tier = None if use.service_tier in _STANDARD_TIERS else use.service_tier
    own = own_prices(use.prices or {}, "batches" if use.batch else tier)
    listing = find_listing(use, own.base_model)
    if listing is None:
        if not own.prices:
            return None
        return _Terms(Tariff(own.prices), "own prices", own.warnings, seller_of(use) or use.provider)
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
    listed = listing.model.get_prices(at, context if listing.own else None)
    source = f"genai-prices {genai_prices.__version__}: {listing.seller.id}/{listing.model.id}"
    prices: dict[str, Any] = {
        key: price for key, price in vars(listed).items() if price is not None and has_unit(key)
    }
    return _Terms(
        Tariff({**prices, **own.prices}),
        f"own prices over {source}" if own.prices else source,
        tuple(warnings),
        seller_of(use) or use.provider,
        free=is_free(listing),
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
    return ("input_mtok" in prices or not counts["input_tokens"]) and (
        "output_mtok" in prices or not counts["output_tokens"]
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


def _tool_counts(use: Use, terms: _Terms, warnings: list[str]) -> dict[str, int]:
    """Return the calls of hosted tools that have a price; warn of those that have none."""
    counts: dict[str, int] = {}
    seller = terms.seller
    for kind, calls in use.tool_calls.items():
        unit = _TOOLS.get(kind)
        if not calls or kind in _NAMELESS or kind in _IN_THE_TOKENS.get(seller, ()):
            continue
        if unit is None or f"{unit}_kcount" not in terms.tariff.prices:
            warnings.append(f"the fee for {kind} ({calls}) is not known and not in the total")
            continue
        if seller == "google" and kind == "web_search":
            by_request = use.model.rpartition("/")[2].startswith(_SEARCHES_BY_REQUEST)
            calls = 1 if by_request else use.tool_calls.get("web_search_queries", calls)  # noqa: PLW2901
        counts[unit] = calls
    return counts


def _amounts(
    terms: _Terms, counts: dict[str, int], details: Mapping[str, int], warnings: list[str]
) -> Amounts:
    if not details:
        return terms.tariff.amounts_of(counts)
    try:
        return terms.tariff.amounts_of({**counts, **details})
    except ValueError as problem:
        warnings.append(f"the finer counts are left out, they contradict each other: {problem}")
        return terms.tariff.amounts_of(counts)
