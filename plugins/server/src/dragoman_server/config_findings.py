"""What is wrong, or worth knowing, in a config: gathered, so that all of it is said at once."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal, NamedTuple

from dragoman.attempts.secrecy import Redactor
from dragoman.errors import DragomanError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ConfigError", "Finding", "Findings", "Level", "Place", "nearest"]

Level = Literal["error", "warning", "notice"]
"""error: nothing starts. warning: something does not do what it says. notice: not used yet."""


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        """Return it as editors and terminals link it."""
        return f"{self.file}:{self.line}"


class Finding(NamedTuple):
    """One thing that somebody should know of a config."""

    level: Level
    place: Place | None
    message: str

    def __str__(self) -> str:
        """Return place and message."""
        return f"{self.place}: {self.message}" if self.place else self.message


class ConfigError(DragomanError):
    """A config cannot be used; the message has a line for each error."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        super().__init__("\n".join(map(str, findings.errors)))


class Findings:
    """All that was found in one config. Values that are secrets are taken out of every message."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._secrets: set[str] = set()
        self.files_with_secrets: dict[str, Place] = {}
        """File -> the first secret that stands in it in plain text."""

    def add(self, level: Level, place: Place | None, message: str) -> None:
        """Remember something; twice the same is once."""
        self._found[Finding(level, place, message)] = None

    def error(self, place: Place | None, message: str) -> None:
        """Remember what has to be mended before anything can start."""
        self.add("error", place, message)

    def warn(self, place: Place | None, message: str) -> None:
        """Remember what does not do what it says."""
        self.add("warning", place, message)

    def hide(self, secret: str, place: Place | None = None) -> None:
        """Let no message show this value; `place` is where a file has it in plain text."""
        self._secrets.add(secret)
        if place is not None:
            self.files_with_secrets.setdefault(place.file, place)

    @property
    def all(self) -> list[Finding]:
        """Everything, by file and line."""
        redact = Redactor(self._secrets)
        cleaned = [finding._replace(message=redact(finding.message)) for finding in self._found]
        return sorted(cleaned, key=lambda finding: finding.place or ("", 0))

    @property
    def errors(self) -> list[Finding]:
        """What has to be mended."""
        return [finding for finding in self.all if finding.level == "error"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" where there is something similar, else nothing."""
    by_folded = {candidate.lower(): candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(name.lower(), by_folded, n=1)
    return f" Did you mean {by_folded[close[0]]!r}?" if close else ""
