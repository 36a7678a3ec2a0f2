"""Playing recorded bytes through a session, and comparing what comes out."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dragoman.events.batches import events_of
from dragoman.network.timeouts import Timeout
from dragoman.network.transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dragoman.attempts.session import Session
    from dragoman.errors import APIError
    from dragoman.events.batches import Batch
    from dragoman.testing.upstream import FakeUpstream
    from dragoman.types import Event

__all__ = ["Run", "normalised", "run_async", "run_stream", "run_sync", "run_whole"]

_JSON = TypeVar("_JSON")
_MINTED = re.compile(r"\b([a-z]+)_[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r'("(?:created|completed)_at": )\d+(\.\d+)?')
_LIMITS = Timeout(connect=5, first_event=5, between_events=5, total=10)


class Run(NamedTuple):
    """What one attempt gave."""

    events: list[Event]
    """As a caller saw them: each was copied when it came."""
    response: dict[str, Any]
    error: APIError | None
    """Why the response failed; None where it did not."""


def run_whole(session: Session, body: bytes, *, headers: Mapping[str, str] | None = None) -> Run:
    """Return what a session makes of an answer with status 200 that was not streamed.

    Raises:
        APIError: the request cannot be carried.
    """
    return run_stream(session, [body], headers=headers or {"content-type": "application/json"})


def run_stream(
    session: Session,
    chunks: Iterable[bytes],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    broken_by: APIError | None = None,
) -> Run:
    """Return what a session makes of an answer that comes in these chunks.

    Args:
        session: a fresh one.
        chunks: the bytes.
        status: of the HTTP answer.
        headers: likewise, names in lower case; by default those of server-sent events.
        broken_by: how the connection broke after the last chunk; None: it ended.

    Raises:
        APIError: the request was refused, by the plugin or by the upstream (`status`).
    """
    session.authorize(session.prepare(), session.load_credentials())
    events = _events(session.accept(status, headers or {"content-type": "text/event-stream"}))
    for chunk in chunks:
        events += _events(session.feed(chunk))
        if session.ended:
            break
    events += _events(session.close() if broken_by is None else session.abort(broken_by))
    return Run(events, _copied(session.response), session.error)


def run_sync(session: Session, upstream: FakeUpstream) -> Run:
    """Return what the sync driver makes of a session."""
    with upstream.client() as client:
        batches = [_events(batch) for batch in Transport(client).batches(session, _LIMITS)]
    return Run(list(chain.from_iterable(batches)), _copied(session.response), session.error)


def run_async(session: Session, upstream: FakeUpstream) -> Run:
    """Return what the async driver makes of a session, in an event loop of its own."""

    async def events() -> list[Event]:
        async with upstream.async_client() as client:
            batches = AsyncTransport(client).batches(session, _LIMITS)
            return [event async for batch in batches for event in _events(batch)]

    return Run(asyncio.run(events()), _copied(session.response), session.error)


def normalised(value: _JSON) -> _JSON:
    """Return JSON (events, a response) with minted ids numbered by appearance and times set to zero."""
    numbers: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"{found[1] or 'uuid'}_{len(numbers)}")

    text = _MINTED.sub(numbered, json.dumps(value))
    result: _JSON = json.loads(_TIME.sub(r"\g<1>0", text))
    return result


def _events(batch: Batch) -> list[Event]:
    return [_copied(event) for event in events_of(batch)]


def _copied(value: _JSON) -> _JSON:
    # Through JSON: what a server would send at this moment, whatever happens to the objects later.
    copy: _JSON = json.loads(json.dumps(value))
    return copy
