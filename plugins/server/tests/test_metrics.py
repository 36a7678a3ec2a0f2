"""``/metrics``: Prometheus' own parser reads it, and what it says is what happened."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

import dragoman
from dragoman.hookspecs import HTTPRequest, LocalAnswer, ProviderInfo, hookimpl
from dragoman.parameters import policies
from dragoman.providers import register_provider
from dragoman.routing import RoutingSettings
from dragoman_server import Deployment

USAGE = {"input_tokens": 20, "output_tokens": 7, "cached_tokens": 5, "reasoning_tokens": 3}


class Moody:
    """A provider: its model "well" answers, "ill" says 503, always."""

    @hookimpl
    def provider_info(self):
        return ProviderInfo(
            name="moody", spec_version=1, wire="moody", parameters=policies(native="instructions")
        )

    @hookimpl
    def translate_request(self, request, target):
        return HTTPRequest(url="http://moody.example/", json={})

    @hookimpl
    def answer_locally(self, target):
        return LocalAnswer(
            status=200 if target.model.startswith("well") else 503,
            headers={"content-type": "application/json"},
            chunks=[b"{}"],
        )

    @hookimpl
    def parse_response(self, payload, output, target):
        output.text("Well.")
        output.usage(**USAGE)
        output.finish("completed")

    @hookimpl
    def handle_stream_event(self, event, output, target):
        raise AssertionError("it never streams")


@pytest.fixture
def moody(serve):
    """A server with deployments of that provider's."""
    register_provider(Moody())
    own_prices = {
        "input_cost_per_token": 0.25,
        "output_cost_per_token": 0.5,
        "cache_read_input_token_cost": 0.25,
    }
    deployments = (
        Deployment(name="good", id="good-1", model="moody/well", prices=own_prices),
        Deployment(name="bad", id="bad-1", model="moody/ill", num_retries=1),
        Deployment(name="weak", id="weak-1", model="moody/ill", num_retries=0),
        Deployment(name="any/*", id="any-1", model="moody/*"),
    )
    with serve(*deployments, routing=RoutingSettings(fallbacks={"weak": ("good",)})) as server:
        yield server


@pytest.fixture
def http(moody):
    with httpx.Client(base_url=moody.url, timeout=20) as client:
        yield client


def scrape(http, **headers):
    """Return a function that sums what a scrape has: ``total("name", label=value)``."""
    assert dragoman.flush_records()
    answer = http.get("/metrics", headers=headers)
    assert answer.status_code == 200
    openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics == ("openmetrics" in headers.get("accept", ""))
    assert openmetrics or answer.headers["content-type"].startswith("text/plain")
    samples = []
    for family in (read_openmetrics if openmetrics else read_text)(answer.text):
        assert family.documentation
        samples += family.samples

    def total(name, **labels):
        found = [
            one for one in samples if one.name == f"dragoman_{name}" and labels.items() <= one.labels.items()
        ]
        return sum(one.value for one in found)

    return total


def ask(http, model, **more):
    return http.post("/v1/responses", json={"model": model, "input": "Hi", **more}).status_code


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text;version=1.0.0"])
def test_what_happened_is_counted(http, accept):
    assert ask(http, "good") == 200
    assert ask(http, "any/well-made") == 200
    assert ask(http, "any/well-done", stream=True) == 200
    assert ask(http, "weak") == 200
    total = scrape(http, accept=accept)
    assert total("calls_total", outcome="completed", code="", provider="moody") == total("calls_total") == 4
    for model, mode in [("good", "whole"), ("weak", "whole"), ("any/*", "whole"), ("any/*", "stream")]:
        assert total("calls_total", model=model, mode=mode) == 1, model  # not what callers made of the star
    counts = {"input": 20, "output": 7, "cached": 5, "reasoning": 3}
    assert {kind: total("tokens_total", model="good", type=kind) for kind in counts} == counts
    assert total("cost_total", model="good", currency="USD") == 20 * 0.25 + 7 * 0.5
    assert total("unpriced_calls_total", model="any/*") == total("unpriced_calls_total") == 2
    assert total("call_duration_seconds_count", model="any/*") == 2
    assert total("first_event_seconds_count", model="any/*") == 2
    assert total("attempts_total", deployment="good-1", outcome="success") == 2
    assert total("attempts_total", deployment="weak-1", outcome="failed") == 1
    assert total("attempts_total") == 5
    assert total("fallbacks_total", model="good") == total("fallbacks_total") == 1
    assert total("retries_total") == total("in_flight") == 0
    assert total("requests_in_flight") == 1  # the scrape's own


def test_retries_and_circuits_are_seen(http):
    while not (total := scrape(http))("circuit_open"):
        assert ask(http, "bad") == 503
    assert total("circuit_open", deployment="bad-1") == total("circuit_open") == 1
    calls = total("calls_total", model="bad", outcome="failed", code="503")
    assert calls == total("calls_total") > 0
    assert total("retries_total", model="bad") > 0
    assert total("attempts_total", deployment="bad-1") == calls + total("retries_total")


def test_work_under_way_is_seen(serve, upstream):
    with serve(upstream.deployment) as server, httpx.Client(base_url=server.url, timeout=20) as http:
        body = {"model": "toy", "input": "half", "stream": True}
        with http.stream("POST", "/v1/responses", json=body):
            assert upstream.asked.wait(10)
            total = scrape(http)
            assert (total("in_flight"), total("requests_in_flight")) == (1, 2)
        assert upstream.left.wait(10)
        made = http.post("/v1/responses", json={"model": "toy", "input": "half", "background": True}).json()
        assert scrape(http)("background_responses") == 1
        http.post(f"/v1/responses/{made['id']}/cancel")
        assert (total := scrape(http))("background_responses") == total("records_waiting") == 0


@pytest.mark.parametrize("public", [False, True])
def test_it_is_under_the_key_unless_it_is_public(serve, monkeypatch, public):
    if public:
        monkeypatch.setenv("DRAGOMAN_METRICS_PUBLIC", "1")
    with serve(master_key="sk-0") as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/metrics").status_code == (200 if public else 401)
        assert http.get("/metrics", headers={"authorization": "Bearer sk-0"}).status_code == 200
        assert http.get("/v1/models").status_code == 401


def test_counts_and_compactions_are_calls_of_their_own(http):
    for path in ("responses/input_tokens", "responses/compact"):
        assert http.post(f"/v1/{path}", json={"model": "good", "input": "Hi"}).status_code == 200
    assert http.post("/v1/responses/compact", json={"model": "bad", "input": "Hi"}).status_code == 503
    total = scrape(http)
    assert total("calls_total", operation="input_tokens", outcome="completed", model="good") == 1
    assert total("calls_total", operation="compact", outcome="completed", model="good") == 1
    assert total("calls_total", operation="compact", outcome="failed", model="bad", code="503") == 1
    assert total("calls_total") == 3
    assert total("call_duration_seconds_count", operation="compact") == 2
    assert total("cost_total") == 20 * 0.25 + 7 * 0.5  # the summary's; an estimate asks nobody
    assert total("attempts_total") == 2
