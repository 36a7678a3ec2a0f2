"""The decoders: for any split of the bytes the same events, and nothing lost, doubled or made up."""

import copy
import json
import pickle
import struct
from collections.abc import Callable
from typing import Any, NamedTuple
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.decoding import Decoder, RawEvent, StreamDecodeError, decoder_for
from dragoman.decoding.aws import AWSEventStreamDecoder
from dragoman.decoding.ndjson import NDJSONDecoder
from dragoman.decoding.sse import SSEDecoder

bounded = settings(max_examples=60, deadline=None)

CUTS = st.lists(st.floats(0, 1), max_size=8)
"""Where to cut a stream, as fractions of its length."""


class Outcome(NamedTuple):
    """All that a caller sees of a stream."""

    events: list[RawEvent]
    failure: str | None


def run(decoder: Decoder, chunks: list[bytes]) -> Outcome:
    """Decodes a whole stream: the events up to its end or its failure."""
    events: list[RawEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.close()
    except StreamDecodeError as failure:
        return Outcome(events, failure.problem)
    return Outcome(events, None)


def cut(stream: bytes, fractions: list[float]) -> list[bytes]:
    """Cuts a stream into chunks, some of them perhaps empty."""
    positions = sorted(round(fraction * len(stream)) for fraction in fractions)
    return [stream[begin:end] for begin, end in zip([0, *positions], [*positions, len(stream)], strict=True)]


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[position : position + 1] for position in range(len(stream))]


def assert_every_cut_is_the_same(new_decoder: Callable[[], Decoder], stream: bytes) -> Outcome:
    """Decodes a stream whole, byte by byte and cut in two at every byte; returns the one outcome."""
    whole = run(new_decoder(), [stream])
    assert run(new_decoder(), bytewise(stream)) == whole
    for position in range(len(stream) + 1):
        assert run(new_decoder(), [stream[:position], stream[position:]]) == whole, position
    return whole


def sse(stream: bytes) -> list[RawEvent]:
    """Decodes a stream of server-sent events in every way; returns the events."""
    outcome = assert_every_cut_is_the_same(SSEDecoder, stream)
    assert outcome.failure is None
    return outcome.events


# Server-sent events

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
NOISE = st.one_of(
    LINE.map(lambda text: f":{text}"),
    LINE.map(lambda text: f"id: {text}"),
    st.integers(0, 9999).map(lambda number: f"retry:{number}"),
    st.sampled_from([" data: indented", "data : spaced", "Data: capital", "dat", "events: x", "\tx", "}"]),
)
JSON_OBJECTS = st.dictionaries(LINE, st.one_of(LINE, st.integers(), st.lists(LINE, max_size=2)), max_size=3)


class Block(NamedTuple):
    """Lines between two blank lines, and the event they make."""

    lines: list[str]
    event: RawEvent | None


@st.composite
def field_blocks(draw: st.DrawFn) -> Block:
    """A block of fields, in disorder, with noise between them."""
    name = draw(st.one_of(st.just(""), LINE))
    data = draw(st.lists(LINE, max_size=3))
    lines = []
    if name:
        lines.append(f"event: {name}" if name.startswith(" ") or draw(st.booleans()) else f"event:{name}")
    for line in data:
        if line == "" and draw(st.booleans()):
            lines.append("data")
        else:
            lines.append(f"data: {line}" if line.startswith(" ") or draw(st.booleans()) else f"data:{line}")
    if name and draw(st.booleans()):
        lines.append(lines.pop(0))  # `event:` may as well come last
    for noise in draw(st.lists(NOISE, max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), noise)
    return Block(lines or [":"], RawEvent(name, "\n".join(data).encode()) if data else None)


@st.composite
def bare_json_blocks(draw: st.DrawFn) -> Block:
    """A block of bare JSON, on one line or on many."""
    text = json.dumps(draw(JSON_OBJECTS), indent=draw(st.sampled_from([None, 2])), ensure_ascii=False)
    return Block([*draw(st.lists(NOISE, max_size=1)), *text.split("\n")], RawEvent("", text.encode()))


