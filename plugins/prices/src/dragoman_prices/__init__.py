"""What an answer costs, on the price data of genai-prices: offline, exact, and never a guess.

The hook of the group ``dragoman.plugins`` is here; what it needs (0.3 s of imports) is loaded when the first
answer is priced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.hookspecs import hookimpl

if TYPE_CHECKING:
    from dragoman.costs import Cost, Use

__all__ = ["price"]


@hookimpl
def price(use: Use) -> Cost | None:
    """Return what an answer costs; None where neither the deployment nor genai-prices has a price."""
    from dragoman_prices.pricing import price_use  # noqa: PLC0415

    return price_use(use)
