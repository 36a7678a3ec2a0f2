"""From a record to a span and measurements, on the thread of the records' listeners."""

from __future__ import annotations

import atexit
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace
from opentelemetry.propagate import extract

import dragoman
from dragoman_otel import environment
from dragoman_otel.attributes import common_attributes, span_attributes, streamed
from dragoman_otel.messages import content_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context

    from dragoman.records.record import Record

__all__ = ["join", "listen"]

_SCOPE = "dragoman_otel"
_SECOND = 1_000_000_000  # in nanoseconds
_MOST_GAPS = 32  # of one stream: to measure one takes longer than to stream it
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**power) for power in range(14))
_TOKEN_TYPES = {"input": "input_tokens", "output": "output_tokens"}


def listen(
    tracer_provider: trace.TracerProvider | None,
    meter_provider: metrics.MeterProvider | None,
    *,
    content: bool | None,
) -> Callable[[], bool]:
    """Listen to records (see ``dragoman_otel.instrument``); return what ends it, and says whether it did."""
    own: list[Any] = []
    if tracer_provider is None:
        tracer_provider = _set_by_the_application(trace.get_tracer_provider())
    if tracer_provider is None:
        tracer_provider = environment.tracer_provider()
        own.append(tracer_provider)
    if meter_provider is None:
        meter_provider = _set_by_the_application(metrics.get_meter_provider())
    if meter_provider is None:
        meter_provider = environment.meter_provider()
        own.append(meter_provider)
    shows = environment.shows_content() if content is None else content
    teller = _Teller(tracer_provider, meter_provider, content=shows)
    remove = dragoman.on_record(teller.tell, began=context.get_current)
    ended = False

    def stop() -> bool:
        nonlocal ended
        if ended:
            return False
        ended = True
        dragoman.flush_records()
        remove()
        for provider in own:
            provider.shutdown()
        return True

    atexit.register(stop)  # before the SDK's own farewell, which was registered earlier: records first
    return stop


def join(headers: Mapping[bytes, bytes]) -> None:
    """Make the trace that a request belongs to the current one, for the task that this is called in."""
    carrier = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items() if name in _CARRIED
    }
    if carrier:
        context.attach(extract(carrier))


# Of the caller's headers only those that say which trace it is: credentials are nobody's business here.
_CARRIED = frozenset(
    {b"traceparent", b"tracestate", b"baggage", b"b3", b"x-b3-traceid", b"x-b3-spanid", b"x-b3-sampled"}
    | {b"x-b3-parentspanid", b"x-b3-flags", b"uber-trace-id", b"x-amzn-trace-id", b"x-cloud-trace-context"}
)


def _set_by_the_application(provider: Any) -> Any:
    """Return a provider, unless it is the API's stand-in for one that nobody has set."""
    return None if type(provider).__name__ in {"ProxyTracerProvider", "_ProxyMeterProvider"} else provider


def _some(gaps: list[float]) -> list[float]:
    """Return the times between a stream's chunks: all of them, or of many some that lie evenly."""
    return gaps[:: -(-len(gaps) // _MOST_GAPS)] if gaps else gaps


class _Teller:
    """Makes a span and measurements of a record."""

    def __init__(
        self, tracer_provider: trace.TracerProvider, meter_provider: metrics.MeterProvider, *, content: bool
    ) -> None:
        self._content = content
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)

        def histogram(name: str, unit: str, description: str, bounds: tuple[float, ...]) -> metrics.Histogram:
            return meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=list(bounds)
            )

        self._tokens = histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
        )
        self._duration = histogram(
            "gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS
        )
        self._first = histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Time to receive the first chunk.", _SECONDS
        )
        self._next = histogram(
            "gen_ai.client.operation.time_per_output_chunk", "s", "Time between two chunks.", _SECONDS
        )

    def tell(self, record: Record, parent: Context | None) -> None:
        """Tell of a call; `parent`: the context that it began in."""
        common = common_attributes(record)
        span = self._tracer.start_span(
            f"{common['gen_ai.operation.name']} {common['gen_ai.request.model']}",
            context=parent or context.Context(),
            kind=trace.SpanKind.CLIENT,
            attributes=common,
            start_time=int(record.started_at * _SECOND),
        )
        if span.is_recording():
            span.set_attributes(span_attributes(record))
            if self._content:
                span.set_attributes(content_attributes(record))
            if "error.type" in common and record.outcome != "cancelled":
                span.set_status(trace.Status(trace.StatusCode.ERROR, (record.error or {}).get("message")))
        span.end(int((record.started_at + record.duration) * _SECOND))
        self._measure(record, common, trace.set_span_in_context(span, parent))

    def _measure(self, record: Record, common: dict[str, Any], at: Context) -> None:
        self._duration.record(record.duration, common, at)
        calm = {name: value for name, value in common.items() if name != "error.type"}
        for kind, name in _TOKEN_TYPES.items():
            count = (record.usage or {}).get(name)
            if count is not None:
                self._tokens.record(count, {**calm, "gen_ai.token.type": kind}, at)
        if streamed(record):
            if record.first_event is not None:
                self._first.record(record.first_event, calm, at)
            for gap in _some([after - before for before, after in pairwise(record.chunks)]):
                self._next.record(gap, calm, at)