@st.composite
def sse_streams(draw: st.DrawFn) -> tuple[bytes, list[RawEvent]]:
    """A stream with any mixture of line endings, and its events."""
    blocks = draw(st.lists(st.one_of(field_blocks(), field_blocks(), bare_json_blocks()), max_size=5))
    lines = [line for block in blocks for line in [*block.lines, *[""] * draw(st.integers(1, 3))]]
    endings = draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]]))
    stream = draw(st.sampled_from(["", "\ufeff"]))
    for line in lines:
        ending = draw(st.sampled_from(endings))
        # After a CR an empty line with LF is no line: it would be the second half of CRLF.
        stream += line + ("\r" if line == "" and stream.endswith("\r") and ending == "\n" else ending)
    events = [block.event for block in blocks if block.event is not None]
    if draw(st.booleans()) and blocks:
        # The end that fixtures lack: the blank lines, and perhaps the line ending before them.
        stream = stream.rstrip("\r\n") + draw(st.sampled_from(["", *endings]))
        if blocks[-1].event is not None and not blocks[-1].event.data:
            events.pop()
    return stream.encode(), events


@bounded
@given(sse_streams(), CUTS)
def test_sse_any_split_gives_the_same_events(stream: tuple[bytes, list[RawEvent]], cuts: list[float]) -> None:
    body, events = stream
    assert run(SSEDecoder(), [body]) == (events, None)
    assert run(SSEDecoder(), cut(body, cuts)) == (events, None)
    assert run(SSEDecoder(), bytewise(body)) == (events, None)


@bounded
@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"data", b":", b" ", b"event", b"{", b"\xef\xbb\xbf", b"\xff", b"x"])
    )
)
def test_sse_any_rubbish_gives_the_same_events_however_it_is_split(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    assert run(SSEDecoder(), [stream]) == run(SSEDecoder(), pieces) == run(SSEDecoder(), bytewise(stream))


def test_sse_a_nasty_stream_cut_at_every_byte() -> None:
    stream = (
        b"\xef\xbb\xbf: welcome\r\n\r\n"
        b'event: response.created\ndata: {"a": "caf\xc3\xa9 \xf0\x9f\xa6\x84"}\n\n'
        b"event: ping\n\n"
        b"\n\r\r\n"
        b"data: one\rdata:two\r\ndata\ndata:  three\r\r"
        b"id: 7\nretry: 10\nevent: late\nevent: later\ndata: x\r\n\n"
        b"data: kept\n: among comments\ndata: together\n\n\n\n"
        b'{\r\n  "error": {\r\n    "code": 499\r\n  }\r\n}\r\n\r\n'
        b"data: [DONE]"
    )
    assert sse(stream) == [
        RawEvent("response.created", b'{"a": "caf\xc3\xa9 \xf0\x9f\xa6\x84"}'),
        RawEvent("", b"one\ntwo\n\n three"),
        RawEvent("later", b"x"),
        RawEvent("", b"kept\ntogether"),
        RawEvent("", b'{\n  "error": {\n    "code": 499\n  }\n}'),
        RawEvent("", b"[DONE]"),
    ]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_sse_an_event_comes_with_its_blank_line_and_only_once(ending: bytes) -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"event: greeting" + ending + b"data: hello" + ending) == []
    assert decoder.feed(ending) == [RawEvent("greeting", b"hello")]
    assert decoder.feed(ending) == []
    assert decoder.close() == []


