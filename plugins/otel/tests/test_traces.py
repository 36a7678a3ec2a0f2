"""Every call has one span and its measurements, by the conventions, at a receiver that speaks OTLP."""

from __future__ import annotations

import asyncio
import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import dragoman
import dragoman_otel
from dragoman import APIError, AsyncDragoman, Dragoman

pytest_plugins = ["core.tests.toys"]

USAGE = {"input_tokens": 20, "output_tokens": 7, "cached_tokens": 5, "reasoning_tokens": 3}
ANSWER = (["text", "Hel"], ["text", "lo"], ["text", "!"], ["usage", USAGE], ["finish"])
REFUSED = (["fail", "too much", 429],)
OUTCOMES = {
    "answered": ([ANSWER], {}, None, []),
    "refused": ([REFUSED], {}, "429", []),
    "rescued": ([REFUSED, ANSWER], {"fallbacks": ["toy/other"]}, None, ["toy/m: RateLimitError"]),
    "cut": ([ANSWER[:2]], {}, "stream_interrupted", []),
}
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
TOKENS = [
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
]  # fmt: skip


def ask(kind, stream, **options):
    """Make a call, sync or async, and read it to its end; return its error."""

    def blocking():
        with Dragoman() as client:
            made = client.responses.create(stream=stream, **options)
            if stream:
                made.until_done()

    async def waiting():
        async with AsyncDragoman() as client:
            made = await client.responses.create(stream=stream, **options)
            if stream:
                await made.until_done()

    try:
        blocking() if kind == "sync" else asyncio.run(waiting())
    except APIError as error:
        return error
    return None


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_call_has_a_span_and_metrics(toy, instrumented, attributes, kind, stream, outcome):
    scripts, options, _, failures = OUTCOMES[outcome]
    write = toy.stream if stream else toy.whole
    toy([write(*script) for script in scripts], native="temperature max_output_tokens")
    tracer = TracerProvider().get_tracer("application")
    with instrumented() as receiver, tracer.start_as_current_span("work") as work:
        error = ask(
            kind,
            stream,
            model="toy/m",
            input="A secret",
            temperature=0.5,
            max_output_tokens=99,
            api_base="http://toy.example:8080/v1",
            **options,
        )
    (span,) = receiver.spans
    told = attributes(span)
    model = "other" if "fallbacks" in options else "m"
    assert span.name == f"chat {model}"
    assert span.kind == span.SPAN_KIND_CLIENT
    parent = work.get_span_context()
    assert span.trace_id == parent.trace_id.to_bytes(16)
    assert span.parent_span_id == parent.span_id.to_bytes(8)
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "toy",
        "gen_ai.request.model": model,
        "server.address": "toy.example",
        "server.port": 8080,
    }
    expected = {
        **common,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 99,
        "dragoman.model": "toy/m",
        "dragoman.attempts": len(scripts),
    }
    assert expected.items() <= told.items()
    assert told.get("gen_ai.request.stream", False) is stream
    assert ("gen_ai.response.time_to_first_chunk" in told) == (stream and outcome != "refused")
    assert told.get("dragoman.failures", []) == failures
    duration, (measured,) = receiver.metrics["gen_ai.client.operation.duration"]
    assert (duration, measured.count, measured.explicit_bounds) == ("s", 1, SECONDS)
    assert measured.sum == pytest.approx(
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9, abs=1e-5
    )
    if error is None:
        assert span.status.code == span.status.STATUS_CODE_UNSET
        usage = {
            "input_tokens": 20,
            "output_tokens": 7,
            "cache_read.input_tokens": 5,
            "reasoning.output_tokens": 3,
        }
        assert {f"gen_ai.usage.{name}": count for name, count in usage.items()}.items() <= told.items()
        assert told["gen_ai.response.finish_reasons"] == ["stop"]
        assert told["gen_ai.response.model"] == model
        assert told["gen_ai.response.id"].startswith("resp_")
        unit, points = receiver.metrics["gen_ai.client.token.usage"]
        assert unit == "{token}"
        assert {attributes(point)["gen_ai.token.type"]: point.sum for point in points} == {
            "input": 20,
            "output": 7,
        }
        assert all(point.explicit_bounds == TOKENS for point in points)
        assert all(common.items() <= attributes(point).items() for point in points)
    else:
        assert span.status.code == span.status.STATUS_CODE_ERROR
        assert told["error.type"] == (error.code or str(error.status_code))
        assert attributes(measured)["error.type"] == told["error.type"]
    if stream and error is None:
        unit, (first,) = receiver.metrics["gen_ai.client.operation.time_to_first_chunk"]
        assert (unit, first.count, first.explicit_bounds) == ("s", 1, SECONDS)
        unit, (later,) = receiver.metrics["gen_ai.client.operation.time_per_output_chunk"]
        assert (unit, later.count, later.explicit_bounds) == ("s", 2, SECONDS)
    elif not stream:
        assert not {name for name in receiver.metrics if "chunk" in name}
    assert all(b"secret" not in body and b"Hello" not in body for _, body in receiver.bodies)


