"""Refusals, in the words in which Foundry, its models and Claude write them."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import pytest

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    NotFoundError,
    RateLimitError,
    UnprocessableEntityError,
)


@pytest.mark.parametrize("model", ["grok-4", "claude-opus-5"])
def test_a_bad_key_is_told_by_azure_on_every_wire(foundry, model):
    """The code is the status once more, as a string; there is no type."""
    error = foundry.refused(401, {"error": {"code": "401", "message": "Access denied"}}, model)
    assert isinstance(error, AuthenticationError)
    assert error.code != "401"
    assert error.message == "Access denied"


def test_a_rate_limit_repeats_itself_in_details_and_waits_a_second(foundry):
    """``retry-after: 1`` beside ``retry-after-ms: 0``."""
    words = "Your requests to grok-4 have exceeded rate limit."
    error = foundry.refused(
        429,
        {"error": {"code": "RateLimitReached", "message": words, "details": words}},
        headers={"retry-after": "1", "retry-after-ms": "0"},
    )
    assert isinstance(error, RateLimitError)
    assert error.code == "rate_limit_exceeded"
    assert error.retry_after == 1.0


def test_a_deployment_that_is_not_there(foundry):
    said = {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}
    error = foundry.refused(404, said)
    assert isinstance(error, NotFoundError)
    assert error.code == "model_not_found"


@pytest.mark.parametrize("model", ["grok-4", "claude-opus-5"])
def test_the_wrong_wire_is_named(foundry, model):
    """Claude answers 404 to Chat Completions, and other models to Messages."""
    said = {"error": {"code": "api_not_supported", "message": "Requested API is currently not supported"}}
    error = foundry.refused(404, said, model)
    assert isinstance(error, NotFoundError)
    assert "azure_ai/anthropic/NAME or azure_ai/responses/NAME" in error.message


def test_the_check_of_parameters_names_the_place(foundry):
    said = {
        "status": 422,
        "code": "parameter_not_supported",
        "detail": {"loc": ["body", "safe_prompt"], "input": "true"},
        "message": "One of the parameters contain invalid values.",
    }
    error = foundry.refused(422, said)
    assert isinstance(error, UnprocessableEntityError)
    assert error.param == "safe_prompt"
    assert error.code == "parameter_not_supported"
    assert "safe_prompt" in error.message


def test_the_content_filter_says_so_inside(foundry):
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}
    said = {"error": {"code": "BadRequest", "message": "No.", "param": "prompt", "innererror": inner}}
    assert isinstance(foundry.refused(400, said), ContentPolicyViolationError)


def test_openais_models_name_their_errors_as_claude_does(foundry):
    """Both have an ``invalid_request_error``; code and param are OpenAI's alone."""
    said = {
        "message": "Unsupported value: 'temperature' does not support 0.2 with this model.",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "unsupported_value",
    }
    error = foundry.refused(400, {"error": said}, "gpt-5-mini")
    assert (error.param, error.code) == ("temperature", "unsupported_value")


@pytest.mark.parametrize(
    "message",
    [
        "output_format: This field is deprecated. Use 'output_config.format' instead.",
        "tools.0: code_execution is not supported",
    ],
)
def test_claude_refuses_in_anthropics_words(foundry, message):
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    error = foundry.refused(400, said, "claude-opus-5")
    assert isinstance(error, BadRequestError)
    assert error.message == message
    assert error.param == message.partition(":")[0]


def test_the_request_has_the_id_that_azures_support_asks_for(foundry):
    headers = {"apim-request-id": "8841e922", "request-id": "req_01"}
    error = foundry.refused(401, {"error": {"code": "401", "message": "Access denied"}}, headers=headers)
    assert error.request_id == "8841e922"


def test_a_gateways_page_is_left_to_core(foundry):
    error = foundry.refused(400, b"<html><title>Bad Gateway Request</title></html>")
    assert isinstance(error, BadRequestError)
