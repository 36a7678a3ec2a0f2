"""No secret that a call or a config holds is seen anywhere: not in errors, logs, records, traces or metrics.

The upstream is the worst there is: it says in its refusal everything that it was sent.
"""

from __future__ import annotations

import asyncio
import logging
import traceback

import httpx
import pytest
import uvicorn
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.canaries import MODELS, Gossip, assert_hidden, options_of

import dragoman
import dragoman_otel
from dragoman import APIError, AsyncDragoman, Dragoman
from dragoman_server import Deployment, ServerConfig, create_app
from dragoman_server.listening import listening


@pytest.fixture
def upstream():
    running = Gossip()
    yield running
    running.stop()


@pytest.fixture
def seen(caplog):
    """Return all that was seen of calls so far, as text: records, logs, spans, metrics."""
    caplog.set_level(logging.DEBUG, logger="dragoman")
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    records = []
    ends = [
        dragoman.log_calls(content=True),
        dragoman_otel.instrument(tracers, MeterProvider([reader]), content=True),
        dragoman.on_record(lambda record: records.append(f"{record!r} {record.as_json()}")),
    ]

    def so_far():
        assert dragoman.flush_records()
        told = [span.to_json() for span in spans.get_finished_spans()]
        assert (
            len(told) == len(records) == len([one for one in caplog.records if one.name == "dragoman.calls"])
        )
        metrics = reader.get_metrics_data()
        return [*records, *told, caplog.text, *([metrics.to_json()] if metrics else [])]

    yield so_far
    for end in ends:
        end()


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_no_secret_of_a_call_is_seen(upstream, seen, model, stream, breaks):
    upstream.breaks = breaks and stream
    options = options_of(model, upstream.port, stream=stream)
    errors = []

    async def waiting():
        async with AsyncDragoman() as client:
            made = await client.responses.create(**options)
            return await made.get_final_response() if stream else made

    def blocking():
        with Dragoman() as client:
            made = client.responses.create(**options)
            return made.get_final_response() if stream else made

    for ask in (blocking, lambda: asyncio.run(waiting())):
        try:
            errors.append(ask().to_dict())
        except APIError as error:
            errors += [error.to_dict(), vars(error), "".join(traceback.format_exception(error))]
    assert_hidden(upstream, [*map(str, errors), *seen()])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_no_secret_of_a_config_is_seen(upstream, seen, model, stream):
    arguments = options_of(model, upstream.port, stream=stream)
    for name in ("model", "input", "stream", "tools"):
        arguments.pop(name, None)
    served = Deployment(name="m", model=model, arguments=arguments)
    app = create_app(ServerConfig(deployments=(served,), master_key="canary-master"))

    async def ask():
        server = uvicorn.Server(listening(app, port=0, log_level="critical"))
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        headers = {"authorization": "Bearer canary-master", "x-api-key": "canary-master"}
        body = {"model": "m", "input": "Hi", "stream": stream}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            answers = [
                await client.post("/v1/responses", json=body, headers=headers),
                await client.post(
                    "/v1/responses", json=body, headers={"authorization": "Bearer canary-wrong"}
                ),
            ]
            await asyncio.to_thread(dragoman.flush_records)
            answers.append(await client.get("/metrics", headers=headers))
        server.should_exit = True
        await serving
        return answers

    answers = asyncio.run(ask())
    assert "dragoman_calls_total{" in answers[-1].text
    assert_hidden(upstream, [*(f"{answer.headers} {answer.text}" for answer in answers), *seen()])
