"""A config that changes while it is served: read again, checked, and taken over between two requests."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dragoman_server.config_files import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dragoman_server.config import Config
    from dragoman_server.config_files import FileState

__all__ = ["ConfigWatch"]

_LOOKED_AT_EVERY = 1.0  # seconds
_FIXED = {"store": "the store", "host": "the host", "port": "the port"}

_log = logging.getLogger("dragoman.server")


class ConfigWatch:
    """Reloads a config when it is told to, or when one of its files has changed."""

    def __init__(
        self, config: Config, read: Callable[[], Config], take: Callable[[Config], str | None]
    ) -> None:
        """Begin with a config that is served.

        Args:
            config: what is served.
            read: reads the files again.
            take: serves another config from now on, or returns why it does not.
        """
        self._config = config
        self._read = read
        self._take = take
        self._seen = config.files
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload soon, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_LOOKED_AT_EVERY):
                    await self._asked.wait()
            except TimeoutError:
                if await asyncio.to_thread(_now, self._seen) == self._seen:
                    continue
            self._asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        self._seen = await asyncio.to_thread(_now, self._seen)
        try:
            config = await asyncio.to_thread(self._read)
        except Exception as problem:  # whatever it is, the server goes on as it is
            _log.error("the config was not reloaded: %s: %s", type(problem).__name__, problem)
            return
        self._seen = config.files
        errors = [str(finding) for finding in config.findings.errors]
        if not errors and (refusal := self._take(config)):
            errors = [refusal]
        for error in errors:
            _log.error("%s", error)
        if errors:
            _log.error("the config was not reloaded: the one before stays")
            return
        self._say(config)
        self._config = config

    def _say(self, config: Config) -> None:
        known = {str(finding) for finding in self._config.findings.all}
        for finding in config.findings.all:
            if finding.level == "warning" and str(finding) not in known:
                _log.warning("%s", finding)
        before = {"store": self._config.server.store, "host": self._config.host, "port": self._config.port}
        after = {"store": config.server.store, "host": config.host, "port": config.port}
        for name, what in _FIXED.items():
            if before[name] != after[name]:
                _log.warning("%s has changed: that needs a restart", what)
        _log.info("the config was reloaded: %d models", len(config.server.deployments))


def _now(files: Mapping[Path, FileState]) -> dict[Path, FileState]:
    return {file: state_of(file) for file in files}
