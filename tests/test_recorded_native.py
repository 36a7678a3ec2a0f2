"""The laws of the wires that are relayed, judged by what upstreams of the Responses API really said.

1. Every recorded answer comes out as it was, every refusal as the right error in the upstream's words.
2. Every recorded stream is a legal sequence, the same however its bytes are cut, and ends in the upstream's
   own final response; cut for good it fails, and keeps what had come.
3. Every recorded request goes out as it was, and a conversation goes on with what the upstream had said.

What the upstream said is the upstream's: events that deviate from OpenAI's types because they came so are
counted, not held against the relay. What dragoman writes itself has to be right.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.judging import Judge, first_difference, pieces, single_bytes
from tests.recordings import REAL, Recording, conversations, recordings
from tests.standard import official_types, standard

from dragoman.decoding.sse import SSEDecoder
from dragoman.errors import ProviderError, error_for
from dragoman.hookspecs import Compacted
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

    from dragoman.types import Event

_ENDINGS = {"response.completed", "response.incomplete", "response.failed"}


class Native(NamedTuple):
    """A provider whose upstream speaks the Responses API, and the recordings of it."""

    judge: Judge
    apis: tuple[str, ...]
    refusals: tuple[str, ...]
    """The APIs behind the same gateway, whose refusals are of the same form."""
    other: tuple[str, ...] = ()
    """Answers that are not responses: compactions, token counts."""
    contradictions: dict[str, str] = {}
    """Streams that are passed on though they break the rules: why."""

    @property
    def name(self) -> str:
        return self.judge.provider


NATIVES = [
    Native(
        Judge("openai", "gpt-5", {"api_key": "sk-test"}),
        ("openai.responses", "openai.responses.get"),
        ("openai.responses",),
        ("openai.responses.compact", "openai.responses.input_tokens"),
        {
            "openai.responses/ai__openai_responses_openai-shell-container.1-chunks__0.json": "shortened by "
            "hand: output_text.done has text that no delta has, and its numbers were closed up, so that it "
            "looks complete; relayed as it is"
        },
    ),
    Native(
        Judge(
            "azure", "my-deployment", {"api_key": "key-123456", "api_base": "https://here.openai.azure.com"}
        ),
        ("azure.responses",),
        ("azure.responses", "azure.chat", "azure_ai.chat"),
    ),
]
each_native = pytest.mark.parametrize("native", NATIVES, ids=lambda native: native.name)


def answers(native: Native) -> list[Recording]:
    found = [recording for api in native.apis for recording in recordings(api, fidelity=REAL)]
    return [recording for recording in found if recording.status < 300]


def streams(native: Native) -> list[tuple[Recording, list[Event]]]:
    """Return the streams that come to their end, and what the upstream told in each, up to that end."""
    found = [(recording, _told(recording)) for recording in answers(native) if recording.streamed]
    return [(recording, told) for recording, told in found if told and told[-1]["type"] in _ENDINGS]


def _told(recording: Recording) -> list[Event]:
    decoder, told = SSEDecoder(), []
    for raw in [*decoder.feed(recording.wire), *decoder.close()]:
        if raw.data != b"[DONE]":
            told.append(json.loads(raw.data))
            if told[-1].get("type") in _ENDINGS:
                break  # some files hold several answers, one after another
    return told


def _as_told(value: dict[str, Any]) -> dict[str, Any]:
    """Return a response, or an event, without what dragoman adds to it."""
    told = {name: inner for name, inner in value.items() if name not in {"dragoman", "sequence_number"}}
    return {**told, "response": _as_told(told["response"])} if "response" in told else told


# ---- 1: whole -------------------------------------------------------------------------------------------


@each_native
def test_every_recorded_answer_comes_out_as_it_was(native: Native, tally: Callable[[str], Tally]) -> None:
    law = tally(f"{native.name} 1, every recorded whole answer comes out as it was")
    for recording in answers(native):
        if recording.streamed:
            continue
        with law.case(recording.name):
            session, events = native.judge.run([recording.wire])
            response = _as_told(session.response)
            assert response == recording.body, first_difference(response, recording.body)
            if f"response.{response['status']}" in _ENDINGS:
                check_events(events)
            unread, told = native.judge.run([recording.wire], quiet=True)
            assert _as_told(unread.response) == response, "it hangs on whether somebody reads the events"
            assert list(map(_as_told, told[-1:])) == list(map(_as_told, events[-1:]))
    law.require()


@each_native
def test_compactions_and_token_counts_come_out_as_they_were(
    native: Native, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"{native.name} 1, every recorded compaction and token count comes out as it was")
    for recording in (recording for api in native.other for recording in recordings(api, fidelity=REAL)):
        with law.case(recording.name):
            body = recording.body
            if body["object"] == "response.compaction":
                window = native.judge.compaction(recording.wire)
                assert window == Compacted(body["output"], body["usage"])
            else:
                attempt = native.judge.counting()
                attempt.accept(200, {})
                attempt.feed(recording.wire)
                attempt.close()
                assert attempt.input_tokens == body["input_tokens"]
    law.require()


@each_native
def test_every_recorded_refusal_is_the_right_error(native: Native, tally: Callable[[str], Tally]) -> None:
    law = tally(f"{native.name} 1, every recorded refusal is the right error in the upstream's words")
    for recording in (recording for api in native.refusals for recording in recordings(api, fidelity=REAL)):
        if recording.status < 400:
            continue
        with law.case(recording.name):
            said = json.loads(recording.wire)["error"]
            expected = type(
                error_for(ProviderError(message="", status=recording.status, code=said.get("code")))
            )
            with pytest.raises(expected) as caught:
                native.judge.run([recording.wire], status=recording.status, headers=recording.headers)
            raised = caught.value
            assert type(raised) is expected
            assert (raised.message, raised.param) == (said["message"], said.get("param"))
            assert raised.request_id == recording.headers.get("apim-request-id", raised.request_id)
            assert raised.retry_after or "retry-after" not in recording.headers
    law.require()


# ---- 2: legal -------------------------------------------------------------------------------------------


@each_native
def test_every_recorded_stream_is_legal_and_ends_as_the_upstream_said(
    native: Native, tally: Callable[[str], Tally]
) -> None:
    legal = tally(f"{native.name} 2, every recorded stream is legal")
    same = tally(f"{native.name} 2, every recorded stream ends in the upstream's own response")
    for recording, told in streams(native):
        events = native.judge.events_of(recording)
        with legal.case(recording.name):
            check_events(events)
        with same.case(recording.name):
            final = events[-1]["response"]
            assert _as_told(final) == told[-1]["response"], first_difference(final, told[-1]["response"])
            assert final == native.judge.run([recording.wire], stream=True)[0].response
            assert final["dragoman"]["provider"] == native.name
    legal.require(exceptions=native.contradictions)
    same.require()


@each_native
def test_every_recorded_stream_is_the_same_however_it_is_cut(
    native: Native, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"{native.name} 2, every recorded stream is the same in random chunks and byte by byte")
    for recording, _ in streams(native):
        with law.case(recording.name):
            whole = [_as_told(event) for event in native.judge.events_of(recording)]
            for chunks in (
                single_bytes(recording.wire),
                pieces(recording.wire, random.Random(recording.name)),
            ):
                events = native.judge.run(chunks, stream=True)[1]
                assert [_as_told(event) for event in events] == whole
    law.require()


@each_native
def test_a_stream_that_is_cut_fails_and_keeps_what_came(
    native: Native, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"{native.name} 2, no stream that is cut before its end completes")
    for recording, told in streams(native):
        with law.case(recording.name):
            for share in (0.2, 0.5, 0.8):
                kept = told[: int(len(told) * share)]
                events = native.judge.run([_sse(kept)], stream=True)[1]
                check_events(events)
                assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    law.require()


@each_native
def test_what_dragoman_writes_itself_is_of_both_oracles(
    native: Native, tally: Callable[[str], Tally]
) -> None:
    """Whole streams by OpenAI's types; of cut ones, the events that close what was open, by both."""
    law = tally(
        f"{native.name} 2, every event is of OpenAI's types, or came so; dragoman's own of both oracles"
    )
    official, open_responses = official_types(), standard()
    for recording, told in streams(native):
        with law.case(recording.name):
            upstream = [_as_told(event) for event in told]
            for event in native.judge.events_of(recording):
                if official.event_problems(event):
                    assert _as_told(event) in upstream, official.event_problems(event)
                    law.notes["an event that came with such a deviation"] += 1
            for event in native.judge.run([_sse(told[: len(told) * 2 // 3])], stream=True)[1]:
                if _as_told(event) not in upstream and "response" not in event:
                    assert not open_responses.event_problems(event)
                    assert not official.event_problems(event)
    law.require()


# ---- 3: replayed ----------------------------------------------------------------------------------------


@each_native
def test_every_recorded_request_goes_out_as_it_was(native: Native, tally: Callable[[str], Tally]) -> None:
    law = tally(f"{native.name} 3, every recorded request goes out as it was")
    for recording in recordings(native.apis[0], fidelity=REAL):
        body = recording.request
        if not isinstance(body, dict) or "input" not in body or recording.status >= 400:
            continue
        with law.case(recording.name):
            sent = _sent(native, body)
            said = {name: value for name, value in body.items() if value is not None}
            expected = {**said, "model": sent["model"]}
            assert sent == expected, first_difference(sent, expected)
    law.require()


@each_native
def test_every_recorded_conversation_goes_on_as_it_did(native: Native, tally: Callable[[str], Tally]) -> None:
    """What dragoman made of the recorded answer stands for it in the next request, byte for byte."""
    law = tally(f"{native.name} 3, every recorded conversation goes on with what the upstream had said")
    for turns in conversations(native.apis[0], fidelity=REAL).values():
        for turn in turns.values():
            if turn.reply_to not in turns or not isinstance((turn.request or {}).get("input"), list):
                continue
            said = _by_name(native.judge.response_to(turns[turn.reply_to])["output"])
            replayed = _by_name(turn.request["input"])
            if not replayed.keys() & said.keys():
                law.notes["a turn that replays nothing by name"] += 1
                continue
            with law.case(turn.name):
                sent = _by_name(_sent(native, turn.request)["input"])
                for name, item in replayed.items():
                    assert sent[name] == item
                    if name in said:
                        assert _carried(item) == _carried(said[name])
    law.require(0.95)  # some clients replay what `added` said, not `done`


def _carried(item: dict[str, Any]) -> tuple[Any, ...]:
    """Return what no client changes of an item, but for the spaces between arguments."""
    if item.get("type") == "function_call":
        return item["name"], json.loads(item["arguments"])
    return (item.get("encrypted_content"),)


def _sent(native: Native, body: dict[str, Any]) -> dict[str, Any]:
    """Return what goes out for a body, without a `stream` that the judge says and the body does not."""
    sent: dict[str, Any] = json.loads(native.judge.session(**body).prepare().body)
    return {name: value for name, value in sent.items() if name != "stream" or name in body}


def _by_name(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the items by what is surely the same when they come back: a call's `call_id`, else their id."""
    named = {_name(item): item for item in items}
    named.pop("", None)
    return named


def _name(item: dict[str, Any]) -> str:
    return str(item.get("call_id" if item.get("type") == "function_call" else "id") or "")


def _sse(events: list[Event]) -> bytes:
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)