def test_sse_a_carriage_return_dispatches_at_once_and_its_line_feed_does_not_dispatch_again() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [RawEvent("", b"a")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: b\r") == []
    assert decoder.feed(b"\ndata: c\r") == []
    assert decoder.feed(b"\r") == [RawEvent("", b"b\nc")]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b": only a comment\n\n", []),
        (b"event: without data\n\n", []),
        (b"data: x\n\n", [("", b"x")]),
        (b"data:x\n\n", [("", b"x")]),
        (b"data:  x \n\n", [("", b" x ")]),
        (b"data\n\n", [("", b"")]),
        (b"event: e\ndata:\n\n", [("e", b"")]),
        (b"data: a\ndata: b\n\n", [("", b"a\nb")]),
        (b"event: e\ndata: a\ndata: b\n\n", [("e", b"a\nb")]),
        (b"event:e\ndata:a\n\n", [("e", b"a")]),
        (b"data: a\nevent: e\n\n", [("e", b"a")]),
        (b"event: e\nevent:\ndata: a\n\n", [("", b"a")]),
        (b"event: once\n\ndata: a\n\n", [("", b"a")]),
        (b"\n\ndata: a\n\n", [("", b"a")]),
        (b"event: \xff\ndata: \xff\n\n", [("\ufffd", b"\xff")]),
        (b": OPENROUTER PROCESSING\n\ndata: a\n\n: OPENROUTER PROCESSING\n", [("", b"a")]),
        (b"data: a: b\n\n", [("", b"a: b")]),
        (b"data: {\ndata:  1}\n\n", [("", b"{\n 1}")]),
    ],
)
def test_sse_fields(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert sse(stream) == [RawEvent(name, data) for name, data in events]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a", [("", b"a")]),
        (b"data: a\n", [("", b"a")]),
        (b"event: e\r\ndata: a\r\n", [("e", b"a")]),
        (b"data: a\n\ndata: [DONE]", [("", b"a"), ("", b"[DONE]")]),
        (b'data: {"cut": "in the mid', [("", b'{"cut": "in the mid')]),
        (b"event: e\ndata:", []),
        (b"event: e\ndat", []),
        (b'{"error": {}}', [("", b'{"error": {}}')]),
        (b'{\n "error": {}\n}\n', [("", b'{\n "error": {}\n}')]),
    ],
)
def test_sse_what_is_there_comes_out_at_the_end_of_bytes(
    stream: bytes, events: list[tuple[str, bytes]]
) -> None:
    assert sse(stream) == [RawEvent(name, data) for name, data in events]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: a\n\n{\n  "error": {}\n}\n', [("", b"a"), ("", b'{\n  "error": {}\n}')]),
        (b'[{\n  "error": {}\n}\n]\n\ndata: a\n\n', [("", b'[{\n  "error": {}\n}\n]'), ("", b"a")]),
        (b'data: a\n{"error": {}}\n\n', [("", b"a"), ("", b'{"error": {}}')]),
        (b'event: error\n{"error": {}}\n\n', [("error", b'{"error": {}}')]),
        (b'event: e\ndata: a\n{"error": {}}\n\n', [("e", b"a"), ("", b'{"error": {}}')]),
        (b'\n\n\n: comment\n{"data": 1,\n"data": 2}\n\n', [("", b'{"data": 1,\n"data": 2}')]),
    ],
    ids=["as Vertex AI sends it", "array", "below data", "named", "below named data", "below noise"],
)
def test_sse_bare_json_is_never_lost(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert sse(stream) == [RawEvent(name, data) for name, data in events]


def test_sse_a_long_event_in_short_chunks_costs_linear_time() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"data: ")
    for _ in range(40_000):  # quadratic time would be minutes
        assert decoder.feed(b"x" * 100) == []
    assert decoder.feed(b"\n\n") == [RawEvent("", b"x" * 4_000_000)]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_sse_limit_of_size(ending: bytes) -> None:
    def limited() -> Decoder:
        return SSEDecoder(max_event_bytes=10)

    fits, too_long = b"data: 1234" + ending * 2, b"data: 12345" + ending * 2
    events = [RawEvent("", b"1234")] * 2
    assert assert_every_cut_is_the_same(limited, fits + fits) == (events, None)
    assert assert_every_cut_is_the_same(limited, fits + fits[:-1]) == (events, None)
    problem = "an event exceeds the limit of 10 bytes"
    for end in (too_long + fits, too_long, b"data: 12345", b"data: 1" + ending + b": 2345", b"x" * 100):
        assert assert_every_cut_is_the_same(limited, fits + fits + end) == (events, problem)


