"""Strategies: which of a group's deployments is taken, of those that can be had.

A strategy gives each deployment a score, the lowest wins, and says from how many that is found. A plugin
adds one under a name of its own, as an entry point in the group ``dragoman.strategies``: a callable that
takes the routing_strategy_args and returns a ``Strategy``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dragoman import discovery
from dragoman.errors import BadRequestError
from dragoman.routing.checks import nearest, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman.routing.loads import Load

__all__ = ["Strategy", "strategy_of"]

_UNKNOWN_COST = 1.0  # USD for a token: a deployment without a price is taken when all others are out
_FADING = 60.0  # seconds after which a latency counts half


class Strategy(Protocol):
    """How one of several deployments is taken."""

    @property
    def drawn(self) -> int | None:
        """How many are drawn by weight, the lowest score of them wins; None: all are looked at, and weight
        decides between equal scores."""

    def score(self, load: Load, now: float) -> float:
        """Return a deployment's score: the lower the better."""


@dataclass(frozen=True, slots=True)
class _Scored:
    score: Callable[[Load, float], float]
    drawn: int | None = None


def _work(load: Load, now: float) -> float:  # noqa: ARG001 - the protocol
    return load.in_flight


def _work_by_weight(load: Load, now: float) -> float:  # noqa: ARG001
    return load.in_flight / load.weight if load.weight else load.in_flight


def _tokens(load: Load, now: float) -> float:
    return load.tokens.read(now)


def _cost(load: Load, now: float) -> float:  # noqa: ARG001
    told = load.deployment.prices
    prices = (told.get("input_cost_per_token"), told.get("output_cost_per_token"))
    return _UNKNOWN_COST if prices == (None, None) else sum(price or 0.0 for price in prices)


def _latency(arguments: Mapping[str, Any]) -> Strategy:
    fading = number("routing_strategy_args.ttl", arguments.get("ttl", _FADING)) or _FADING
    # Work in flight counts too: else all would go to the fastest until it is the slowest.
    return _Scored(lambda load, now: load.latency(now, fading) * (load.in_flight + 1))


_BUILT_IN: dict[str, Callable[[Mapping[str, Any]], Strategy]] = {
    "simple-shuffle": lambda _: _Scored(_work_by_weight, drawn=2),
    "least-busy": lambda _: _Scored(_work),
    "latency-based-routing": _latency,
    "usage-based-routing": lambda _: _Scored(_tokens),
    "usage-based-routing-v2": lambda _: _Scored(_tokens),
    "cost-based-routing": lambda _: _Scored(_cost),
}


def strategy_of(name: str, arguments: Mapping[str, Any]) -> Strategy:
    """Return the strategy of a name.

    Raises:
        BadRequestError: there is none.
        PluginError: the plugin that has it cannot be loaded.
    """
    make = _BUILT_IN.get(name)
    if make is None:
        found = discovery.load(discovery.STRATEGIES, name)
        if found is None:
            known = [*_BUILT_IN, *discovery.names(discovery.STRATEGIES)]
            hint = nearest(name, known)
            hint = hint and f"{hint} "
            raise BadRequestError(
                f"routing_strategy {name!r} is not known; {hint}there are {', '.join(known)}",
                param="routing_strategy",
                code="unknown_setting",
            )
        make, _ = found
    return make(arguments)
