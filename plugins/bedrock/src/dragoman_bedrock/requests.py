"""From a Responses request to ``POST /model/{id}/converse``, and to its token counter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.hookspecs import HTTPRequest
from dragoman_bedrock.conversation import Conversation
from dragoman_bedrock.endpoints import counted_model, family_name, maker_of, url_for
from dragoman_bedrock.models import model_named
from dragoman_bedrock.notes import Notes
from dragoman_bedrock.options import (
    OWN_BODY,
    apply_format,
    implicit_cache,
    inference_config,
    service_tier,
)
from dragoman_bedrock.tools import Toolbox

if TYPE_CHECKING:
    from dragoman.hookspecs import Target

__all__ = ["ConverseBody", "converse_body", "supports_prefill", "translate_request", "translate_token_count"]

_STREAM_TYPE = "application/vnd.amazon.eventstream"
_COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")


class ConverseBody(NamedTuple):
    """A request of Converse, wherever it is sent."""

    json: dict[str, Any]
    warnings: list[dict[str, Any]]


def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the request to Bedrock, not signed yet.

    Raises:
        BadRequestError: something that Bedrock or the model cannot take; `param` names it.
    """
    body = converse_body(request, target)
    streamed = request["stream"]
    return HTTPRequest(
        url=url_for(target, "converse-stream" if streamed else "converse"),
        json=body.json,
        headers={"accept": _STREAM_TYPE if streamed else "application/json"},
        warnings=tuple(body.warnings),
    )


def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Return the question to CountTokens; None for models that it does not know.

    Raises:
        BadRequestError: as in ``translate_request``.
    """
    if not model_named(family_name(target)).counts:
        return None
    body = converse_body(request, target).json
    counted = {name: body[name] for name in _COUNTED if name in body}
    return HTTPRequest(
        url=url_for(target, "count-tokens", model=counted_model(target)),
        json={"input": {"converse": counted}},
        headers={"accept": "application/json"},
    )


def supports_prefill(request: dict[str, Any], target: Target) -> bool:
    """Tell whether a model goes on behind the beginning of its answer: of Claude, while it does not think."""
    thinking = request.get("thinking") or (request.get("additionalModelRequestFields") or {}).get("thinking")
    return model_named(family_name(target)).prefill and (thinking or {}).get("type", "disabled") == "disabled"


def converse_body(request: dict[str, Any], target: Target) -> ConverseBody:
    """Return the body of a Converse request.

    Raises:
        BadRequestError: something that Bedrock or the model cannot take; `param` names it.
    """
    model = model_named(family_name(target))
    notes = Notes(target.author, maker_of(target), cites=bool(model.family))
    conversation = Conversation(model, notes)
    if (request.get("instructions") or "").strip():
        conversation.system.append({"text": request["instructions"]})
    for index, item in enumerate(request["input"]):
        conversation.add(item, f"input[{index}]")
    conversation.finish()
    toolbox = Toolbox(request.get("tools") or [], model, notes)

    body: dict[str, Any] = {"messages": conversation.messages}
    if conversation.system:
        body["system"] = conversation.system
    if config := toolbox.config(request, conversation.called):
        body["toolConfig"] = config
    if config := inference_config(request, model, notes):
        body["inferenceConfig"] = config
    apply_format(body, request, model, notes)
    implicit_cache(body, request, model, notes)
    body |= service_tier(request, notes)
    body |= {name: request[name] for name in OWN_BODY if request.get(name) is not None}
    notes.add_fields(request.get("additionalModelRequestFields") or {})
    if notes.fields:
        body["additionalModelRequestFields"] = notes.fields
    return ConverseBody(body, notes.warnings)
