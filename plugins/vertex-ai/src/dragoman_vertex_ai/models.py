"""Model names: whose model, and what Vertex AI calls it."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from dragoman.errors import BadRequestError

__all__ = ["ANTHROPIC", "GOOGLE", "Model", "model_named"]

GOOGLE = "google"
ANTHROPIC = "anthropic"

_IN_A_PROJECT = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/(?P<rest>.+)")
_OF_A_PUBLISHER = re.compile(r"(?:publishers/)?(?P<publisher>[\w-]+)/(?:models/)?(?P<name>[^/]+)")
_ENDPOINT = re.compile(r"(?:endpoints/|gemini/)?(?P<id>\d+)|endpoints/(?P<name>[^/]+)")
_FAMILIES = {"gemini-": GOOGLE, "claude-": ANTHROPIC}
_ID = re.compile(r"[\w.@-]+")


class Model(NamedTuple):
    """Where a model is, as far as its name says."""

    publisher: str
    name: str
    """The bare name: ``gemini-2.5-flash``, ``claude-sonnet-4-5@20250929``; of an endpoint its resource."""
    resource: str
    """``publishers/<publisher>/models/<name>`` or ``endpoints/<id>``."""
    project: str | None = None
    location: str | None = None

    @property
    def is_endpoint(self) -> bool:
        """Whether it is a tuned Gemini, known by its endpoint alone."""
        return self.resource.startswith("endpoints/")


@functools.lru_cache(maxsize=256)
def model_named(name: str) -> Model:
    """Return the model of this name.

    It may be bare (``gemini-2.5-flash``, ``claude-opus-4-8``), with its publisher (``google/...``,
    ``publishers/anthropic/models/...``), the id or resource of a tuned model's endpoint (``1234567890``,
    ``endpoints/1234567890``), and any of these inside ``projects/<project>/locations/<location>/``.

    Raises:
        BadRequestError: a model that speaks neither generateContent nor Messages.
    """
    inside = _IN_A_PROJECT.fullmatch(name)
    project, location = (inside["project"], inside["location"]) if inside else (None, None)
    rest = inside["rest"] if inside else name
    if endpoint := _ENDPOINT.fullmatch(rest):
        id_ = _checked(endpoint["id"] or endpoint["name"], name)
        return Model(GOOGLE, f"endpoints/{id_}", f"endpoints/{id_}", project, location)
    named = _OF_A_PUBLISHER.fullmatch(rest)
    bare = named["name"] if named else rest
    publisher = named["publisher"] if named else None
    if publisher in {None, "models", "gemini"}:
        publisher = next((whose for start, whose in _FAMILIES.items() if bare.startswith(start)), None)
    if publisher not in {GOOGLE, ANTHROPIC}:
        raise _unsupported(name)
    bare = _checked(bare, name)
    return Model(publisher, bare, f"publishers/{publisher}/models/{bare}", project, location)


def _checked(id_: str, name: str) -> str:
    if not _ID.fullmatch(id_):
        raise _unsupported(name)
    return id_


def _unsupported(name: str) -> BadRequestError:
    return BadRequestError(
        f"vertex_ai has no model {name!r}: it reaches Gemini (gemini-..., google/..., endpoints/<id> of a "
        "tuned one) and Claude (claude-..., anthropic/...). Models of others speak Chat Completions there: "
        "use openai_compatible/<publisher>/<model> with api_base="
        "https://<location>-aiplatform.googleapis.com/v1/projects/<project>/locations/<location>/"
        "endpoints/openapi and a Google access token as api_key",
        param="model",
        code="unsupported_model",
    )
