"""Names of models and patterns with one star: exact names go first, then patterns, the longest first."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dragoman.errors import BadRequestError, DragomanError, NotFoundError
from dragoman.providers import load_provider
from dragoman.routing.checks import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Found", "Names", "checked_name", "well_known"]

_SHOWN = 200  # characters of a caller's model name in a message


class Found(NamedTuple):
    """What serves a name."""

    name: str
    """The exact name, or the pattern."""
    matched: str | None
    """What the pattern's star stands for; None for an exact name."""

    def fill(self, model: str) -> str:
        """Return a model with its star replaced."""
        return model if self.matched is None else model.replace("*", self.matched)


class Names:
    """Names that lead somewhere."""

    def __init__(self, names: Iterable[str], *, otherwise: str) -> None:
        """Take names; `otherwise` is said where none of them resembles an unknown one."""
        self._otherwise = otherwise
        known = list(dict.fromkeys(names))
        self.exact = {name: Found(name, None) for name in known if "*" not in name}
        self.patterns = sorted((name for name in known if "*" in name), key=len, reverse=True)
        self.find = lru_cache(maxsize=1024)(self._look_up)
        """Return what serves a name, None where nothing does."""

    def _look_up(self, name: str) -> Found | None:
        found = self.exact.get(name)
        if found is not None:
            return found
        for pattern in self.patterns:
            before, _, after = pattern.partition("*")
            matched = name[len(before) : len(name) - len(after)]
            if name.startswith(before) and name.endswith(after) and matched:
                return Found(pattern, matched)
        return None

    def unknown(self, name: str) -> NotFoundError:
        """Return the error for a name that nothing serves; it names the nearest that is."""
        hint = nearest(name[:_SHOWN], [*self.exact, *self.patterns]) or self._otherwise
        return NotFoundError(
            f"The model {name[:_SHOWN]!r} is not served here: {hint}", param="model", code="model_not_found"
        )


def checked_name(name: object) -> str:
    """Return the name of a model.

    Raises:
        BadRequestError: it is missing, or no text.
    """
    if name is None or name == "":
        raise BadRequestError("model is required.", param="model", code="missing_required_parameter")
    if not isinstance(name, str):
        raise BadRequestError("model must be a string.", param="model", code="invalid_type")
    return name


def well_known(pattern: str, model: str) -> list[str]:
    """Return the names under which a pattern serves well-known models of the provider that it leads to."""
    provider, _, rest = model.partition("/")
    if rest != "*":
        return []
    try:
        models = load_provider(provider).info.models
    except DragomanError:
        return []  # what is wrong with the plugin is said to whoever calls it
    return [pattern.replace("*", known) for known in models]
