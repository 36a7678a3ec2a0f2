"""What the parts of a request look like: tables of items, content parts, tools and formats, and their checks.

A check takes a value and raises `ShapeError` where it isn't as it should be. Whatever a table doesn't name (a
type, a field) passes, so tomorrow's API passes too.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Check = Callable[[Any], None]

__all__ = [
    "CONTEXT_MANAGEMENT",
    "CONVERSATION",
    "INPUT",
    "PROMPT",
    "REASONING",
    "STREAM_OPTIONS",
    "TEXT",
    "TOOLS",
    "TOOL_CHOICE",
    "ShapeError",
    "show",
]

_LONGEST_ECHO = 80


class ShapeError(ValueError):
    """Something in a request is not as it should be; `message` reads on from the name of the place."""

    def __init__(self, message: str, *path: str | int, code: str = "invalid_value") -> None:
        """Say what is wrong at `path`, seen from the value that was checked."""
        super().__init__(message)
        self.message = message
        self.path: tuple[str | int, ...] = path
        self.code = code

    def inside(self, *place: str | int) -> ShapeError:
        """Return this problem as seen from one level further out."""
        self.path = place + self.path
        return self


def show(value: Any) -> str:
    """Return `value` as an error message may repeat it: short, and never the content of a data URL."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() if value.lstrip()[:5].lower() == "data:":
            return "a data: URL"
        case str():
            return repr(value if len(value) <= _LONGEST_ECHO else value[: _LONGEST_ECHO - 1] + "…")
        case int() if abs(value) > 10**_LONGEST_ECHO:
            return "a huge number"
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"


def _closest(word: Any, known: Collection[str]) -> str:
    """Return " Did you mean ...?" where `word` looks like a misspelling, else nothing."""
    found = get_close_matches(word.lower(), known, n=1) if isinstance(word, str) else []
    return f" Did you mean {found[0]!r}?" if found else ""


def _wrong_type(expected: str, value: Any) -> ShapeError:
    return ShapeError(f"must be {expected}, not {show(value)}.", code="invalid_type")


# Checks, and what makes checks out of checks


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise _wrong_type("a string", value)


def _json_text(value: Any) -> None:
    if not isinstance(value, str):
        raise _wrong_type("a string that holds JSON", value)


def _flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise _wrong_type("true or false", value)


def _integer(value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type("an integer", value)


def _mapping(value: Any) -> None:
    if not isinstance(value, dict):
        raise _wrong_type("an object", value)


def _image_url(value: Any) -> None:
    _text(value)
    if not value[:8].lower().startswith(("https://", "http://", "data:")):
        raise ShapeError(f"must be an http(s) URL or a data: URL, not {show(value)}.")


def _one_of(*allowed: str, hints: Mapping[str, str] | None = None) -> Check:
    choices = ", ".join(map(repr, allowed))

    def check(value: Any) -> None:
        if value not in allowed:
            hint = hints.get(value, "") if hints and isinstance(value, str) else ""
            message = f"must be one of {choices}, not {show(value)}."
            raise ShapeError(message + (f" {hint}" if hint else _closest(value, allowed)))

    return check


def _list_of(element: Check) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise _wrong_type("a list", value)
        for index, part in enumerate(value):
            try:
                element(part)
            except ShapeError as problem:
                raise problem.inside(index) from None

    return check


def _text_or(kind: type, other: Check, expected: str, text: Check = _text) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, kind):
            other(value)
        elif isinstance(value, str):
            text(value)
        else:
            raise _wrong_type(f"a string or {expected}", value)

    return check


