"""From a Responses request to Vertex AI: whose model decides which wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman_anthropic.requests import supports_prefill as claude_supports_prefill
from dragoman_vertex_ai import claude, gemini
from dragoman_vertex_ai.addresses import address_of, project_of
from dragoman_vertex_ai.credentials import is_express
from dragoman_vertex_ai.models import ANTHROPIC, GOOGLE, model_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.hookspecs import HTTPRequest, Target

__all__ = ["supports_prefill", "translate_request", "translate_token_count"]

_REQUESTS: dict[str, Callable[..., HTTPRequest]] = {
    GOOGLE: gemini.translate_request,
    ANTHROPIC: claude.translate_request,
}
_COUNTS: dict[str, Callable[..., HTTPRequest | None]] = {
    GOOGLE: gemini.translate_token_count,
    ANTHROPIC: claude.translate_token_count,
}


def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the request to the model.

    Raises:
        BadRequestError: something that the model cannot take; `param` names it.
    """
    model = model_named(target.model)
    express = is_express(target, model)
    where = address_of(target, model, express=express)
    http = _REQUESTS[model.publisher](request, target, model, where)
    if express and project_of(target, model):
        message = "a key of express mode knows no project: project and location were left out"
        http = replace(http, warnings=({"message": message, "param": "vertex_project"}, *http.warnings))
    return http


def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Return the question to the model's counter; None where `api_base` leads to one model alone.

    Raises:
        BadRequestError: something that the model cannot take; `param` names it.
    """
    model = model_named(target.model)
    where = address_of(target, model, express=is_express(target, model))
    return _COUNTS[model.publisher](request, target, model, where)


def supports_prefill(request: dict[str, Any], target: Target) -> bool:
    """Tell whether a model goes on behind the beginning of its answer: of Claude, the same as everywhere."""
    model = model_named(target.model)
    return model.publisher == ANTHROPIC and claude_supports_prefill(request, model.name)
