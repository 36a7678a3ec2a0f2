"""Refusals in all of Bedrock's dialects, and exceptions inside streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

import dragoman_bedrock
from dragoman.decoding import RawEvent
from dragoman.errors import error_for
from dragoman.hookspecs import Target
from dragoman.testing.frames import join_frames

from .conftest import STREAM, Bedrock

TARGET = Target("bedrock", "m")
TAIL = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


def parsed(status: int, payload: Any, type_: str | None = None) -> Any:
    headers = {"x-amzn-errortype": type_} if type_ else {}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return dragoman_bedrock.parse_error(status, headers, body, TARGET)


@pytest.mark.parametrize(
    ("status", "type_", "code"),
    [
        (400, "ValidationException", None),
        (403, "AccessDeniedException", "access_denied"),
        (403, "UnrecognizedClientException", "invalid_api_key"),
        (403, "ExpiredTokenException", "expired_token"),
        (404, "ResourceNotFoundException", "model_not_found"),
        (429, "ThrottlingException", "rate_limit_exceeded"),
        (503, "ServiceUnavailableException", "server_is_overloaded"),
    ],
)
@pytest.mark.parametrize("where", ["header with an address", "header", "body"])
def test_the_type_stands_in_a_header_or_in_the_body(
    status: int, type_: str, code: str | None, where: str
) -> None:
    payload = {"message": "words"}
    if where == "body":
        payload["__type"] = f"com.amazon.coral.service#{type_}"
    header = {"header with an address": type_ + TAIL, "header": type_}.get(where)
    error = parsed(status, payload, header)
    assert (error.status, error.code, error.message) == (status, code, "words")


def test_without_any_type_the_status_speaks() -> None:
    error = parsed(400, {"message": "The provided model doesn't support counting tokens."})
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert parsed(429, {"Message": "slower"}).code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Input is too long for requested model.", "context_length_exceeded"),
        (
            "The model returned the following errors: Input Tokens Exceeded: Number of ...",
            "context_length_exceeded",
        ),
        ("prompt is too long: 200001 tokens > 200000 maximum", "context_length_exceeded"),
        ("The provided model identifier is invalid.", "model_not_found"),
    ],
)
def test_what_is_said_in_words_alone_has_a_code(words: str, code: str) -> None:
    assert parsed(400, {"message": words}, "ValidationException" + TAIL).code == code


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", {"error": {"message": "x"}}, {"type": "error", "error": {"type": "x"}}]
)
def test_what_is_not_bedrocks_is_left_to_core(body: Any) -> None:
    assert parsed(500, body) is None


def test_a_type_without_words_is_an_error_all_the_same() -> None:
    assert parsed(429, b"", "ThrottlingException").status == 429


@pytest.mark.parametrize(("original", "retryable"), [(500, True), (529, True), (429, True), (400, False)])
def test_what_the_model_answered_decides_on_another_attempt(original: int, retryable: bool) -> None:
    payload = {"message": "The model returned an error.", "originalStatusCode": original}
    assert error_for(parsed(424, payload, "ModelErrorException" + TAIL)).retryable is retryable


# ---- inside a stream --------------------------------------------------------------------------------


def failing(type_: str, **payload: Any) -> bytes:
    frames = [
        RawEvent("messageStart", b'{"role": "assistant", "p": "a"}'),
        RawEvent("contentBlockDelta", b'{"contentBlockIndex": 0, "delta": {"text": "Half an"}}'),
        RawEvent(type_, json.dumps(payload).encode(), is_exception=True),
    ]
    return join_frames(frames, STREAM["content-type"])


@pytest.mark.parametrize(
    ("type_", "payload", "status", "retryable"),
    [
        ("throttlingException", {}, 429, True),
        ("internalServerException", {}, 500, True),
        ("serviceUnavailableException", {}, 503, True),
        ("modelTimeoutException", {}, 408, True),
        ("validationException", {}, 400, False),
        (
            "modelStreamErrorException",
            {"originalStatusCode": 529, "originalMessage": "overloaded"},
            529,
            True,
        ),
        ("modelStreamErrorException", {"originalStatusCode": 400}, 424, False),
        ("exceptionOfNextMonth", {}, 500, True),
    ],
)
def test_an_exception_frame_fails_the_response(
    bedrock: Bedrock, type_: str, payload: dict[str, Any], status: int, retryable: bool
) -> None:
    session = bedrock.session(stream=True)
    session.prepare()
    session.accept(200, STREAM)
    session.feed(failing(type_, message="No more.", **payload))
    session.close()
    assert session.error is not None
    assert (session.error.status_code, session.error.retryable) == (status, retryable)
    assert "No more." in session.error.message
    assert payload.get("originalMessage", "") in session.error.message
    assert session.response["status"] == "failed"
    assert session.response["output"][0]["content"][0]["text"] == "Half an"
