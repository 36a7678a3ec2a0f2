"""Recorded exchanges with real providers: where they are, and how to choose among them.

They stand outside the repository, in ``../shared/recordings`` or wherever DRAGOMAN_RECORDINGS points; a test
that needs them is skipped where they are absent. Any folder of the same form will do::

    <api>/<name>.json     {api, fidelity, tags[], conversation?{id, order, reply_to},
                           request{body}, response{status, headers, body | raw | raw_base64}}
"""

from __future__ import annotations

import base64
import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["REAL", "Recording", "conversations", "recordings", "recordings_folder"]

REAL = frozenset({"recorded", "recorded-normalised", "fixture"})
"""How far an exchange is to be trusted: these came from a provider."""

_VARIABLE = "DRAGOMAN_RECORDINGS"
_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "recordings"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One exchange."""

    name: str
    """Its file, below the folder: ``anthropic.messages/....json``."""
    document: dict[str, Any]

    @property
    def fidelity(self) -> str:
        return str(self.document.get("fidelity"))

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(self.document.get("tags") or ())

    @property
    def request(self) -> Any:
        """The body that the client sent; None where the source kept only the answer."""
        return (self.document.get("request") or {}).get("body")

    @property
    def status(self) -> int:
        return int(self.document["response"]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers, names in lower case."""
        return {name.lower(): str(value) for name, value in self.document["response"]["headers"].items()}

    @property
    def body(self) -> Any:
        """The whole answer, parsed; None for a stream."""
        return self.document["response"].get("body")

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream of events."""
        return "body" not in self.document["response"] and self.status < 300

    @property
    def wire(self) -> bytes:
        """The answer as bytes: exactly what came where the recorder kept it, else JSON again."""
        response = self.document["response"]
        if "raw_base64" in response:
            return base64.b64decode(response["raw_base64"])
        if "raw" in response:
            return str(response["raw"]).encode()
        return json.dumps(response["body"]).encode()

    @property
    def order(self) -> int:
        """Its place in the conversation."""
        return int(self.document["conversation"]["order"])

    @property
    def reply_to(self) -> int | None:
        """The place of the exchange whose answer this one's request replays."""
        found: int | None = (self.document.get("conversation") or {}).get("reply_to")
        return found


def recordings_folder() -> Path:
    """Return where the recordings are; skip the test where there are none."""
    folder = Path(os.environ.get(_VARIABLE) or _BESIDE_THE_REPOSITORY)
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; point {_VARIABLE} at a folder of recorded exchanges")
    return folder


def recordings(
    api: str,
    *,
    fidelity: Collection[str] | None = None,
    tags: Iterable[str] = (),
    without: Iterable[str] = (),
) -> list[Recording]:
    """Return the exchanges with one API, sorted by name; skip the test where there are none at all.

    Args:
        api: the folder: ``anthropic.messages``.
        fidelity: keep these only.
        tags: keep those that have all of these.
        without: leave out those that have any of these.
    """
    folder = recordings_folder()
    found = _load(folder, api)
    if not found:
        pytest.skip(f"no recordings of {api} in {folder}")
    wanted, unwanted = frozenset(tags), frozenset(without)
    return [
        recording
        for recording in found
        if (fidelity is None or recording.fidelity in fidelity)
        and wanted <= recording.tags
        and not unwanted & recording.tags
    ]


def conversations(api: str, *, fidelity: Collection[str] | None = None) -> dict[str, dict[int, Recording]]:
    """Return the conversations with one API: ``{id: {order: exchange}}``."""
    found: dict[str, dict[int, Recording]] = {}
    for recording in recordings(api, fidelity=fidelity):
        if recording.document.get("conversation"):
            turns = found.setdefault(recording.document["conversation"]["id"], {})
            turns[recording.order] = recording
    return found


@functools.cache
def _load(folder: Path, api: str) -> tuple[Recording, ...]:
    files = sorted((folder / api).glob("*.json"))
    return tuple(Recording(f"{api}/{file.name}", json.loads(file.read_bytes())) for file in files)
