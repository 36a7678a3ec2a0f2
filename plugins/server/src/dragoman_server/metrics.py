"""``GET /metrics``: what Prometheus scrapes.

Counted are the calls of this process, from their records; what has a state (circuits, work in flight) is read
when somebody asks. Labels have few values whatever callers send: `model` is a name of the config.
"""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily

import dragoman
from dragoman.errors import APIError
from dragoman.records.listeners import waiting
from dragoman_server.authentication import check_admin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from dragoman.records.record import Record
    from dragoman_server.exchange import Exchange
    from dragoman_server.service import Service

__all__ = ["METRICS", "Metrics", "metrics_are_public", "scrape"]

_Counted = TypeVar("_Counted", Counter, Histogram)

METRICS = "/metrics"
_PUBLIC = "DRAGOMAN_METRICS_PUBLIC"
_UNKNOWN = "unknown"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_CALL = ("model", "provider")
_DEPLOYMENT = ("model", "deployment")
_TOKENS = {
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "cached": ("input_tokens_details", "cached_tokens"),
    "reasoning": ("output_tokens_details", "reasoning_tokens"),
}


def metrics_are_public() -> bool:
    """Return whether ``/metrics`` needs no key."""
    return os.environ.get(_PUBLIC, "").strip().lower() in {"1", "true", "yes"}


async def scrape(exchange: Exchange) -> None:
    """``GET /metrics``, in the format that the scraper asks for."""
    if not metrics_are_public():
        check_admin(exchange.owner)
    accepted = exchange.headers.get(b"accept", b"").decode("latin-1")
    encode, content_type = choose_encoder(accepted)
    body = await asyncio.to_thread(encode, exchange.service.metrics.registry)
    await exchange.start(
        200, (b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))
    )
    await exchange.send({"type": "http.response.body", "body": body})


class Metrics:
    """The metrics of one server."""

    def __init__(self, service: Service) -> None:
        """Get ready; `start` begins to count."""
        self._service = service
        self._stop: Callable[[], None] | None = None
        self.registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"dragoman_{name}", about, labels, registry=self.registry)

        def histogram(name: str, about: str, *labels: str) -> Histogram:
            return Histogram(f"dragoman_{name}", about, labels, buckets=_SECONDS, registry=self.registry)

        self._calls = counter("calls", "Calls that are over.", *_CALL, "operation", "mode", "outcome", "code")
        self._duration = histogram("call_duration_seconds", "From a call to its end.", *_CALL, "operation")
        self._first = histogram("first_event_seconds", "From a call to its first content.", *_CALL)
        self._tokens = counter(
            "tokens", "Tokens; cached ones are part of input, reasoning of output.", *_CALL, "type"
        )
        self._cost = counter("cost", "What answers cost, where a price is known.", *_CALL, "currency")
        self._unpriced = counter("unpriced_calls", "Answers with usage and without a known price.", *_CALL)
        self._attempts = counter("attempts", "Attempts at upstreams.", *_DEPLOYMENT, "outcome")
        self._retries = counter("retries", "Attempts after another at the same model.", "model")
        self._fallbacks = counter("fallbacks", "Attempts at another model than before.", "model")
        self.registry.register(_States(service))

    def start(self) -> None:
        """Count the calls from now on."""
        if self._stop is None:
            self._stop = dragoman.on_record(self._count)

    def stop(self) -> None:
        """Count no more."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _count(self, record: Record) -> None:
        call = (self._name(record.asked), record.provider)
        code = "" if record.error is None else str(record.error["status"])
        _at(self._calls, *call, record.operation, record.mode, record.outcome, code).inc()
        _at(self._duration, *call, record.operation).observe(record.duration)
        if record.first_event is not None:
            _at(self._first, *call).observe(record.first_event)
        if record.usage is not None:
            for kind, (name, *inner) in _TOKENS.items():
                count = record.usage.get(name)
                if inner:
                    count = (count or {}).get(inner[0])
                _at(self._tokens, *call, kind).inc(count or 0)
            if record.cost is None:
                _at(self._unpriced, *call).inc()
        if record.cost is not None:
            _at(self._cost, *call, record.cost.currency).inc(float(record.cost.total))
        models = [self._model(attempt.get("deployment")) for attempt in record.attempts]
        for model, attempt in zip(models, record.attempts, strict=True):
            _at(self._attempts, model, attempt.get("deployment") or _UNKNOWN, attempt["outcome"]).inc()
        for before, after in pairwise(models):
            _at(self._retries if before == after else self._fallbacks, after).inc()

    def _name(self, asked: str) -> str:
        """Return the name of the config that serves what a caller asked for."""
        fleet = self._service.fleet
        try:
            served = fleet.serving(fleet.settings.model_group_alias.get(asked, asked))
        except APIError:
            served = None
        return served[1].loads[0].deployment.name if served else _UNKNOWN

    def _model(self, deployment: str | None) -> str:
        load = self._service.fleet.load(deployment)
        return _UNKNOWN if load is None else load.deployment.name


@lru_cache(maxsize=4096)
def _at(metric: _Counted, *labels: str) -> _Counted:
    """Return the series of these labels: to look it up takes the library longer than to count."""
    return metric.labels(*labels)


class _States:
    """What is read at the moment of a scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        active = GaugeMetricFamily("dragoman_requests_in_flight", "Requests that the server is answering.")
        active.add_metric((), self._service.active)
        yield active
        background = GaugeMetricFamily(
            "dragoman_background_responses", "Responses that are made in the background."
        )
        background.add_metric((), self._service.background.running)
        yield background
        queue = GaugeMetricFamily("dragoman_records_waiting", "Records of calls that wait to be counted.")
        queue.add_metric((), waiting())
        yield queue
        fleet = self._service.fleet
        in_flight = GaugeMetricFamily(
            "dragoman_in_flight", "Attempts under way at a deployment.", labels=_DEPLOYMENT
        )
        circuit = GaugeMetricFamily(
            "dragoman_circuit_open",
            "1 while a deployment's circuit is open, 0.5 while a probe may try it.",
            labels=_DEPLOYMENT,
        )
        with fleet.lock:
            now = fleet.clock()
            loads = [fleet.load(deployment.id) for deployment in fleet.deployments]
            read = [
                (load.deployment, load.in_flight, load.breaker.open, load.breaker.blocked_until(now))
                for load in loads
                if load is not None
            ]
        for deployment, running, is_open, blocked in read:
            labels = (deployment.name, deployment.id)
            in_flight.add_metric(labels, running)
            circuit.add_metric(labels, 0 if not is_open else 1 if blocked is not None else 0.5)
        yield in_flight
        yield circuit
