"""One request and its answer: what endpoints read from, and write to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic_core import to_json

from dragoman.errors import APIError, BadRequestError
from dragoman.randomness import random_hex
from dragoman_server.authentication import Owner
from dragoman_server.bodies import parse_body, read_body
from dragoman_server.key_limits import KeyLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from dragoman.routing import Journey
    from dragoman_server.service import Service

__all__ = ["Exchange", "error_body", "plain_headers", "query_flag", "query_number"]

_JSON = (b"content-type", b"application/json")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_LONGEST_QUERY = 8192
_OF_CREDENTIALS = frozenset({401, 403})


class Exchange:
    """One request of one caller."""

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        service: Service,
    ) -> None:
        self.service = service
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = f"req_{random_hex()}"
        self.owner = Owner()
        self.path: dict[str, Any] = {}
        """What the route's placeholders matched."""
        self.started = False
        """Whether an answer has begun."""
        self.standing: Sequence[tuple[bytes, bytes]] = ()
        """Headers that say how the caller's key stands."""
        self.journey: Journey | None = None
        """Of the call that is answered: where it went is told in headers, whatever comes of it."""
        self._query: bytes = scope.get("query_string", b"")

    # ---- the request --------------------------------------------------------------------------------

    async def body(self) -> dict[str, Any]:
        """Return the body, a JSON object (see ``dragoman_server.bodies``)."""
        limits = self.service.limits
        return parse_body(await read_body(self.receive, self.headers, limits), self.headers, limits)

    def query(self) -> dict[str, str]:
        """Return the query's parameters; of several with one name the last."""
        if len(self._query) > _LONGEST_QUERY:
            raise BadRequestError("The query is too long.", code="query_too_long")
        return dict(parse_qsl(self._query.decode("latin-1"), keep_blank_values=True))

    def query_list(self, name: str) -> list[str]:
        """Return a list of the query, however it is written: `a=`, `a[]=`, `a[0]=`."""
        self.query()
        pairs = parse_qsl(self._query.decode("latin-1"), keep_blank_values=True)
        return [value for key, value in pairs if key.partition("[")[0] == name]

    # ---- the answer ---------------------------------------------------------------------------------

    async def start(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Begin the answer."""
        self.started = True
        told = (*self.standing, (b"x-request-id", self.request_id.encode()), *_attempts(self.journey))
        named = [*headers, *told]
        await self.send({"type": "http.response.start", "status": status, "headers": named})

    async def answer(self, value: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        """Answer with JSON."""
        body = to_json(value)
        await self.start(status, _JSON, (b"content-length", b"%d" % len(body)), *headers)
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, error: APIError, *headers: tuple[bytes, bytes]) -> None:
        """Answer with an error, and say whether to try again, and when."""
        advice = [(b"x-should-retry", b"true" if error.retryable else b"false")]
        if error.retry_after is not None:
            advice += [
                (b"retry-after", b"%d" % math.ceil(error.retry_after)),
                (b"retry-after-ms", b"%d" % math.ceil(error.retry_after * 1000)),
            ]
        if isinstance(error, KeyLimitError):
            self.standing = error.headers
        await self.answer(error_body(error), error.status_code, *advice, *headers)


def plain_headers(told: Mapping[str, str | None]) -> list[tuple[bytes, bytes]]:
    """Return headers, without those whose values there are none, or none that HTTP takes."""
    return [
        (name.encode(), value.encode())
        for name, value in told.items()
        if value and value.isascii() and value.isprintable()
    ]


def _attempts(journey: Journey | None) -> list[tuple[bytes, bytes]]:
    """Return what is known of a call's attempts by now: how many, and the last one's model and deployment."""
    if journey is None:
        return []
    attempts = journey.attempts
    return plain_headers(
        {
            "x-dragoman-model": attempts[-1].model if attempts else None,
            "x-dragoman-deployment": attempts[-1].deployment if attempts else None,
            "x-dragoman-attempts": str(len(attempts)),
        }
    )


def error_body(error: APIError) -> dict[str, Any]:
    """Return ``{"error": {...}}`` as callers are told it: not their key is wrong where the server's is."""
    told = error.to_dict()
    if error.provider is not None and error.status_code in _OF_CREDENTIALS:
        told["error"]["message"] = (
            f"{error.provider} does not let this server in, whatever your own key is: {error.message}"
        )
    return told


def query_number(query: Mapping[str, str], name: str, default: int | None = None) -> int | None:
    """Return a number of a query."""
    value = query.get(name)
    if value is None:
        return default
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        raise BadRequestError(
            f"{name} must be an integer, not {value[:40]!r}.", param=name, code="invalid_type"
        )
    return int(value)


def query_flag(query: Mapping[str, str], name: str) -> bool:
    """Return a truth value of a query."""
    value = query.get(name, "false").lower()
    if value not in _TRUTH:
        raise BadRequestError(f"{name} must be true or false, not {value[:40]!r}.", param=name)
    return _TRUTH[value]
