"""Streams as bytes: framing, the grace before they begin, comments, failures, the server's end."""

from __future__ import annotations

import json
import socket
import threading

import httpx
import pytest

from dragoman.testing.legality import check_events
from dragoman_echo import script

SLOW = {"pause": 0.4}


def ask(text, **more):
    return {"model": "echo/m", "input": text, "stream": True, **more}


def test_writes_are_of_whole_events_and_the_end_is_marked(server, http):
    body = json.dumps(ask("one two three")).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, chunked = received.partition(b"\r\n\r\n")
    assert b"content-type: text/event-stream" in head
    chunks = []
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        chunked = rest[int(size, 16) + 2 :]
    *writes, done, end = chunks  # a chunk is what the server wrote at once
    assert (done, end) == (b"data: [DONE]\n\n", b"")
    for write in writes:
        *events, rest = write.split(b"\n\n")
        assert events
        assert rest == b""
        for event in events:
            name, data = event.split(b"\n")
            assert json.loads(data.removeprefix(b"data: "))["type"].encode() == name.removeprefix(b"event: ")


def test_the_events_are_legal_and_their_response_is_the_stored_one(http, events_of):
    play = script({"reasoning": "Hm."}, {"text": "Hello"}, {"call": "f", "arguments": {"a": 1}})
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}]
    events = events_of(http.post("/v1/responses", json=ask(play, tools=tools)).content)
    check_events(events)
    final = events[-1]["response"]
    assert http.get(f"/v1/responses/{final['id']}").json() == final


def test_a_refusal_within_the_grace_keeps_status_and_retry_after(http):
    play = script({"pause": 0.05}, {"error": {"status": 429, "message": "Slow down.", "retry_after": 1.2}})
    refused = http.post("/v1/responses", json=ask(play))
    assert refused.status_code == 429
    assert refused.json()["error"] == {
        "message": "Slow down.", "type": "rate_limit_error", "param": None, "code": None,
    }  # fmt: skip
    assert refused.headers["retry-after"] == "2"  # whole seconds, and never too early
    assert refused.headers["retry-after-ms"] == "1200"
    assert refused.headers["x-should-retry"] == "true"


@pytest.fixture(scope="module")
def hasty(serve, limits):
    """A server with little patience."""
    with serve(limits=limits(grace=0.05, keep_alive=0.05)) as running:
        yield running


def test_a_slow_upstream_is_announced_at_once_and_once(upstream, serve, limits, events_of):
    with serve(upstream.deployment, limits=limits(grace=0.01)) as server:
        asked = {"model": "toy", "input": "late", "stream": True}
        with httpx.stream("POST", f"{server.url}/v1/responses", json=asked) as answer:
            pieces = answer.iter_text()
            told = next(pieces)  # the upstream has said nothing yet
            (created,) = events_of(told)
            upstream.go()
            told += "".join(pieces)
    events = events_of(told)
    check_events(events)
    assert created["response"]["status"] == "in_progress"
    assert [event["type"] for event in events].count("response.created") == 1
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "One two"


def test_a_refusal_after_the_grace_is_an_error_then_a_failed_response(hasty, events_of):
    play = script(SLOW, {"error": {"status": 429, "message": "Slow down."}})
    answer = httpx.post(f"{hasty.url}/responses", json=ask(play))
    assert answer.status_code == 200
    created, error, failed = events_of(answer.content)
    assert [event["sequence_number"] for event in (created, error, failed)] == [0, 1, 2]
    assert error["message"] == error["error"]["message"] == "Slow down."
    assert failed["type"] == "response.failed"
    attempts = failed["response"]["dragoman"]["attempts"]
    assert {attempt["status"] for attempt in attempts} == {429}
    assert failed["response"] == created["response"] | {
        "dragoman": created["response"]["dragoman"] | {"attempts": attempts},
        "status": "failed",
        "error": {"code": "rate_limit_exceeded", "message": "Slow down."},
    }
    kept = httpx.get(f"{hasty.url}/responses/{created['response']['id']}").json()
    assert kept == failed["response"]


def test_silence_is_filled_with_comments(hasty, events_of):
    answer = httpx.post(f"{hasty.url}/responses", json=ask(script({"text": "a"}, SLOW, {"text": "b"})))
    assert answer.text.count(": keep-alive\n\n") >= 2
    check_events(events_of(answer.content))


@pytest.mark.parametrize(
    "failure", [{"error": {"status": 529, "message": "Overloaded."}}, {"cut": True}, {"malformed": True}]
)
@pytest.mark.usefixtures("hurried")
def test_a_failure_in_mid_stream_keeps_what_had_arrived(http, events_of, failure):
    answer = http.post("/v1/responses", json=ask(script({"text": "Half an ans"}, failure)))
    events = events_of(answer.content)
    check_events(events)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert answer.text.endswith("data: [DONE]\n\n")
    failed = events[-1]["response"]
    assert failed["output"][0]["content"][0]["text"] == "Half an ans"
    assert http.get(f"/v1/responses/{failed['id']}").json() == failed


def test_a_server_that_stops_ends_its_streams(upstream, serve, limits, events_of):
    with serve(upstream.deployment, limits=limits(shutdown=1)) as server:
        asked = {"model": "toy", "input": "half", "stream": True}
        with httpx.stream("POST", f"{server.url}/v1/responses", json=asked, timeout=20) as answer:
            pieces = answer.iter_text()
            told = next(pieces)
            while '"One "' not in told:
                told += next(pieces)
            server.begin_to_stop()
            told += "".join(pieces)
    events = events_of(told)
    check_events(events)
    assert events[-2]["error"]["code"] == "server_stopping"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "One "
    assert told.endswith("data: [DONE]\n\n")
    assert upstream.left.wait(10)


def test_streams_that_end_in_time_are_not_cut_by_a_stop(serve, limits, events_of):
    with serve(limits=limits(shutdown=20)) as server:
        begun = threading.Event()
        told = []

        def read():
            play = script({"text": "a"}, {"pause": 0.3}, {"text": "b"})
            with httpx.stream("POST", f"{server.url}/v1/responses", json=ask(play)) as answer:
                for piece in answer.iter_text():
                    told.append(piece)
                    begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert begun.wait(10)
        server.stop()
        reader.join()
    events = events_of("".join(told))
    assert events[-1]["type"] == "response.completed"
