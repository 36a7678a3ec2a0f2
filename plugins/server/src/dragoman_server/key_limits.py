"""What keys may do in a minute, and at once: counted over any 60 seconds, by all workers together."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from dragoman.errors import RateLimitError
from dragoman_server.shared_counts import SharedCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_server.keys import Key
    from dragoman_server.shared_counts import Slot

__all__ = ["KeyLimitError", "KeyLimits", "Place"]


class KeyLimitError(RateLimitError):
    """429: a key may not do that now. `headers` tell how it stands."""

    headers: tuple[tuple[bytes, bytes], ...] = ()


class Place:
    """A call's place among those of its key: taken until ``leave``."""

    __slots__ = ("_key_id", "_limits", "_since", "_tokens", "headers")

    def __init__(
        self, limits: KeyLimits, key_id: str, tokens: int, headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self.headers = headers
        """How the key stands, in OpenAI's headers."""
        self._limits = limits
        self._key_id: str | None = key_id
        self._since = limits.clock()
        self._tokens = tokens

    def leave(self, tokens: int | None = None) -> None:
        """Give the place back, once; `tokens` are those that the call took, None: as many as was thought."""
        key_id, self._key_id = self._key_id, None
        if key_id is not None:
            more = 0 if tokens is None else tokens - self._tokens
            self._limits.leave(key_id, self._since, more)


class KeyLimits:
    """The limits of all keys, as the processes know them that share its counts."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, counts: SharedCounts | None = None
    ) -> None:
        """Begin with nothing counted.

        Args:
            clock: tells seconds; the same in all processes.
            counts: what workers share; None: this process counts for itself.
        """
        self.clock = clock
        self.counts = SharedCounts(shared=False) if counts is None else counts

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
        with self.counts.locked():
            slot = self.counts.slot(key.id, now)
            if slot is None:
                raise _too_many_keys()
            refusal = _refusal(key, slot, tokens, now)
            if refusal is None:
                slot.requests.add(now, 1)
                slot.tokens.add(now, tokens)
                slot.begin()
            headers = _headers(key, slot, now)
        if refusal is not None:
            refusal.headers = headers
            raise refusal
        return Place(self, key.id, tokens, headers)

    def leave(self, key_id: str, since: float, more: int) -> None:
        """End a call that began at `since`, and took so many more tokens than was thought."""
        now = self.clock()
        with self.counts.locked():
            slot = self.counts.slot(key_id, now)
            if slot is not None:
                slot.end()
                slot.tokens.correct(since, now, more)


def _refusal(key: Key, slot: Slot, tokens: int, now: float) -> KeyLimitError | None:
    if key.tpm is not None and tokens > key.tpm:
        return KeyLimitError(
            f"This request needs about {tokens} tokens, and its key may have {key.tpm} in a minute: make it "
            "shorter, or max_output_tokens less.",
            code="rate_limit_exceeded",
            type="tokens",
            retryable=False,
        )
    waits: list[tuple[float, str, str]] = []
    if key.rpm is not None and slot.requests.read(now) >= key.rpm:
        wait = slot.requests.room_at(now, key.rpm, 1) - now
        waits.append((wait, "requests", f"{key.rpm} requests in a minute"))
    if key.tpm is not None and slot.tokens.read(now) + tokens > key.tpm:
        wait = slot.tokens.room_at(now, key.tpm, tokens) - now
        limit = f"{key.tpm} tokens in a minute, and this request needs about {tokens}"
        waits.append((wait, "tokens", limit))
    if waits:
        return _until(*max(waits))
    most = key.max_parallel_requests
    if most is not None and slot.parallel >= most:
        return KeyLimitError(
            f"This key may have {most} requests at once, and that many are under way: wait for one of them.",
            code="rate_limit_exceeded",
            type="requests",
            retry_after=1.0,  # nobody knows when one ends
        )
    return None


def _too_many_keys() -> KeyLimitError:
    return KeyLimitError(
        "More keys are at work than this server can count: try again soon.",
        code="rate_limit_exceeded",
        type="requests",
        retry_after=5.0,
    )


def _until(wait: float, kind: str, limit: str) -> KeyLimitError:
    wait = max(math.ceil(wait), 1)
    return KeyLimitError(
        f"This key may have {limit}. There is room again in {wait} s.",
        code="rate_limit_exceeded",
        type=kind,
        retry_after=float(wait),
    )


def _headers(key: Key, slot: Slot, now: float) -> tuple[tuple[bytes, bytes], ...]:
    """Return how a key stands; `reset` is when all of the limit is there again, if nothing else comes."""
    told: list[tuple[str, str]] = []
    for kind, limit, meter in (("requests", key.rpm, slot.requests), ("tokens", key.tpm, slot.tokens)):
        if limit is not None:
            left = max(0, math.floor(limit - meter.read(now)))
            reset = math.ceil(meter.room_at(now, limit, limit) - now)
            told += [
                (f"x-ratelimit-limit-{kind}", str(limit)),
                (f"x-ratelimit-remaining-{kind}", str(left)),
                (f"x-ratelimit-reset-{kind}", f"{reset // 60}m{reset % 60}s" if reset >= 60 else f"{reset}s"),
            ]
    return tuple((name.encode(), value.encode()) for name, value in told)
