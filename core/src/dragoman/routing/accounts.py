"""Whose account a call goes to that brings its own: told apart, without keeping what it brought."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["account_mark"]

_KEY = secrets.token_bytes(32)  # of this process: a mark says nothing to anybody else


def account_mark(settings: Mapping[str, object]) -> str:
    """Return a text that is the same for the same settings, and tells none of them; "" for none at all."""
    if not settings:
        return ""
    said = repr(sorted(settings.items(), key=lambda item: item[0]))
    return hashlib.blake2b(said.encode(errors="backslashreplace"), digest_size=16, key=_KEY).hexdigest()
