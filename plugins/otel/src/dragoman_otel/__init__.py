"""Traces and metrics of every call, by OpenTelemetry's conventions for generative AI.

    import dragoman_otel

    dragoman_otel.instrument()

``dragoman serve`` does it by itself where the environment names somebody to export to. What needs the SDK of
OpenTelemetry is loaded then, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["instrument", "request_came", "serving"]

_instrumented = 0


def instrument(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    content: bool | None = None,
) -> Callable[[], None]:
    """Make a span and measurements of every call from now on, of all clients of this process.

    Args:
        tracer_provider: makes the spans. None: the one that the application has set for all; where it has set
            none, one of our own that exports as the environment says (``OTEL_EXPORTER_OTLP_ENDPOINT``, ...).
        meter_provider: the same for metrics.
        content: whether spans show prompts and answers. None: as
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says, else they do not.

    Returns:
        A function that ends it, when everything so far was exported.

    Raises:
        PluginError: the environment names an exporter that is not installed.
    """
    global _instrumented  # noqa: PLW0603
    from dragoman_otel.listening import listen  # noqa: PLC0415

    stop = listen(tracer_provider, meter_provider, content=content)
    _instrumented += 1

    def end() -> None:
        global _instrumented  # noqa: PLW0603
        if stop():
            _instrumented -= 1

    return end


@hookimpl
def serving() -> None:
    """Instrument the server where the environment names an endpoint."""
    from dragoman_otel.environment import wanted  # noqa: PLC0415

    if wanted() and not _instrumented:
        instrument()


@hookimpl
def request_came(headers: Mapping[bytes, bytes]) -> None:
    """Go on with the trace of who asks the server."""
    if _instrumented:
        from dragoman_otel.listening import join  # noqa: PLC0415 - loaded long ago

        join(headers)
