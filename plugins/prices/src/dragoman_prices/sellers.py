"""Who sells what: from dragoman's model prefixes, and their names of models, to those of genai-prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from genai_prices.data_snapshot import get_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

    from dragoman.costs import Use

__all__ = ["FREE", "Listing", "find_listing", "is_free", "seller_of"]

FREE = frozenset({"echo"})
"""Prefixes behind which nobody is paid."""

_SELLERS = {
    "openai": "openai",
    "azure": "azure",
    "azure_ai": "azure",
    "anthropic": "anthropic",
    "bedrock": "aws",
    "gemini": "google",
    "vertex_ai": "google",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "xai": "x-ai",
    "together_ai": "together",
    "together": "together",
    "fireworks_ai": "fireworks",
    "fireworks": "fireworks",
    "cerebras": "cerebras",
    "perplexity": "perplexity",
    "moonshot": "moonshotai",
    "zai": "zai",
}
"""Model prefix -> genai-prices' provider. Whoever is not here is known by the address that is called."""
_LAST_SEGMENT = frozenset({"aws", "google"})
"""Sellers whose models have no slash: what stands before it is a route, a publisher or the head of an ARN."""
_VIA_HUGGING_FACE = "huggingface"
_ROUTERS = frozenset({"openrouter"})
"""Sellers that may answer with quite another model than was asked: what answered is what is paid."""


class Listing(NamedTuple):
    """A model in the price list."""

    seller: Provider
    model: ModelInfo

    @property
    def own(self) -> bool:
        """Whether the seller lists it, rather than the maker whose model it resells."""
        return any(model is self.model for model in self.seller.models)


_misses: tuple[DataSnapshot | None, set[tuple[str, str]]] = (None, set())
"""Names that a snapshot does not have: to find that out takes 0.2 ms, and it is asked for every answer."""
_MOST_MISSES = 1000


def is_free(listing: Listing | None) -> bool:
    """Tell whether nothing is paid for a model: the name says so, and there is no price."""
    return listing is not None and listing.model.id.endswith(":free")


def seller_of(use: Use) -> str | None:
    """Return genai-prices' name of who is paid for a use; None where it knows nobody behind it."""
    seller = _SELLERS.get(use.provider)
    if seller is None and use.api_base:
        found = _at(use.api_base)
        seller = found.id if found else None
    return seller


def find_listing(use: Use, base_model: str | None) -> Listing | None:
    """Return the price list's entry of the model that answered; None where there is none.

    `base_model` comes first, where the deployment has one; then the model that answered; then the one that
    was asked, which may be a name that stays when versions go.
    """
    for seller, model in _candidates(use, base_model):
        found = _find(seller, model)
        if found is not None:
            return found
    return None


def _candidates(use: Use, base_model: str | None) -> Iterator[tuple[str, str]]:
    seller = seller_of(use)
    if base_model:
        prefix, slash, rest = base_model.partition("/")
        if slash and prefix in _SELLERS:
            yield _SELLERS[prefix], rest
        if seller:
            yield seller, base_model
    for model in (use.model, None if seller in _ROUTERS else use.asked):
        if model and use.provider == _VIA_HUGGING_FACE:
            name, colon, host = model.rpartition(":")
            if colon:
                yield f"{_VIA_HUGGING_FACE}_{host}", name
        elif model and seller:
            yield seller, model


def _find(seller: str, model: str) -> Listing | None:
    global _misses  # noqa: PLW0603
    snapshot = get_snapshot()
    known, missing = _misses
    if known is not snapshot or len(missing) > _MOST_MISSES:
        _misses = (snapshot, missing := set())
    if (seller, model) in missing:
        return None
    name = model.rpartition("/")[2] if seller in _LAST_SEGMENT else model
    try:
        return Listing(*snapshot.find_provider_model(name, None, seller, None))
    except LookupError:
        missing.add((seller, model))
        return None


def _at(address: str) -> Provider | None:
    try:
        return get_snapshot().find_provider(None, None, address)
    except LookupError:
        return None
