"""A receiver of OTLP on a real socket, and what arrived there, decoded by OpenTelemetry's own protobuf."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import dragoman_otel


class Receiver:
    """What was sent so far."""

    def __init__(self):
        self.bodies = []
        self.headers = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.headers["content-type"] == "application/x-protobuf"
                receiver.bodies.append((self.path, body))
                receiver.headers.append(dict(self.headers))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _requests(self, path, kind):
        return [kind.FromString(body) for where, body in self.bodies if where == path]

    @property
    def resources(self):
        return [
            value_of_all(part.resource.attributes)
            for request in self._requests("/v1/traces", ExportTraceServiceRequest)
            for part in request.resource_spans
        ]

    @property
    def spans(self):
        return [
            span
            for request in self._requests("/v1/traces", ExportTraceServiceRequest)
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self):
        """Name -> (unit, points): of the last export, for they are cumulative."""
        last = self._requests("/v1/metrics", ExportMetricsServiceRequest)[-1]
        return {
            metric.name: (metric.unit, list(metric.histogram.data_points))
            for part in last.resource_metrics
            for scope in part.scope_metrics
            for metric in scope.metrics
        }


def value_of(value):
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [value_of(one) for one in found.values] if kind == "array_value" else found


def value_of_all(attributes):
    return {one.key: value_of(one.value) for one in attributes}


@pytest.fixture
def attributes():
    """``attributes(span)``: those of a span or a point, as a dict."""
    return lambda told: value_of_all(told.attributes)


@pytest.fixture
def receiver():
    """A receiver."""
    running = Receiver()
    yield running
    running.stop()


@pytest.fixture
def instrumented(receiver, monkeypatch):
    """``with instrumented(content=...)``: calls are told to the receiver, all of them by its end."""
    from contextlib import contextmanager

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)

    @contextmanager
    def instrument(**options):
        end = dragoman_otel.instrument(**options)
        try:
            yield receiver
        finally:
            end()

    return instrument
