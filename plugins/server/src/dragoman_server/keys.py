"""Keys that the operator hands out: what each may do, and how it is made and read.

A key is told once, when it is made. What is kept of it is its digest, and an id that comes from it: whoever
reads the store cannot call with what is there.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from dataclasses import replace as replaced
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dragoman.accounts import PICODOLLARS, StoredKey
from dragoman.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.accounts import Account
    from dragoman.state import Transaction

__all__ = [
    "PREFIX",
    "Budget",
    "Key",
    "add_key",
    "dollars",
    "key_id",
    "list_keys",
    "new_key",
    "picodollars",
    "revoke_key",
]

PREFIX = "sk-dragoman-"
_RANDOM = 32  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be spent."""

    amount: int
    """Picodollars."""
    period: str | None = None
    """How long until all of it is there again (see ``dragoman_server.periods``); None: never."""
    unknown_prices: bool = False
    """Whether models may be asked whose price nobody knows: their calls cost nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a key may do. None means that there is no such limit."""

    id: str
    digest: str
    created_at: float
    name: str | None = None
    models: tuple[str, ...] | None = None
    """Names of models as callers write them; one star in each stands for anything."""
    expires_at: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None
    budget: Budget | None = None
    metadata: Mapping[str, str]
    revoked_at: float | None = None

    def allows(self, model: str) -> bool:
        """Tell whether a model may be asked."""
        return self.models is None or any(_matches(pattern, model) for pattern in self.models)

    def opened_by(self, shown: str) -> bool:
        """Tell whether this is the key that was shown, in constant time."""
        return hmac.compare_digest(self.digest, _digest(shown))

    def over(self, now: float) -> str | None:
        """Return how it has ended, None where it has not."""
        if self.revoked_at is not None:
            return "was revoked"
        return "has expired" if self.expires_at is not None and self.expires_at <= now else None

    @classmethod
    def read(cls, stored: StoredKey) -> Key:
        """Return what a store has kept."""
        terms = stored.terms
        budget = terms.get("budget")
        return cls(
            id=stored.id,
            digest=stored.digest,
            created_at=stored.created_at,
            name=terms.get("name"),
            models=None if terms.get("models") is None else tuple(terms["models"]),
            expires_at=terms.get("expires_at"),
            rpm=terms.get("rpm"),
            tpm=terms.get("tpm"),
            max_parallel_requests=terms.get("max_parallel_requests"),
            budget=None
            if budget is None
            else Budget(
                amount=picodollars(budget["amount"]),
                period=budget["period"],
                unknown_prices=budget["unknown_prices"],
            ),
            metadata=terms.get("metadata") or {},
            revoked_at=terms.get("revoked_at"),
        )

    def as_json(self, account: Account | None = None, resets_at: float | None = None) -> dict[str, Any]:
        """Return the key as endpoints tell it.

        Args:
            account: what its budget stands at.
            resets_at: when that begins anew.
        """
        told: dict[str, Any] = {
            "id": self.id,
            "object": "key",
            "name": self.name,
            "created_at": int(self.created_at),
            "expires_at": None if self.expires_at is None else int(self.expires_at),
            "revoked_at": None if self.revoked_at is None else int(self.revoked_at),
            "models": None if self.models is None else list(self.models),
            "rpm": self.rpm,
            "tpm": self.tpm,
            "max_parallel_requests": self.max_parallel_requests,
            "budget": None,
            "metadata": dict(self.metadata),
        }
        if self.budget is not None:
            told["budget"] = {
                "amount": dollars(self.budget.amount),
                "period": self.budget.period,
                "unknown_prices": self.budget.unknown_prices,
            }
            if account is not None:
                told["budget"] |= {
                    "spent": dollars(account.spent),
                    "reserved": dollars(account.held),
                    "resets_at": None if resets_at is None else int(resets_at),
                }
        return told


def picodollars(amount: str) -> int:
    """Return an amount of dollars in picodollars."""
    return int(Decimal(amount) * PICODOLLARS)


def dollars(amount: int) -> str:
    """Return picodollars in dollars, exactly: "0.01065"."""
    text = format(Decimal(amount) / PICODOLLARS, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def new_key(terms: Mapping[str, Any], now: float | None = None) -> tuple[str, StoredKey]:
    """Return a new key, and what is kept of it.

    Args:
        terms: what it may do (see ``dragoman_server.key_terms``).
        now: Unix time.
    """
    key = PREFIX + secrets.token_urlsafe(_RANDOM)
    created_at = time.time() if now is None else now
    return key, StoredKey(id=key_id(key), digest=_digest(key), created_at=created_at, terms=dict(terms))


def key_id(key: str) -> str:
    """Return the id of a key: it says nothing of the key."""
    return "key_" + hashlib.sha256(b"dragoman key\0" + _bytes(key)).hexdigest()[:32]


def add_key(transaction: Transaction, stored: StoredKey) -> None:
    """Keep a new key."""
    transaction.put_key(stored)


def list_keys(transaction: Transaction) -> list[Key]:
    """Return all keys, the revoked ones too, oldest first."""
    return [Key.read(stored) for stored in transaction.list_keys()]


def revoke_key(transaction: Transaction, key_id: str) -> Key:
    """End a key; what was revoked stays so, since when it was.

    Raises:
        NotFoundError: there is none of that id.
    """
    stored = transaction.get_key(key_id)
    if stored is None:
        raise NotFoundError(f"Key with id {key_id[:80]!r} not found.", param="key_id", code="not_found")
    if stored.terms.get("revoked_at") is None:
        stored = replaced(stored, terms={**stored.terms, "revoked_at": time.time()})
        transaction.put_key(stored)
    return Key.read(stored)


def _digest(key: str) -> str:
    return hashlib.sha256(_bytes(key)).hexdigest()


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _matches(pattern: str, name: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return name == pattern
    fits = name.startswith(before) and name.endswith(after)
    return fits and len(name) >= len(before) + len(after)
