"""Arguments that arrive in pieces: ``partialArgs``, each a JSON path and a value, put together again."""

from __future__ import annotations

import itertools
import re
from typing import Any

__all__ = ["PartialArguments"]

# $.plain, ['quoted'], ["quoted"], [0]
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\d+))\]""")
_VALUES = ("stringValue", "numberValue", "boolValue", "structValue", "listValue", "nullValue")
_LONGEST_LIST = 100_000
"""No honest index is larger: an absurd one must not make the list fill the memory."""


class PartialArguments:
    """The arguments of one call as far as they have come."""

    def __init__(self) -> None:
        """Start with no arguments."""
        self.value: dict[str, Any] = {}

    def add(self, pieces: Any) -> None:
        """Add what ``partialArgs`` holds; strings that continue are joined."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict) and isinstance(piece.get("jsonPath"), str):
                self._add(_steps(piece["jsonPath"]), piece)

    def _add(self, steps: list[str | int], piece: dict[str, Any]) -> None:
        if not steps:
            return
        container: Any = self.value
        for step, following in itertools.pairwise(steps):
            container = _inner(container, step, [] if isinstance(following, int) else {})
        *_, last = steps
        name = next((name for name in _VALUES if name in piece), None)
        if name is None:
            return  # the mark that a string begins or has ended
        value = None if name == "nullValue" else piece[name]
        if isinstance(value, str):
            before = _inner(container, last, "")
            value = before + value if isinstance(before, str) else value
        _put(container, last, value)


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for plain, single, double, index in _STEP.findall(path):
        steps.append(int(index) if index else plain or re.sub(r"\\(.)", r"\1", single or double))
    return steps


def _inner(container: Any, step: str | int, fresh: Any) -> Any:
    """Return what stands at a step, put there if nothing of the same kind does."""
    found = None
    if isinstance(container, dict):
        found = container.get(str(step))
    elif isinstance(container, list) and isinstance(step, int) and step < len(container):
        found = container[step]
    if type(found) is not type(fresh):
        found = fresh
        _put(container, step, found)
    return found


def _put(container: Any, step: str | int, value: Any) -> None:
    if isinstance(container, dict):
        container[str(step)] = value
    elif isinstance(container, list) and isinstance(step, int) and step < _LONGEST_LIST:
        container.extend([None] * (step + 1 - len(container)))
        container[step] = value
