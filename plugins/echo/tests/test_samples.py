"""Samples fulfil their schemas."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from dragoman_echo.samples import sample

LIST = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value", "next", "children"],
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, "text"),
        ({}, "text"),
        ({"const": 5}, 5),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string"}, "text"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "minLength": 6}, "textttt"[:6]),
        ({"type": "string", "format": "date"}, "2000-01-01"),
        ({"type": "string", "pattern": "^a+$", "examples": ["aa"]}, "aa"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "minimum": 3, "multipleOf": 5}, 5),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "exclusiveMaximum": 0}, -1),
        ({"type": ["null", "string"]}, None),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"type": "object"}, {}),
        ({"properties": {"a": {"type": "null"}}}, {"a": None}),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"allOf": [{"type": "object", "properties": {"a": {"const": 1}}}, {"required": ["a"]}]}, {"a": 1}),
        (LIST, {"value": 1, "next": None, "children": []}),
    ],
)
def test_samples_fulfil_their_schema(schema: Any, value: Any) -> None:
    assert sample(schema) == value
    jsonschema.validate(value, schema)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/nowhere"}])
def test_no_sample(schema: Any) -> None:
    with pytest.raises(ValueError, match=r"leads back|not in the schema"):
        sample(schema)
