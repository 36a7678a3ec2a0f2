"""What an answer costs: what is to be priced, what comes of it, and who is asked.

Core knows no price. A plugin of the group ``dragoman.plugins`` does, by its hook ``price`` (see
``dragoman.pluginspecs``). Money is `Decimal` throughout: sums of many small amounts stay exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError, PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.hookspecs import Target
    from dragoman.models import Response

__all__ = ["Cost", "Use", "cost", "price_of", "sum_of", "use_of"]

_NONE: Mapping[str, Any] = MappingProxyType({})
_MAPPINGS = (dict, Mapping)  # the commonest first: an abstract class takes eight times as long to ask
_HOSTED = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
}
"""Items of tools that a provider runs, and charges for -> what `Use.tool_calls` counts them as."""
_REGIONS = ("region", "region_name", "location")
_REGION_ENDINGS = tuple(f"_{name}" for name in _REGIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What is to be paid for: one answer of one model."""

    provider: str
    """The model prefix that was called."""
    model: str
    """The upstream's model that answered; the one that was asked where the upstream names none."""
    asked: str | None = None
    """The upstream's model that was asked: an alias, a deployment's name."""
    api_base: str | None = None
    """The address that was called, where the provider's settings hold one."""
    service_tier: str | None = None
    """The tier that the answer was served in."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """The response's `usage`: counts are inclusive, cached and written tokens are part of the input,
    reasoning is part of the output."""
    details: Mapping[str, int] = field(default_factory=dict)
    """Finer counts, inclusive too, for which the standard's `usage` has no place (``response.dragoman
    .usage_details``): ``cache_write_1h_tokens``, ``input_audio_tokens``, ``output_image_tokens`` ..."""
    tool_calls: Mapping[str, int] = field(default_factory=dict)
    """Calls of hosted tools by kind: web_search, web_search_queries, file_search, code_interpreter,
    image_generation, and what else the upstream has counted."""
    batch: bool = False
    """Whether it was part of a batch, which most providers sell for half the price."""
    region: str | None = None
    """The region that was called, where the provider's settings hold one."""
    prices: Mapping[str, Any] | None = None
    """The prices of this deployment (USD per token, by LiteLLM's names) and its `base_model`, by a config."""
    at: datetime | None = None
    """When: prices change; None: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an answer costs."""

    total: Decimal
    currency: str = "USD"
    input: Decimal | None = None
    """The part of the input tokens, cached and written ones included; None where it is not known."""
    output: Decimal | None = None
    """The part of the output tokens, reasoning included."""
    tools: Decimal | None = None
    """The part of hosted tools, and of fees for each request."""
    source: str = ""
    """Whose prices these are."""
    warnings: tuple[str, ...] = ()
    """What is not in the total, or only about right."""

    def as_json(self) -> dict[str, Any]:
        """Return the cost as JSON, amounts as decimal strings: ``{"total": "0.01065", ...}``.

        Strings, because a JSON number is read as a binary fraction almost everywhere: 0.1 is none, and a
        ledger of a million of them no longer adds up. ``Decimal(cost["total"])`` is exact, and
        ``float(cost["total"])`` is there for those who only want to look.
        """
        amounts = {"total": self.total, "input": self.input, "output": self.output, "tools": self.tools}
        told: dict[str, Any] = {name: _plain(amount) for name, amount in amounts.items()}
        told |= {"currency": self.currency, "source": self.source}
        return {**told, "warnings": list(self.warnings)} if self.warnings else told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Cost:
        """Return the cost that ``as_json`` has told."""
        return cls(
            total=Decimal(str(told["total"])),
            currency=told.get("currency") or "USD",
            source=told.get("source") or "",
            warnings=tuple(told.get("warnings") or ()),
            **{name: _amount(told.get(name)) for name in ("input", "output", "tools")},
        )


def _plain(amount: Decimal | None) -> str | None:
    if amount is None:
        return None
    text = format(amount, "f")  # never with an exponent
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(told: Any) -> Decimal | None:
    return None if told is None else Decimal(str(told))


def use_of(
    response: Mapping[str, Any],
    provider: str | None = None,
    target: Target | None = None,
    *,
    prices: Mapping[str, Any] | None = None,
    batch: bool = False,
) -> Use:
    """Return what is to be paid for a response, finished or cut.

    Args:
        response: the response as a dict; its `dragoman` tells provider and model where nothing else does.
        provider: the model prefix that was called.
        target: where the call went.
        prices: the deployment's own prices and its `base_model`, from a config.
        batch: whether it was part of a batch.

    Raises:
        BadRequestError: nothing says which provider answered.
    """
    added = _mapping(response.get("dragoman"))
    provider = provider or (target.provider if target else None) or added.get("provider")
    if not provider:
        raise BadRequestError(
            "this response does not say which provider answered: give provider=, the prefix of its model",
            param="provider",
        )
    asked = (target.model if target else None) or added.get("model")
    settings = target.settings if target else _NONE
    created = response.get("created_at")
    return Use(
        provider=provider,
        model=str(response.get("model") or asked or ""),
        asked=asked,
        api_base=settings.get("api_base"),
        service_tier=response.get("service_tier"),
        usage=_mapping(response.get("usage")),
        details=_mapping(added.get("usage_details")),
        tool_calls=_tool_calls(response),
        batch=batch,
        region=_region(settings),
        prices=prices,
        at=datetime.fromtimestamp(created, UTC) if isinstance(created, int | float) and created else None,
    )


