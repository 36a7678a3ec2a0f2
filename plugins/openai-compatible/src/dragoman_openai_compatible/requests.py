"""From a Responses request to ``POST /chat/completions``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import BadRequestError
from dragoman.hookspecs import HTTPRequest
from dragoman.parameters import PARAMETERS
from dragoman_openai_compatible.conversation import Conversation
from dragoman_openai_compatible.notes import Notes
from dragoman_openai_compatible.options import answer_format, plain_options
from dragoman_openai_compatible.tools import tool_options

if TYPE_CHECKING:
    from dragoman.hookspecs import Target
    from dragoman_openai_compatible.host import Host

__all__ = ["ChatBody", "address", "chat_body", "credentials", "translate_request"]

_OWN = frozenset(PARAMETERS)


class ChatBody(NamedTuple):
    """A request of Chat Completions, wherever it is sent."""

    json: dict[str, Any]
    """The body, `model` and `stream` included."""
    warnings: list[dict[str, Any]]


def translate_request(request: dict[str, Any], target: Target, host: Host) -> HTTPRequest:
    """Return the request to a host.

    Raises:
        BadRequestError: something that Chat Completions cannot carry; `param` names it.
    """
    body = chat_body(request, target, host)
    return HTTPRequest(
        url=address(host, target, "/chat/completions"),
        json=body.json,
        headers=credentials(target),
        warnings=tuple(body.warnings),
    )


def address(host: Host, target: Target, path: str) -> str:
    """Return where requests go; the caller may have written the whole address, or left out a known end."""
    base = str(target.get("api_base") or host.base).rstrip("/").removesuffix(path)
    if host.base_suffix and not base.endswith(host.base_suffix):
        base += host.base_suffix
    return f"{base}{path}"


def credentials(target: Target) -> dict[str, str]:
    """Return the header that says who asks; none for a server that wants no key."""
    key = target.get("api_key")
    return {"authorization": f"Bearer {key}"} if key else {}


def chat_body(request: dict[str, Any], target: Target, host: Host) -> ChatBody:
    """Return the body of a Chat Completions request; also for plugins that reach the same wire elsewhere.

    Raises:
        BadRequestError: something that Chat Completions cannot carry; `param` names it.
    """
    notes = Notes(target.author, host)
    conversation = Conversation(notes)
    if request.get("instructions"):
        conversation.say("system", request["instructions"])
    for index, item in enumerate(request["input"]):
        conversation.add(item, f"input[{index}]")
    conversation.finish()
    format_options, told_in_words = answer_format(request, host)
    if told_in_words:
        conversation.instruct(told_in_words)
    if not conversation.messages:
        raise BadRequestError("there is nothing to send: the conversation has no messages", param="input")
    body: dict[str, Any] = {"model": target.model, "messages": conversation.messages}
    body |= tool_options(request, notes)
    body |= plain_options(request, host)
    body |= format_options
    for name, value in request.items():
        if name not in _OWN and value is not None:
            body[name] = value  # parameters of the host's own; the policy table lists them
    if request["stream"]:
        body["stream"] = True
        if host.asks_for_usage:
            body["stream_options"] = {"include_usage": True}
    return ChatBody(body, notes.warnings)
