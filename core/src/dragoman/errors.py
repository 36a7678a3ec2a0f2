"""Everything that can go wrong, as one tree.

    DragomanError
    ├── PluginError                          a plugin is missing its dependency, wired wrongly, or too old
    └── APIError                             one call failed
        ├── APIConnectionError               no answer, or the answer broke off
        │   ├── APITimeoutError              408   one of the call's time limits passed
        │   └── StreamInterruptedError             the upstream ended before its end mark
        ├── MalformedResponseError           502   an answer that is not in the provider's own format
        └── APIStatusError                         refused, with a status
            ├── BadRequestError              400
            │   ├── UnsupportedParameterError      the provider has nothing like it
            │   ├── ContextWindowExceededError     input longer than the model takes
            │   └── ContentPolicyViolationError    refused by the provider's content policy
            ├── AuthenticationError          401   key missing or refused
            ├── PermissionDeniedError        403
            ├── NotFoundError                404   unknown provider, model or resource
            │   └── UnknownProviderError
            ├── ConflictError                409
            ├── RequestTooLargeError         413
            ├── UnprocessableEntityError     422
            ├── RateLimitError               429
            └── InternalServerError          5xx
                └── ServiceUnavailableError  503, 529

Names and statuses follow the official OpenAI SDK, so code that catches its exceptions moves over by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman.models import Response

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "DragomanError",
    "InternalServerError",
    "MalformedResponseError",
    "NotFoundError",
    "PermissionDeniedError",
    "PluginError",
    "ProviderError",
    "RateLimitError",
    "RequestTooLargeError",
    "ServiceUnavailableError",
    "StreamInterruptedError",
    "UnknownProviderError",
    "UnprocessableEntityError",
    "UnsupportedParameterError",
    "error_for",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderError:
    """What a provider said went wrong, in OpenAI's vocabulary: what ``parse_error`` and ``Output.fail`` take.

    A description, not an exception: core adds provider, model and request id, removes secrets, and picks the
    exception from `code` where it has a class of its own (`context_length_exceeded`,
    `content_policy_violation`), else from `status`.
    """

    message: str
    """The provider's own words."""
    status: int
    """The HTTP status; for a failure inside a stream, the one the provider gives the same error over HTTP."""
    type: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    """Seconds, where the body tells and no header does."""


class DragomanError(Exception):
    """The base of every error that dragoman raises on purpose."""


class PluginError(DragomanError):
    """A plugin cannot be used: the message names the distribution and the command that mends it."""


