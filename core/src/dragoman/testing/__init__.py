"""Tools for the authors of plugins.

A provider's whole test suite is a class that inherits ``ProviderConformance`` and declares what its upstream
sends::

    from dragoman.testing import ErrorCase, Exchange, ProviderConformance

    class TestAcme(ProviderConformance):
        provider = "acme"
        model = "large"
        settings = {"api_key": "test-key-123456"}
        text = Exchange(body=b'{"blocks": ...}', stream=b"data: ...", text="Hello")
        errors = [ErrorCase(status=401, body=b'{"error": ...}', raises=AuthenticationError)]

A store inherits ``StoreConformance`` and says how it is opened (see ``dragoman.testing.stores``).

The kits need pytest; what the first is made of, for tests of your own, does not: ``run_whole``,
``run_stream`` and ``normalised``, ``check_events``, ``FakeUpstream``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman.testing.exchanges import ErrorCase, Exchange
    from dragoman.testing.frames import aws_stream, sse_stream
    from dragoman.testing.kit import ProviderConformance
    from dragoman.testing.legality import check_events
    from dragoman.testing.running import Run, normalised, run_stream, run_whole
    from dragoman.testing.stores import StoreConformance
    from dragoman.testing.upstream import FakeUpstream

__all__ = [
    "ErrorCase",
    "Exchange",
    "FakeUpstream",
    "ProviderConformance",
    "Run",
    "StoreConformance",
    "aws_stream",
    "check_events",
    "normalised",
    "run_stream",
    "run_whole",
    "sse_stream",
]

_HOMES = {
    "ErrorCase": "exchanges",
    "Exchange": "exchanges",
    "FakeUpstream": "upstream",
    "ProviderConformance": "kit",
    "Run": "running",
    "StoreConformance": "stores",
    "aws_stream": "frames",
    "check_events": "legality",
    "normalised": "running",
    "run_stream": "running",
    "run_whole": "running",
    "sse_stream": "frames",
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use, so that nothing but the kit needs pytest."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'dragoman.testing' has no attribute {name!r}")
    value = getattr(import_module(f"dragoman.testing.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