# Newline-delimited JSON


@bounded
@given(st.lists(st.tuples(st.one_of(st.none(), JSON_OBJECTS), st.sampled_from(["\n", "\r\n", " \n"]))), CUTS)
def test_ndjson_any_split_gives_the_same_lines(lines: list[tuple[object, str]], cuts: list[float]) -> None:
    texts = ["" if document is None else json.dumps(document, ensure_ascii=False) for document, _ in lines]
    stream = "".join(text + ending for text, (_, ending) in zip(texts, lines, strict=True)).encode()
    events = [RawEvent("", text.encode()) for text in texts if text]
    for body in (stream, stream.removesuffix(b"\n")):
        assert run(NDJSONDecoder(), [body]) == (events, None)
        assert run(NDJSONDecoder(), cut(body, cuts)) == (events, None)
        assert run(NDJSONDecoder(), bytewise(body)) == (events, None)


def test_ndjson_a_line_comes_with_its_line_feed_and_the_last_one_without() -> None:
    decoder = NDJSONDecoder()
    assert decoder.feed(b'{"a": ') == []
    assert decoder.feed(b'1}\n\r\n\n{"b": 2}') == [RawEvent("", b'{"a": 1}')]
    assert decoder.close() == [RawEvent("", b'{"b": 2}')]
    assert decoder.close() == []


def test_ndjson_limit_of_size() -> None:
    def limited() -> Decoder:
        return NDJSONDecoder(max_event_bytes=4)

    events = [RawEvent("", b"1234")]
    assert assert_every_cut_is_the_same(limited, b"1234\n") == (events, None)
    for end in (b"12345\n", b"12345"):
        failed = assert_every_cut_is_the_same(limited, b"1234\n" + end)
        assert failed == (events, "an event exceeds the limit of 4 bytes")


# The event stream of AWS

ENCODINGS: dict[int, Callable[[Any], bytes]] = {
    0: lambda _: b"",
    1: lambda _: b"",
    2: lambda value: struct.pack(">b", value),
    3: lambda value: struct.pack(">h", value),
    4: lambda value: struct.pack(">i", value),
    5: lambda value: struct.pack(">q", value),
    6: lambda value: struct.pack(">H", len(value)) + value,
    7: lambda value: struct.pack(">H", len(value.encode())) + value.encode(),
    8: lambda value: struct.pack(">q", value),
    9: lambda value: value.bytes,
}
VALUES = st.one_of(
    st.tuples(st.sampled_from([0, 1]), st.none()),
    st.tuples(st.just(2), st.integers(-(2**7), 2**7 - 1)),
    st.tuples(st.just(3), st.integers(-(2**15), 2**15 - 1)),
    st.tuples(st.just(4), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.sampled_from([5, 8]), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just(6), st.binary(max_size=20)),
    st.tuples(st.just(7), st.text(max_size=20)),
    st.tuples(st.just(9), st.uuids()),
)
NAMES = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=10)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=4)


def checked(total_length: int, headers_length: int, rest: bytes) -> bytes:
    """Frames `rest` under a prelude that may lie, with checksums that are right."""
    prelude = struct.pack(">II", total_length, headers_length)
    message = prelude + struct.pack(">I", crc32(prelude)) + rest
    return message + struct.pack(">I", crc32(message))


