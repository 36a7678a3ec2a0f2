"""Recorded answers fed through a provider's session, and what its events are compared by: for every wire."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from dragoman.attempts.session import Session
from dragoman.attempts.token_counts import TokenCount
from dragoman.compaction.attempt import Compaction
from dragoman.events.batches import events_of
from dragoman.models import validate_request
from dragoman.providers import load_provider

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Mapping

    from tests.recordings import Recording

    from dragoman.hookspecs import Compacted, Target
    from dragoman.types import Event

__all__ = ["Judge", "first_difference", "pieces", "single_bytes", "without_chance"]

_MINTED_CALL = re.compile("call_[0-9a-f]{32}")
JSON = {"content-type": "application/json"}


class Judge:
    """A provider under test: what becomes of a request, and of the bytes of an answer."""

    def __init__(
        self,
        provider: str,
        model: str,
        settings: Mapping[str, Any],
        *,
        stream_type: str = "text/event-stream",
    ) -> None:
        self.provider = provider
        self.model = model
        self.settings = settings
        self._stream_headers = {"content-type": stream_type}
        self.response_to = functools.cache(self._response_to)
        """The Response that a recorded answer becomes."""
        self.events_of = functools.cache(self._events_of)
        """The events that a recorded stream becomes."""

    def session(
        self, *, stream: bool = False, quiet: bool = False, model: str | None = None, **request: Any
    ) -> Session:
        """Return a fresh attempt at a request, validated as at the edge."""
        provider = load_provider(self.provider)
        target = provider.target(model or self.model, self.settings)
        return Session(provider, target, {**self._request(target, request), "stream": stream}, quiet=quiet)

    def counting(self, **request: Any) -> TokenCount:
        """Return a fresh attempt at counting the tokens of a request."""
        provider = load_provider(self.provider)
        target = provider.target(self.model, self.settings)
        return TokenCount(provider, target, self._request(target, request))

    def compaction(self, wire: bytes) -> Compacted:
        """Return the window that an answer's bytes hold."""
        provider = load_provider(self.provider)
        target = provider.target(self.model, self.settings)
        attempt = Compaction(provider, target, self._request(target, {}))
        attempt.accept(200, JSON)
        attempt.feed(wire)
        attempt.close()
        return attempt.compacted

    def _request(self, target: Target, given: Mapping[str, Any]) -> dict[str, Any]:
        return validate_request({"model": f"{self.provider}/{target.model}", "input": "Hello.", **given})

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        stream: bool = False,
        quiet: bool = False,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Session, list[Event]]:
        """Return a session that these bytes have gone through, and all its events."""
        session = self.session(stream=stream, quiet=quiet)
        session.prepare()
        batches = [session.accept(status, headers or (self._stream_headers if stream else JSON))]
        batches += [session.feed(chunk) for chunk in chunks]
        batches.append(session.close())
        return session, [event for batch in batches for event in events_of(batch)]

    def _response_to(self, recording: Recording) -> dict[str, Any]:
        session, _ = self.run([recording.wire], stream=recording.streamed)
        response = session.response
        if recording.streamed or session.info.native:
            return response
        unread, told = self.run([recording.wire], quiet=True)
        failed = ["error"] if response["status"] == "failed" else []
        assert [event["type"] for event in told] == [*failed, f"response.{response['status']}"]
        same, mine = without_chance(unread.response), without_chance(response)
        assert same == mine, f"it hangs on whether events are read: {first_difference(same, mine)}"
        return response

    def _events_of(self, recording: Recording) -> list[Event]:
        return self.run([recording.wire], stream=True)[1]


def pieces(wire: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield bytes in random chunks, from a single byte to more than a packet."""
    place = 0
    while place < len(wire):
        length = chance.choice((1, 2, 3, 7, 40, 300, 4000))
        yield wire[place : place + length]
        place += length


def single_bytes(wire: bytes) -> Iterator[bytes]:
    """Yield bytes one by one."""
    return (wire[place : place + 1] for place in range(len(wire)))


def without_chance(value: Any, names: dict[str, str] | None = None) -> Any:
    """Return events, or a Response, without what differs from run to run: minted ids, times."""
    names = {} if names is None else names
    if isinstance(value, list):
        return [without_chance(inner, names) for inner in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for name, inner in value.items():
        if name in {"id", "item_id"} or (name == "call_id" and _MINTED_CALL.fullmatch(str(inner))):
            result[name] = names.setdefault(inner, f"id {len(names)}")
        elif name in {"created_at", "completed_at"}:
            result[name] = inner and 0
        else:
            result[name] = without_chance(inner, names)
    return result


def first_difference(mine: Any, theirs: Any, path: str = "") -> str:
    """Tell where two values differ first, and how."""
    if isinstance(mine, dict) and isinstance(theirs, dict) and set(mine) == set(theirs):
        name = next(name for name in mine if mine[name] != theirs[name])
        return first_difference(mine[name], theirs[name], f"{path}.{name}")
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        index = next(index for index in range(len(mine)) if mine[index] != theirs[index])
        return first_difference(mine[index], theirs[index], f"{path}[{index}]")
    return f"{path}: {str(mine)[:200]} here, {str(theirs)[:200]} there"
