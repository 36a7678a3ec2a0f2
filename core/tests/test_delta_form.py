"""Deltas that are relayed by their bytes: the same answer as if each had been parsed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.decoding import RawEvent
from dragoman.decoding.sse import SSEDecoder
from dragoman.events.batches import RawEvents, events_of
from dragoman.relay.relay import Relay

PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
MESSAGE = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
DELTA = {"type": "response.output_text.delta", **PLACE, "delta": "a", "logprobs": []}
BEGUN = [
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": MESSAGE},
    {"type": "response.content_part.added", **PLACE, "part": PART},
]


def relayed(payloads, *, by_bytes):
    """Return what comes of a stream: the batch, its events, the response."""
    relay = Relay({"id": "resp_0", "status": "in_progress", "output": [], "dragoman": {}})
    raw_events = [RawEvent("", payload) for payload in payloads]
    place = 0
    while place < len(payloads) and not relay.ended:
        if by_bytes and (taken := relay.take_run(raw_events, place)):
            place += taken
            continue
        try:
            parsed = json.loads(payloads[place])
        except ValueError:
            break
        relay.event(parsed, payloads[place])
        place += 1
    relay.complete()
    batch = relay.take_events()
    return batch, list(events_of(batch)), relay.response


def fed(payloads, cuts):
    """Return the same of a stream as a session takes it, in chunks: the first delta is the end of one."""
    relay = Relay({"id": "resp_0", "status": "in_progress", "output": [], "dragoman": {}})
    decoder = SSEDecoder()
    blocks = [
        b"".join([b"event: ", json.loads(payload)["type"].encode(), b"\ndata: ", payload, b"\n\n"])
        for payload in payloads
    ]
    stream = b"".join(blocks)
    first_delta = sum(map(len, blocks[: len(BEGUN) + 1]))
    places = sorted([0, first_delta, *(cut % (len(stream) + 1) for cut in cuts), len(stream)])
    for start, end in pairwise(places):
        chunk = stream[start:end] if relay.ended else decoder.pass_over(stream[start:end], relay.take_bytes)
        for raw in decoder.feed(chunk):
            if not relay.ended:
                relay.event(json.loads(raw.data), raw.data)
    relay.complete()
    batch = relay.take_events()
    return batch, list(events_of(batch)), relay.response


tricky = st.sampled_from(
    ['"', "\\", '\\"', '","delta":"', '","sequence_number":7', '"}', "}", "\n", "\x00", "é", "😀", "\u2028"]
)
texts = st.lists(st.one_of(tricky, st.text(max_size=3)), max_size=4).map("".join)
oddities = st.sampled_from(
    [
        {"item_id": "msg_2"}, {"output_index": 1}, {"content_index": 1}, {"logprobs": [{"delta": "b"}]},
        {"logprobs": None}, {"delta": 5}, {"delta": None}, {"type": "response.refusal.delta"},
        {"new": {"delta": "c"}}, {"new": "d"}, {"sequence_number": 99}, {"sequence_number": None},
        {"obfuscation": "x y"}, {"obfuscation": ""}, {"type": "error", "message": "Too late"},
    ]
)  # fmt: skip
writings = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([(",", ":"), (", ", ": ")]),
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, None, None, 1]),
    }
)


plain: st.SearchStrategy[dict[str, Any]] = st.just({})
done = st.just({"type": "response.output_text.done", "text": "a"})


@settings(max_examples=500)
@given(
    deltas=st.lists(
        st.tuples(texts, st.one_of(plain, plain, plain, plain, done, oddities), st.booleans()),
        min_size=2,
        max_size=12,
    ),
    common=st.one_of(plain, plain, oddities),
    writing=writings,
    order=st.permutations(["type", "sequence_number", *PLACE, "delta", "logprobs", "obfuscation", "new"]),
    first=st.sampled_from([0, 0, 0, 1]),
    damage=st.one_of(
        st.none(),
        st.tuples(st.one_of(st.integers(0, 400), st.integers(-9, -1)), st.sampled_from(list(b'"\\x\n'))),
    ),
)
def test_bytes_give_what_parsing_gives(deltas, common, writing, order, first, damage):
    events = [
        *BEGUN,
        *(
            {**DELTA, "delta": text, **({"obfuscation": "x1"} if padded else {}), **common, **odd}
            for text, odd, padded in deltas
        ),
    ]
    payloads = []
    for number, event in enumerate(events, first):
        numbered = {"sequence_number": number, **event}
        ordered = {name: numbered[name] for name in [*order, *numbered] if name in numbered}
        payloads.append(json.dumps(ordered, **writing).encode())
    if damage is not None:
        place, byte = damage
        last = bytearray(payloads[-1])
        last[place % len(last)] = byte
        payloads[-1] = bytes(last)
    batch, events, response = relayed(payloads, by_bytes=True)
    _, expected, expected_response = relayed(payloads, by_bytes=False)
    assert events == expected
    assert response == expected_response
    for run in batch:
        if isinstance(run, RawEvents):  # can stand in one line
            assert not any(b"\n" in payload or b"\r" in payload for payload in run.payloads)


@settings(max_examples=300)
@given(
    deltas=st.lists(
        st.tuples(texts, st.one_of(plain, plain, plain, plain, done, oddities), st.booleans()),
        min_size=2,
        max_size=12,
    ),
    writing=st.fixed_dictionaries(
        {"separators": st.sampled_from([(",", ":"), (", ", ": ")]), "ensure_ascii": st.booleans()}
    ),
    first=st.sampled_from([0, 0, 0, 1]),
    cuts=st.lists(st.integers(0, 10_000), max_size=8),
)
def test_streams_give_what_parsing_gives(deltas, writing, first, cuts):
    events = [
        *BEGUN,
        *(
            {**DELTA, "delta": text, **({"obfuscation": "x1"} if padded else {}), **odd}
            for text, odd, padded in deltas
        ),
    ]
    payloads = [
        json.dumps({"sequence_number": number, **event}, **writing).encode()
        for number, event in enumerate(events, first)
    ]
    _, events, response = fed(payloads, cuts)
    _, expected, expected_response = relayed(payloads, by_bytes=False)
    assert events == expected
    assert response == expected_response


def test_plain_deltas_of_a_stream_are_not_even_decoded():
    for item_id in ("msg_1", "msg_2"):
        events = [{**event, "item_id": item_id} if "item_id" in event else event for event in BEGUN]
        events[1] = {**BEGUN[1], "item": {**MESSAGE, "id": item_id}}
        events += [{**DELTA, "item_id": item_id, "delta": f'wörd {number} "\\n'} for number in range(50)]
        payloads = [
            json.dumps({**event, "sequence_number": number}).encode() for number, event in enumerate(events)
        ]
        batch, _, response = fed(payloads, [3000, 5000])
        runs = [told.payloads for told in batch if isinstance(told, RawEvents)]
        assert len(runs) == 3
        assert [payload for run in runs for payload in run] == payloads[len(BEGUN) + 1 :]
        assert response["output"][0]["content"][0]["text"].endswith('wörd 49 "\\n')


def test_plain_deltas_are_not_parsed():
    words = [f'wörd {number} "\\n' for number in range(50)]
    padded = [{"obfuscation": "x" * (number % 7 + 1)} for number in range(50)]
    events = [*BEGUN, *({**DELTA, "delta": word, **more} for word, more in zip(words, padded, strict=True))]
    payloads = [
        json.dumps({**event, "sequence_number": number}).encode() for number, event in enumerate(events)
    ]
    broken = payloads[-1].replace(b": 52", b": 53").replace(b'"obfuscation": "x', b'"obfuscation": "x" x')
    batch, _, response = relayed([*payloads, broken], by_bytes=True)
    (run,) = (told for told in batch if isinstance(told, RawEvents))
    assert run.payloads == payloads[len(BEGUN) + 1 :]
    assert (run.type, run.number, run.last_number) == (DELTA["type"], len(BEGUN) + 1, len(events) - 1)
    assert response["output"][0]["content"][0]["text"] == "".join(words)
