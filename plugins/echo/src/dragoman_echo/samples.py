"""A value for any JSON schema, the same one every time: echo's arguments and structured answers.

The first of an `enum`, the `minimum` of a number, "text" for a string, one element in a list, every property
of an object. Patterns are not solved: a string with one gets its example or default, else "text".
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["sample"]

_FORMATS = {
    "date": "2000-01-01",
    "time": "12:00:00Z",
    "date-time": "2000-01-01T12:00:00Z",
    "duration": "PT1H",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_MARKS = {
    "properties": "object",
    "items": "array",
    "prefixItems": "array",
    "minLength": "string",
    "pattern": "string",
    "format": "string",
    "minimum": "number",
    "maximum": "number",
}


def sample(schema: Any) -> Any:
    """Return a value that fulfils `schema`.

    Raises:
        ValueError: there is none: a reference leads nowhere, or in a circle without a way out.
    """
    return _sample(schema, schema, ())


def _sample(schema: Any, root: Any, open_references: tuple[str, ...]) -> Any:
    if not isinstance(schema, dict):
        return "text"  # ``true``: anything goes
    reference = schema.get("$ref")
    if reference is not None:
        if reference in open_references:
            raise ValueError(f"{reference} leads back to itself")
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return _sample({**_resolve(reference, root), **beside}, root, (*open_references, reference))
    if "const" in schema:
        return schema["const"]
    for name in ("enum", "examples"):
        if schema.get(name):
            return schema[name][0]
    if "default" in schema:
        return schema["default"]
    if "allOf" in schema:
        return _sample(_merged(schema, root, open_references), root, open_references)
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            beside = {key: value for key, value in schema.items() if key != name}
            return _first_of([{**beside, **branch} for branch in schema[name]], root, open_references)
    type_ = schema.get("type") or next((_MARKS[name] for name in schema if name in _MARKS), "string")
    if isinstance(type_, list):
        return _first_of([{**schema, "type": name} for name in type_], root, open_references)
    match type_:
        case "object":
            return _object(schema, root, open_references)
        case "array":
            return _array(schema, root, open_references)
        case "integer" | "number":
            return _number(schema, whole=type_ == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _resolve(reference: str, root: Any) -> dict[str, Any]:
    found = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise ValueError(f"{reference} is not in the schema")
        found = found[name]
    return found if isinstance(found, dict) else {}


def _merged(schema: dict[str, Any], root: Any, open_references: tuple[str, ...]) -> dict[str, Any]:
    merged = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema["allOf"]:
        whole = {**_resolve(part["$ref"], root), **part} if "$ref" in part else dict(part)
        whole.pop("$ref", None)
        if part.get("$ref") in open_references:
            raise ValueError(f"{part['$ref']} leads back to itself")
        for name, value in whole.items():
            if name == "properties":
                merged[name] = {**merged.get(name, {}), **value}
            elif name == "required":
                merged[name] = [*merged.get(name, []), *value]
            elif name == "allOf":
                merged[name] = value
            else:
                merged.setdefault(name, value)
    return merged


def _first_of(schemas: list[dict[str, Any]], root: Any, open_references: tuple[str, ...]) -> Any:
    """Return a value for the first schema that has one: of a circle, the way out."""
    for schema in schemas[:-1]:
        try:
            return _sample(schema, root, open_references)
        except ValueError:
            continue
    return _sample(schemas[-1], root, open_references)


def _object(schema: dict[str, Any], root: Any, open_references: tuple[str, ...]) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    value: dict[str, Any] = {}
    for name, inner in properties.items():
        try:
            value[name] = _sample(inner, root, open_references)
        except ValueError:
            if name in required:
                raise
    for name in required:
        value.setdefault(name, _sample(schema.get("additionalProperties"), root, open_references))
    return value


def _array(schema: dict[str, Any], root: Any, open_references: tuple[str, ...]) -> list[Any]:
    least = schema.get("minItems", 0)
    value = [_sample(inner, root, open_references) for inner in schema.get("prefixItems") or ()]
    count = min(max(least, 0 if value else 1), schema.get("maxItems", math.inf))
    try:
        while len(value) < count:
            value.append(_sample(schema.get("items"), root, open_references))
    except ValueError:
        if len(value) < least:
            raise
    return value


def _number(schema: dict[str, Any], *, whole: bool) -> int | float:
    step = schema.get("multipleOf") or 1
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if above is not None and (least is None or above >= least):
        ceiling = min((limit for limit in (most, below) if limit is not None), default=math.inf)
        value = (math.floor(above / step) + 1) * step
        value = value if value < ceiling or value == most else (above + ceiling) / 2
    elif least is not None:
        value = math.ceil(least / step) * step if whole or "multipleOf" in schema else least
    elif below is not None and (most is None or below <= most):
        value = (math.ceil(below / step) - 1) * step
    elif most is not None:
        value = math.floor(most / step) * step if whole or "multipleOf" in schema else most
    else:
        value = step
    return int(value) if whole else value


def _string(schema: dict[str, Any]) -> str:
    text: str = _FORMATS.get(schema.get("format", ""), "text")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    text += "t" * (least - len(text))
    return text if most is None else text[:most]
