"""Acme's models for dragoman. The README describes Acme's API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError, ProviderError
from dragoman.hookspecs import HTTPRequest, ProviderInfo, Setting, StreamEvent, Target, hookimpl
from dragoman.parameters import policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.output import Output

_FIELDS = {"instructions": "system", "temperature": "temperature", "max_output_tokens": "max_tokens"}
_STOPS = {"done": "completed", "length": "max_output_tokens", "filter": "content_filter"}
_NO_KNOBS = (
    "parallel_tool_calls max_tool_calls top_logprobs truncation service_tier prompt_cache_key image "
    "prompt_cache_options prompt_cache_retention safety_identifier presence_penalty frequency_penalty"
)
_NO_SERVICES = "moderation access_programs"
_CODES = {"prompt_too_long": "context_length_exceeded"}


@hookimpl
def provider_info() -> ProviderInfo:
    """Say what Acme is called, how it is configured, and what becomes of each parameter."""
    return ProviderInfo(
        name="acme",
        spec_version=1,
        wire="generate",
        settings=(
            Setting(name="api_key", env=("ACME_API_KEY",), required=True, secret=True),
            Setting(name="api_base", env=("ACME_API_BASE",), default="https://api.acme.example"),
        ),
        parameters=policies(
            native="instructions temperature tools.function tool_choice.auto",
            mapped={"max_output_tokens": "max_tokens"},
            emulated={"tool_choice.none": "no tools are sent"},
            warned={
                "top_p": "Acme has temperature alone",
                "user": "Acme does not ask",
                "reasoning.effort": "Acme does not think",
                **dict.fromkeys(_NO_KNOBS.split(), "Acme has no such knob"),
            },
            rejected=dict.fromkeys(_NO_SERVICES.split(), "Acme has nothing like it"),
        ),  # tools, formats and the like that are not listed are rejected
        models=("large", "small"),
        documentation="https://acme.example/docs",
        request_id_headers=("acme-request-id",),
    )


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into ``POST /v1/generate``."""
    body: dict[str, Any] = {"model": target.model, "stream": request["stream"]}
    body["messages"] = [_message(item, f"input[{index}]") for index, item in enumerate(request["input"])]
    body |= {theirs: request[ours] for ours, theirs in _FIELDS.items() if request.get(ours) is not None}
    if request.get("tools") and request.get("tool_choice") != "none":
        body["tools"] = [
            {
                "name": tool["name"],
                "purpose": tool.get("description") or "",
                "schema": tool.get("parameters") or {},
            }
            for tool in request["tools"]
        ]
    headers = {"authorization": f"Bearer {target.get('api_key')}"}
    return HTTPRequest(url=f"{target.get('api_base').rstrip('/')}/v1/generate", json=body, headers=headers)


def _message(item: dict[str, Any], param: str) -> dict[str, Any]:
    match item["type"]:
        case "message":
            role = "system" if item["role"] == "developer" else item["role"]
            return {"role": role, "text": _text(item["content"], f"{param}.content")}
        case "function_call":
            call = {"id": item["call_id"], "name": item["name"], "arguments": item["arguments"]}
            return {"role": "assistant", "call": call}
        case "function_call_output":
            return {"role": "tool", "id": item["call_id"], "text": _text(item["output"], f"{param}.output")}
        case unknown:
            raise BadRequestError(f"Acme has nothing like an item of the type {unknown!r}", param=param)


def _text(parts: list[dict[str, Any]], param: str) -> str:
    for index, part in enumerate(parts):
        if part["type"] not in {"input_text", "output_text"}:
            raise BadRequestError(f"Acme reads text, not {part['type']!r}", param=f"{param}[{index}]")
    return "".join(part["text"] for part in parts)


@hookimpl
def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    output.model(payload.get("model"))
    for block in (*payload.get("blocks", ()), {"kind": "stop", **payload}):
        _write(block, output)


@hookimpl
def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event: a stream has the blocks of a whole answer, its texts in pieces."""
    _write(event.data, output)


def _write(block: dict[str, Any], output: Output) -> None:
    match block.get("kind"):
        case "start":
            output.model(block.get("model"))
        case "text":
            output.text(block["text"])
        case "call":
            call = output.function_call(block.get("id"), block["name"])
            call.write(block["arguments"])
        case "stop":
            tokens = block.get("tokens") or {}
            output.usage(input_tokens=tokens.get("in"), output_tokens=tokens.get("out"))
            if reason := block.get("stop"):  # without one the answer counts as cut off
                output.finish(_STOPS.get(reason, reason))
            output.end()
        case "error":
            output.fail(_error(block["status"], block["error"]))


@hookimpl
def parse_error(status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError | None:
    """Read ``{"error": {"message", "code"}}``; anything else is left to core."""
    try:
        return _error(status, json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _error(status: int, error: dict[str, Any]) -> ProviderError:
    code = error.get("code")
    return ProviderError(
        message=error["message"], status=status, code=_CODES.get(code, code) if code else None
    )
