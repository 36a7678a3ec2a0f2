"""Whether another process has the same SQLite file open: told by a lock that ends with its process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Presence"]


class Presence:
    """This process's sign beside a file that it has open."""

    alone_at: float | None = None
    """Unix time at which no other process had the file open; None: another has, or it cannot be told."""

    def __init__(self, file: Path | None) -> None:
        """Put up the sign; `file` is None for a database that is no file of its own."""
        self._descriptor: int | None = None
        if file is None or fcntl is None:
            return
        # Not the database's own file: closing a second descriptor of that would end SQLite's locks on it.
        self._descriptor = os.open(f"{file}-open", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.alone_at = time.time()
        except OSError:
            pass  # somebody is there, or this file system has no such locks
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        except OSError:
            self.alone_at = None

    def close(self) -> None:
        """Take the sign away."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
