"""``POST /responses/input_tokens``: the provider's own count, or an estimate that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.attempts.token_counts import count_tokens, estimate_tokens
from dragoman.canonical import canonical_input
from dragoman_server.errands import attended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.types import Item
    from dragoman_server.exchange import Exchange

__all__ = ["count", "estimate"]


async def count(exchange: Exchange) -> None:
    """``POST /responses/input_tokens``."""
    body = await exchange.body()
    service, driver = exchange.service, exchange.service.driver
    admission = service.admission(exchange.owner)
    counted: dict[str, Any] = {"object": "response.input_tokens"}
    with service.errand("input_tokens", body, admission) as errand:
        await admission.admit(errand.journey, errand.request, asks=False)
        exchange.standing = admission.headers
        try:
            async with attended(exchange, errand):
                recalled = await errand.recall(driver)
                count = await count_tokens(errand, recalled, driver)
        finally:
            await admission.leave({})
        if count is None:
            count = estimate(recalled.put_into(errand.journey.call.request), recalled.history)
            counted["estimated"] = True
    await exchange.answer({**counted, "input_tokens": count})


def estimate(request: Mapping[str, Any], history: Sequence[Item] = ()) -> int:
    """Return about how many tokens the input of a request has."""
    items = [*history, *canonical_input(request.get("input") or [])]
    return estimate_tokens(items, [request.get(name) for name in ("instructions", "tools", "text")])
