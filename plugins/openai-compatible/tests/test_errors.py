"""Refusals and failures, in the dialects of many hosts."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from dragoman_openai_compatible.errors import stream_error

DIALECTS = {
    "OpenAI": (
        404,
        {"error": {"message": "No such model.", "type": "invalid_request_error", "code": "model_not_found"}},
        NotFoundError,
        "No such model.",
    ),
    "xAI's": (
        400,
        {"code": "invalid-argument", "error": "Incorrect API key."},
        BadRequestError,
        "Incorrect API key.",
    ),
    "Ollama's": (404, {"error": "model 'x' not found"}, NotFoundError, "model 'x' not found"),
    "Mistral's": (
        400,
        {"object": "error", "message": "Unexpected role.", "type": "invalid_request_message_order"},
        BadRequestError,
        "Unexpected role.",
    ),
    "FastAPI's": (
        422,
        {"detail": [{"loc": ["body", "messages", 0], "msg": "Field required", "type": "missing"}]},
        UnprocessableEntityError,
        "body.messages.0: Field required",
    ),
    "FastAPI's, in a message": (
        422,
        {"message": {"detail": [{"loc": ["body"], "msg": "Extra inputs"}]}},
        UnprocessableEntityError,
        "body: Extra inputs",
    ),
    "a detail": (401, {"detail": "Unauthorized"}, AuthenticationError, "Unauthorized"),
    "DeepInfra's": (403, {"detail": {"error": "No access."}}, PermissionDeniedError, "No access."),
    "Hugging Face's": (
        422,
        {"error": "`inputs` is required", "error_type": "validation"},
        UnprocessableEntityError,
        "`inputs` is required",
    ),
    "NVIDIA's": (
        404,
        {"status": 404, "title": "Not Found", "detail": "No function."},
        NotFoundError,
        "No function.",
    ),
    "Google's list": (
        400,
        [{"error": {"code": 400, "message": "Bad.", "status": "INVALID"}}],
        BadRequestError,
        "Bad.",
    ),
    "OpenRouter's": (
        429,
        {
            "error": {
                "message": "Provider returned error",
                "code": 429,
                "metadata": {"raw": "x is rate-limited"},
            }
        },
        RateLimitError,
        "Provider returned error: x is rate-limited",
    ),
    "a code that is a string": (
        404,
        {"error": {"code": "DeploymentNotFound", "message": "None."}},
        NotFoundError,
        "None.",
    ),
}


@pytest.mark.parametrize(("status", "said", "raised", "message"), DIALECTS.values(), ids=DIALECTS)
def test_each_dialect_is_read(server, status, said, raised, message):
    error = server.refused(status, json.dumps(said).encode())
    assert type(error) is raised
    assert error.message == message
    assert error.status_code == status


@pytest.mark.parametrize("provider", ["openai_compatible", "xai"])
def test_a_gateways_page_is_told_by_its_title(server, provider):
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    error = server.refused(502, page, provider)
    assert isinstance(error, InternalServerError)
    assert error.message == "HTTP 502: 502 Bad Gateway"


def test_plain_text_is_told(server):
    assert server.refused(400, b"no healthy upstream").message == "HTTP 400: no healthy upstream"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, {"error": {"message": "This model's maximum context length is 8192 tokens.", "code": 400}}),
        (
            400,
            {
                "error": {
                    "message": "the request exceeds the available context size",
                    "type": "exceed_context_size_error",
                }
            },
        ),
        (400, {"message": "Prompt contains 9000 tokens, too large for model with 8192 maximum."}),
        (400, {"error": {"message": "Please reduce the length of the messages or completion."}}),
        (413, {"error": {"message": "Too much.", "type": "too_many_prompt_tokens"}}),
    ],
)
def test_too_long_an_input_is_one_error_everywhere(server, status, said):
    error = server.refused(status, json.dumps(said).encode())
    assert isinstance(error, ContextWindowExceededError)
    assert error.code == "context_length_exceeded"


def test_a_rate_limit_that_names_the_context_is_a_rate_limit(server):
    said = {"error": {"message": "Limit: 9000 tokens per minute; reduce the context length.", "code": 429}}
    error = server.refused(429, json.dumps(said).encode(), headers={"retry-after": "7"})
    assert type(error) is RateLimitError
    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
        (402, {"error": {"message": "More is needed.", "code": 402}}),
        (429, {"error": {"code": "1113", "message": "Insufficient balance or no resource package."}}),
    ],
)
def test_an_empty_purse_is_a_matter_of_quota(server, status, said):
    assert server.refused(status, json.dumps(said).encode()).code == "insufficient_quota"


def test_foundry_says_when_to_come_back(server):
    said = {"error": {"code": "RateLimitReached", "message": "Slow down.", "details": "Slow down."}}
    error = server.refused(
        429, json.dumps(said).encode(), headers={"retry-after": "1", "retry-after-ms": "0"}
    )
    assert (error.code, error.retry_after) == ("rate_limit_exceeded", 1)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"error": {"message": "x", "status_code": 400, "code": "tool_use_failed"}}, 400),
        ({"error": {"message": "x", "code": 503}}, 503),
        ({"error": {"message": "x", "code": "429"}}, 429),
        ({"error": {"message": "x", "type": "rate_limit_error"}}, 429),
        ({"error": {"message": "This exceeds the context window."}}, 400),
        ({"error": "x"}, 500),
        ({"error": {}}, 500),
        ({"message": "x", "object": "error", "code": 404}, 404),
    ],
)
def test_a_failure_inside_a_stream_has_the_status_that_it_has_over_http(said, status):
    assert stream_error(said).status == status


def test_a_refusal_in_the_clothes_of_an_answer_is_told(server):
    response = server.whole({"code": 500, "msg": "404 NOT_FOUND", "success": False})
    assert response["error"]["message"] == "404 NOT_FOUND"
