"""What a server serves: model names and where they lead, who may ask, and how much at once.

Written by ``dragoman_server.config`` from a config.yaml, or by hand; read by ``dragoman_server.app``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dragoman.routing import RoutingSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dragoman.records.record import Record
    from dragoman.routing import Deployment
    from dragoman_server.keys import Budget

__all__ = ["Limits", "ServerConfig"]

_MEBIBYTE = 1024 * 1024
_DAY = 24 * 60 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may send, and how long things may take."""

    body: int = 20 * _MEBIBYTE
    """Bytes of a request's body; more is 413."""
    depth: int = 100
    """How deep JSON may be nested."""
    items: int = 10_000
    """Input items of a request."""
    tools: int = 1_000
    """Tools of a request."""
    header: int = 16 * 1024
    """Bytes of one header's value."""
    headers: int = 64 * 1024
    """Bytes of all headers together."""
    header_count: int = 100
    """How many headers."""
    grace: float = 1.0
    """Seconds that a stream waits for its upstream before it begins without."""
    keep_alive: float = 15.0
    """Seconds of silence after which a stream sends a comment."""
    shutdown: float = 30.0
    """Seconds that running requests have left when the server stops."""
    body_timeout: float = 60.0
    """Seconds in which the next piece of a body has to come."""
    connection: float = 3600.0
    """Seconds after which a WebSocket takes no more turns."""
    lanes: int = 16
    """Lanes (`stream_id`) of a WebSocket on which turns run at once."""
    waiting: int = 32
    """Frames of a WebSocket that wait for the turns before them; more end the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """All that a server needs to know."""

    deployments: tuple[Deployment, ...]
    """In the order of the config; those of one name share its calls."""
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    master_key: str | None = field(default=None, repr=False)
    """The key that callers show; None: everyone may call."""
    store: str | None = field(default=None, repr=False)
    """Where responses are kept: a URL such as "sqlite:///dragoman.db"; None: this process's memory."""
    retention: float | None = 30 * _DAY
    """Seconds that responses are kept; None: for ever."""
    ledger: float | None = 90 * _DAY
    """Seconds that entries of the ledger stay; then sums by day take their place. None: for ever."""
    unstored_without_store: bool = False
    """Whether responses are given, unstored and with a warning, while the store is down."""
    budget: Budget | None = None
    """How much all calls together may cost; None: that is not limited."""
    limits: Limits = Limits()
    listeners: tuple[Callable[[Record], Awaitable[None] | None], ...] = ()
    """Functions that hear the record of every call (see ``dragoman.on_record``)."""
