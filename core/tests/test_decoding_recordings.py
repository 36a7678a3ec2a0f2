"""The decoders on what providers really sent. The recordings are not part of the repository."""

import base64
import functools
import json
import os
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from dragoman.decoding import Decoder, RawEvent, StreamDecodeError
from dragoman.decoding.aws import AWSEventStreamDecoder
from dragoman.decoding.sse import SSEDecoder

REPOSITORY = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("DRAGOMAN_RECORDINGS") or REPOSITORY.parent / "shared" / "recordings")

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings: set DRAGOMAN_RECORDINGS to the folder that holds them"
)


class Recording(NamedTuple):
    """The body of one recorded stream, and what its tags say of it."""

    name: str
    body: bytes
    tags: list[str]


@functools.cache
def recordings() -> tuple[list[Recording], list[Recording]]:
    """Returns the recorded streams: server-sent events, and event streams of AWS."""
    sse: list[Recording] = []
    aws: list[Recording] = []
    for path in sorted(RECORDINGS.glob("*/*.json")):
        text = path.read_text(encoding="utf-8")
        if '"raw' not in text:
            continue
        recorded = json.loads(text)
        response = recorded["response"]
        name = f"{path.parent.name}/{path.name}"
        content_type = response["headers"].get("content-type", "")
        if "raw_base64" in response:
            aws.append(Recording(name, base64.b64decode(response["raw_base64"]), recorded["tags"]))
        elif "raw" in response and content_type.startswith("text/event-stream"):
            sse.append(Recording(name, response["raw"].encode(), recorded["tags"]))
    return sse, aws


def decode(decoder: Decoder, chunks: list[bytes]) -> list[RawEvent]:
    return [*(event for chunk in chunks for event in decoder.feed(chunk)), *decoder.close()]


def random_chunks(recording: Recording) -> list[bytes]:
    """Cuts a body at places that are random, and the same in every run."""
    body = recording.body
    source = random.Random(recording.name)
    cuts = sorted(source.randrange(len(body) + 1) for _ in range(source.randrange(1, 200)))
    return [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def bytewise(recording: Recording) -> list[bytes]:
    return [bytes([byte]) for byte in recording.body]


def test_recorded_server_sent_events_are_the_same_for_any_split() -> None:
    sse, _ = recordings()
    assert sse
    for number, recording in enumerate(sse):
        whole = decode(SSEDecoder(), [recording.body])
        assert whole, recording.name
        assert decode(SSEDecoder(), random_chunks(recording)) == whole, recording.name
        if number % 10 == 0:
            assert decode(SSEDecoder(), bytewise(recording)) == whole, recording.name


def test_recorded_server_sent_events_lose_no_data_line() -> None:
    sse, _ = recordings()
    for recording in sse:
        lines = recording.body.decode().replace("\r\n", "\n").split("\n")
        payloads = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        events = decode(SSEDecoder(), [recording.body])
        found = [event.data.decode().strip() for event in events if not event.data.startswith(b"{\n")]
        assert found == payloads, recording.name


def test_recorded_payloads_are_json_or_the_end_mark() -> None:
    sse, _ = recordings()
    unreadable = []
    for recording in sse:
        if "unparsable-event" in recording.tags:
            continue
        for event in decode(SSEDecoder(), [recording.body]):
            if event.data != b"[DONE]":
                try:
                    json.loads(event.data)
                except ValueError:
                    unreadable.append((recording.name, event.data[:80]))
    assert unreadable == []


def test_recorded_aws_streams_pass_their_checksums_for_any_split() -> None:
    _, aws = recordings()
    assert aws
    for number, recording in enumerate(aws):
        if "truncated-stream" in recording.tags:
            with pytest.raises(StreamDecodeError, match="ends inside"):
                decode(AWSEventStreamDecoder(), [recording.body])
            continue
        whole = decode(AWSEventStreamDecoder(), [recording.body])
        assert whole, recording.name
        assert all(event.type for event in whole), recording.name
        assert decode(AWSEventStreamDecoder(), random_chunks(recording)) == whole, recording.name
        if number % 5 == 0:
            assert decode(AWSEventStreamDecoder(), bytewise(recording)) == whole, recording.name
