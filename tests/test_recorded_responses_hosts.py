"""The laws of relayed wires, for the hosts other than OpenAI that speak the Responses API.

They hold as for OpenAI (see ``test_recorded_native``), but that these upstreams need mending more often: ids
that change with every event or are missing, a final response that lists nothing of what streamed.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.judging import Judge, first_difference, pieces, single_bytes, without_chance
from tests.recordings import REAL, Recording, recordings

from dragoman.decoding.sse import SSEDecoder
from dragoman.errors import ProviderError, error_for
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Tally

APIS = ("compat.responses", "bedrock-mantle.responses")
JUDGE = Judge("xai", "grok-4", {"api_key": "test-key-1234"})
_ENDINGS = {"response.completed", "response.incomplete", "response.failed"}

apis = pytest.mark.parametrize("api", APIS)


def answers(api: str, *, streamed: bool) -> list[Recording]:
    found = recordings(api, fidelity=None if streamed else REAL)
    return [each for each in found if each.status < 300 and each.streamed == streamed]


def told(recording: Recording) -> list[dict[str, Any]]:
    """Return what an upstream said, up to its end mark."""
    decoder = SSEDecoder()
    raw = [event.data for event in [*decoder.feed(recording.wire), *decoder.close()]]
    events = [json.loads(data) for data in raw if data != b"[DONE]"]
    ends = [place for place, event in enumerate(events) if event.get("type") in _ENDINGS]
    return events[: ends[0] + 1] if ends else events


def said(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what items say, whatever they are called."""
    return [
        (
            item["type"],
            [part.get("text") for part in item.get("content") or ()],
            [part.get("text") for part in item.get("summary") or ()],
            [note for part in item.get("content") or () for note in part.get("annotations") or ()],
            *(item.get(name) for name in ("name", "arguments", "encrypted_content", "result")),
        )
        for item in items
    ]


@apis
def test_every_whole_answer_comes_out_as_it_was(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Responses hosts 1, every whole answer comes out as it was ({api})")
    for recording in answers(api, streamed=False):
        with law.case(recording.name):
            response = {**JUDGE.run([recording.wire])[0].response}
            response.pop("dragoman")
            nameless = [item for item in recording.body["output"] if "id" not in item]
            if nameless:
                law.notes["items without ids, which got one"] += len(nameless)
            for mine, theirs in zip(response["output"], recording.body["output"], strict=True):
                theirs.setdefault("id", mine["id"])
            assert response == recording.body, first_difference(response, recording.body)
    law.require()


@apis
def test_every_stream_is_legal_and_says_what_the_upstream_said(
    api: str, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"Responses hosts 2, every stream is legal, and says what the upstream said ({api})")
    for recording in answers(api, streamed=True):
        with law.case(recording.name):
            events = JUDGE.events_of(recording)
            check_events(events)
            theirs = told(recording)
            deltas = [event["delta"] for event in theirs if event.get("type", "").endswith(".delta")]
            mine = iter([event["delta"] for event in events if event["type"].endswith(".delta")])
            assert all(delta in mine for delta in deltas), "every delta, in order"
            law.notes["a delta for what came at once"] += len(list(mine))
            final = theirs[-1]["response"]
            done = [event["item"] for event in theirs if event.get("type") == "response.output_item.done"]
            if not final["output"]:
                law.notes["a final response that lists nothing"] += 1
            assert said(events[-1]["response"]["output"]) == said(final["output"] or done)
            assert events[-1]["response"].get("usage") == final.get("usage")
    law.require()


@apis
def test_every_stream_is_the_same_for_any_split_of_its_bytes(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Responses hosts 2, every stream is the same in random chunks and byte by byte ({api})")
    for recording in answers(api, streamed=True):
        with law.case(recording.name):
            whole = without_chance(JUDGE.events_of(recording))
            chunked = pieces(recording.wire, random.Random(recording.name))
            for chunks in (single_bytes(recording.wire), chunked):
                assert without_chance(JUDGE.run(chunks, stream=True)[1]) == whole
    law.require()


@apis
def test_a_stream_that_is_cut_fails(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Responses hosts 2, no stream that is cut before its end completes ({api})")
    for recording in answers(api, streamed=True):
        with law.case(recording.name):
            for wire in cuts(recording):
                events = JUDGE.run([wire], stream=True)[1]
                check_events(events)
                assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    law.require()


def cuts(recording: Recording) -> Iterator[bytes]:
    """Yield the beginnings of a stream, up to all but the end of its last event."""
    theirs = told(recording)
    last = json.dumps(theirs[-1]["type"]).encode()
    end = recording.wire.rindex(last)
    for length in sorted({*range(0, end, max(1, end // 20)), end}):
        yield recording.wire[:length]


def test_every_refusal_is_the_right_error(tally: Callable[[str], Tally]) -> None:
    law = tally("Responses hosts 1, every refusal is the right error in the upstream's words")
    for recording in (each for api in APIS for each in recordings(api) if each.status >= 400):
        with law.case(recording.name):
            error = recording.body["error"]
            message = error if isinstance(error, str) else error["message"]
            expected = type(error_for(ProviderError(message="", status=recording.status)))
            with pytest.raises(expected) as caught:
                JUDGE.run([recording.wire], status=recording.status, headers=recording.headers)
            assert caught.value.message == message
    law.require()


@apis
def test_every_request_goes_out_as_it_was(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Responses hosts 3, every recorded request goes out as it was ({api})")
    for recording in recordings(api, fidelity=REAL):
        body = recording.request
        if not isinstance(body, dict) or "input" not in body or recording.status >= 400:
            continue
        with law.case(recording.name):
            sent = json.loads(JUDGE.session(**body).prepare().body)
            given = {name: value for name, value in body.items() if value is not None}
            given["model"] = sent["model"]
            sent = {name: value for name, value in sent.items() if name != "stream" or name in given}
            assert sent == given, first_difference(sent, given)
    law.require()
