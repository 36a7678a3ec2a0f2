"""From a Responses request to Foundry: the deployment decides which wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest
from dragoman_anthropic.requests import messages_body
from dragoman_anthropic.requests import supports_prefill as claude_supports_prefill
from dragoman_anthropic.requests import token_count_body as messages_count_body
from dragoman_azure_ai.addresses import chat_url, messages_url, responses_url
from dragoman_azure_ai.deployments import CHAT, MESSAGES, RESPONSES, Deployment, deployment_of
from dragoman_azure_ai.hosts import host_for
from dragoman_openai.requests import compaction_body, responses_body, token_count_body
from dragoman_openai_compatible.requests import chat_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.hookspecs import Target
    from dragoman_anthropic.requests import MessagesBody

__all__ = ["supports_prefill", "translate_compaction", "translate_request", "translate_token_count"]

_ANTHROPIC_VERSION = "2023-06-01"
# Foundry checks a body against its own list of parameters, and answers 422 to all else; this lets it through
# to the model. Always sent, since what a caller adds as extra_body is not seen here.
_PASS_THROUGH = {"extra-parameters": "pass-through"}


def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the request to the deployment.

    Raises:
        BadRequestError: something that the deployment's wire cannot carry, or a setting that is none; `param`
            names it.
    """
    deployment = deployment_of(target)
    return _REQUESTS[deployment.wire](request, target, deployment)


def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Return the question to the wire's counter; None for Chat Completions, which has none."""
    deployment = deployment_of(target)
    ask = _COUNTS.get(deployment.wire)
    return ask(request, target, deployment) if ask is not None else None


def supports_prefill(request: dict[str, Any], target: Target) -> bool:
    """Tell whether a deployment goes on behind the beginning of its answer: of Claude, as everywhere."""
    deployment = deployment_of(target)
    return deployment.wire == MESSAGES and claude_supports_prefill(request, deployment.model)


def _ask_chat(request: dict[str, Any], target: Target, deployment: Deployment) -> HTTPRequest:
    body = chat_body(request, replace(target, model=deployment.name), host_for(deployment.model))
    url = chat_url(target, deployment.name)
    own_list = "/openai/" not in url
    return HTTPRequest(
        url=url,
        json=body.json,
        headers=_PASS_THROUGH if own_list else {},
        warnings=tuple(body.warnings),
    )


def _ask_messages(request: dict[str, Any], target: Target, deployment: Deployment) -> HTTPRequest:
    # What Claude takes depends on the model, which the deployment's name need not tell.
    body = messages_body(request, replace(target, model=deployment.model))
    return _to_claude(body, messages_url(target), deployment)


def _count_messages(request: dict[str, Any], target: Target, deployment: Deployment) -> HTTPRequest:
    body = messages_count_body(request, replace(target, model=deployment.model))
    return _to_claude(body, messages_url(target, "messages/count_tokens"), deployment)


def _ask_responses(request: dict[str, Any], target: Target, deployment: Deployment) -> HTTPRequest:
    body = responses_body(request, replace(target, model=deployment.name))
    return HTTPRequest(url=responses_url(target), json=body)


def _count_responses(request: dict[str, Any], target: Target, deployment: Deployment) -> HTTPRequest:
    body = token_count_body(request, replace(target, model=deployment.name))
    return HTTPRequest(url=responses_url(target, "responses/input_tokens"), json=body)


def translate_compaction(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Return the request to the resource's compaction; None but for the Responses API."""
    deployment = deployment_of(target)
    if deployment.wire != RESPONSES:
        return None
    body = compaction_body(request, replace(target, model=deployment.name))
    return HTTPRequest(url=responses_url(target, "responses/compact"), json=body)


def _to_claude(body: MessagesBody, url: str, deployment: Deployment) -> HTTPRequest:
    headers = {"anthropic-version": _ANTHROPIC_VERSION}
    if body.betas:
        headers["anthropic-beta"] = ",".join(body.betas)
    return HTTPRequest(
        url=url,
        json={**body.json, "model": deployment.name},
        headers=headers,
        warnings=tuple(body.warnings),
    )


_REQUESTS: dict[str, Callable[[dict[str, Any], Target, Deployment], HTTPRequest]] = {
    CHAT: _ask_chat,
    MESSAGES: _ask_messages,
    RESPONSES: _ask_responses,
}
_COUNTS = {MESSAGES: _count_messages, RESPONSES: _count_responses}
