"""Next month's upstream: its answers with fields, blocks and events that nobody knows today."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.decoding import RawEvent
from dragoman.sealing import seal, sealed_by, unseal
from dragoman.testing.frames import join_frames, split_frames
from dragoman.testing.running import normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "same_but_surprises",
    "with_unknown_blocks",
    "with_unknown_events",
    "with_unknown_fields",
    "with_unknown_fields_in_stream",
]

_NAME = "x_unknown"
_VALUE = {"why": ["because", 1, None]}
_KINDS = ("type", "kind")  # what tells blocks apart, where anything does


def with_unknown_fields(body: bytes, known: Sequence[dict[str, Any]] = ()) -> bytes:
    """Return a JSON body whose objects all have a field more, but those in `known` (arguments: data)."""
    try:
        payload = json.loads(body)
    except ValueError:
        return body
    return json.dumps(_grown(payload, known), ensure_ascii=False).encode()


def with_unknown_fields_in_stream(
    stream: bytes, content_type: str, known: Sequence[dict[str, Any]] = ()
) -> bytes:
    """Return a stream whose payloads have a field more in every object."""
    frames = split_frames(stream, content_type)
    grown = (frame._replace(data=with_unknown_fields(frame.data, known)) for frame in frames)
    return join_frames(grown, content_type)


def with_unknown_blocks(body: bytes, known: Sequence[dict[str, Any]] = ()) -> bytes:
    """Return a JSON body with one block of an unknown type in front of each outermost list of blocks."""
    try:
        payload = json.loads(body)
    except ValueError:
        return body
    return json.dumps(_joined(payload, known), ensure_ascii=False).encode()


def with_unknown_events(stream: bytes, content_type: str) -> bytes:
    """Return a stream with an event of an unknown type before each of its own."""
    frames = split_frames(stream, content_type)
    named = any(frame.type for frame in frames)
    unknown = RawEvent(
        _NAME if named else "", json.dumps(dict.fromkeys(_KINDS, _NAME) | {_NAME: _VALUE}).encode()
    )
    return join_frames((each for frame in frames for each in (unknown, frame)), content_type)


def same_but_surprises(value: Any) -> Any:
    """Return events or a response as they would be without what the functions above add.

    A plugin may keep the unknown where it keeps the provider's own state, and pass it on as it came.
    """
    value = normalised(_without(value))
    if isinstance(value, list):
        return [{**event, "sequence_number": number} for number, event in enumerate(value)]
    return value


def _grown(value: Any, known: Sequence[dict[str, Any]]) -> Any:
    if isinstance(value, list):
        return [_grown(inner, known) for inner in value]
    if not isinstance(value, dict) or value in known:
        return value
    return {**{name: _grown(inner, known) for name, inner in value.items()}, _NAME: _VALUE}


def _joined(value: Any, known: Sequence[dict[str, Any]]) -> Any:
    if isinstance(value, dict):
        if value in known:
            return value
        return {name: _joined(inner, known) for name, inner in value.items()}
    if not isinstance(value, list):
        return value
    for kind in _KINDS:
        if value and all(isinstance(block, dict) and isinstance(block.get(kind), str) for block in value):
            return [{kind: _NAME, _NAME: _VALUE}, *value]
    return [_joined(inner, known) for inner in value]


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner) for name, inner in value.items() if name != _NAME}
    if isinstance(value, list):
        return [_without(inner) for inner in value if not _is_unknown(inner)]
    provider = sealed_by(value)
    if provider is not None:
        return seal(provider, _without(unseal(provider, value, param="encrypted_content")))
    return value


def _is_unknown(value: Any) -> bool:
    return isinstance(value, dict) and any(_NAME in str(value.get(kind, "")) for kind in _KINDS)
