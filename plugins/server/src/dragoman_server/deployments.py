"""From the model that a caller names to the deployment that serves it."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import BadRequestError, DragomanError, NotFoundError
from dragoman.providers import load_provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman_server.gateway import Deployment

__all__ = ["Deployments", "Route"]

_SHOWN = 200  # characters of a caller's model name in a message


class Route(NamedTuple):
    """A deployment, and the model that it means for the name that was asked for."""

    deployment: Deployment
    model: str
    """``provider/model``"""


class Deployments:
    """What a server serves, by name: exact names first, then patterns, the longest first."""

    def __init__(self, deployments: Sequence[Deployment]) -> None:
        self._exact: dict[str, Deployment] = {}
        patterns: dict[str, Deployment] = {}
        for deployment in deployments:
            kind = patterns if "*" in deployment.name else self._exact
            kind.setdefault(deployment.name, deployment)
        self._patterns = [patterns[name] for name in sorted(patterns, key=len, reverse=True)]
        self._find = lru_cache(maxsize=1024)(self._look_up)

    def route(self, name: object) -> Route:
        """Return where a name leads.

        Raises:
            BadRequestError: it is missing, or no text.
            NotFoundError: nothing here is called so; the message names the nearest that is.
        """
        if name is None or name == "":
            raise BadRequestError("model is required.", param="model", code="missing_required_parameter")
        if not isinstance(name, str):
            raise BadRequestError("model must be a string.", param="model", code="invalid_type")
        found = self._find(name)
        if found is None:
            raise self._unknown(name)
        return found

    def models(self) -> list[dict[str, Any]]:
        """Return the model objects of all exact names, and of the well-known models behind patterns."""
        names = dict.fromkeys(self._exact)
        for pattern in self._patterns:
            names.update(dict.fromkeys(_well_known(pattern)))
        return [self.model(name) for name in names]

    def model(self, name: str) -> dict[str, Any]:
        """Return the model object of a name (see ``route``)."""
        route = self.route(name)
        return {"id": name, "object": "model", "created": 0, "owned_by": route.model.partition("/")[0]}

    def _look_up(self, name: str) -> Route | None:
        exact = self._exact.get(name)
        if exact is not None:
            return Route(exact, exact.model)
        for deployment in self._patterns:
            before, _, after = deployment.name.partition("*")
            fits = name.startswith(before) and name.endswith(after)
            matched = name[len(before) : len(name) - len(after)]
            if fits and matched:
                return Route(deployment, deployment.model.replace("*", matched))
        return None

    def _unknown(self, name: str) -> NotFoundError:
        known = [*self._exact, *(deployment.name for deployment in self._patterns)]
        near = difflib.get_close_matches(name[:_SHOWN], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "GET /v1/models lists what is served"
        return NotFoundError(
            f"The model {name[:_SHOWN]!r} is not served here: {hint}", param="model", code="model_not_found"
        )


def _well_known(pattern: Deployment) -> list[str]:
    """Return the names under which a pattern serves its provider's well-known models."""
    provider, _, rest = pattern.model.partition("/")
    if rest != "*":
        return []
    try:
        models = load_provider(provider).info.models
    except DragomanError:
        return []  # what is wrong with the plugin is said to whoever calls it
    return [pattern.name.replace("*", model) for model in models]
