"""Who asks: the key that a request shows, and the owner that it makes of everything stored."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dragoman.errors import AuthenticationError, PermissionDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Keyring", "Owner"]

_LOOPBACK_NAMES = frozenset({"localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a request is: what it stores can be seen by the same owner alone."""

    name: str = ""
    """A digest of the key, never the key; "" on a server without keys."""
    admin: bool = False
    """Whether they may see and change what concerns everybody: with the master key; without keys, all."""


class Keyring:
    """The keys that open a server. Without any, everyone on this machine may come in."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Learn the keys; only their digests are kept."""
        self._owners = [(_digest(key), Owner(_name(key), admin=True)) for key in keys]

    @property
    def locked(self) -> bool:
        """Whether callers need a key."""
        return bool(self._owners)

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
        shown = _digest(_shown_key(headers))
        found: Owner | None = None
        for digest, owner in self._owners:  # all of them, so that no time tells which
            if hmac.compare_digest(digest, shown):
                found = owner
        if found is None:
            raise AuthenticationError(
                "Incorrect API key provided, or none. Send the server's key as Authorization: Bearer <key>.",
                code="invalid_api_key",
                type="invalid_request_error",
            )
        return found


def _shown_key(headers: Mapping[bytes, bytes]) -> str:
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
