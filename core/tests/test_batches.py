"""Events that travel together, some of them as bytes: the caller is told the same as of each alone."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from dragoman.events.batches import RawEvents, count_deltas, events_of, has_content
from dragoman.turns.recovery import Delivery

CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
ADDED = {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}


def delivered(batches, *, announced):
    delivery = Delivery("continue", settled_id=True)
    told = [delivery.announce({"id": "resp_1"})] if announced else []
    delivery.begin()
    passed = []
    for batch in batches:
        for out in delivery.take(batch):
            assert out
            passed += [part for part in out if isinstance(part, RawEvents)]
            told += events_of(out)
    return told, passed


@given(
    runs=st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), min_size=1, max_size=6),
    first=st.sampled_from([0, 0, 1]),
    announced=st.booleans(),
)
def test_batches_are_told_as_their_events_would_be(runs, first, announced):
    """`runs`: how many deltas, whether as bytes, whether in a batch of their own."""
    batches = [[{**CREATED, "sequence_number": first}, {**ADDED, "sequence_number": first + 1}]]
    number = first + 2
    for count, as_bytes, apart in runs:
        deltas = [{**DELTA, "delta": f"{number + n}", "sequence_number": number + n} for n in range(count)]
        run = (
            [RawEvents(DELTA["type"], number, [json.dumps(delta).encode() for delta in deltas])]
            if as_bytes
            else deltas
        )
        batches = [*batches, run] if apart else [*batches[:-1], [*batches[-1], *run]]
        number += count
    singly = [[event] for batch in batches for event in events_of(batch)]
    told, passed = delivered(batches, announced=announced)
    assert told == delivered(singly, announced=announced)[0]
    assert [event["sequence_number"] for event in told] == list(range(number - first))
    # Once content was told, bytes are passed on unread, if they are numbered as the caller counts.
    unread = [count for count, as_bytes, _ in runs[1:] if as_bytes and first == 0]
    assert [len(run.payloads) for run in passed] == unread
    assert sum(map(count_deltas, batches)) == number - first - 2
    assert all(map(has_content, batches))


def test_what_only_begins_a_response_is_no_content():
    assert not has_content([CREATED, {"type": "response.in_progress"}])
    assert has_content([CREATED, RawEvents(DELTA["type"], 1, [b"{}"])])
