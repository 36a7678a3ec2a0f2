"""Two independent oracles for what dragoman writes: the Open Responses schema, and OpenAI's own types.

Neither can judge everything, and where they disagree dragoman follows OpenAI. What is therefore left out:

* items of types that are not the standard's five: hosted tools keep OpenAI's names (the standard wants a
  prefix), a provider's own items have a prefix (OpenAI's types are a closed list);
* events that one of them does not define (``response.reasoning_text.*`` and those of hosted tools in the
  standard, prefixed ones at OpenAI), and the parts of such events' items;
* annotations other than `url_citation` in the standard, which has no others;
* `incomplete_details.reason` where it is the provider's own word: a free string in the standard, a closed
  list at OpenAI, whose SDKs do not check it.
"""

from __future__ import annotations

import functools
import json
import os
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["OfficialTypes", "Standard", "official_types", "standard"]

_VARIABLE = "DRAGOMAN_OPENRESPONSES"
_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "openresponses" / "openapi.json"
_OFFICIAL_REASONS = frozenset({"max_output_tokens", "max_messages", "content_filter", "steered"})


def _shape(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what decides whether a delta is valid: its fields and their types (lists must be empty)."""
    return tuple(
        sorted(
            (name, repr(value) if name == "type" or value == [] else type(value).__name__)
            for name, value in event.items()
        )
    )


class _Oracle:
    """Judges events, each kind of delta once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], list[str]] = {}

    def event_problems(self, event: dict[str, Any]) -> list[str]:
        """Return what is wrong with an event; nothing where it is right, or not this oracle's to judge."""
        type_ = event["type"]
        if not type_.endswith(".delta") or event.get("logprobs"):
            return [f"{type_}: {problem}" for problem in self._judge(event)]
        shape = _shape(event)
        if shape not in self._known:
            self._known[shape] = [f"{type_}: {problem}" for problem in self._judge(event)]
        return self._known[shape]

    def _judge(self, event: dict[str, Any]) -> Iterable[str]:
        raise NotImplementedError


class Standard(_Oracle):
    """The schema of Open Responses."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__()
        schemas = document["components"]["schemas"]
        self._components = document["components"]
        self._events = {
            schema["properties"]["type"]["enum"][0]: name
            for name, schema in schemas.items()
            if name.endswith("StreamingEvent")
        }
        self._item_types = frozenset(
            schemas[option["$ref"].rpartition("/")[2]]["properties"]["type"]["enum"][0]
            for option in schemas["ItemField"]["oneOf"]
        )
        self._validator = functools.cache(self._new_validator)

    def response_problems(self, response: dict[str, Any]) -> list[str]:
        """Return what is wrong with a whole Response."""
        return self._check("ResponseResource", self._judged_response(response))

    def _judge(self, event: dict[str, Any]) -> Iterable[str]:
        schema = self._events.get(event["type"])
        if schema is None:
            return []
        if "response" in event:
            event = {**event, "response": self._judged_response(event["response"])}
        if "item" in event:
            if event["item"]["type"] not in self._item_types:
                return []
            event = {**event, "item": self._judged_item(event["item"])}
        if "part" in event:
            event = {**event, "part": _with_known_annotations(event["part"])}
        if event.get("annotation", {}).get("type", "url_citation") != "url_citation":
            return []
        return self._check(schema, event)

    def _judged_response(self, response: dict[str, Any]) -> dict[str, Any]:
        output = [self._judged_item(item) for item in response["output"] if item["type"] in self._item_types]
        return {**response, "output": output}

    def _judged_item(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["type"] != "message":
            return item
        return {**item, "content": [_with_known_annotations(part) for part in item["content"]]}

    def _check(self, schema: str, value: Any) -> list[str]:
        validator = self._validator(schema)
        if validator.is_valid(value):
            return []
        problem = jsonschema.exceptions.best_match(validator.iter_errors(value))
        return [f"{problem.json_path}: {problem.message[:300]}"] if problem else []

    def _new_validator(self, schema: str) -> Any:
        whole = {"$ref": f"#/components/schemas/{schema}", "components": self._components}
        return jsonschema.Draft202012Validator(whole)


def _with_known_annotations(part: dict[str, Any]) -> dict[str, Any]:
    if not part.get("annotations"):
        return part
    known = [annotation for annotation in part["annotations"] if annotation["type"] == "url_citation"]
    return {**part, "annotations": known}


class OfficialTypes(_Oracle):
    """The types of the official OpenAI SDK, checked strictly (the SDK itself builds them unchecked)."""

    def __init__(self) -> None:
        super().__init__()
        members = typing.get_args(typing.get_args(ResponseStreamEvent)[0])
        self._events: dict[str, Any] = {
            typing.get_args(member.model_fields["type"].annotation)[0]: member for member in members
        }
        self._adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)

    def response_problems(self, response: dict[str, Any]) -> list[str]:
        """Return what is wrong with a whole Response."""
        return self._check(Response, _judged_officially(response))

    def _judge(self, event: dict[str, Any]) -> Iterable[str]:
        model = self._events.get(event["type"])
        if model is None:
            return [] if ":" in event["type"] else ["no such event at OpenAI"]
        if ":" in event.get("item", {}).get("type", ""):
            return []
        if "response" in event:
            event = {**event, "response": _judged_officially(event["response"])}
        return self._check(model, event)

    def _check(self, model: Any, value: Any) -> list[str]:
        try:
            self._adapter(model).validate_python(value)
        except ValidationError as problem:
            first = problem.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            return [f"{model.__name__} {place}: {first['msg']} ({problem.error_count()} problems)"]
        return []


def _judged_officially(response: dict[str, Any]) -> dict[str, Any]:
    judged = {**response, "output": [item for item in response["output"] if ":" not in item["type"]]}
    details = judged.get("incomplete_details")
    if details and details["reason"] not in _OFFICIAL_REASONS:
        judged["incomplete_details"] = None
    return judged


@functools.cache
def _standard(file: Path) -> Standard:
    return Standard(json.loads(file.read_bytes()))


def standard() -> Standard:
    """Return the schema's oracle; skip the test where there is no schema."""
    file = Path(os.environ.get(_VARIABLE) or _BESIDE_THE_REPOSITORY)
    if not file.is_file():
        pytest.skip(f"no Open Responses schema at {file}; point {_VARIABLE} at its openapi.json")
    return _standard(file)


@functools.cache
def official_types() -> OfficialTypes:
    """Return the official SDK's oracle."""
    return OfficialTypes()