def price_of(use: Use) -> tuple[Cost | None, tuple[str, ...]]:
    """Return the cost of a use, None where nobody knows it, and what the caller should be told of it.

    Nothing that a plugin raises comes through. Where no plugin prices at all, there is nothing to tell.
    """
    from dragoman.plugins import plugins  # noqa: PLC0415  (imports pluggy, and then every plugin)

    installed = plugins()
    found: Cost | None = installed.first("price", use=use) if use.usage else None
    if found is not None:
        return found, found.warnings
    if not installed.has("price"):
        return None, ()
    if not use.usage:
        return None, (f"{use.provider} did not say what was used, so the cost is not known",)
    return None, (
        f"what {use.provider}/{use.model} costs is not known; in a config, base_model names the model whose "
        "prices count, or input_cost_per_token and output_cost_per_token are the prices",
    )


def sum_of(costs: Sequence[Cost | None]) -> Cost | None:
    """Return what several answers cost together; None where that is not known of one of them."""
    known = [one for one in costs if one is not None]
    if len(known) < len(costs) or len({one.currency for one in known}) != 1:
        return None
    if len(known) == 1:
        return known[0]
    parts: dict[str, list[Decimal | None]] = {
        name: [getattr(one, name) for one in known] for name in ("input", "output", "tools")
    }
    return Cost(
        total=sum((one.total for one in known), Decimal(0)),
        currency=known[0].currency,
        source=" + ".join(dict.fromkeys(one.source for one in known)),
        warnings=tuple(dict.fromkeys(warning for one in known for warning in one.warnings)),
        **{
            name: None if None in amounts else sum((one for one in amounts if one is not None), Decimal(0))
            for name, amounts in parts.items()
        },
    )


def cost(
    response: Response | Mapping[str, Any],
    *,
    provider: str | None = None,
    prices: Mapping[str, Any] | None = None,
) -> Cost | None:
    """Return what a response has cost; None where nobody knows.

    What was noted when it was made counts, at the prices of that day; where nothing was, it is worked out.

    Args:
        response: a response: just made, retrieved, or read from a file as a dict.
        provider: the model prefix that was called, for a response that does not say it in its `dragoman`.
        prices: own prices, in USD per token (``{"input_cost_per_token": 3e-6, ...}``); what was noted does
            not count then.

    Raises:
        BadRequestError: nothing says which provider answered.
        PluginError: nothing that knows prices is installed.
    """
    told = response if isinstance(response, Mapping) else response.to_dict()
    noted = _mapping(told.get("dragoman")).get("cost")
    if prices is None and isinstance(noted, Mapping):
        return Cost.from_json(noted)
    from dragoman.plugins import plugins  # noqa: PLC0415

    if not plugins().has("price"):
        raise PluginError("nothing that knows prices is installed: pip install dragoman-prices")
    return price_of(use_of(told, provider, prices=prices))[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, _MAPPINGS) else _NONE


def _region(settings: Mapping[str, Any]) -> str | None:
    """Return the region among a provider's settings: each calls it something else."""
    for name, value in settings.items():
        if isinstance(value, str) and (name in _REGIONS or name.endswith(_REGION_ENDINGS)):
            return value
    return None


def _tool_calls(response: Mapping[str, Any]) -> dict[str, int]:
    """Count the calls of hosted tools: by the upstream's own count where it gives one, else by items."""
    counts: dict[str, int] = {}
    for item in response.get("output") or ():
        kind = _HOSTED.get(str(item.get("type"))) if isinstance(item, _MAPPINGS) else None
        if kind is None or item.get("status") == "failed":
            continue
        if kind == "web_search":
            action = _mapping(item.get("action"))
            if action.get("type", "search") != "search":
                continue  # reading a page that was found is no search
            queries = action.get("queries")
            _add(counts, "web_search_queries", len(queries) if isinstance(queries, list) and queries else 1)
        _add(counts, kind, 1)
    for kind, told in _mapping(response.get("tool_usage")).items():
        number = _mapping(told).get("num_requests")
        if isinstance(number, int) and number > 0:
            counts[kind] = number
    return counts


def _add(counts: dict[str, int], kind: str, number: int) -> None:
    counts[kind] = counts.get(kind, 0) + number
