"""The laws of translation over what OpenAI really said. The recordings are not part of the repository."""

import copy
import functools
import json
import os
import random
from pathlib import Path

import jsonschema
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

import dragoman_openai
from dragoman.decoding.sse import SSEDecoder
from dragoman.errors import ProviderError, error_for
from dragoman.hookspecs import Target
from dragoman.providers import Provider
from dragoman.relay import Relay
from dragoman.session import Session
from dragoman.testing.legality import check_events

SHARED = Path(__file__).resolve().parents[4] / "shared"
RECORDINGS = Path(os.environ.get("DRAGOMAN_RECORDINGS") or SHARED / "recordings")
STANDARD = Path(os.environ.get("DRAGOMAN_OPENRESPONSES") or SHARED / "openresponses" / "openapi.json")
REAL = {"recorded", "recorded-normalised", "fixture"}

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no recordings at {RECORDINGS}: set DRAGOMAN_RECORDINGS to their folder"
)

CONTRADICTS_ITSELF = {
    "ai__openai_responses_openai-shell-container.1-chunks__0.json": "shortened by hand: output_text.done has "
    "text that no delta has, and its numbers were closed up, so that it looks complete; relayed as it is",
}

TARGET = Target("openai", "gpt-5", {"api_key": "sk-test", "api_base": "https://api.openai.com/v1"})


class Recording:
    def __init__(self, path):
        document = json.loads(path.read_bytes())
        self.name = path.name
        self.tags = document["tags"]
        self.real = document["fidelity"] in REAL
        response = document["response"]
        self.status = response["status"]
        self.headers = {name.lower(): str(value) for name, value in response["headers"].items()}
        self.body = response.get("body")
        self.streamed = "raw" in response and self.status < 300
        self.wire = response["raw"].encode() if "raw" in response else json.dumps(self.body).encode()

    def events(self):
        """Return the upstream's events, up to the end of the first answer."""
        decoder, events = SSEDecoder(), []
        for raw in [*decoder.feed(self.wire), *decoder.close()]:
            if raw.data != b"[DONE]":
                events.append(json.loads(raw.data))
                if events[-1]["type"] in {"response.completed", "response.failed", "response.incomplete"}:
                    break
        return events


@functools.cache
def recordings(*apis):
    files = [path for api in apis for path in sorted((RECORDINGS / api).glob("*.json"))]
    found = [recording for recording in map(Recording, files) if recording.real]
    if not found:
        pytest.skip(f"no recordings of {' or '.join(apis)} in {RECORDINGS}")
    return found


@functools.cache
def provider():
    return Provider("openai", dragoman_openai)


def session_for(recording):
    return Session(provider(), TARGET, {"model": "gpt-5", "input": "Hi", "stream": recording.streamed})


def play(recording, chunks):
    """Feed a recorded answer to a session; return the events and the response."""
    session = session_for(recording)
    session.prepare()
    events = list(session.accept(recording.status, recording.headers))
    for chunk in chunks:
        events += session.feed(chunk)
    events += session.close()
    return events, session.response