def frame(headers: dict[str, tuple[int, object]], payload: bytes) -> bytes:
    """Encodes a frame; a header's value is given as its type and the value itself."""
    block = b"".join(
        bytes([len(name)]) + name.encode() + bytes([kind]) + ENCODINGS[kind](value)
        for name, (kind, value) in headers.items()
    )
    return checked(16 + len(block) + len(payload), len(block), block + payload)


def event_frame(event_type: str, payload: bytes) -> bytes:
    """Encodes an event as Bedrock does."""
    return frame(
        {
            ":event-type": (7, event_type),
            ":content-type": (7, "application/json"),
            ":message-type": (7, "event"),
        },
        payload,
    )


@st.composite
def aws_frames(draw: st.DrawFn) -> tuple[bytes, RawEvent]:
    """A frame with headers of all types round those that count, and its event."""
    payload = draw(st.binary(max_size=60))
    event_type = draw(st.text(max_size=12))
    message_type, type_header = draw(
        st.sampled_from(
            [("event", ":event-type"), ("exception", ":exception-type"), ("error", ":error-code")],
        )
    )
    headers = {
        **draw(HEADERS),
        type_header: (7, event_type),
        **draw(HEADERS),
        ":message-type": (7, message_type),
        **draw(HEADERS),
    }
    expected = payload
    if message_type == "error" and not payload:
        expected = b'{"message": ""}'
    return frame(headers, payload), RawEvent(event_type, expected, message_type != "event")


@bounded
@given(st.lists(aws_frames(), max_size=5), CUTS)
def test_aws_any_split_gives_the_same_events(frames: list[tuple[bytes, RawEvent]], cuts: list[float]) -> None:
    stream = b"".join(encoded for encoded, _ in frames)
    events = [event for _, event in frames]
    assert run(AWSEventStreamDecoder(), [stream]) == (events, None)
    assert run(AWSEventStreamDecoder(), cut(stream, cuts)) == (events, None)
    assert run(AWSEventStreamDecoder(), bytewise(stream)) == (events, None)


@bounded
@given(aws_frames(), st.data())
def test_aws_a_corrupted_byte_never_makes_an_event(
    framed: tuple[bytes, RawEvent], data: st.DataObject
) -> None:
    encoded, event = framed
    position = data.draw(st.integers(0, len(encoded) - 1))
    corrupted = bytearray(encoded)
    corrupted[position] ^= data.draw(st.integers(1, 255))
    stream = encoded + bytes(corrupted) + encoded
    events, failure = run(AWSEventStreamDecoder(), [stream])
    assert events == [event]
    assert failure is not None
    assert "checksum" in failure
    assert run(AWSEventStreamDecoder(), bytewise(stream)) == (events, failure)


