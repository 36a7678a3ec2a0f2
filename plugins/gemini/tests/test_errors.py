"""Refusals, in Google's dialect and in none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dragoman import errors
from dragoman.hookspecs import Target
from dragoman_gemini import parse_error

if TYPE_CHECKING:
    from .conftest import Gemini

TARGET = Target("gemini", "gemini-3.5-flash")
PAGE = b"<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  <p>404."
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
QUOTA = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaMetric": "generate_content_free_tier_input_token_count", "quotaValue": "250000"}],
}


def google(code: Any, status: Any, message: Any, *details: Any) -> bytes:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return json.dumps({"error": error}).encode()


def refused(gemini: Gemini, status: int, body: bytes, **headers: str) -> errors.APIStatusError:
    session = gemini.session()
    session.prepare()
    session.accept(status, headers or {"content-type": "application/json"})
    session.feed(body)
    with pytest.raises(errors.APIStatusError) as caught:
        session.close()
    return caught.value


def test_the_wait_of_a_429_stands_in_its_details(gemini: Gemini) -> None:
    body = google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", QUOTA, RETRY)
    error = refused(gemini, 429, body)
    assert isinstance(error, errors.RateLimitError)
    assert (error.retry_after, error.code) == (34.5, "rate_limit_exceeded")


@pytest.mark.parametrize("delay", [None, "soon", "", 3, "1m"])
def test_a_wait_that_is_none_is_not_guessed(delay: Any) -> None:
    said = parse_error(429, {}, google(429, "RESOURCE_EXHAUSTED", "Later.", {"retryDelay": delay}), TARGET)
    assert said is not None
    assert said.retry_after is None


def test_a_404_may_be_a_page_of_html(gemini: Gemini) -> None:
    error = refused(gemini, 404, PAGE, **{"content-type": "text/html; charset=UTF-8"})
    assert isinstance(error, errors.NotFoundError)
    assert "Error 404 (Not Found)" in error.message
    assert "<" not in error.message


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"error": "no"}', b'{"error": {"message": 3}}', PAGE]
)
def test_what_is_not_googles_is_left_to_core(body: bytes) -> None:
    assert parse_error(502, {}, body, TARGET) is None


def test_a_refusal_may_stand_in_a_list(gemini: Gemini) -> None:
    body = b"[" + google(400, "INVALID_ARGUMENT", "Function calling is not enabled.") + b"]"
    assert refused(gemini, 400, body).message == "Function calling is not enabled."


@pytest.mark.parametrize(
    ("status", "google_status", "message", "code"),
    [
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "invalid_api_key"),
        (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", "invalid_api_key"),
        (404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta", "model_not_found"),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            "context_length_exceeded",
        ),
        (401, "UNAUTHENTICATED", "Request had invalid credentials.", "invalid_api_key"),
        (503, "UNAVAILABLE", "The model is overloaded.", "server_is_overloaded"),
        (504, "DEADLINE_EXCEEDED", "Deadline expired.", "timeout"),
        (500, "INTERNAL", "models/x is not found in our cache", None),
        (418, "NEXT_YEARS_STATUS", "Something new.", None),
    ],
)
def test_codes(status: int, google_status: str, message: str, code: str | None) -> None:
    said = parse_error(status, {}, google(status, google_status, message), TARGET)
    assert said is not None
    assert (said.status, said.code, said.message) == (status, code, message)


def test_a_field_that_was_wrong_is_the_parameter() -> None:
    violations = [{"field": "contents", "description": "is not specified"}, {"field": "tools"}]
    said = parse_error(
        400, {}, google(400, "INVALID_ARGUMENT", "Wrong.", {"fieldViolations": violations}), TARGET
    )
    assert said is not None
    assert said.param == "contents"


def test_an_error_without_words_says_its_status(gemini: Gemini) -> None:
    response = gemini.stream({"error": {"code": 500, "status": "INTERNAL"}})
    assert (response["status"], response["error"]["message"]) == ("failed", "INTERNAL")