def tally(law, cases, broken, excused=()):
    """Report n/n, and fail where a case broke the law without a reason that is written down."""
    unexcused = {name: why for name, why in broken.items() if name not in excused}
    print(f"{law}: {cases - len(broken)}/{cases}, {len(broken) - len(unexcused)} excused")
    assert cases
    assert len(broken) - len(unexcused) <= max(1, cases // 100), broken
    assert not unexcused, f"{law}: {cases - len(broken)}/{cases}\n" + "\n".join(
        f"{name}: {why}"[:500] for name, why in unexcused.items()
    )


def without_dragoman(response):
    return {name: value for name, value in response.items() if name != "dragoman"}


def test_every_recorded_answer_comes_out_whole():
    answers = [
        recording
        for recording in recordings("openai.responses", "openai.responses.get")
        if recording.status < 300 and not recording.streamed
    ]
    broken = {}
    for recording in answers:
        events, response = play(recording, [recording.wire])
        if without_dragoman(response) != recording.body:
            broken[recording.name] = "the response is not what the provider said"
        elif recording.body["status"] in {"completed", "incomplete", "failed"}:
            try:
                check_events(events)
            except AssertionError as problem:
                broken[recording.name] = str(problem)
    tally("every recorded answer comes out whole", len(answers), broken)


def test_every_recorded_compaction_and_token_count_comes_out_whole():
    answers = recordings("openai.responses.compact", "openai.responses.input_tokens")
    broken = {}
    for recording in answers:
        relay = Relay({"id": "resp_1", "dragoman": {"warnings": []}})
        relay.whole(copy.deepcopy(recording.body))
        relay.complete()
        if without_dragoman(relay.response) != recording.body or relay.error is not None:
            broken[recording.name] = "it is not what the provider said"
    tally("every recorded compaction and token count comes out whole", len(answers), broken)


def test_every_recorded_refusal_has_its_class_and_message():
    refusals = [recording for recording in recordings("openai.responses") if recording.status >= 400]
    broken = {}
    for recording in refusals:
        said = json.loads(recording.wire)["error"]
        expected = error_for(
            ProviderError(message=said["message"], status=recording.status, code=said["code"])
        )
        session = session_for(recording)
        session.prepare()
        session.accept(recording.status, recording.headers)
        session.feed(recording.wire)
        with pytest.raises(type(expected)) as caught:
            session.close()
        found = caught.value
        if (type(found), found.message, found.param) != (type(expected), said["message"], said["param"]):
            broken[recording.name] = repr(found)
    tally("every recorded refusal has its class and message", len(refusals), broken)


def streams():
    return [
        recording
        for recording in recordings("openai.responses", "openai.responses.get")
        if recording.streamed and "truncated-stream" not in recording.tags
    ]


def test_every_recorded_stream_is_a_legal_sequence():
    broken = {}
    for recording in streams():
        events, _ = play(recording, [recording.wire])
        try:
            check_events(events)
        except AssertionError as problem:
            broken[recording.name] = str(problem)
    tally("every recorded stream is a legal sequence", len(streams()), broken, CONTRADICTS_ITSELF)


def test_every_recorded_stream_folds_to_its_terminal_response():
    broken = {}
    for recording in streams():
        events, response = play(recording, [recording.wire])
        told = recording.events()[-1]["response"]
        if without_dragoman(response) != told:
            broken[recording.name] = "the response is not the terminal snapshot"
        elif events[-1]["response"] is not response:
            broken[recording.name] = "the terminal event has another response"
        elif "dragoman" not in response:
            broken[recording.name] = "dragoman is missing"
    tally("every recorded stream folds to its terminal response", len(streams()), broken)


def test_every_recorded_stream_is_the_same_for_any_split():
    broken = {}
    for recording in streams():
        whole, _ = play(recording, [recording.wire])
        source, size = random.Random(recording.name), len(recording.wire)
        cuts = sorted(source.randrange(size + 1) for _ in range(source.randrange(1, 200)))
        splits = {
            "bytes": [recording.wire[at : at + 1] for at in range(size)],
            "chunks": [
                recording.wire[begin:end] for begin, end in zip([0, *cuts], [*cuts, size], strict=True)
            ],
        }
        for name, chunks in splits.items():
            if _timeless(play(recording, chunks)[0]) != _timeless(whole):
                broken[recording.name] = f"split into {name}"
    tally("every recorded stream is the same for any split", len(streams()), broken)


def _timeless(events):
    return [without_dragoman(event) for event in json.loads(json.dumps(events))]


def test_every_stream_cut_short_fails_and_keeps_what_came():
    for recording in streams():
        for share in (0.2, 0.5, 0.8):
            kept = recording.events()
            kept = kept[: int(len(kept) * share)]
            chunks = [f"data: {json.dumps(event)}\n\n".encode() for event in kept]
            events, response = play(recording, chunks)
            check_events(events)
            assert response["status"] == "failed", recording.name
            assert events[-2]["type"] == "error", recording.name


def test_no_event_leaves_the_official_types_that_the_upstream_kept():
    """Recorded events can be older or newer than the SDK; what is passed on deviates only where they do."""
    official = TypeAdapter(ResponseStreamEvent)
    cases, deviations, broken = 0, 0, {}
    for recording in streams():
        upstream = [_as_told(event) for event in recording.events()]
        for event in play(recording, [recording.wire])[0]:
            cases += 1
            try:
                official.validate_python(event)
            except ValidationError as problem:
                if _as_told(event) in upstream:
                    deviations += 1
                else:
                    broken[f"{recording.name} {event['type']}"] = str(problem.errors()[0])
    print(f"{deviations} of {cases} events are not of the official types, as the upstream sent them")
    tally("no event leaves the official types that the upstream kept", cases, broken)


def _as_told(event):
    """Return an event without what dragoman adds to what the upstream said."""
    told = {name: value for name, value in event.items() if name != "sequence_number"}
    return {**told, "response": without_dragoman(told["response"])} if "response" in told else told


def test_events_of_dragoman_itself_are_of_the_standard():
    """A cut answer: its error event, the closing of its items. What the upstream said is the upstream's."""
    if not STANDARD.is_file():
        pytest.skip(f"no schema at {STANDARD}: set DRAGOMAN_OPENRESPONSES to the standard's openapi.json")
    components = json.loads(STANDARD.read_bytes())["components"]
    schemas = {
        schema["properties"]["type"]["enum"][0]: name
        for name, schema in components["schemas"].items()
        if name.endswith("StreamingEvent")
    }
    cases, broken = 0, {}
    for recording in streams():
        told = recording.events()
        upstream = {json.dumps(event, sort_keys=True) for event in told}
        chunks = [f"data: {json.dumps(event)}\n\n".encode() for event in told[: len(told) * 2 // 3]]
        for event in play(recording, chunks)[0]:
            own = json.dumps(event, sort_keys=True) not in upstream
            if not own or event["type"] not in schemas or "response" in event or not _standard_item(event):
                continue
            cases += 1
            schema = {"$ref": f"#/components/schemas/{schemas[event['type']]}", "components": components}
            problem = jsonschema.exceptions.best_match(
                jsonschema.Draft202012Validator(schema).iter_errors(event)
            )
            if problem is not None:
                broken[f"{recording.name} {event['type']}"] = f"{problem.json_path}: {problem.message}"
    tally("events of dragoman itself are of the standard", cases, broken)


def _standard_item(event):
    types = {"message", "reasoning", "function_call", "function_call_output"}
    return event.get("item", {}).get("type", "message") in types
