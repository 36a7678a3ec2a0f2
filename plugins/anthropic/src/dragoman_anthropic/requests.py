"""From a Responses request to ``POST /v1/messages``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import AuthenticationError
from dragoman.hookspecs import HTTPRequest
from dragoman.parameters import PARAMETERS
from dragoman_anthropic.conversation import Conversation
from dragoman_anthropic.models import model_named
from dragoman_anthropic.notes import Notes
from dragoman_anthropic.options import apply_format, context_edits, plain_options, thinking_options
from dragoman_anthropic.tools import Toolbox

if TYPE_CHECKING:
    from dragoman.hookspecs import Target

__all__ = [
    "MessagesBody",
    "messages_body",
    "supports_prefill",
    "token_count_body",
    "translate_request",
    "translate_token_count",
]

_VERSION = "2023-06-01"
_OWN = frozenset(PARAMETERS)
# What a message is made from, but the counter of tokens does not take.
_NOT_COUNTED = frozenset(
    {"max_tokens", "stream", "temperature", "top_p", "top_k", "metadata", "service_tier", "stop_sequences",
     "container"}
)  # fmt: skip


class MessagesBody(NamedTuple):
    """A request of the Messages API, wherever it is sent."""

    json: dict[str, Any]
    """The body, `model` and `stream` included."""
    betas: list[str]
    """What belongs into the ``anthropic-beta`` header."""
    warnings: list[dict[str, Any]]


def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the request to Anthropic's API.

    Raises:
        AuthenticationError: neither an API key nor a token is there.
        BadRequestError: something that Claude cannot take; `param` names it.
    """
    return _addressed(messages_body(request, target), target, "messages")


def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the question to Anthropic's counter of tokens."""
    return _addressed(token_count_body(request, target), target, "messages/count_tokens")


def _addressed(body: MessagesBody, target: Target, path: str) -> HTTPRequest:
    headers = {"anthropic-version": _VERSION, **_credentials(target)}
    if body.betas:
        headers["anthropic-beta"] = ",".join(body.betas)
    base = str(target.get("api_base") or "https://api.anthropic.com").rstrip("/").removesuffix("/v1")
    return HTTPRequest(
        url=f"{base}/v1/{path}", json=body.json, headers=headers, warnings=tuple(body.warnings)
    )


def supports_prefill(request: dict[str, Any], model: str) -> bool:
    """Tell whether a model goes on behind the beginning of its answer: no newer one, and none that thinks."""
    thinks = (request.get("thinking") or {}).get("type", "disabled") != "disabled"
    return model_named(model).prefill and not thinks


def token_count_body(request: dict[str, Any], target: Target) -> MessagesBody:
    """Return the body of a question to the counter of tokens, wherever it is sent."""
    body = messages_body(request, target)
    counted = {name: value for name, value in body.json.items() if name not in _NOT_COUNTED}
    return MessagesBody(counted, body.betas, body.warnings)


def _credentials(target: Target) -> dict[str, str]:
    if key := target.get("api_key"):
        return {"x-api-key": str(key)}
    if token := target.get("auth_token"):
        return {"authorization": f"Bearer {token}"}
    raise AuthenticationError(
        "no credentials for Anthropic: pass api_key (or auth_token), or set ANTHROPIC_API_KEY "
        "(or ANTHROPIC_AUTH_TOKEN)",
        code="missing_credentials",
        provider=target.provider,
    )


def messages_body(request: dict[str, Any], target: Target) -> MessagesBody:
    """Return the body of a Messages request; also for plugins that reach Claude elsewhere.

    Raises:
        BadRequestError: something that Claude cannot take; `param` names it.
    """
    model = model_named(target.model)
    notes = Notes(target.author)
    conversation = Conversation(model, notes)
    if request.get("instructions"):
        conversation.system.append({"type": "text", "text": request["instructions"]})
    for index, item in enumerate(request["input"]):
        conversation.add(item, f"input[{index}]")
    conversation.finish()
    toolbox = Toolbox(request.get("tools") or [], model, notes)
    if request.get("max_tool_calls"):
        toolbox.limit_hosted_calls(request["max_tool_calls"])
    if toolbox.files:
        _upload(toolbox.files, conversation.messages, notes)

    body: dict[str, Any] = {"model": target.model, "messages": conversation.messages}
    body |= thinking_options(request, model, notes)
    if conversation.system:
        body["system"] = conversation.system
    if toolbox.tools:
        body["tools"] = toolbox.tools
    if (choice := toolbox.choice(request)) is not None:
        body["tool_choice"] = choice
    if toolbox.mcp_servers:
        body["mcp_servers"] = toolbox.mcp_servers
    if container := toolbox.container or conversation.container:
        body["container"] = container
    apply_format(body, request, model)
    body |= plain_options(request, notes)
    body |= context_edits(request, notes)
    _add_native(body, request, notes)
    if request["stream"]:
        body["stream"] = True
    if [set(block) for block in body.get("system", ())] == [{"type", "text"}]:
        body["system"] = body["system"][0]["text"]
    return MessagesBody(body, notes.betas, notes.warnings)


def _upload(files: list[str], messages: list[dict[str, Any]], notes: Notes) -> None:
    """Put files into the container: blocks of the first user turn, so that cached prefixes stay the same."""
    notes.beta("files-api-2025-04-14")
    first = next((message for message in messages if message["role"] == "user"), None)
    if first is not None:
        first["content"] += [{"type": "container_upload", "file_id": file_id} for file_id in files]


def _add_native(body: dict[str, Any], request: dict[str, Any], notes: Notes) -> None:
    """Add parameters that only Anthropic has, under their own names; the policy table lists them."""
    native = {name: value for name, value in request.items() if name not in _OWN and value is not None}
    for beta in native.pop("betas", ()):
        notes.beta(beta)
    stop = native.pop("stop", None)
    if stop is not None:
        native.setdefault("stop_sequences", [stop] if isinstance(stop, str) else stop)
    if "output_config" in native:
        native["output_config"] = {**body.get("output_config", {}), **native["output_config"]}
    if "mcp_servers" in native:
        if not any(tool.get("type") == "mcp_toolset" for tool in body.get("tools", ())):
            notes.beta("mcp-client-2025-04-04")  # the servers say themselves which tools they offer
        native["mcp_servers"] = [*body.get("mcp_servers", ()), *native["mcp_servers"]]
    if isinstance(native.get("container"), dict):
        notes.beta("skills-2025-10-02")
    body.update(native)
