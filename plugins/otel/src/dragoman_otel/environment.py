"""Providers of traces and metrics as the standard environment variables describe them.

The SDK reads most of them by itself (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``,
``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_*``, ``OTEL_BSP_*``, ``OTEL_METRIC_EXPORT_INTERVAL``); which
exporters there are to be is read here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from importlib_metadata import entry_points

from dragoman.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["meter_provider", "shows_content", "tracer_provider", "wanted"]

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_WITH_CONTENT = frozenset({"true", "1", "span_only", "span_and_event"})
_SERVICE = "dragoman"


def wanted() -> bool:
    """Return whether the environment names somebody to export to."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not disabled and any(os.environ.get(name) for name in _ENDPOINTS)


def shows_content() -> bool:
    """Return whether the environment wants prompts and answers in spans."""
    return os.environ.get(_CONTENT, "").strip().lower() in _WITH_CONTENT


def tracer_provider() -> TracerProvider:
    """Return a provider of tracers that exports in batches to whom the environment names.

    Raises:
        PluginError: that exporter is not installed.
    """
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=_resource())
    for exporter in _exporters("traces"):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def meter_provider() -> MeterProvider:
    """Return the same of meters.

    Raises:
        PluginError: that exporter is not installed.
    """
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    readers = [PeriodicExportingMetricReader(exporter) for exporter in _exporters("metrics")]
    return MeterProvider(metric_readers=readers, resource=_resource())


def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create(None if named else {"service.name": _SERVICE})


def _exporters(signal: str) -> Iterator[Any]:
    """Yield the exporters of a signal, "traces" or "metrics", as installed packages list them."""
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    for name in (os.environ.get(variable) or "otlp").split(","):
        exporter = name.strip().lower()
        if exporter == "none":
            continue
        if exporter == "otlp":
            exporter = "otlp_proto_grpc" if _protocol(signal) == "grpc" else "otlp_proto_http"
        group = f"opentelemetry_{signal}_exporter"
        found = next(iter(entry_points(group=group, name=exporter)), None)
        if found is None:
            installed = ", ".join(sorted({one.name for one in entry_points(group=group)}))
            raise PluginError(
                f"{variable} or OTEL_EXPORTER_OTLP_PROTOCOL asks for the exporter {exporter!r}, which no "
                f"installed package has; there are: {installed or 'none'}"
            )
        yield found.load()()


def _protocol(signal: str) -> str:
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    return (own or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf").strip().lower()