def _fields(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    any_of: tuple[str, ...] = (),
    hint: tuple[str, str] = ("", ""),
) -> Check:
    """Return the check of an object.

    Of `any_of`, at least one must be there. `hint` is a field that gives a well-known mistake away, and
    what to say then.
    """
    required = required or {}
    checks = tuple({**required, **(optional or {})}.items())

    def missing(name: str, value: Mapping[str, Any]) -> ShapeError:
        message = "is required."
        if hint[0] in value:
            message = f"is required. {hint[1]}"
        elif near := get_close_matches(name, value.keys() - dict(checks).keys(), n=1):
            message = f"is required. There is a {near[0]!r}: did you mean {name!r}?"
        return ShapeError(message, name, code="missing_required_parameter")

    def check(value: Any) -> None:
        _mapping(value)
        for name, accept in checks:
            part = value.get(name)
            if part is not None:
                try:
                    accept(part)
                except ShapeError as problem:
                    raise problem.inside(name) from None
            elif name in required:
                raise missing(name, value)
        if any_of and all(value.get(name) is None for name in any_of):
            raise ShapeError(f"needs one of {', '.join(any_of)}.", code="missing_required_parameter")

    return check


def _tagged(
    table: Mapping[str, Check], untagged: Callable[[dict[str, Any]], str | None] | None = None
) -> Check:
    """Return the check of an object whose `type`, or else `untagged`, names its row in `table`."""

    def check(value: Any) -> None:
        _mapping(value)
        tag = value.get("type")
        if tag is None:
            tag = untagged(value) if untagged else None
            if tag is None:
                raise ShapeError("is required.", "type", code="missing_required_parameter")
        elif not isinstance(tag, str):
            raise _wrong_type("a string", tag).inside("type")
        row = table.get(tag)
        if row is not None:
            row(value)

    return check


# Tools

_CHAT_TOOL = (
    "function",
    "In the Responses API, name, description and parameters stand beside type, not inside 'function'.",
)
_FUNCTION = _fields(
    {"name": _text}, {"description": _text, "parameters": _mapping, "strict": _flag}, hint=_CHAT_TOOL
)
_CUSTOM = _fields({"name": _text}, {"description": _text, "format": _mapping})
_TOOL = _tagged(
    {
        "function": _FUNCTION,
        "custom": _CUSTOM,
        "namespace": _fields(
            {"name": _text, "tools": _list_of(_tagged({"function": _FUNCTION, "custom": _CUSTOM}))},
            {"description": _text},
        ),
        "web_search": _fields(optional={"filters": _mapping, "user_location": _mapping}),
        "file_search": _fields({"vector_store_ids": _list_of(_text)}, {"max_num_results": _integer}),
        "code_interpreter": _fields(optional={"container": _text_or(dict, _mapping, "an object")}),
        "mcp": _fields(
            {"server_label": _text},
            {"server_url": _text, "connector_id": _text, "authorization": _text, "headers": _mapping},
        ),
    }
)
TOOLS = _list_of(_TOOL)

TOOL_CHOICE = _text_or(
    dict,
    _tagged(
        {
            "allowed_tools": _fields({"mode": _one_of("auto", "required"), "tools": _list_of(_mapping)}),
            "function": _fields({"name": _text}, hint=("function", "Give it as name, beside type.")),
            "custom": _fields({"name": _text}),
            "mcp": _fields({"server_label": _text}, {"name": _text}),
        }
    ),
    "an object",
    text=_one_of("none", "auto", "required", hints={"any": "Did you mean 'required'?"}),
)

# Content parts, as they come in and as a former answer left them

_INPUT_TEXT = _fields({"text": _text})
_PART = _tagged(
    {
        "input_text": _INPUT_TEXT,
        "input_image": _fields(
            optional={"image_url": _image_url, "file_id": _text, "detail": _text},
            any_of=("image_url", "file_id"),
        ),
        "input_file": _fields(
            optional={
                "file_id": _text,
                "file_url": _text,
                "file_data": _text,
                "filename": _text,
                "detail": _text,
            },
            any_of=("file_id", "file_url", "file_data"),
        ),
        "output_text": _fields({"text": _text}, {"annotations": _list_of(_mapping)}),
        "refusal": _fields({"refusal": _text}),
        "reasoning_text": _fields({"text": _text}),
        "summary_text": _fields({"text": _text}),
    }
)
_PARTS = _list_of(_PART)
_CONTENT = _text_or(list, _PARTS, "a list of content parts")

