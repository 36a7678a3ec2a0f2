"""Gemini on Vertex AI: ``dragoman_gemini``'s wire, and where Vertex differs from Google's own API."""

from __future__ import annotations

import mimetypes
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dragoman.errors import BadRequestError
from dragoman.hookspecs import HTTPRequest
from dragoman_gemini.requests import content_body, method_of
from dragoman_vertex_ai.parts import parts_of

if TYPE_CHECKING:
    from dragoman.hookspecs import Target
    from dragoman_vertex_ai.addresses import Address
    from dragoman_vertex_ai.models import Model

__all__ = ["traffic_tier", "translate_request", "translate_token_count"]

_TUNED = "gemini-2.5-flash"
"""What a tuned model is taken for, unless `base_model` says otherwise: the newest that can be tuned."""
_TIER = "x-vertex-ai-llm-shared-request-type"
_PAID_TIERS = frozenset({"flex", "priority"})
_TRAFFIC = {
    "ON_DEMAND": "default",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
    "PROVISIONED_THROUGHPUT": "scale",  # OpenAI's word for capacity that was bought in advance
}
_COUNTED = frozenset({"contents", "systemInstruction", "tools", "generationConfig"})
_ADDRESSES = ("gs://", "https://", "http://")


def translate_request(request: dict[str, Any], target: Target, model: Model, where: Address) -> HTTPRequest:
    """Return the request to ``:generateContent`` or ``:streamGenerateContent``.

    Raises:
        BadRequestError: something that Gemini, or Vertex AI, cannot take; `param` names it.
    """
    for param, part in parts_of(request["input"]):
        if part.get("file_id") and not part["file_id"].startswith(_ADDRESSES):
            raise BadRequestError(
                "Vertex AI has no Files API: send file_data, or a file_url (gs:// or https://)",
                param=f"{param}.file_id",
            )
    name = str(target.get("base_model") or _TUNED) if model.is_endpoint else model.name
    body = content_body(request, replace(target, model=name))
    json = {**body.json, "contents": _typed(body.json["contents"])}
    headers = {}
    if (tier := json.pop("serviceTier", None)) in _PAID_TIERS:
        headers[_TIER] = tier
    config = dict(json.pop("toolConfig", {}))
    config.pop("includeServerSideToolInvocations", None)  # Vertex mixes tools unasked, and refuses the field
    if config:
        json["toolConfig"] = config
    return HTTPRequest(
        url=where.method(model.resource, method_of(request)),
        json=json,
        headers=headers,
        warnings=tuple(body.warnings),
    )


def translate_token_count(
    request: dict[str, Any], target: Target, model: Model, where: Address
) -> HTTPRequest | None:
    """Return the question to ``:countTokens``, which takes the input's part of the same body."""
    http = translate_request({**request, "stream": False}, target, model, where)
    return replace(
        http,
        url=where.method(model.resource, "countTokens"),
        json={name: value for name, value in http.json.items() if name in _COUNTED},
        headers={},
    )


def traffic_tier(payload: Any) -> str | None:
    """Return the service tier that the usage of an answer tells."""
    tier = None
    for chunk in payload if isinstance(payload, list) else [payload]:
        usage = chunk.get("usageMetadata") if isinstance(chunk, dict) else None
        if isinstance(usage, dict):
            tier = _TRAFFIC.get(str(usage.get("trafficType")), tier)
    return tier


def _typed(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return contents whose files all have the media type that Vertex demands."""
    return [{**content, "parts": [_typed_part(part) for part in content["parts"]]} for content in contents]


def _typed_part(part: dict[str, Any]) -> dict[str, Any]:
    result = part.get("functionResponse")
    if isinstance(result, dict) and isinstance(result.get("parts"), list):
        return {**part, "functionResponse": {**result, "parts": [_typed_part(p) for p in result["parts"]]}}
    file = part.get("fileData")
    if not isinstance(file, dict) or file.get("mimeType"):
        return part
    uri = str(file.get("fileUri"))
    guess = "video/mp4" if "youtu" in uri else mimetypes.guess_type(urlsplit(uri).path)[0]
    return {**part, "fileData": {**file, "mimeType": guess}} if guess else part
