"""Claude on Vertex AI: ``dragoman_anthropic``'s wire, and where Vertex differs from Anthropic's own API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman.hookspecs import HTTPRequest
from dragoman_anthropic.requests import messages_body, token_count_body
from dragoman_vertex_ai.parts import parts_of

if TYPE_CHECKING:
    from dragoman.hookspecs import Target
    from dragoman_anthropic.requests import MessagesBody
    from dragoman_vertex_ai.addresses import Address
    from dragoman_vertex_ai.models import Model

__all__ = ["translate_request", "translate_token_count"]

_VERSION = "vertex-2023-10-16"
_COUNTER = "publishers/anthropic/models/count-tokens"
# Vertex answers 400 to betas that it does not know; this one it knows under an earlier name.
_RENAMED_BETAS = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
_ABSENT_TOOLS = ("code_execution_", "web_fetch_", "mcp_toolset", "advisor_")
_SOURCES = {
    "file_id": "has no Files API: send the data itself, as a data URL or file_data",
    "image_url": "fetches nothing for Claude: send the image itself, as a data URL",
    "file_url": "fetches nothing for Claude: send the file itself, as file_data",
}


def translate_request(request: dict[str, Any], target: Target, model: Model, where: Address) -> HTTPRequest:
    """Return the request to ``:rawPredict`` or ``:streamRawPredict``.

    Raises:
        BadRequestError: something that Claude, or Vertex AI, cannot take; `param` names it.
    """
    _refuse_absent(request)
    body = messages_body(request, replace(target, model=model.name))
    json = {name: value for name, value in body.json.items() if name != "model"}
    method = "streamRawPredict" if request["stream"] else "rawPredict"
    return _asked(where.method(model.resource, method), json, body)


def translate_token_count(
    request: dict[str, Any], target: Target, model: Model, where: Address
) -> HTTPRequest | None:
    """Return the question to the counter, a model of its own that is told which model to count for."""
    if where.is_model:
        return None
    _refuse_absent(request)
    body = token_count_body(request, replace(target, model=model.name))
    return _asked(where.method(_COUNTER, "rawPredict"), body.json, body)


def _asked(url: str, json: dict[str, Any], body: MessagesBody) -> HTTPRequest:
    betas = dict.fromkeys(_RENAMED_BETAS.get(beta, beta) for beta in body.betas)
    return HTTPRequest(
        url=url,
        json={"anthropic_version": _VERSION, **json},
        headers={"anthropic-beta": ",".join(betas)} if betas else {},
        warnings=tuple(body.warnings),
    )


def _refuse_absent(request: dict[str, Any]) -> None:
    """Refuse what Anthropic's own API has and Vertex does not: there it would be a 400 without a place."""
    for index, tool in enumerate(request.get("tools") or ()):
        if tool["type"].startswith(_ABSENT_TOOLS):
            raise BadRequestError(
                f"Vertex AI does not run Claude's {tool['type']!r}", param=f"tools[{index}].type"
            )
    for param, part in parts_of(request["input"]):
        for field, problem in _SOURCES.items():
            value = part.get(field)
            if isinstance(value, str) and value and value[:5].lower() != "data:":
                raise BadRequestError(f"Vertex AI {problem}", param=f"{param}.{field}")
