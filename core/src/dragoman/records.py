"""One record for each call: who asked whom, what came of it, how long it took, what it cost.

Whatever the provider, streamed or not, rescued or cut, there is exactly one, with the same fields. Listeners
hear it on a thread of their own, after the caller has got the answer: a slow or failing one harms nobody::

    import dragoman

    dragoman.on_record(lambda record: print(record.model, record.outcome, record.cost))
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import threading
import time
from array import array
from collections import deque
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, overload
from urllib.parse import urlsplit

from dragoman.chains import conversation_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from dragoman.costs import Cost
    from dragoman.turns import Turn

__all__ = [
    "Mode",
    "Outcome",
    "Record",
    "Stopwatch",
    "flush_records",
    "heard",
    "on_record",
    "record_of",
    "tell",
]

Mode = Literal["whole", "stream", "background", "websocket"]
Outcome = Literal["completed", "incomplete", "failed", "cancelled"]
_LONGEST_QUEUE = 10_000
_PAUSE = 0.02  # seconds between two batches of records
_LAST_WORDS = 5.0  # seconds that listeners have when the process ends

_log = logging.getLogger("dragoman.records")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call, when it is over. No field holds a credential; prompts and answers are not in ``as_json``."""

    id: str
    """The response's id; where no upstream accepted, the one that it would have had."""
    operation: str = "responses"
    """"responses", "input_tokens" or "compact"."""
    mode: Mode
    started_at: float
    """Seconds since 1970."""
    duration: float
    """Seconds, from the call to its end; waiting for a slow reader is in it."""
    first_event: float | None = None
    """Seconds until the first event with content; None where there was none."""
    asked: str
    """The model as the caller named it."""
    provider: str
    """Of the last attempt."""
    model: str
    """The upstream's model that answered, else the one that was asked last."""
    address: str | None = None
    """Whom the last attempt called: `host:port`, never path, query or credentials; None: nobody."""
    deployment: str | None = None
    outcome: Outcome
    error: Mapping[str, Any] | None = None
    """Of a call that did not complete: `status`, `code`, `type`, `message`."""
    partial: bool = False
    """Whether it failed after content had come."""
    usage: Mapping[str, Any] | None = None
    """The answer's own; what failed attempts took stands with them."""
    cost: Cost | None = None
    """None where no price is known."""
    attempts: Sequence[Mapping[str, Any]] = ()
    """As ``response.dragoman.attempts`` shows them."""
    warnings: Sequence[Mapping[str, Any]] = ()
    """What the caller was told was left out, and what is not known of the cost."""
    owner: str = ""
    """Whose key it was, on a server."""
    user: str | None = None
    """The end user: `safety_identifier`, else `user`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    conversation: str | None = None
    previous_response_id: str | None = None
    service_tier: str | None = None
    chunks: Sequence[float] = field(default=(), repr=False)
    """When each piece of a stream's content came, in seconds since the call began; not in ``as_json``."""
    request: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What was asked; do not change it."""
    response: Mapping[str, Any] | None = field(default=None, repr=False)
    """The Response, with what had arrived; do not change it."""

    def as_json(self) -> dict[str, Any]:
        """Return all fields but prompts and answers, as JSON: durations in seconds, money as strings."""
        told = {name: getattr(self, name) for name in _TOLD}
        told["cost"] = None if self.cost is None else self.cost.as_json()
        return told


class Stopwatch:
    """When a call began, and when its content came."""

    __slots__ = ("_began", "chunks", "contexts", "first", "started_at")

    def __init__(self, *, chunks: bool = False) -> None:
        """Begin.

        Args:
            chunks: whether the time of every piece of content is wanted.
        """
        self.started_at = time.time()
        self._began = time.monotonic()
        self.first: float | None = None
        self.chunks: array[float] | None = array("d") if chunks else None
        """Of each piece of content, in seconds since the call began; None: nobody wants to know."""
        self.contexts = _hub.begin()
        """What listeners have noted of the moment, see ``on_record``."""

    @property
    def seconds(self) -> float:
        """How long it is since the call began."""
        return time.monotonic() - self._began

    def first_event(self) -> None:
        """Note that content has come."""
        if self.first is None:
            self.first = self.seconds

    def came(self, pieces: int) -> None:
        """Note that so many pieces of content have come at once; only where `chunks` is not None."""
        self.chunks.extend([time.monotonic() - self._began] * pieces)  # type: ignore[union-attr]


def record_of(turn: Turn, outcome: Outcome | None = None) -> Record:
    """Return the record of a turn as it stands; `outcome`: where its response does not say it."""
    journey, request, response, error = turn.journey, turn.request, turn.response, turn.error
    added = response["dragoman"] if response is not None else {}
    target = journey.call.target
    attempts = added.get("attempts") or [report.as_json() for report in journey.attempts]
    return Record(
        id=response["id"] if response is not None else turn.response_id,
        mode=turn.mode,
        started_at=turn.watch.started_at,
        duration=turn.watch.seconds,
        first_event=turn.watch.first,
        asked=journey.asked,
        provider=target.provider,
        model=(response or {}).get("model") or target.model,
        address=_address(turn.url),
        deployment=attempts[-1].get("deployment") if attempts else None,
        outcome=outcome or _OUTCOMES[response["status"] if response is not None else "failed"],
        error=None if error is None else {"status": error.status_code, **error.to_dict()["error"]},
        partial=error is not None and bool((response or {}).get("output")),
        usage=(response or {}).get("usage"),
        cost=turn.cost,
        attempts=attempts,
        warnings=[
            *added.get("warnings", ()),
            *({"message": message, "param": None} for message in turn.cost_warnings),
        ],
        owner=turn.memory.owner if turn.memory is not None else "",
        user=request.get("safety_identifier") or request.get("user"),
        metadata=request.get("metadata") or {},
        tags=journey.tags,
        conversation=conversation_id(request),
        previous_response_id=request.get("previous_response_id"),
        service_tier=(response or {}).get("service_tier"),
        chunks=turn.watch.chunks or (),
        request=request,
        response=response,
    )


def _address(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None  # what is no address was never called
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host
    return f"{named}:{port}" if host and port else host or None


_PORTS = {"https": 443, "http": 80}
_OUTCOMES: Mapping[str, Outcome] = {
    "completed": "completed",
    "incomplete": "incomplete",
    "cancelled": "cancelled",
    "failed": "failed",
}
_KEPT_BACK = frozenset({"chunks", "request", "response", "cost"})
_TOLD = tuple(one.name for one in fields(Record) if one.name not in _KEPT_BACK)
Listener: TypeAlias = "Callable[[Record], Awaitable[None] | None]"
ContextListener: TypeAlias = "Callable[[Record, Any], Awaitable[None] | None]"
_Contexts: TypeAlias = "Mapping[_Ear, Any]"
_NO_CONTEXTS: _Contexts = MappingProxyType({})


class _Ear(NamedTuple):
    """One listener."""

    listener: Callable[..., Awaitable[None] | None]
    began: Callable[[], Any] | None

    def hear(self, record: Record, contexts: _Contexts) -> Awaitable[None] | None:
        """Tell it of a call."""
        if self.began is None:
            return self.listener(record)
        return self.listener(record, contexts.get(self))


class _Hub:
    """Takes records to whoever listens."""

    def __init__(self) -> None:
        self._ears: tuple[_Ear, ...] = ()
        self._beginnings: tuple[_Ear, ...] = ()
        self._queue: deque[tuple[Record, _Contexts] | threading.Event] = deque()
        self._filled = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._lost = 0

    def add(self, ear: _Ear) -> Callable[[], None]:
        with self._lock:
            self._set((*self._ears, ear))
            if self._thread is None or not self._thread.is_alive():  # a forked process has none
                self._thread = threading.Thread(target=self._work, name="dragoman-records", daemon=True)
                self._thread.start()
                atexit.register(self.flush, _LAST_WORDS)

        def remove() -> None:
            with self._lock:
                self._set(tuple(known for known in self._ears if known is not ear))

        return remove

    def _set(self, ears: tuple[_Ear, ...]) -> None:
        self._ears = ears
        self._beginnings = tuple(ear for ear in ears if ear.began is not None)

    @property
    def heard(self) -> bool:
        return bool(self._ears)

    def begin(self) -> _Contexts:
        if not self._beginnings:
            return _NO_CONTEXTS
        contexts = {}
        for ear in self._beginnings:
            try:
                contexts[ear] = ear.began()  # type: ignore[misc]
            except Exception:
                _log.exception("a listener of records failed at the beginning of a call: %r", ear.listener)
        return contexts

    def tell(self, record: Record, contexts: _Contexts) -> None:
        if not self._ears:
            return
        if len(self._queue) < _LONGEST_QUEUE:
            self._queue.append((record, contexts))
            if not self._filled.is_set():
                self._filled.set()
            return
        self._lost += 1
        if self._lost.bit_count() == 1:  # the first, the second, the fourth ...
            _log.warning("listeners are too slow: %d records were not told", self._lost)

    def flush(self, seconds: float) -> bool:
        if self._thread is None or not self._thread.is_alive():
            return True
        reached = threading.Event()
        self._queue.append(reached)
        self._hurry.set()
        self._filled.set()
        return reached.wait(seconds)

    def _work(self) -> None:
        with asyncio.Runner() as runner:
            while True:
                self._filled.wait()
                self._filled.clear()
                while self._queue:
                    told = self._queue.popleft()
                    if isinstance(told, threading.Event):
                        told.set()
                    else:
                        self._tell_all(runner, *told)
                # To wake a thread costs its caller more than a record does: what comes now waits for a batch.
                self._hurry.wait(_PAUSE)
                self._hurry.clear()

    def _tell_all(self, runner: asyncio.Runner, record: Record, contexts: _Contexts) -> None:
        for ear in self._ears:
            try:
                waits = ear.hear(record, contexts)
                if inspect.isawaitable(waits):
                    runner.run(_awaited(waits))
            except Exception:
                _log.exception("a listener of records failed: %r", ear.listener)


async def _awaited(waits: Awaitable[None]) -> None:
    await waits


_hub = _Hub()


@overload
def on_record(listener: Listener) -> Callable[[], None]: ...
@overload
def on_record(listener: ContextListener, *, began: Callable[[], Any]) -> Callable[[], None]: ...
def on_record(
    listener: Listener | ContextListener, *, began: Callable[[], Any] | None = None
) -> Callable[[], None]:
    """Call a function, sync or async, with the record of every call from now on, of all clients.

    It runs on a thread that all listeners share, in the order of the calls' ends. What it raises is logged to
    ``dragoman.records``. Records that come faster than they are heard wait, up to ten thousand of them.

    Args:
        listener: what to call.
        began: called when a call begins, on its caller's thread and in its ``contextvars``, so it has to be
            quick; what it returns is the listener's second argument (None where it failed): a trace's span.

    Returns:
        A function that ends it.
    """
    return _hub.add(_Ear(listener, began))


def flush_records(timeout: float = 5.0) -> bool:
    """Wait until all records so far were heard; return whether that was in time (`timeout`, in seconds)."""
    return _hub.flush(timeout)


def heard() -> bool:
    """Return whether anybody listens."""
    return _hub.heard


def tell(record: Record, contexts: _Contexts = _NO_CONTEXTS) -> None:
    """Take a record to whoever listens.

    Args:
        record: of a call that is over.
        contexts: of its ``Stopwatch``.
    """
    _hub.tell(record, contexts)
