"""Events a second, and whole calls a second, beside the official openai SDK in the same run.

Rounds of all contestants are interleaved, so that a slow moment of the machine hits all of them; what is
printed is the median of the rounds.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

import httpx
import openai
from pydantic_core import to_json

import dragoman
from dragoman.attempts.session import Session
from dragoman.events.batches import events_of
from dragoman.providers import load_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELTAS = 1000
ROUNDS = 15
CHUNK = 16 * 1024  # what a socket read typically brings
REQUEST = {"model": "claude-sonnet-4-5", "input": "Count.", "stream": True}


def anthropic_events() -> Iterator[dict[str, Any]]:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
    }
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
    }
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for number in range(DELTAS):
        delta = {"type": "text_delta", "text": f" word {number}"}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": DELTAS}}
    yield {"type": "message_stop"}


def as_sse(events: Iterator[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


UPSTREAM = as_sse(anthropic_events())
CHUNKS = [UPSTREAM[start : start + CHUNK] for start in range(0, len(UPSTREAM), CHUNK)]
PROVIDER = load_provider("anthropic")
TARGET = PROVIDER.target("claude-sonnet-4-5", {"api_key": "benchmark"})
WHOLE = json.dumps(
    {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello, world"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 3},
    }
).encode()  # fmt: skip


def translated() -> Iterator[dict[str, Any]]:
    session = Session(PROVIDER, TARGET, REQUEST)
    session.prepare()
    yield from events_of(session.accept(200, {"content-type": "text/event-stream"}))
    for chunk in CHUNKS:
        yield from events_of(session.feed(chunk))
    yield from events_of(session.close())


EVENTS = list(translated())
EQUIVALENT = as_sse(iter(EVENTS)) + b"data: [DONE]\n\n"


def session_to_wire() -> int:
    """Decode, translate, encode: what the server does for each event."""
    count = 0
    for event in translated():
        _ = b"event: " + event["type"].encode() + b"\ndata: " + to_json(event) + b"\n\n"
        count += 1
    return count


def sdk_typed() -> int:
    """The same, as typed events for users of the SDK, over a fake transport."""
    return sum(1 for _ in CLIENT.responses.create(**STREAMED))


def openai_typed() -> int:
    """The openai SDK over the equivalent Responses stream, over a fake transport of its own."""
    return sum(1 for _ in OPENAI.responses.create(model="m", input="Count.", stream=True))


def whole_call() -> int:
    CLIENT.responses.create(model="anthropic/claude-sonnet-4-5", input="Hi", api_key="benchmark-key")
    return 1


def whole_call_openai() -> int:
    OPENAI.responses.create(model="m", input="Hi")
    return 1


def upstream(request: httpx.Request) -> httpx.Response:
    if b'"stream":true' in request.content:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=UPSTREAM)
    return httpx.Response(200, headers={"content-type": "application/json"}, content=WHOLE)


STREAMED: Any = {
    "model": "anthropic/claude-sonnet-4-5", "input": "Count.", "stream": True, "api_key": "benchmark-key"
}  # fmt: skip
CLIENT = dragoman.Dragoman(http_client=httpx.Client(transport=httpx.MockTransport(upstream)))


def openai_client() -> openai.OpenAI:
    # The SDK has moved to a fork of httpx: take whichever it uses.
    http = __import__(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    final = to_json(EVENTS[-1]["response"])

    def answer(request: Any) -> Any:
        if b'"stream":true' in request.content:
            return http.Response(200, headers={"content-type": "text/event-stream"}, content=EQUIVALENT)
        return http.Response(200, headers={"content-type": "application/json"}, content=final)

    return openai.OpenAI(
        api_key="k",
        base_url="http://upstream/v1",
        http_client=http.Client(transport=http.MockTransport(answer)),
    )


OPENAI = openai_client()


def measure(contestants: dict[str, Callable[[], int]], repeat: int) -> dict[str, float]:
    """Return the median microseconds that each contestant needs for one unit of its work."""
    for run in contestants.values():
        run()
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            start = time.perf_counter()
            count = sum(run() for _ in range(repeat))
            samples[name].append((time.perf_counter() - start) / count * 1e6)
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    print(f"a stream of {DELTAS} text deltas, {len(EVENTS)} events, medians of {ROUNDS} interleaved rounds\n")
    streams = measure(
        {
            "dragoman: decode, translate, encode": session_to_wire,
            "dragoman: typed events of the SDK": sdk_typed,
            "openai: typed events of the SDK": openai_typed,
        },
        repeat=1,
    )
    slowest = streams["openai: typed events of the SDK"]
    for name, cost in streams.items():
        print(
            f"{name:40} {cost:8.2f} µs an event {1e6 / cost:10,.0f} events/s {slowest / cost:7.1f} x openai"
        )
    print()
    calls = measure({"dragoman: whole call": whole_call, "openai: whole call": whole_call_openai}, repeat=20)
    for name, cost in calls.items():
        ratio = calls["openai: whole call"] / cost
        print(f"{name:40} {cost:8.0f} µs a call  {1e6 / cost:10,.0f} calls/s  {ratio:7.1f} x openai")


if __name__ == "__main__":
    main()
