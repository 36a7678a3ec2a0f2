"""From a Responses request to ``POST models/{model}:generateContent``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from dragoman.errors import AuthenticationError, BadRequestError
from dragoman.hookspecs import HTTPRequest
from dragoman_gemini.conversation import Conversation
from dragoman_gemini.models import model_named
from dragoman_gemini.notes import Notes
from dragoman_gemini.options import OWN_BODY, generation_config
from dragoman_gemini.tools import Toolbox

if TYPE_CHECKING:
    from dragoman.hookspecs import Target

__all__ = ["ContentBody", "content_body", "method_of", "translate_request", "translate_token_count"]

_BASE = "https://generativelanguage.googleapis.com/v1beta"
_SERVICE_TIERS = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}


class ContentBody(NamedTuple):
    """A request of generateContent, wherever it is sent."""

    json: dict[str, Any]
    warnings: list[dict[str, Any]]


def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the request to Google's API.

    Raises:
        AuthenticationError: there is no API key.
        BadRequestError: something that Gemini cannot take; `param` names it.
    """
    body = _own_body(request, target)
    return _post(method_of(request), body.json, body.warnings, target)


def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the question to ``countTokens``, which holds the whole request, its model included.

    Raises:
        AuthenticationError: there is no API key.
        BadRequestError: something that Gemini cannot take; `param` names it.
    """
    body = _own_body(request, target)
    asked = {"generateContentRequest": {"model": _resource(target.model), **body.json}}
    return _post("countTokens", asked, body.warnings, target)


def _own_body(request: dict[str, Any], target: Target) -> ContentBody:
    """Return the body, without what Vertex AI alone takes."""
    for index, tool in enumerate(request.get("tools") or ()):
        filters = tool.get("filters")
        if isinstance(filters, dict) and filters.get("blocked_domains"):
            raise BadRequestError(
                "Google Search leaves out no domains here: Vertex AI alone has it",
                param=f"tools[{index}].filters.blocked_domains",
            )
    return content_body(request, target)


def _post(method: str, json: dict[str, Any], warnings: list[dict[str, Any]], target: Target) -> HTTPRequest:
    key = target.get("api_key")
    if not key:
        raise AuthenticationError(
            "no credentials for Gemini: pass api_key, or set GEMINI_API_KEY (or GOOGLE_API_KEY)",
            code="missing_credentials",
            provider=target.provider,
        )
    base = str(target.get("api_base") or _BASE).rstrip("/")
    return HTTPRequest(
        url=f"{base}/{quote(_resource(target.model), safe='/@-._~')}:{method}",
        json=json,
        headers={"x-goog-api-key": str(key)},
        warnings=tuple(warnings),
    )


def _resource(model: str) -> str:
    """Return the path of a model: ``models/...`` unless it names another collection (``tunedModels/...``)."""
    if {"", ".", ".."} & set(model.split("/")):
        raise BadRequestError(f"{model!r} is no name of a model", param="model")
    return model if "/" in model else f"models/{model}"


def method_of(request: dict[str, Any]) -> str:
    """Return the end of the URL: the method, with its query."""
    return "streamGenerateContent?alt=sse" if request["stream"] else "generateContent"


def content_body(request: dict[str, Any], target: Target) -> ContentBody:
    """Return the body of a generateContent request; also for plugins that reach Gemini elsewhere.

    Raises:
        BadRequestError: something that Gemini cannot take; `param` names it.
    """
    model = model_named(target.model)
    notes = Notes(target.author)
    conversation = Conversation(model, notes)
    if request.get("instructions"):
        conversation.system.append({"text": request["instructions"]})
    for index, item in enumerate(request["input"]):
        conversation.add(item, f"input[{index}]")
    conversation.finish()
    toolbox = Toolbox(request.get("tools") or [], request.get("tool_choice") or "auto", model, notes)

    body: dict[str, Any] = {"contents": conversation.contents}
    if conversation.system:
        body["systemInstruction"] = {"parts": conversation.system}
    if toolbox.tools:
        body["tools"] = toolbox.tools
    if toolbox.config:
        body["toolConfig"] = toolbox.config
    generation = generation_config(request, model, notes)
    if toolbox.makes_images:
        generation.setdefault("responseModalities", ["TEXT", "IMAGE"])
        if toolbox.image_config:
            generation["imageConfig"] = {**toolbox.image_config, **generation.get("imageConfig", {})}
    if generation:
        body["generationConfig"] = generation
    body.update({wire: request[name] for name, wire in OWN_BODY.items() if request.get(name) is not None})
    _add_service_tier(body, request.get("service_tier"), notes)
    return ContentBody(body, notes.warnings)


def _add_service_tier(body: dict[str, Any], wanted: Any, notes: Notes) -> None:
    if wanted in {None, "auto"}:
        return
    tier = _SERVICE_TIERS.get(wanted)
    if tier is None:
        notes.warn(f"Gemini has no service tier {wanted!r}; it was left out", "service_tier")
    else:
        body["serviceTier"] = tier
