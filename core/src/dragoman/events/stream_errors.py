"""Errors inside a stream: read in every form they come in, written in the one that all clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError

if TYPE_CHECKING:
    from dragoman.errors import APIError
    from dragoman.types import Event

__all__ = ["as_said", "error_event", "failed_events", "response_error", "stream_error"]

_STATUS = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "too_many_requests": 429,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found": 404,
    "not_found_error": 404,
    "server_error": 500,
    "model_error": 500,
    "vector_store_timeout": 500,
}
"""Code or type of an error -> the status that the same error has over HTTP. Those in `_REQUEST_ERRORS` are a
400, all others a 500."""
_REQUEST_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_request_error",
        "invalid_prompt",
        "context_length_exceeded",
        "content_policy_violation",
        "content_filter",
        "data_residency_mismatch",
        "bio_policy",
        "misalignment_policy_violation",
        "previous_response_not_found",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    }
)
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429


def stream_error(said: object) -> ProviderError:
    """Return what an error says: an `error` event, nested or flat, or the `error` of a response.

    Never raises: an error that says nothing is a server error all the same.
    """
    details: Any = said
    if isinstance(said, dict) and said.get("error"):
        details = said["error"]
    if not isinstance(details, dict):
        details = {"message": details}
    code, type_, param = (_text(details.get(name)) for name in ("code", "type", "param"))
    if type_ == "error":
        type_ = None  # the event's own type, in the flat form
    message = (
        _text(details.get("message")) or code or type_ or "the provider reported an error without details"
    )
    status = said.get("status") if isinstance(said, dict) else None
    if not isinstance(status, int) or not 400 <= status < 600:
        status = _status(code, type_)
    return ProviderError(message=message, status=status, type=type_, code=code, param=param)


def error_event(said: Event, error: ProviderError) -> Event:
    """Return `said`, an upstream's `error` event or an empty one of ours, with the flat and the nested form.

    Each reads by some client and by no other; both in one event are read by all.
    """
    nested = said.get("error")
    details = {"code": error.code, "message": error.message, "param": error.param}
    known = nested if isinstance(nested, dict) else {}
    return {
        **said,
        "type": "error",
        **details,
        "error": {**known, "type": error.type or "server_error", **details},
    }


def failed_events(response: dict[str, Any], problem: APIError) -> list[Event]:
    """Return the two events that end a response that failed: the error, and the response with it."""
    said = as_said(problem)
    failed = {**response, "status": "failed", "error": response_error(said)}
    return [error_event({}, said), {"type": "response.failed", "response": failed}]


def as_said(problem: APIError) -> ProviderError:
    """Return an exception as the description that ends a response."""
    return ProviderError(
        message=problem.message,
        status=problem.status_code,
        type=problem.to_dict()["error"]["type"],
        code=problem.code,
        param=problem.param,
        retry_after=problem.retry_after,
    )


def response_error(error: ProviderError) -> dict[str, Any]:
    """Return the `error` of a failed response; its code is of OpenAI's closed list: clients retry by it."""
    if error.code in _REQUEST_ERRORS or error.code in {"rate_limit_exceeded", "server_error"}:
        code = error.code
    elif error.status == _TOO_MANY_REQUESTS:
        code = "rate_limit_exceeded"
    else:
        code = "server_error" if error.status >= _SERVER_ERROR else "invalid_prompt"
    return {"code": code, "message": error.message}


def _status(code: str | None, type_: str | None) -> int:
    for name in (code, type_):
        if name in _STATUS:
            return _STATUS[name]
        if name in _REQUEST_ERRORS:
            return 400
    return _SERVER_ERROR


def _text(value: object) -> str | None:
    return None if value is None else str(value)
