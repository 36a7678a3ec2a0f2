"""What an answer costs, on the price data of genai-prices: offline, exact, and never a guess.

The hooks of the group ``dragoman.plugins`` are here; what they need is loaded by ``load``, else when the
first answer is priced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.hookspecs import hookimpl

if TYPE_CHECKING:
    from dragoman.costs import Cost, Use

__all__ = ["load", "price"]


@hookimpl
def load() -> None:
    """Load genai-prices and its list: 0.1 s, and 0.5 s where Python writes no bytecode."""
    from dragoman.costs import Use  # noqa: PLC0415
    from dragoman_prices.pricing import price_use  # noqa: PLC0415

    price_use(Use(provider="openai", model="gpt-5", usage={"input_tokens": 1}))


@hookimpl
def price(use: Use) -> Cost | None:
    """Return what an answer costs; None where neither the deployment nor genai-prices has a price."""
    from dragoman_prices.pricing import price_use  # noqa: PLC0415

    return price_use(use)
