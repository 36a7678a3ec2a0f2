"""What it costs to choose among deployments: the choice alone, and all that routing does for a call."""

from __future__ import annotations

import statistics
import time
from types import SimpleNamespace
from typing import Any

from dragoman.routing import Deployment, Fleet, RouteOptions, RoutingSettings

SIZES = (1, 10, 1000)
STRATEGIES = (
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "usage-based-routing",
    "cost-based-routing",
)
CALLS = 2000
ROUNDS = 7
IN_FLIGHT = 50


def fleet_of(size: int, strategy: str, *, out: float = 0.0) -> Fleet:
    deployments = [
        Deployment(
            id=f"d{number}",
            name="m",
            model=f"toy/m{number}",
            weight=1 + number % 3,
            rpm=10**9,
            prices={"input_cost_per_token": number * 1e-6},
        )
        for number in range(size)
    ]
    fleet = Fleet(deployments, RoutingSettings(strategy=strategy))
    for number in range(int(size * out)):
        load = fleet.load(f"d{number}")
        if load is not None:
            load.breaker.open_until(fleet.clock() + 1e6)
    return fleet


def microseconds(fleet: Fleet, options: RouteOptions) -> tuple[float, float]:
    """Return what a choice costs, and a call from its plan to its end."""
    call: Any = SimpleNamespace()
    usage = {"total_tokens": 100}
    clock = time.perf_counter
    running = [fleet.journey("m", lambda _deployment, _model: call) for _ in range(IN_FLIGHT)]
    for journey in running:
        journey.next()
    (pool,) = fleet.group("m").pools()
    start = clock()
    for _ in range(CALLS):
        pool.choose(fleet.clock(), sticky=options.sticky)
    chosen = clock() - start
    start = clock()
    for number in range(CALLS):
        journey = fleet.journey("m", lambda _deployment, _model: call, options=options)
        journey.next()
        place = number % IN_FLIGHT
        running[place].succeeded(usage)
        running[place] = journey
    return chosen / CALLS * 1e6, (clock() - start) / CALLS * 1e6


def main() -> None:
    print(f"{'':42} {'a choice':>12} {'a call':>12}   (µs, medians)")
    cases = [(strategy, size, 0.0, RouteOptions()) for strategy in STRATEGIES for size in SIZES]
    cases += [("simple-shuffle", 1000, out, RouteOptions()) for out in (0.5, 0.99)]
    cases += [("simple-shuffle", size, 0.0, RouteOptions(sticky="a key")) for size in (10, 1000)]
    for strategy, size, out, options in cases:
        fleet = fleet_of(size, strategy, out=out)
        rounds = [microseconds(fleet, options) for _ in range(ROUNDS)]
        choosing, whole = (statistics.median(values) for values in zip(*rounds, strict=True))
        name = (
            f"{strategy}, {size}"
            + (f", {out:.0%} out" if out else "")
            + (", sticky" if options.sticky else "")
        )
        print(f"{name:42} {choosing:12.1f} {whole:12.1f}")


if __name__ == "__main__":
    main()
