"""echo: the provider that needs no key and no network, for embedding, examples and tests.

It answers with what the user said, or plays a script that the user message holds (see ``script``). It is a
provider like any other: requests are translated, bytes are streamed and decoded, errors have a status. Only
the upstream is a module of this package, ``dragoman_echo.upstream``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest, LocalAnswer, ProviderInfo, StreamEvent, Target, hookimpl
from dragoman_echo import errors, requests, responses, upstream
from dragoman_echo.info import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output


def script(*steps: Mapping[str, Any]) -> str:
    """Return a user message that makes echo carry out these steps, in order.

    >>> script({"text": "Hello"}, {"call": "get_weather", "arguments": {"city": "Paris"}})
    '{"echo": [{"text": "Hello"}, {"call": "get_weather", "arguments": {"city": "Paris"}}]}'

    The README lists the steps. They are checked when they are played: a bad one is answered with a 400.
    """
    return json.dumps({"echo": steps}, ensure_ascii=False)


@hookimpl
def provider_info() -> ProviderInfo:
    """Describe echo: no settings, any model name."""
    return INFO


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into one of echo's own wire."""
    return requests.translate_request(request, target)


@hookimpl
def answer_locally(http: HTTPRequest, target: Target) -> LocalAnswer:
    """Answer in this process, as bytes."""
    return upstream.answer(json.loads(http.body) if http.body else http.json)


@hookimpl
def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    responses.write_answer(payload, output)


@hookimpl
def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one streamed block of an answer."""
    responses.write_block(event.data, output)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal."""
    return errors.parse_error(status, body)
