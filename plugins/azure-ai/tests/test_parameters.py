"""Each deployment is judged by the table of its own wire; what is in each is judged in test_conformance."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import pytest

from dragoman import supported_params
from dragoman.errors import UnsupportedParameterError


@pytest.mark.parametrize(
    ("model", "support"),
    [
        ("azure_ai", "emulated"),
        ("azure_ai/grok-4", "emulated"),
        ("azure_ai/claude-opus-5", "mapped"),
        ("azure_ai/anthropic/ours", "mapped"),
        ("azure_ai/responses/ours", "native"),
    ],
)
def test_every_model_has_the_table_of_its_wire(model, support):
    assert supported_params(model)["context_management"].support == support


@pytest.mark.parametrize(
    ("model", "request_", "param"),
    [("grok-4", {"tools": [{"type": "web_search"}]}, "tools[0]"), ("claude-opus-5", {"seed": 7}, "seed")],
)
def test_what_another_wire_alone_takes_is_refused_or_left_out(foundry, model, request_, param):
    with pytest.raises(UnsupportedParameterError) as caught:
        foundry.body(model, **request_)
    assert caught.value.param == param
    assert foundry.warned(model, unsupported="warn", **request_) == [param]