def test_aws_every_bit_of_a_frame_is_guarded() -> None:
    encoded = event_frame("contentBlockDelta", b'{"delta": {"text": "Hi"}}')
    for bit in range(len(encoded) * 8):
        corrupted = bytearray(encoded)
        corrupted[bit // 8] ^= 1 << bit % 8
        events, failure = run(AWSEventStreamDecoder(), [bytes(corrupted)])
        assert events == []
        assert failure is not None


def test_aws_a_stream_cut_inside_a_frame_fails_at_the_end() -> None:
    first, second = (
        event_frame("messageStart", b"{}"),
        event_frame("messageStop", b'{"stopReason": "end_turn"}'),
    )
    stream = first + second
    for end in range(len(stream)):
        events, failure = run(AWSEventStreamDecoder(), [stream[:end]])
        assert run(AWSEventStreamDecoder(), bytewise(stream[:end])) == (events, failure)
        assert events == ([RawEvent("messageStart", b"{}")] if end >= len(first) else [])
        if end in (0, len(first)):
            assert failure is None
        else:
            assert failure is not None
            assert "ends inside" in failure


def test_aws_exceptions_and_errors_are_told_apart_from_events() -> None:
    exception = frame(
        {":message-type": (7, "exception"), ":exception-type": (7, "throttlingException")},
        b'{"message": "Too many requests"}',
    )
    error = frame(
        {
            ":message-type": (7, "error"),
            ":error-code": (7, "InternalFailure"),
            ":error-message": (7, 'It "broke"'),
        },
        b"",
    )
    assert assert_every_cut_is_the_same(AWSEventStreamDecoder, exception + error) == (
        [
            RawEvent("throttlingException", b'{"message": "Too many requests"}', is_exception=True),
            RawEvent("InternalFailure", b'{"message": "It \\"broke\\""}', is_exception=True),
        ],
        None,
    )


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (checked(15, 0, b""), "cannot hold"),
        (checked(0, 0, b""), "cannot hold"),
        (checked(20, 5, b"1234"), "cannot hold"),
        (checked(16, 2**32 - 1, b""), "cannot hold"),
        (checked(16 * 1024 * 1024 + 1, 0, b""), "exceeds the limit"),
        (checked(17, 1, b"\x05"), "malformed"),
        (checked(19, 3, b"\x01a\x0a"), "malformed"),
        (checked(19, 3, b"\x01a\x07"), "malformed"),
        (checked(22, 6, b"\x01a\x07\x00\x02b"), "malformed"),
        (checked(22, 6, b"\x01a\x07\x00\x01\xff"), "malformed"),
        (checked(20, 4, b"\x01a\x04\x00"), "malformed"),
    ],
)
def test_aws_impossible_frames(bad: bytes, problem: str) -> None:
    good = event_frame("messageStart", b"{}")
    outcome = assert_every_cut_is_the_same(AWSEventStreamDecoder, good + bad + good)
    assert outcome.events == [RawEvent("messageStart", b"{}")]
    assert outcome.failure is not None
    assert problem in outcome.failure


def test_aws_a_large_frame_in_short_chunks_costs_linear_time() -> None:
    encoded = event_frame("image", b"x" * 4_000_000)
    decoder = AWSEventStreamDecoder()
    events = [
        event
        for begin in range(0, len(encoded), 100)  # quadratic time would be minutes
        for event in decoder.feed(encoded[begin : begin + 100])
    ]
    assert events == [RawEvent("image", b"x" * 4_000_000)]


# What they have in common


def test_a_failure_says_what_and_where_and_says_it_again() -> None:
    good = event_frame("messageStart", b"{}")
    bad = bytearray(good)
    bad[-1] ^= 1
    decoder = AWSEventStreamDecoder()
    assert decoder.feed(good + bytes(bad)) == [RawEvent("messageStart", b"{}")]
    expected = rf"an AWS event stream frame fails its checksum \(at byte {len(good)} of the stream\)"
    with pytest.raises(StreamDecodeError, match=expected):
        decoder.feed(good)
    with pytest.raises(StreamDecodeError, match=expected):
        decoder.feed(b"")
    with pytest.raises(StreamDecodeError, match=expected):
        decoder.close()


def test_a_failure_survives_copying_and_pickling() -> None:
    error = StreamDecodeError("it is broken", 7)
    assert str(error) == "it is broken (at byte 7 of the stream)"
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(twin), twin.problem, twin.offset) == (str(error), "it is broken", 7)


@pytest.mark.parametrize(
    ("content_type", "decoder"),
    [
        ("text/event-stream", SSEDecoder),
        ("text/event-stream; charset=utf-8", SSEDecoder),
        ("Text/Event-Stream ;charset=UTF-8", SSEDecoder),
        ("application/x-ndjson", NDJSONDecoder),
        ("application/jsonl", NDJSONDecoder),
        ("application/vnd.amazon.eventstream", AWSEventStreamDecoder),
        ("application/json", None),
        ("text/html; charset=utf-8", None),
        ("", None),
    ],
)
def test_decoder_for_a_content_type(content_type: str, decoder: type[Decoder] | None) -> None:
    assert type(decoder_for(content_type)) is (decoder or type(None))