# Items

_ROLE = _one_of(
    "user",
    "assistant",
    "system",
    "developer",
    hints={"tool": "What a tool answered is an item {type: 'function_call_output', call_id, output}."},
)
_ANSWER = _fields({"call_id": _text, "output": _CONTENT}, {"id": _text, "status": _text})


def _untagged_item(item: dict[str, Any]) -> str | None:
    """Return the type of an item without one: OpenAI lets it be left out of messages and references."""
    if "role" in item:
        return "message"
    return "item_reference" if item.keys() <= {"id", "type"} and "id" in item else None


_ITEM = _tagged(
    {
        "message": _fields(
            {"role": _ROLE, "content": _CONTENT}, {"id": _text, "status": _text, "phase": _text}
        ),
        "reasoning": _fields(
            optional={"id": _text, "summary": _PARTS, "content": _PARTS, "encrypted_content": _text}
        ),
        "function_call": _fields(
            {"call_id": _text, "name": _text, "arguments": _json_text},
            {"id": _text, "namespace": _text, "status": _text},
        ),
        "function_call_output": _ANSWER,
        "custom_tool_call": _fields(
            {"call_id": _text, "name": _text, "input": _text}, {"id": _text, "namespace": _text}
        ),
        "custom_tool_call_output": _ANSWER,
        "item_reference": _fields({"id": _text}),
        "compaction": _fields({"encrypted_content": _text}, {"id": _text}),
        "computer_call": _fields({"call_id": _text}),
        "computer_call_output": _fields({"call_id": _text, "output": _mapping}),
        "shell_call": _fields({"call_id": _text, "action": _mapping}),
        "shell_call_output": _fields({"call_id": _text, "output": _list_of(_mapping)}),
        "local_shell_call": _fields({"call_id": _text, "action": _mapping}),
        "local_shell_call_output": _fields({"output": _text}),
        "apply_patch_call": _fields({"call_id": _text, "operation": _mapping}),
        "apply_patch_call_output": _fields({"call_id": _text, "status": _text}, {"output": _text}),
        "mcp_call": _fields({"server_label": _text, "name": _text, "arguments": _json_text}),
        "mcp_list_tools": _fields({"server_label": _text, "tools": _list_of(_mapping)}),
        "mcp_approval_request": _fields({"server_label": _text, "name": _text, "arguments": _json_text}),
        "mcp_approval_response": _fields({"approval_request_id": _text, "approve": _flag}),
        "additional_tools": _fields({"tools": TOOLS}),
        "tool_search_output": _fields({"tools": TOOLS}),
        "program": _fields({"call_id": _text, "code": _text}),
        "program_output": _fields({"call_id": _text, "result": _text}),
    },
    untagged=_untagged_item,
)
INPUT = _text_or(list, _list_of(_ITEM), "a list of items")

# The objects among the parameters

_FORMAT = _tagged(
    {
        "json_schema": _fields(
            {"name": _text, "schema": _mapping},
            {"description": _text, "strict": _flag},
            hint=(
                "json_schema",
                "In the Responses API, name and schema stand beside type, not inside 'json_schema'.",
            ),
        )
    }
)
TEXT = _fields(optional={"format": _FORMAT, "verbosity": _text})
REASONING = _fields(
    optional={"effort": _text, "summary": _text, "generate_summary": _text, "context": _text, "mode": _text}
)
CONVERSATION = _text_or(dict, _fields({"id": _text}), "an object with an id")
PROMPT = _fields({"id": _text}, {"version": _text, "variables": _mapping})
STREAM_OPTIONS = _fields(optional={"include_obfuscation": _flag})
CONTEXT_MANAGEMENT = _list_of(_tagged({"compaction": _fields(optional={"compact_threshold": _integer})}))
