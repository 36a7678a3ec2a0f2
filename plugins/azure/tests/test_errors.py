"""What Azure refuses, and how a caller hears of it."""

import json

import pytest

import dragoman_azure
from dragoman.attempts.session import Session
from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    NotFoundError,
    RateLimitError,
)
from dragoman.hookspecs import Target
from dragoman.providers import Provider


def refused(status, payload, **headers):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    target = Target("azure", "d", {"api_key": "key-123456", "api_base": "https://here.test"})
    session = Session(Provider("azure", dragoman_azure), target, {"model": "azure/d", "input": "Hi"})
    session.prepare()
    session.accept(status, {name.replace("_", "-"): value for name, value in headers.items()})
    session.feed(body)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the tests ask
        session.close()
    return caught.value


def error(code, message="It is so.", **more):
    return {"error": {"code": code, "message": message, **more}}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "BadRequest", BadRequestError),
        (401, "401", AuthenticationError),
        (401, "PermissionDenied", AuthenticationError),
        (404, "404", NotFoundError),
        (404, "DeploymentNotFound", NotFoundError),
        (429, "RateLimitReached", RateLimitError),
        (429, "429", RateLimitError),
    ],
)
def test_codes_are_words_or_numbers_as_text(status, code, expected):
    raised = refused(status, error(code))
    assert type(raised) is expected
    assert (raised.message, raised.code, raised.status_code) == ("It is so.", code, status)


@pytest.mark.parametrize(
    "payload",
    [
        error("content_filter", param="prompt", innererror={"code": "ResponsibleAIPolicyViolation"}),
        error("BadRequest", innererror={"code": "ResponsibleAIPolicyViolation"}),
        error("400", "Filtered: it triggered Azure OpenAI's content management policy."),
        error(None, "Filtered: it triggered Microsoft's Content Management Policy.", innererror=None),
    ],
)
def test_the_content_filter_has_its_own_class(payload):
    raised = refused(400, payload)
    assert type(raised) is ContentPolicyViolationError
    assert raised.code == "content_policy_violation"
    assert raised.body == payload


def test_a_wait_of_0_ms_beside_a_second_is_a_second():
    raised = refused(429, error("RateLimitReached"), retry_after="1", retry_after_ms="0")
    assert (raised.retry_after, raised.retryable) == (1, True)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please retry after 27 seconds.", 27),
        ("Please retry after 1 second.", 1),
        ("Please retry after 250 milliseconds.", 0.25),
        ("Try again in 86400 seconds.", 86400),
        ("Please try again in 1.5s.", 1.5),
        ("Please retry later.", None),
    ],
)
def test_the_wait_is_read_where_no_header_has_it(words, seconds):
    assert refused(429, error("429", f"Too many requests. {words}")).retry_after == seconds
    assert refused(429, error("429", f"Too many requests. {words}"), retry_after="3").retry_after == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"apim_request_id": "it", "x_request_id": "other"},
        {"x_request_id": "it"},
    ],
)
def test_the_request_id_is_the_one_that_support_asks_for(headers):
    assert refused(404, error("404"), **headers).request_id == "it"


def test_the_gateways_own_form_is_read():
    raised = refused(401, {"statusCode": 401, "message": "Access denied due to missing subscription key."})
    assert type(raised) is AuthenticationError
    assert raised.message == "Access denied due to missing subscription key."


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b'{"error": {}}', b'{"error": "No."}'])
def test_other_forms_do_not_break_it(body):
    assert refused(404, body).status_code == 404
