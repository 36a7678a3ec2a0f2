"""What is known of one deployment: work in flight, the last minute, latency, its circuit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dragoman.routing.breakers import Breaker
from dragoman.routing.meters import Meter

if TYPE_CHECKING:
    from dragoman.routing.deployments import Deployment
    from dragoman.routing.pools import Pool

__all__ = ["Load"]

_NEWEST = 0.3  # how much the newest latency counts beside those just before it
_FORGOTTEN = 60.0  # seconds after which those count half


class Load:
    """One deployment's load. Changed only under the fleet's lock."""

    __slots__ = (
        "_latency",
        "_measured",
        "breaker",
        "deployment",
        "in_flight",
        "pools",
        "requests",
        "tokens",
        "weight",
    )

    def __init__(self, deployment: Deployment, weight: float = 1.0) -> None:
        self.deployment = deployment
        self.weight = weight
        self.in_flight = 0
        self.requests = Meter()
        self.tokens = Meter()
        self.breaker = Breaker()
        self.pools: list[tuple[Pool, int]] = []
        """The pools it is in, and its place there: they hear of every change."""
        self._latency: float | None = None
        self._measured = 0.0

    # ---- limits

    def blocked_until(self, now: float, tokens: int = 0, *, lone: bool = False) -> float | None:
        """Return when a call may be sent here.

        None is now; infinity is when a call that runs has ended.

        Args:
            now: the time.
            tokens: how many the call will need.
            lone: whether there is no other place to go: then the circuit keeps nobody out.
        """
        return self._circuit(now, lone=lone) or self.limited_until(now, tokens)

    def limited_until(self, now: float, tokens: int = 0) -> float | None:
        """Return the same of the operator's limits alone."""
        deployment = self.deployment
        most = deployment.max_parallel_requests
        if most is not None and self.in_flight >= most:
            return math.inf
        later = None
        if deployment.rpm is not None and self.requests.read(now) + 1 > deployment.rpm:
            later = self.requests.room_at(now, deployment.rpm, 1)
        if deployment.tpm is not None:
            # A call that is larger than the whole limit goes when nothing else does.
            needed = min(max(tokens, 1), deployment.tpm)
            if self.tokens.read(now) + needed > deployment.tpm:
                later = max(later or 0.0, self.tokens.room_at(now, deployment.tpm, needed))
        return later

    def _circuit(self, now: float, *, lone: bool) -> float | None:
        return None if lone or not self.breaker.open else self.breaker.blocked_until(now)

    # ---- calls

    def enter(self, now: float, tokens: int, *, lone: bool = False) -> bool:
        """Count a call that is about to be sent; tell whether it is the circuit's probe."""
        self.in_flight += 1
        self.requests.add(now, 1)
        self.tokens.add(now, tokens)
        probe = not lone and self.breaker.enter()
        self.changed(now)
        return probe

    def leave(self, now: float) -> None:
        """Count a call that has ended; what came of it is told to the breaker before."""
        self.in_flight -= 1
        self.changed(now)

    def measure(self, now: float, seconds: float) -> None:
        """Take the latency of an answer."""
        before = seconds if self._latency is None else self._latency
        kept = (1 - _NEWEST) * math.exp2((self._measured - now) / _FORGOTTEN)
        self._latency = seconds + kept * (before - seconds)
        self._measured = now

    def latency(self, now: float, half_life: float = math.inf) -> float:
        """Return the recent latency in seconds; 0 where nothing is known.

        It fades, so that a deployment that was slow once is looked at again.
        """
        if self._latency is None:
            return 0.0
        return self._latency * math.exp2((self._measured - now) / half_life)

    def changed(self, now: float) -> None:
        """Tell the pools."""
        for pool, place in self.pools:
            pool.changed(place, now)
