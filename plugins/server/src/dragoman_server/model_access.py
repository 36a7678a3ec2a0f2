"""Which models a key may ask, and how it is told that it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import PermissionDeniedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman.routing import Fleet
    from dragoman_server.authentication import Owner

__all__ = ["allowed_models", "check_model", "check_models", "rule_of"]

_SHOWN = 20  # models that a refusal names


def rule_of(owner: Owner) -> Callable[[str], bool] | None:
    """Return what tells by its name whether a model may be asked; None: all may."""
    key = owner.key
    return None if key is None or key.models is None else key.allows


def check_models(owner: Owner, fleet: Fleet, body: Mapping[str, Any]) -> None:
    """Check the model of a request and the fallbacks that it names; others are passed over on the way.

    A model that is not allowed and one that does not exist are told alike, with OpenAI's status for a project
    that lacks a model: it is no secret that there are others, but it is one which.

    Raises:
        PermissionDeniedError: one is not allowed; the message names what is.
    """
    allows = rule_of(owner)
    if allows is None:
        return
    check_model(owner, fleet, body.get("model"), "model")
    fallbacks = body.get("fallbacks")
    for place, fallback in enumerate(fallbacks if isinstance(fallbacks, list) else ()):
        name = fallback.get("model") if isinstance(fallback, dict) else fallback
        check_model(owner, fleet, name, f"fallbacks[{place}]")


def check_model(owner: Owner, fleet: Fleet, name: object, param: str) -> None:
    """Check one name; what is no name is somebody else's to refuse."""
    key = owner.key
    if key is None or key.models is None or not isinstance(name, str) or _allowed(owner, fleet, name):
        return
    names = ", ".join(key.models[:_SHOWN]) or "none"
    more = f" and {len(key.models) - _SHOWN} more" if len(key.models) > _SHOWN else ""
    raise PermissionDeniedError(
        f"This key may not ask {name[:200]!r}. Its models: {names}{more}.",
        code="model_not_found",
        type="invalid_request_error",
        param=param,
    )


def allowed_models(owner: Owner, fleet: Fleet) -> list[dict[str, Any]]:
    """Return the model objects that an owner may see, also those that a pattern serves and a key names."""
    models = fleet.models()
    key = owner.key
    if key is None or key.models is None:
        return models
    seen = {model["id"]: model for model in models if _allowed(owner, fleet, model["id"])}
    for name in key.models:
        if "*" not in name and name not in seen and fleet.serving(name) is not None:
            seen[name] = fleet.model(name)
    return list(seen.values())


def _allowed(owner: Owner, fleet: Fleet, name: str) -> bool:
    allows = rule_of(owner)
    alias = fleet.settings.model_group_alias.get(name, name)
    return allows is None or allows(name) or allows(alias)
