"""Who asks: the key that a request shows, and the owner that it makes of everything stored."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dragoman.errors import AuthenticationError, PermissionDeniedError
from dragoman_server.keys import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dragoman_server.key_lookup import KeyLookup
    from dragoman_server.keys import Key

__all__ = ["Keyring", "Owner", "authenticate", "check_admin", "shown_key"]

_LOOPBACK_NAMES = frozenset({"localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a request is: what it stores can be seen by the same owner alone."""

    name: str = ""
    """The id or a digest of the key, never the key; "" on a server without keys."""
    admin: bool = False
    """Whether they may see and change what concerns everybody: with the master key; without keys, all."""
    key: Key | None = None
    """The key that was handed out to them; None: the operator's own, or none."""


class Keyring:
    """The keys that open a server. Without any, everyone on this machine may come in."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Learn the keys; only their digests are kept."""
        self._owners = [(_digest(key), Owner(_name(key), admin=True)) for key in keys]

    @property
    def locked(self) -> bool:
        """Whether callers need a key."""
        return bool(self._owners)

    def knows(self, shown: str) -> bool:
        """Tell whether a key is one of these."""
        digest = _digest(shown)
        found = [hmac.compare_digest(known, digest) for known, _ in self._owners]  # all of them, as below
        return any(found)

    def authenticate(self, headers: Mapping[bytes, bytes]) -> Owner:
        """Return who asks.

        Args:
            headers: of the request, names in lower case.

        Raises:
            AuthenticationError: no key, or none that opens; both are told alike.
            PermissionDeniedError: the server has no keys, and the request came by a name of another machine:
                a web page that makes a browser call it (DNS rebinding).
        """
        if not self._owners:
            _check_local(headers.get(b"host", b""))
            if b"sec-websocket-key" in headers:
                # Browsers let every page open a WebSocket to anywhere; they only say which page it is.
                _check_local(headers.get(b"origin", b"").rpartition(b"//")[2])
            return Owner(admin=True)
        shown = _digest(shown_key(headers))
        found: Owner | None = None
        for digest, owner in self._owners:  # all of them, so that no time tells which
            if hmac.compare_digest(digest, shown):
                found = owner
        if found is None:
            raise wrong_key()
        return found


async def authenticate(headers: Mapping[bytes, bytes], keyring: Keyring, keys: KeyLookup) -> Owner:
    """Return who asks, by the operator's own keys or by one that was handed out.

    Raises:
        AuthenticationError: no key, or none that opens (any more).
        PermissionDeniedError: as ``Keyring.authenticate`` says.
        ServiceUnavailableError: the store of keys cannot be asked.
    """
    shown = shown_key(headers)
    if not shown.startswith(PREFIX) or keyring.knows(shown):
        return keyring.authenticate(headers)
    if not keyring.locked:
        keyring.authenticate(headers)
    key = await keys.find(shown)
    if key is None:
        raise wrong_key()
    over = key.over(time.time())
    if over is not None:
        raise AuthenticationError(
            f"This API key {over}.", code="invalid_api_key", type="invalid_request_error"
        )
    return Owner(key.id, admin=False, key=key)


def check_admin(owner: Owner) -> None:
    """Refuse whoever is not the operator.

    Raises:
        PermissionDeniedError: that.
    """
    if not owner.admin:
        raise PermissionDeniedError(
            "This takes the server's master key: keys that were handed out may not.", code="master_key_needed"
        )


def wrong_key() -> AuthenticationError:
    """Return the refusal of a key that does not open."""
    return AuthenticationError(
        "Incorrect API key provided, or none. Send the server's key as Authorization: Bearer <key>.",
        code="invalid_api_key",
        type="invalid_request_error",
    )


def shown_key(headers: Mapping[bytes, bytes]) -> str:
    """Return the key that a request shows, "" where it shows none."""
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        key = headers.get(b"api-key") or headers.get(b"x-api-key") or b""
    return key.strip().decode(errors="replace")


def _check_local(host: bytes) -> None:
    name = host.decode(errors="replace").lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    parts = name.split(".")
    loopback = len(parts) == 4 and parts[0] == "127" and all(part.isdecimal() for part in parts)
    if name and not loopback and name not in _LOOPBACK_NAMES:
        raise PermissionDeniedError(
            "This server has no key, so it answers on localhost alone. Set a master_key to call it by name.",
            code="host_not_allowed",
        )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _name(key: str) -> str:
    return hashlib.sha256(b"dragoman owner\0" + key.encode()).hexdigest()[:32]