class APIError(DragomanError):
    """One call failed; the attributes say where, why, and whether the same call may work later."""

    status_code: int = 500
    retryable: bool = False
    """Whether sending the same request again can succeed."""

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        param: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        provider: str | None = None,
        model: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        body: object = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.type = type
        self.provider = provider
        self.model = model
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds to wait, where the upstream said so."""
        self.body = body
        """The upstream's answer as it came (parsed JSON or text), secrets removed."""
        self.response: Response | None = None
        """The failed response with the output that had arrived, where a stream or an answer broke."""
        if status_code is not None:
            self.status_code = status_code
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        """Return ``provider/model: status code: message (param, request id)``, as far as known."""
        target = "/".join(part for part in (self.provider, self.model) if part)
        if self.provider and self.message.startswith(f"{self.provider} "):
            target = ""  # said already
        details = [
            f"{name}: {value}"
            for name, value in (("param", self.param), ("code", self.code), ("request id", self.request_id))
            if value
        ]
        return "".join(
            (f"{target}: " if target else "", self.message, f" ({', '.join(details)})" if details else "")
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the body that the Responses API gives for this error: ``{"error": {...}}``."""
        return {
            "error": {
                "message": self.message,
                "type": self.type or _TYPES.get(self.status_code, "server_error"),
                "param": self.param,
                "code": self.code,
            }
        }


class APIConnectionError(APIError):
    """The upstream could not be reached, or the connection broke before its answer was whole."""

    status_code = 502
    retryable = True


class APITimeoutError(APIConnectionError):
    """A time limit passed: connect, first event, between events, or total; the message says which."""

    status_code = 408


class StreamInterruptedError(APIConnectionError):
    """The answer ended before the wire's end mark; `response` holds what had arrived."""


class MalformedResponseError(APIError):
    """The upstream answered with something that is not its own format."""

    status_code = 502
    retryable = True


class APIStatusError(APIError):
    """The request was refused, by dragoman before any traffic or by the upstream."""


class BadRequestError(APIStatusError):
    """400: the request is wrong; `param` names the field."""

    status_code = 400


class UnsupportedParameterError(BadRequestError):
    """400: this provider has no counterpart for a parameter, item or tool of the request."""


class ContextWindowExceededError(BadRequestError):
    """400: the input is longer than the model's context window."""


class ContentPolicyViolationError(BadRequestError):
    """400: the provider's content policy refuses the request."""


class AuthenticationError(APIStatusError):
    """401: a credential is missing or was refused."""

    status_code = 401


class PermissionDeniedError(APIStatusError):
    """403: the credential is known but may not do this."""

    status_code = 403


class NotFoundError(APIStatusError):
    """404: no such provider, model or resource."""

    status_code = 404


class UnknownProviderError(NotFoundError):
    """404: no installed plugin serves this model prefix."""


class ConflictError(APIStatusError):
    """409: the resource is in another state."""

    status_code = 409
    retryable = True


class RequestTooLargeError(APIStatusError):
    """413: the request has more bytes than the upstream takes."""

    status_code = 413


class UnprocessableEntityError(APIStatusError):
    """422: well-formed, but not acceptable to the upstream."""

    status_code = 422


class RateLimitError(APIStatusError):
    """429: too many requests or tokens; `retry_after` says how long to wait where the upstream did."""

    status_code = 429
    retryable = True


class InternalServerError(APIStatusError):
    """5xx: the upstream failed."""

    status_code = 500
    retryable = True


class ServiceUnavailableError(InternalServerError):
    """503 or 529: the upstream is overloaded or down."""

    status_code = 503


_BY_CODE: dict[str, type[APIStatusError]] = {
    "context_length_exceeded": ContextWindowExceededError,
    "content_policy_violation": ContentPolicyViolationError,
    "content_filter": ContentPolicyViolationError,
}
# Answers that broke: dragoman's own codes, for what no upstream's status tells.
_BROKEN: dict[str, type[APIError]] = {
    "stream_interrupted": StreamInterruptedError,
    "malformed_stream": MalformedResponseError,
    "malformed_response": MalformedResponseError,
}
_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: APITimeoutError,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    503: ServiceUnavailableError,
    529: ServiceUnavailableError,
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_TRANSIENT_STATUS = 500


def error_for(error: ProviderError, **context: Any) -> APIError:
    """Return the exception for what a provider said; `context` is passed on to its constructor.

    An unknown 4xx is an ``APIStatusError``, any 5xx an ``InternalServerError``. A quota that is used up
    (`insufficient_quota`) is a rate limit by status, but waiting does not mend it: not retryable.
    """
    fallback = InternalServerError if error.status >= _TRANSIENT_STATUS else APIStatusError
    kind: type[APIError] = _BY_STATUS.get(error.status, fallback)
    if error.code in _BY_CODE and error.status < _TRANSIENT_STATUS:
        kind = _BY_CODE[error.code]
    if error.code in _BROKEN:
        kind = _BROKEN[error.code]
    if error.code == "insufficient_quota":
        context["retryable"] = False
    if context.get("retry_after") is None:
        context["retry_after"] = error.retry_after
    return kind(
        error.message,
        status_code=error.status,
        code=error.code,
        param=error.param,
        type=error.type,
        **context,
    )
