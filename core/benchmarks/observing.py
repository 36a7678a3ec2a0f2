"""What it costs to watch calls: prices, records, log lines and traces, each against nothing, in the same run.

Calls go over a fake transport, the cheapest upstream that there can be; what a share of that is will be a
smaller share of any call over a network. Two figures for each, in time of the processor, which other work on
the machine does not change: what the caller's thread does, and all the work there is, listeners' included.
"""

from __future__ import annotations

import json
import logging
import statistics
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import dragoman
import dragoman_otel
from dragoman import plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELTAS = 300
ROUNDS = 25
CALLS = {False: 40, True: 4}  # a round's, streamed or not
MODEL = "claude-sonnet-4-5"
USAGE = {
    "input_tokens": 10, "output_tokens": 3, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 5,
}  # fmt: skip
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
TEXT = {"type": "text", "text": "Hello, world"}
WHOLE = json.dumps({**MESSAGE, "content": [TEXT], "stop_reason": "end_turn", "usage": USAGE}).encode()
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": USAGE}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": f" word {number}"},
        }
        for number in range(DELTAS)
    ),
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": DELTAS}},
    {"type": "message_stop"},
]
STREAM = b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in EVENTS)


def upstream(request: httpx.Request) -> httpx.Response:
    if b'"stream":true' in request.content:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=STREAM)
    return httpx.Response(200, headers={"content-type": "application/json"}, content=WHOLE)


CLIENT = dragoman.Dragoman(http_client=httpx.Client(transport=httpx.MockTransport(upstream)), store=False)


def ask(*, streamed: bool) -> None:
    asked: dict[str, Any] = {"model": f"anthropic/{MODEL}", "input": "Count.", "api_key": "benchmark-key"}
    if streamed:
        for _ in CLIENT.responses.create(**asked, stream=True):
            pass
    else:
        CLIENT.responses.create(**asked)


class Nobody(SpanExporter):
    """Takes spans, and does nothing with them."""

    def export(self, spans: object) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


class Nowhere(logging.Handler):
    """Formats a line, and does nothing with it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


@contextmanager
def without_prices() -> Iterator[None]:
    """Take the plugin away that knows prices."""
    installed = plugins._plugins
    plugins._plugins = plugins.Plugins()
    try:
        yield
    finally:
        plugins._plugins = installed


@contextmanager
def told(*listening: Callable[[], Callable[[], object]]) -> Iterator[None]:
    ends = [listen() for listen in listening]
    try:
        yield
    finally:
        for end in ends:
            end()


def record() -> Callable[[], None]:
    return dragoman.on_record(lambda _: None)


def traces() -> Callable[[], object]:
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Nobody()))
    end = dragoman_otel.instrument(tracers, MeterProvider([InMemoryMetricReader()]))

    def stop() -> None:
        end()
        tracers.shutdown()

    return stop


CONTESTANTS: dict[str, tuple[Callable[[], Any], ...]] = {
    "nothing": (without_prices,),
    "prices": (),
    "prices, on_record, log_calls": (lambda: told(record, dragoman.log_calls),),
    "prices, otel": (lambda: told(traces),),
    "all of it": (lambda: told(record, dragoman.log_calls, traces),),
}


def one_round(*, streamed: bool) -> tuple[float, float]:
    """Return microseconds a call: those of the caller, and all."""
    calls = CALLS[streamed]
    waited, began = 0.0, time.process_time()
    for _ in range(calls):
        start = time.thread_time()
        ask(streamed=streamed)
        waited += time.thread_time() - start
        dragoman.flush_records()
    return waited / calls * 1e6, (time.process_time() - began) / calls * 1e6


def measure(*, streamed: bool) -> dict[str, tuple[float, float]]:
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    for number in range(ROUNDS + 1):
        for name, setting in CONTESTANTS.items():
            with ExitStack() as stack:
                for enter in setting:
                    stack.enter_context(enter())
                sample = one_round(streamed=streamed)
            if number:  # the first one loads what is needed
                samples[name].append(sample)
    medians = {}
    for name, found in samples.items():
        waited, all_of_it = (statistics.median(values) for values in zip(*found, strict=True))
        medians[name] = waited, all_of_it
    return medians


def main() -> None:
    log = logging.getLogger("dragoman.calls")
    log.addHandler(Nowhere())
    log.propagate = False
    for streamed in (False, True):
        found = measure(streamed=streamed)
        title = f"a stream of {DELTAS} deltas" if streamed else "a whole answer"
        print(f"{title}, medians of {ROUNDS} interleaved rounds   the caller's thread     all the work")
        nothing = found["nothing"]
        for name, costs in found.items():
            shares = (
                f"{cost:10.0f} µs {100 * (cost / base - 1):+6.1f} %"
                for cost, base in zip(costs, nothing, strict=True)
            )
            print(f"  {name:44} {'   '.join(shares)}")
        print()


if __name__ == "__main__":
    main()
