"""Refusals on Vertex AI: two dialects, one inside the other, and pages of HTML."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest

from dragoman.hookspecs import Target
from dragoman_vertex_ai import parse_error

TARGETS = {
    "gemini": Target("vertex_ai", "gemini-2.5-flash", {"vertex_location": "mars-north1"}),
    "claude": Target("vertex_ai", "claude-opus-4-8", {"vertex_location": "mars-north1"}),
}
PAGE = b"<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  <p>404."


def google(code, status, message, *details):
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return json.dumps({"error": error}).encode()


def anthropic(type_, message):
    error = {"type": type_, "message": message}
    return json.dumps({"type": "error", "error": error, "request_id": "req_vrtx_1"}).encode()


def test_claude_speaks_anthropics_dialect():
    body = anthropic("invalid_request_error", "messages.0.content: text must be non-empty")
    said = parse_error(400, {}, body, TARGETS["claude"])
    assert (said.status, said.param, said.code) == (400, "messages.0.content", None)


def test_the_front_end_of_claude_speaks_googles_dialect():
    message = "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests"
    said = parse_error(429, {}, google(429, "RESOURCE_EXHAUSTED", message), TARGETS["claude"])
    assert (said.code, said.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert said.message.startswith(message)


@pytest.mark.parametrize("family", TARGETS)
def test_anthropics_error_as_text_inside_googles_is_read(family):
    inner = anthropic("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum").decode()
    said = parse_error(400, {}, google(400, "INVALID_ARGUMENT", inner), TARGETS[family])
    assert said.code == "context_length_exceeded"
    assert said.message == "prompt is too long: 9 tokens > 8 maximum"


def test_a_page_of_html_asks_whether_the_location_exists():
    said = parse_error(404, {"content-type": "text/html"}, PAGE, TARGETS["gemini"])
    assert said.status == 404
    assert "Error 404 (Not Found)" in said.message
    assert "'mars-north1'" in said.message


def test_other_pages_are_left_to_core():
    assert parse_error(502, {}, PAGE, TARGETS["gemini"]) is None
    assert parse_error(404, {}, b'{"detail": "no such route"}', TARGETS["gemini"]) is None


@pytest.mark.parametrize(
    ("status", "google_status", "message", "advice"),
    [
        (401, "UNAUTHENTICATED", "API keys are not supported by this API.", "vertex_credentials"),
        (401, "UNAUTHENTICATED", "Request had invalid credentials.", "gcloud auth application-default login"),
        (
            403,
            "PERMISSION_DENIED",
            "Permission 'aiplatform.endpoints.predict' denied",
            "roles/aiplatform.user",
        ),
        (404, "NOT_FOUND", "Publisher Model `projects/p/x` was not found.", "mars-north1"),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric", "global"),
    ],
)
def test_a_refusal_says_what_to_do(status, google_status, message, advice):
    said = parse_error(status, {}, google(status, google_status, message), TARGETS["gemini"])
    assert said.message.startswith(message)
    assert advice in said.message


def test_a_disabled_api_needs_no_other_advice_than_googles_link():
    message = "Vertex AI API has not been used in project 1 before or it is disabled. Enable it by visiting https://x"
    said = parse_error(403, {}, google(403, "PERMISSION_DENIED", message), TARGETS["gemini"])
    assert said.message == message


def test_a_wait_stands_in_the_details():
    body = google(429, "RESOURCE_EXHAUSTED", "Later.", {"@type": "RetryInfo", "retryDelay": "12s"})
    assert parse_error(429, {}, b"[" + body + b"]", TARGETS["gemini"]).retry_after == 12.0
