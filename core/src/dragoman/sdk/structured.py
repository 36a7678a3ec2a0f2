"""`text_format`: a pydantic model as the answer's format, and the answer as an instance of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from dragoman.errors import BadRequestError, MalformedResponseError

if TYPE_CHECKING:
    from dragoman.models import Response

__all__ = ["json_schema_format", "parsed_output"]


def json_schema_format(model: type[BaseModel]) -> dict[str, Any]:
    """Return `text.format` for a pydantic model: strict, as OpenAI defines it.

    Strict mode wants every object closed and every property required; optional ones stay nullable.
    """
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise BadRequestError("text_format must be a pydantic model class", param="text_format")
    schema = model.model_json_schema()
    _close_objects(schema)
    return {"type": "json_schema", "name": _name(model), "schema": schema, "strict": True}


def _name(model: type[BaseModel]) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", model.__name__)[:64]  # ``Page[int]``, and letters of all scripts


def _close_objects(schema: Any) -> None:
    if isinstance(schema, list):
        for entry in schema:
            _close_objects(entry)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and "properties" in schema:
        schema["additionalProperties"] = False
        schema["required"] = list(schema["properties"])
    if schema.get("default", ...) is None:
        del schema["default"]  # strict mode refuses it beside a nullable type
    for value in schema.values():
        _close_objects(value)


def parsed_output(response: Response, model: type[BaseModel]) -> BaseModel | None:
    """Return the answer as an instance of `model`; None for an incomplete answer or a refusal.

    Raises:
        MalformedResponseError: the answer is whole but not of that form; `response` holds it.
    """
    text = response.output_text
    if response.status != "completed" or not text:
        return None
    try:
        return model.model_validate_json(text)
    except ValidationError as problem:
        error = MalformedResponseError(
            f"the answer is not a valid {model.__name__}: {problem}",
            code="invalid_output",
            model=response.model,
        )
        error.response = response
        raise error from problem
