"""What a failure means: the one table that retries, fallbacks and circuits follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dragoman.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedResponseError,
    RateLimitError,
    RequestTooLargeError,
    ServiceUnavailableError,
    UnprocessableEntityError,
)

__all__ = ["FallbackKind", "Verdict", "may_be_sent_again", "verdict_on"]

FallbackKind = Literal["general", "context_window", "content_policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a kind of failure means."""

    again: bool = False
    """Whether the same deployment may be asked once more, if the error itself says that this can help."""
    leaves: Literal["deployment", "model", "group"] = "deployment"
    """What is not asked again in this call, where `again` is not so: this deployment; every deployment of
    the same model, because the request would be refused there just the same; all of its group."""
    fallbacks: FallbackKind = "general"
    """The list of fallbacks that may mend it."""
    counts: bool = False
    """Whether the circuit counts it."""
    opens: bool = False
    """Whether the circuit opens at once: the call has not caused it, and the next one would meet it too."""
    policy: str = ""
    """Its name in retry_policy and allowed_fails_policy."""


_TIMEOUT = Verdict(counts=True, policy="TimeoutError")
_CALLERS_DEADLINE = Verdict(policy="TimeoutError")
_QUOTA = Verdict(opens=True, policy="RateLimitError")
_PASSING = Verdict(again=True, counts=True, policy="InternalServerError")
_REQUEST = Verdict(leaves="model", policy="BadRequestError")

_BY_CLASS: tuple[tuple[type[APIError], Verdict], ...] = (
    # The first row that fits counts: a class stands before its parents.
    (APITimeoutError, _TIMEOUT),  # a silent route is left, not asked again
    (APIConnectionError, _PASSING),  # reset, refused, cut
    (MalformedResponseError, _PASSING),
    (ContextWindowExceededError, Verdict(leaves="group", fallbacks="context_window")),
    (
        ContentPolicyViolationError,
        Verdict(leaves="group", fallbacks="content_policy", policy="ContentPolicyViolationError"),
    ),
    (BadRequestError, _REQUEST),
    (RequestTooLargeError, _REQUEST),
    (UnprocessableEntityError, _REQUEST),
    (AuthenticationError, Verdict(opens=True, policy="AuthenticationError")),
    (ConflictError, Verdict(again=True)),
    (RateLimitError, Verdict(again=True, counts=True, policy="RateLimitError")),
    (ServiceUnavailableError, Verdict(again=True, counts=True, policy="ServiceUnavailableError")),
    (InternalServerError, _PASSING),
    (APIStatusError, Verdict()),  # 403, 404 and other 4xx: another deployment may do
)
_NOT_RETRYABLE = Verdict()
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_PAYMENT_REQUIRED = 402


def verdict_on(error: APIError) -> Verdict:
    """Return what a failure means."""
    if error.code in _QUOTA_CODES or error.status_code == _PAYMENT_REQUIRED:
        return _QUOTA
    if error.code == "timeout_total":
        return _CALLERS_DEADLINE
    return next((verdict for kind, verdict in _BY_CLASS if isinstance(error, kind)), _NOT_RETRYABLE)


def may_be_sent_again(error: APIError, verdict: Verdict) -> bool:
    """Tell whether the same deployment may be asked the same once more.

    What the upstream says itself (``x-should-retry``) counts, but for a timeout, a context window and a
    content policy: there the same question can only have the same end.
    """
    if isinstance(error, APITimeoutError) or verdict.leaves == "group":
        return False
    return error.retryable
