"""Anthropic's refusals in OpenAI's vocabulary."""

from __future__ import annotations

import json

import pytest

import dragoman_anthropic as plugin
from dragoman.hookspecs import Target

TARGET = Target("anthropic", "claude")


def refusal(type_, message):
    return json.dumps(
        {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_1"}
    ).encode()


@pytest.mark.parametrize(
    ("status", "type_", "message", "expected"),
    [
        (400, "invalid_request_error", "Wrong", ("invalid_request_error", None, None)),
        (
            400,
            "invalid_request_error",
            "messages.0.content.1: unexpected block",
            ("invalid_request_error", None, "messages.0.content.1"),
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 200001 tokens > 200000 maximum",
            ("invalid_request_error", "context_length_exceeded", None),
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            ("invalid_request_error", "context_length_exceeded", None),
        ),
        (
            400,
            "invalid_request_error",
            "Output blocked by content filtering policy",
            ("invalid_request_error", "content_policy_violation", None),
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low",
            ("invalid_request_error", "insufficient_quota", None),
        ),
        (401, "authentication_error", "invalid x-api-key", ("authentication_error", "invalid_api_key", None)),
        (403, "permission_error", "No", ("permission_error", None, None)),
        (404, "not_found_error", "model: claude-9", ("not_found_error", "model_not_found", "model")),
        (413, "request_too_large", "Big", ("invalid_request_error", "request_too_large", None)),
        (429, "rate_limit_error", "Slow down", ("rate_limit_error", "rate_limit_exceeded", None)),
        (500, "api_error", "Oops", ("server_error", None, None)),
        (529, "overloaded_error", "Overloaded", ("server_error", "server_is_overloaded", None)),
        (418, "teapot_error", "Short and stout", ("teapot_error", None, None)),
    ],
)
def test_refusals(status, type_, message, expected):
    error = plugin.parse_error(status, {}, refusal(type_, message), TARGET)
    assert error is not None
    assert (error.message, error.status) == (message, status)
    assert (error.type, error.code, error.param) == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {"code": 401, "message": "Azure says no"}}'],
)
def test_other_peoples_refusals_are_left_to_core(body):
    assert plugin.parse_error(401, {}, body, TARGET) is None


def test_an_error_in_openais_form_is_left_to_whoever_reads_that():
    error = {"message": "No.", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
    assert plugin.parse_error(404, {}, json.dumps({"error": error}).encode(), TARGET) is None
