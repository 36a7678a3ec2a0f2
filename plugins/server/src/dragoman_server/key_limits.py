"""What keys may do in a minute, and at once: counted over any 60 seconds, in each process by itself."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from dragoman.errors import RateLimitError
from dragoman.routing.meters import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_server.keys import Key

__all__ = ["KeyLimitError", "KeyLimits", "Place"]

_SWEPT_EVERY = 60.0  # seconds


class KeyLimitError(RateLimitError):
    """429: a key may not do that now. `headers` tell how it stands."""

    headers: tuple[tuple[bytes, bytes], ...] = ()


class _Counts:
    """What a key has done lately."""

    __slots__ = ("parallel", "requests", "tokens")

    def __init__(self) -> None:
        self.requests = Meter()
        self.tokens = Meter()
        self.parallel = 0


class Place:
    """A call's place among those of its key: taken until ``leave``."""

    __slots__ = ("_counts", "_limits", "_since", "_tokens", "headers")

    def __init__(
        self, limits: KeyLimits, counts: _Counts, tokens: int, headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self.headers = headers
        """How the key stands, in OpenAI's headers."""
        self._limits = limits
        self._counts: _Counts | None = counts
        self._since = limits.clock()
        self._tokens = tokens

    def leave(self, tokens: int | None = None) -> None:
        """Give the place back, once; `tokens` are those that the call took, None: as many as was thought."""
        counts, self._counts = self._counts, None
        if counts is not None:
            counts.parallel -= 1
            if tokens is not None:
                counts.tokens.correct(self._since, self._limits.clock(), tokens - self._tokens)


class KeyLimits:
    """The limits of all keys, as one process knows them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing counted; `clock` tells seconds."""
        self.clock = clock
        self._counts: dict[str, _Counts] = {}
        self._swept = clock()

    def enter(self, key: Key, tokens: int) -> Place | None:
        """Take a place for a call; None where the key has no limits.

        Args:
            key: whose call it is.
            tokens: about how many it will take, input and answer.

        Raises:
            KeyLimitError: there is no room; `retry_after` says when there will be, if nothing else comes.
        """
        if key.rpm is None and key.tpm is None and key.max_parallel_requests is None:
            return None
        now = self.clock()
        self._sweep(now)
        counts = self._counts.setdefault(key.id, _Counts())
        refusal = _refusal(key, counts, tokens, now)
        if refusal is not None:
            refusal.headers = _headers(key, counts, now)
            raise refusal
        counts.requests.add(now, 1)
        counts.tokens.add(now, tokens)
        counts.parallel += 1
        return Place(self, counts, tokens, _headers(key, counts, now))

    def _sweep(self, now: float) -> None:
        """Forget keys that do nothing, now and then."""
        if now - self._swept < _SWEPT_EVERY:
            return
        self._swept = now
        for key_id, counts in list(self._counts.items()):
            if not (counts.parallel or counts.requests.read(now) or counts.tokens.read(now)):
                del self._counts[key_id]


def _refusal(key: Key, counts: _Counts, tokens: int, now: float) -> KeyLimitError | None:
    if key.tpm is not None and tokens > key.tpm:
        return KeyLimitError(
            f"This request needs about {tokens} tokens, and its key may have {key.tpm} in a minute: make it "
            "shorter, or max_output_tokens less.",
            code="rate_limit_exceeded",
            type="tokens",
            retryable=False,
        )
    if key.rpm is not None and counts.requests.read(now) >= key.rpm:
        return _until(
            counts.requests.room_at(now, key.rpm, 1) - now, "requests", f"{key.rpm} requests in a minute"
        )
    if key.tpm is not None and counts.tokens.read(now) + tokens > key.tpm:
        return _until(
            counts.tokens.room_at(now, key.tpm, tokens) - now,
            "tokens",
            f"{key.tpm} tokens in a minute, and this request needs about {tokens}",
        )
    most = key.max_parallel_requests
    if most is not None and counts.parallel >= most:
        return KeyLimitError(
            f"This key may have {most} requests at once, and that many are under way: wait for one of them.",
            code="rate_limit_exceeded",
            type="requests",
            retry_after=1.0,  # nobody knows when one ends
        )
    return None


def _until(wait: float, kind: str, limit: str) -> KeyLimitError:
    wait = max(math.ceil(wait), 1)
    return KeyLimitError(
        f"This key may have {limit}. There is room again in {wait} s.",
        code="rate_limit_exceeded",
        type=kind,
        retry_after=float(wait),
    )


def _headers(key: Key, counts: _Counts, now: float) -> tuple[tuple[bytes, bytes], ...]:
    """Return how a key stands; `reset` is when all of the limit is there again, if nothing else comes."""
    told: list[tuple[str, str]] = []
    for kind, limit, meter in (("requests", key.rpm, counts.requests), ("tokens", key.tpm, counts.tokens)):
        if limit is not None:
            left = max(0, math.floor(limit - meter.read(now)))
            reset = math.ceil(meter.room_at(now, limit, limit) - now)
            told += [
                (f"x-ratelimit-limit-{kind}", str(limit)),
                (f"x-ratelimit-remaining-{kind}", str(left)),
                (f"x-ratelimit-reset-{kind}", f"{reset // 60}m{reset % 60}s" if reset >= 60 else f"{reset}s"),
            ]
    return tuple((name.encode(), value.encode()) for name, value in told)
