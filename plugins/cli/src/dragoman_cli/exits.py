"""Exit codes: what a script learns from a run, and which error means which."""

from __future__ import annotations

from dragoman.errors import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    BadRequestError,
    PermissionDeniedError,
    PluginError,
    RateLimitError,
    UnknownProviderError,
)

__all__ = [
    "AUTHENTICATION",
    "CONNECTION",
    "FAILED",
    "INTERRUPTED",
    "MEANINGS",
    "OK",
    "PLUGIN",
    "RATE_LIMIT",
    "USAGE",
    "UsageError",
    "exit_code",
]

OK = 0
FAILED = 1
USAGE = 2
AUTHENTICATION = 3
RATE_LIMIT = 4
CONNECTION = 5
PLUGIN = 6
INTERRUPTED = 130

MEANINGS = {
    OK: "ok; also an incomplete answer, with a warning",
    FAILED: "the call failed",
    USAGE: "wrong usage: an argument, a file, a request that cannot be sent",
    AUTHENTICATION: "the key is missing, was refused, or may not do this",
    RATE_LIMIT: "rate limit or quota",
    CONNECTION: "timeout, or the connection failed or broke",
    PLUGIN: "a plugin is missing or broken",
    INTERRUPTED: "interrupted, or nobody reads the output any more",
}


class UsageError(Exception):
    """The command line is wrong, or names a file that cannot be used."""


_BY_ERROR: tuple[tuple[type[Exception], int], ...] = (
    # The first that fits: a special case stands before the general one.
    (UsageError, USAGE),
    (PluginError, PLUGIN),
    (UnknownProviderError, PLUGIN),
    (AuthenticationError, AUTHENTICATION),
    (PermissionDeniedError, AUTHENTICATION),
    (RateLimitError, RATE_LIMIT),
    (APIConnectionError, CONNECTION),
)


def exit_code(problem: Exception) -> int:
    """Return the exit code for an error; a 400 is wrong usage only where nothing was sent."""
    if isinstance(problem, BadRequestError) and not _came_from_upstream(problem):
        return USAGE
    return next((code for kind, code in _BY_ERROR if isinstance(problem, kind)), FAILED)


def _came_from_upstream(error: APIError) -> bool:
    return error.body is not None or error.request_id is not None or error.response is not None
