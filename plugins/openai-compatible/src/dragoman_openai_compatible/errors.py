"""Refusals and failures in the dialects of many hosts, in OpenAI's vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dragoman.errors import ProviderError
from dragoman_openai import errors as openai_errors

__all__ = ["parse_error", "read_error", "stream_error"]

_CONTEXT = "context_length_exceeded"
_QUOTA = "insufficient_quota"
_POLICY = "content_policy_violation"
_MODEL = "model_not_found"
# Codes and types of hosts, for what has a code of its own at OpenAI.
_CODES = {
    "too_many_prompt_tokens": _CONTEXT,  # Perplexity
    "context_length_exceeded": _CONTEXT,
    "exceed_context_size_error": _CONTEXT,  # llama.cpp
    "content_filter": _POLICY,
    "RateLimitReached": "rate_limit_exceeded",  # Foundry
    "DeploymentNotFound": _MODEL,
}
# What is said in words alone. The first that is found in the message wins.
_SAID_IN_WORDS = (
    ("maximum context length", _CONTEXT),
    ("context window", _CONTEXT),
    ("context length", _CONTEXT),
    ("context size", _CONTEXT),
    ("prompt is too long", _CONTEXT),
    ("maximum prompt length", _CONTEXT),
    ("too large for model with", _CONTEXT),
    ("reduce the length of the messages", _CONTEXT),
    ("total length of all messages is too long", _CONTEXT),
    ("insufficient balance", _QUOTA),
    ("insufficient credits", _QUOTA),
    ("exceeded your current quota", _QUOTA),
    ("no resource package", _QUOTA),
)
_MESSAGES = ("message", "detail", "msg")
_TOO_MANY_REQUESTS = 429
_PAYMENT_REQUIRED = 402
_SERVER_ERROR = 500
# A failure inside a stream, by its code or type -> the status that it has over HTTP.
_STATUS = {
    "tool_use_failed": 400,
    "json_validate_failed": 400,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    _QUOTA: 402,
    _CONTEXT: 400,
    _POLICY: 400,
    _MODEL: 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded_error": 503,
}


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where no host that is known speaks like that (a gateway's page).

    OpenAI's ``{"error": {"message", "type", "param", "code"}}``; a number as `code` and `metadata` beside it
    (OpenRouter); ``{"error": "..."}`` (Ollama) with a `code` beside it (xAI); ``{"message", "type", "code"}``
    without more, or ``{"detail": ...}`` (Mistral, and what is built with FastAPI).
    """
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    return read_error(payload, status)


def stream_error(payload: Any) -> ProviderError:
    """Return what an error inside an accepted answer says, with the status that it has over HTTP."""
    said = _details(payload) or {}
    status = next(
        (number for name in ("status_code", "code", "status") if (number := _number(said.get(name)))), None
    )
    if status is None:
        read = read_error(payload, 400)
        words = (read.code, read.type) if read else ()
        status = next((_STATUS[word] for word in words if word in _STATUS), _SERVER_ERROR)
    return read_error(payload, status) or ProviderError(
        message="the host reported an error without saying which", status=status, type="server_error"
    )


def read_error(payload: Any, status: int) -> ProviderError | None:
    """Return what an error says, parsed; None where that is nothing known."""
    said = _details(payload)
    if said is None:
        return None
    # OpenAI's own words (waits in seconds, quotas, policies) are read where OpenAI's plugin reads them.
    body = json.dumps({"error": {**said, "code": _text(said.get("code"))}}).encode()
    read = openai_errors.parse_error(status, body)
    if read is None:
        return None
    code = _code(read.code, read.type, read.message, status)
    message = read.message
    metadata = said.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if raw and isinstance(raw, str) and raw not in message:
        message = f"{message}: {raw}"  # OpenRouter quotes the host that failed behind it
    return ProviderError(
        message=message,
        status=status,
        type=read.type,
        code=code,
        param=read.param,
        retry_after=read.retry_after,
    )


def _details(payload: Any) -> dict[str, Any] | None:
    """Return the object that holds message and code, whatever it is wrapped in."""
    if isinstance(payload, list) and len(payload) == 1:
        (payload,) = payload  # Google's OpenAI surface
    if not isinstance(payload, Mapping):
        return None
    for name in ("error", "detail"):
        said = payload.get(name)
        if isinstance(said, Mapping):
            inner = _details(said)  # DeepInfra: {"detail": {"error": "..."}}
            message = said.get("message") or said.get("type") or said.get("code")
            return {**said, "message": _sentence(message)} if message else inner
    said = payload.get("error")
    message = said or next((payload[name] for name in _MESSAGES if payload.get(name)), None)
    if not message:
        return None
    type_ = payload.get("error_type") if said else payload.get("type")  # Hugging Face; Mistral
    return {
        "message": _sentence(message),
        "type": type_ if isinstance(type_, str) else None,
        "code": payload.get("code"),
        "param": payload.get("param"),
    }


def _sentence(message: Any) -> str:
    """Return a message as text; FastAPI lists what it does not like: ``[{"loc", "msg"}]``."""
    if isinstance(message, Mapping) and isinstance(message.get("detail"), list):
        message = message["detail"]
    if not isinstance(message, list):
        return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    problems = []
    for problem in message:
        if isinstance(problem, Mapping) and problem.get("msg"):
            place = ".".join(str(step) for step in problem.get("loc") or ())
            problems.append(f"{place}: {problem['msg']}" if place else str(problem["msg"]))
        else:
            problems.append(str(problem))
    return "; ".join(problems)


def _code(code: str | None, type_: str | None, message: str, status: int) -> str | None:
    if status >= _SERVER_ERROR:
        return code
    for word in (code, type_):
        if word in _CODES:
            return _CODES[word]
    lowered = message.lower()
    # Of a rate limit such words tell how many tokens a minute may have, not how long an input may be.
    said = next((meant for words, meant in _SAID_IN_WORDS if words in lowered), None)
    if said is not None and not (status == _TOO_MANY_REQUESTS and said == _CONTEXT):
        return said
    if status == _PAYMENT_REQUIRED:
        return _QUOTA
    return None if code is not None and code == str(status) else code


def _number(value: Any) -> int | None:
    """Return an HTTP status, where that is what a code is."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value < 600 else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