def test_content_is_there_on_request(toy, instrumented, attributes):
    call = ["call", "call_1", "get_weather", ['{"city": "Paris"}']]
    toy(toy.whole(["text", "Let me see."], call, ["finish"]))
    question = [
        {"role": "user", "content": "What is the weather?"},
        {"type": "function_call", "call_id": "call_0", "name": "where", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0", "output": "In Paris"},
    ]
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    with instrumented(content=True) as receiver:
        ask("sync", False, model="toy/m", input=question, instructions="Be brief.", tools=[tool])
    told = attributes(receiver.spans[0])
    assert json.loads(told["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "What is the weather?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "call_0", "name": "where", "arguments": "{}"}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_0", "response": "In Paris"}]},
    ]
    (answer,) = json.loads(told["gen_ai.output.messages"])
    assert answer == {
        "role": "assistant",
        "parts": [
            {"type": "text", "content": "Let me see."},
            {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": '{"city": "Paris"}'},
        ],
        "finish_reason": "tool_call",
    }
    assert told["gen_ai.response.finish_reasons"] == ["tool_call"]


def test_the_environment_names_the_service_and_may_ask_for_content(
    toy, instrumented, attributes, monkeypatch
):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    toy(toy.whole(*ANSWER))
    with instrumented() as receiver:
        ask("sync", False, model="toy/m", input="Hi")
    assert receiver.resources[0]["service.name"] == "dragoman"
    assert receiver.resources[0]["deployment.environment"] == "test"
    assert receiver.headers[0]["x-team"] == "blue"
    assert "Hi" in attributes(receiver.spans[0])["gen_ai.input.messages"]


def test_an_exporter_that_is_not_installed_is_named(instrumented, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin_of_old")
    with pytest.raises(dragoman.PluginError, match="zipkin_of_old.*otlp_proto_http"), instrumented():
        pass


def test_no_call_is_told_after_its_end(toy, instrumented):
    toy(toy.whole(*ANSWER))
    with instrumented() as receiver:
        pass
    ask("sync", False, model="toy/m", input="Hi")
    dragoman.flush_records()
    assert not receiver.spans


def test_an_exporter_that_is_down_harms_no_call(toy, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    toy(toy.whole(*ANSWER))
    end = dragoman_otel.instrument()
    assert ask("sync", False, model="toy/m", input="Hi") is None
    end()


def test_the_providers_of_the_application_are_used(toy, monkeypatch, receiver):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    toy(toy.whole(*ANSWER))
    end = dragoman_otel.instrument()
    ask("sync", False, model="toy/m", input="Hi")
    end()
    assert [span.name for span in spans.get_finished_spans()] == ["chat m"]
    assert provider.force_flush()


def test_a_compaction_and_a_count_have_spans_of_their_own(toy, instrumented, attributes):
    toy(toy.whole(["text", "A summary."], ["usage", USAGE], ["finish"]))
    with instrumented() as receiver, Dragoman() as client:
        client.responses.compact(model="toy/m", input="A secret")
        with pytest.raises(APIError):
            client.responses.input_tokens.count(model="toy/m", input="A secret")
    compacted, counted = receiver.spans
    assert (compacted.name, counted.name) == ("compact m", "input_tokens m")
    told = attributes(compacted)
    assert (told["gen_ai.operation.name"], told["gen_ai.usage.input_tokens"]) == ("compact", 20)
    assert attributes(counted)["error.type"] == "no_token_counter"
    _, points = receiver.metrics["gen_ai.client.operation.duration"]
    assert {attributes(point)["gen_ai.operation.name"] for point in points} == {"compact", "input_tokens"}
    _, points = receiver.metrics["gen_ai.client.token.usage"]
    assert {attributes(point)["gen_ai.operation.name"] for point in points} == {
        "compact"
    }  # a count takes none
    assert all(b"secret" not in body for _, body in receiver.bodies)


def test_what_a_call_goes_on_from_is_told(toy, instrumented, attributes):
    toy(toy.whole(*ANSWER), native="instructions reasoning reasoning.effort")
    with instrumented() as receiver, Dragoman() as client:
        first = client.responses.compact(model="toy/m", input="Hi", instructions="Briefly.")
        second = client.responses.create(model="toy/m", input=first.output, reasoning={"effort": "low"})
        client.responses.create(model="toy/m", input="Hi", previous_response_id=second.id)
    _, compacted, third = (attributes(span) for span in receiver.spans)
    assert (compacted["gen_ai.conversation.compacted"], compacted["gen_ai.request.reasoning.level"]) == (
        True,
        "low",
    )
    assert third["gen_ai.request.previous_response.id"] == second.id
    assert "gen_ai.conversation.compacted" not in third
