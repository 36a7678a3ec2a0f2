"""Random digits for ids, asked of the system by the page: one by one each would cost a system call."""

from __future__ import annotations

import os
from collections import deque

__all__ = ["random_hex"]

_DIGITS = 32
_AT_ONCE = 128

_page: deque[str] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_page.clear)  # or two processes would give the same ids


def random_hex() -> str:
    """Return 32 hex digits that nobody can guess, and nobody else gets: 128 random bits."""
    while True:
        try:
            return _page.pop()  # at once, whatever other threads do
        except IndexError:
            fresh = os.urandom(_AT_ONCE * _DIGITS // 2).hex()
            _page.extend(fresh[place : place + _DIGITS] for place in range(0, len(fresh), _DIGITS))
