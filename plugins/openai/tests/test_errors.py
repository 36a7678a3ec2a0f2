"""What OpenAI refuses, and how a caller hears of it."""

import json

import pytest

import dragoman_openai
from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    error_for,
)
from dragoman.hookspecs import Target


def refusal(status, payload):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return dragoman_openai.parse_error(status, {}, body, Target("openai", "gpt-5.2"))


def error(message, type_="invalid_request_error", *, param=None, code=None):
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (429, RateLimitError),
        (500, InternalServerError),
        (503, ServiceUnavailableError),
    ],
)
def test_words_and_class_are_those_of_the_official_sdk(status, expected):
    said = refusal(status, error("It is so.", param="input[0]", code="some_code"))
    raised = error_for(said)
    assert type(raised) is expected
    assert (raised.message, raised.param, raised.code) == ("It is so.", "input[0]", "some_code")
    assert (raised.type, raised.status_code) == ("invalid_request_error", status)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Your input is too long for me.", "context_length_exceeded"),
        ("Your input exceeds the context window of this model.", None),
        ("This model's maximum context length is 128000 tokens.", "invalid_request_error"),
    ],
)
def test_a_context_window_that_is_too_small_has_its_own_class(message, code):
    raised = error_for(refusal(400, error(message, code=code)))
    assert type(raised) is ContextWindowExceededError
    assert raised.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("No.", "content_policy_violation"),
        ("No.", "content_filter"),
        ("No.", "moderation_blocked"),
        (
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            "invalid_prompt",
        ),
        ("Your request was rejected as a result of our safety system.", None),
    ],
)
def test_what_the_usage_policies_forbid_has_its_own_class(message, code):
    assert type(error_for(refusal(400, error(message, code=code)))) is ContentPolicyViolationError


def test_an_invalid_prompt_for_another_reason_stays_one():
    said = refusal(400, error("Invalid prompt: it is empty.", code="invalid_prompt"))
    assert (type(error_for(said)), said.code) == (BadRequestError, "invalid_prompt")


@pytest.mark.parametrize("code", ["insufficient_quota", None])
def test_a_used_up_quota_is_not_worth_a_retry(code):
    raised = error_for(refusal(429, error("You exceeded your quota.", "insufficient_quota", code=code)))
    assert type(raised) is RateLimitError
    assert not raised.retryable


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 120ms.", 0.12),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 1h2m3.5s.", 3723.5),
        ("Please try again in a while.", None),
        ("Please wait.", None),
    ],
)
def test_the_wait_is_read_where_no_header_has_it(words, seconds):
    said = refusal(
        429, error(f"Rate limit reached for gpt-5.2. {words}", "tokens", code="rate_limit_exceeded")
    )
    assert said.retry_after == (pytest.approx(seconds) if seconds is not None else None)


def test_a_status_beside_the_error_is_tolerated():
    said = refusal(401, {**error("Incorrect API key provided.", code="invalid_api_key"), "status": 401})
    assert (said.message, said.code, said.status) == ("Incorrect API key provided.", "invalid_api_key", 401)


def test_servers_that_say_the_error_in_a_string_are_understood():
    said = refusal(400, {"code": "invalid-argument", "error": "Incorrect API key provided."})
    assert (said.message, said.code) == ("Incorrect API key provided.", "invalid-argument")


def test_a_code_that_is_a_number_becomes_text():
    assert refusal(404, error("Gone.", code=404)).code == "404"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"upstream connect error",
        b"<html></html>",
        b"[]",
        b"null",
        b'{"error": null}',
        b'{"error": {}}',
        b"{}",
    ],
)
def test_other_dialects_are_left_to_core(body):
    assert refusal(503, body) is None
