"""Vertex AI's refusals: the front end speaks Google's dialect, Claude Anthropic's, and both at once exist."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.refusals import generic_refusal
from dragoman_anthropic import errors as anthropic
from dragoman_gemini import errors as google
from dragoman_vertex_ai.addresses import location_of
from dragoman_vertex_ai.models import model_named

if TYPE_CHECKING:
    from dragoman.errors import ProviderError
    from dragoman.hookspecs import Target

__all__ = ["parse_error"]

# What to do about it, by what is said: (status, words in the message, advice).
_ADVICE = (
    (401, "api keys are not supported", "Pass vertex_credentials or vertex_access_token instead of a key"),
    (401, "", "Run gcloud auth application-default login, or check vertex_credentials"),
    (403, "has not been used in project", ""),  # Google's message has the link that mends it
    (403, "", "Grant the account the role Vertex AI User (roles/aiplatform.user) in the project"),
    (404, "publisher model", "Not every location has every model: vertex_location is {location}, try global"),
    (429, "quota exceeded", "Ask for more quota, or try vertex_location global"),
)


def parse_error(status: int, body: bytes, target: Target) -> ProviderError | None:
    """Return what a refusal says and what to do about it; None where it is in no dialect of Vertex AI's.

    Anthropic's error may stand as text inside the message of Google's. A page of HTML is what Google's web
    servers answer where no such location is.
    """
    said = anthropic.parse_error(status, body)
    if said is not None:
        return said
    said = google.parse_error(status, body)
    if said is not None:
        return anthropic.parse_error(status, said.message.encode()) or _advised(said, target)
    if status == 404 and _is_page(body):
        page = generic_refusal(status, body)
        location = location_of(target, model_named(target.model))
        return replace(page, message=f"{page.message}. Is {location!r} a location of Vertex AI?")
    return None


def _advised(said: ProviderError, target: Target) -> ProviderError:
    lowered = said.message.lower()
    for status, words, advice in _ADVICE:
        if status == said.status and words in lowered:
            location = location_of(target, model_named(target.model))
            ending = advice.format(location=location)
            return replace(said, message=f"{said.message.rstrip()} ({ending})") if ending else said
    return said


def _is_page(body: bytes) -> bool:
    try:
        payload: Any = json.loads(body)
    except ValueError:
        return b"<html" in body[:500].lower() or b"<!doctype html" in body[:500].lower()
    return not isinstance(payload, dict)
