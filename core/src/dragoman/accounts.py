"""Keys and money, as a store keeps them: who may call, what was spent, and what calls under way may spend.

An account is a sum of money by name; it begins at nothing. A call that may cost something is held on it
first, with a lease, and settled when its cost is known. So what is spent and what is held together never
pass a limit, whoever calls at the same time, and a process that dies leaves nothing held for good.

Money is counted in whole picodollars (10**-12 dollars), so that sums are exact in every database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["KEPT_AFTER_LEASE", "PICODOLLARS", "Account", "Hold", "StoredKey"]

PICODOLLARS = 10**12
"""Of a dollar."""
KEPT_AFTER_LEASE = 24 * 60 * 60.0
"""Seconds for which a hold can still be settled after its lease ran out; it counts for nothing then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key that opens a server. The key itself is nowhere."""

    id: str
    digest: str
    """SHA-256 of the key, in hexadecimal digits."""
    created_at: float
    """Unix time."""
    terms: dict[str, Any] = field(default_factory=dict)
    """What may be done with it, as JSON: its meaning is the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money that a call under way may cost."""

    id: str
    account: str
    amount: int
    """Picodollars, 0 or more."""
    lease_until: float
    """Unix time until which the process that makes the call is known to be alive."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an account stands at, in picodollars."""

    spent: int = 0
    held: int = 0
