"""Bodies of requests: read within limits, parsed, and free of what callers have no say in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from dragoman.errors import APIStatusError, BadRequestError, RequestTooLargeError
from dragoman.providers import COMMON_SETTINGS
from dragoman.turns.arguments import CallOptions
from dragoman.types import CallParameters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from dragoman.providers import Provider
    from dragoman_server.gateway import Limits

__all__ = ["check_entries", "check_fields", "parse_body", "parse_object", "read_body", "refuse_options"]

_OPTIONS = (frozenset(CallOptions.__annotations__) - frozenset(CallParameters.__annotations__)) | frozenset(
    {*COMMON_SETTINGS, "base_url", "headers", "organization"}
)
"""What configures a call in Python, and here is the operator's: where it goes, with whose key, how often."""
_CALLERS = frozenset({"fallbacks", "disable_fallbacks", "tags"})
"""What a caller may say of routing: names of what is served here lead nowhere else."""
_IDENTITY = {b"", b"identity"}
_LISTS = {"input": "items", "tools": "tools"}  # field -> the limit of its length


async def read_body(
    receive: Callable[[], Awaitable[Any]], headers: Mapping[bytes, bytes], limits: Limits
) -> bytes:
    """Return the whole body.

    Raises:
        RequestTooLargeError: it has more bytes than is allowed.
        APIStatusError: it does not come, or breaks off.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limits.body:
        raise _too_large(limits)
    pieces: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(limits.body_timeout):
                message = await receive()
        except TimeoutError:
            raise APIStatusError(
                f"The rest of the body did not come within {limits.body_timeout:g} s.",
                status_code=408,
                code="request_timeout",
                retryable=True,
            ) from None
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError  # nobody is there to hear of it
        piece = message.get("body", b"")
        size += len(piece)
        if size > limits.body:
            raise _too_large(limits)
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def parse_body(body: bytes, headers: Mapping[bytes, bytes], limits: Limits) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        APIStatusError: 415, it is not said to be JSON.
        BadRequestError: it is no JSON object, or nested too deep.
    """
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if media_type != b"application/json" or encoding not in _IDENTITY:
        raise APIStatusError(
            "The body must be JSON, not compressed, with the header Content-Type: application/json.",
            status_code=415,
            code="unsupported_media_type",
            type="invalid_request_error",
        )
    return parse_object(body, limits, "body")


def parse_object(text: bytes, limits: Limits, what: str) -> dict[str, Any]:
    """Return the JSON object that a body or a frame is.

    Raises:
        BadRequestError: it is none, or nested too deep; the message calls it `what`.
    """
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as problem:
        if "recursion" in str(problem):
            raise _too_deep(limits, what) from None
        raise BadRequestError(f"The {what} is not valid JSON: {problem}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise BadRequestError(f"The {what} must be a JSON object.", code="invalid_type")
    # As many brackets as levels are the least that can be too deep: most bodies need no closer look.
    if text.count(b"[") + text.count(b"{") > limits.depth and _deeper(value, limits.depth):
        raise _too_deep(limits, what)
    return value


def check_entries(body: Mapping[str, Any], limits: Limits) -> None:
    """Check how long the lists of a request are.

    Raises:
        BadRequestError: naming the field.
    """
    for name, limit in _LISTS.items():
        value, most = body.get(name), getattr(limits, limit)
        if isinstance(value, list) and len(value) > most:
            raise BadRequestError(
                f"{name} must have at most {most} entries on this server.",
                param=name,
                code="too_many_entries",
            )


def refuse_options(body: Mapping[str, Any], provider: Provider | None = None) -> None:
    """Refuse what would choose the upstream, its credentials, or how it is called.

    Args:
        body: what a caller sent.
        provider: whose settings are refused, too.

    Raises:
        BadRequestError: naming the field.
    """
    for name in body:
        ours = name in _OPTIONS and name not in _CALLERS
        if ours or (provider is not None and provider.takes_setting(name)):
            raise BadRequestError(
                f"{name} is not a caller's to set: the server's configuration decides where and how models "
                "are called. Leave it out.",
                param=name,
                code="parameter_not_allowed",
            )


def check_fields(body: Mapping[str, Any], known: frozenset[str]) -> None:
    """Check that a body has no other fields than these.

    Raises:
        BadRequestError: naming the first that is not known.
    """
    for name in body:
        if name not in known:
            raise BadRequestError(
                f"Unknown parameter: {name[:80]!r}. Known are {', '.join(sorted(known))}.",
                param=name[:80],
                code="unknown_parameter",
            )


def _deeper(value: Any, levels: int) -> bool:
    """Tell whether a value is nested deeper than so many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True


def _too_large(limits: Limits) -> RequestTooLargeError:
    return RequestTooLargeError(
        f"The body is larger than {limits.body} bytes, the limit of this server.", code="request_too_large"
    )


def _too_deep(limits: Limits, what: str) -> BadRequestError:
    return BadRequestError(f"The {what} is nested deeper than {limits.depth} levels.", code="json_too_deep")
