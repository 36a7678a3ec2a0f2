"""Deployments: which wire a model's name means.

A deployment may have any name, so its name is only the last thing that is asked, after what the caller says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from dragoman.hookspecs import Target

__all__ = ["CHAT", "MESSAGES", "RESPONSES", "WIRES", "Deployment", "deployment_of"]

CHAT = "chat"
MESSAGES = "messages"
RESPONSES = "responses"
WIRES = (CHAT, MESSAGES, RESPONSES)

_PREFIXES = {
    "chat": CHAT,
    "anthropic": MESSAGES,
    "responses": RESPONSES,
    "model_router": CHAT,  # as LiteLLM writes it
    "model-router": CHAT,
}
# By what is in the path of an address.
_PATHS = (("/anthropic/", MESSAGES), ("/v1/messages/", MESSAGES), ("/responses/", RESPONSES))


class Deployment(NamedTuple):
    """A deployment of the resource, and how to speak to it."""

    name: str
    """What Foundry calls it: goes into `model`."""
    model: str
    """What is known to run there: the setting `base_model`, else the deployment's name."""
    wire: str
    """One of ``WIRES``."""


def deployment_of(target: Target) -> Deployment:
    """Return the deployment that a target names.

    The wire is the first that is told by: a prefix (``anthropic/my-deployment``); the setting `wire`; a model
    called claude; an `api_base` that leads to ``/anthropic``, ``/v1/messages`` or ``/responses``. Where none
    tells, it is Chat Completions.

    Raises:
        BadRequestError: the setting `wire` is none of them.
    """
    head, slash, rest = target.model.partition("/")
    prefixed = _PREFIXES.get(head) if slash and rest else None
    name = rest if prefixed else target.model
    model = str(target.get("base_model") or name)
    wire = prefixed or target.get("wire") or _guessed(model, str(target.get("api_base") or ""))
    if wire not in WIRES:
        raise BadRequestError(
            f"wire {wire!r} is none of {', '.join(WIRES)}", param="wire", code="invalid_setting"
        )
    return Deployment(name, model, wire)


def _guessed(model: str, base: str) -> str:
    if "claude" in model.lower():
        return MESSAGES
    path = base.partition("?")[0].rpartition("://")[2].partition("/")[2].rstrip("/")
    return next((wire for folder, wire in _PATHS if folder in f"/{path}/"), CHAT)
