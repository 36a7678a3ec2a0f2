"""Sample inputs: what conversations are made of, what nobody can carry, and what somebody may trip over."""

from __future__ import annotations

from typing import Any, NamedTuple

from dragoman.testing.samples import FUNCTION

__all__ = ["BAD_INPUTS", "CARRIED_INPUTS", "UNCLEAR_INPUTS", "InputCase"]


class InputCase(NamedTuple):
    """One thing that an input may hold."""

    what: str
    items: list[dict[str, Any]]
    param: str
    """What an error or a warning about it must begin with."""
    without: list[dict[str, Any]]
    """The same input without it."""
    marker: str = ""
    """Words that must reach the upstream; "" where they need not do so literally."""


def _user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}, *parts]}


def _with_part(what: str, marker: str = "", **part: Any) -> InputCase:
    return InputCase(what, [_user(part)], "input[0].content[1]", [_user()], marker)


def _with_items(what: str, *items: dict[str, Any], marker: str = "") -> InputCase:
    return InputCase(what, [_user(), *items], "input[", [_user()], marker)


def _message(role: str, **part: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [part]}


_CALL = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city": "marker-city"}',
}
_CUSTOM_CALL = {"type": "custom_tool_call", "call_id": "call_2", "name": "run_code", "input": "marker_code"}
_OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "call_1"}
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{_PIXEL}", "detail": "auto"}
_PDF = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"

CARRIED_INPUTS = (
    _with_part("text of the user", "marker-text", type="input_text", text="marker-text"),
    _with_part(
        "an image by address", type="input_image", image_url="https://example.com/a.png", detail="auto"
    ),
    _with_part("an image as data", **_IMAGE),
    _with_part("an image by id", type="input_image", file_id="file-1", detail="auto"),
    _with_part("a file as data", type="input_file", filename="a.pdf", file_data=_PDF),
    _with_part("a file by address", type="input_file", file_url="https://example.com/a.pdf"),
    _with_part("a file by id", type="input_file", file_id="file-1"),
    _with_items(
        "a system message", _message("system", type="input_text", text="marker-text"), marker="marker-text"
    ),
    _with_items(
        "a developer message",
        _message("developer", type="input_text", text="marker-text"),
        marker="marker-text",
    ),
    _with_items(
        "an earlier answer",
        _message("assistant", type="output_text", text="marker-text", annotations=[]),
        _user(),
        marker="marker-text",
    ),
    _with_items(
        "an earlier refusal",
        _message("assistant", type="refusal", refusal="marker-text"),
        _user(),
        marker="marker-text",
    ),
    _with_items("a call", _CALL, {**_OUTPUT, "output": "sunny"}, marker="marker-city"),
    _with_items("what a call gave", _CALL, {**_OUTPUT, "output": "marker-text"}, marker="marker-text"),
    InputCase(
        "an image that a call gave",
        [_user(), _CALL, {**_OUTPUT, "output": [{"type": "input_text", "text": "sunny"}, _IMAGE]}],
        "input[2].output",
        [_user(), _CALL, {**_OUTPUT, "output": [{"type": "input_text", "text": "sunny"}]}],
    ),
    _with_items(
        "a custom tool's call",
        _CUSTOM_CALL,
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "done"},
        marker="marker_code",
    ),
    _with_items(
        "readable reasoning",
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "marker-text"}]},
        _message("assistant", type="output_text", text="Hello", annotations=[]),
        _user(),
    ),
)
"""What conversations are made of: to be carried, refused by name, or left out with a warning."""

BAD_INPUTS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("an item of no known type", {"input": [_user(), {"type": "x_unknown"}]}, "input[1]"),
    ("a part of no known type", {"input": [_user({"type": "x_unknown"})]}, "input[0].content[1]"),
    (
        "an output's part of no known type",
        {"input": [_user(), _CALL, {**_OUTPUT, "output": [{"type": "x_unknown"}]}]},
        "input[2].output",
    ),
    ("a tool of no known type", {"input": "Hello", "tools": [{"type": "x_unknown"}]}, "tools[0]"),
    ("a choice of no known type", {"input": "Hello", "tool_choice": {"type": "x_unknown"}}, "tool_choice"),
    (
        "a format of no known type",
        {"input": "Hello", "text": {"format": {"type": "x_unknown"}}},
        "text.format",
    ),
    ("an inclusion of no known name", {"input": "Hello", "include": ["x_unknown"]}, "include[0]"),
    ("a parameter of no known name", {"input": "Hello", "x_unknown": 1}, "x_unknown"),
)
"""(what, request, param): what a translated wire cannot carry, whoever it is."""

UNCLEAR_INPUTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("no items", {"input": []}),
    ("a message without parts", {"input": [{"type": "message", "role": "user", "content": []}]}),
    ("an empty text", {"input": [_message("user", type="input_text", text="")]}),
    ("only a system message", {"input": [_message("system", type="input_text", text="Be brief.")]}),
    ("an answer in front", {"input": [_message("assistant", type="output_text", text="Hello"), _user()]}),
    ("an answer at the end", {"input": [_user(), _message("assistant", type="output_text", text="He")]}),
    (
        "arguments that are not JSON",
        {"input": [_user(), {**_CALL, "arguments": '{"city'}, {**_OUTPUT, "output": ""}]},
    ),
    (
        "arguments that are no object",
        {"input": [_user(), {**_CALL, "arguments": "[1]"}, {**_OUTPUT, "output": ""}]},
    ),
    ("no arguments", {"input": [_user(), {**_CALL, "arguments": ""}, {**_OUTPUT, "output": []}]}),
    ("a call without its output", {"input": [_user(), _CALL, _user()]}),
    ("a reference to an item", {"input": [_user(), {"type": "item_reference", "id": "msg_1"}]}),
    ("reasoning without a word", {"input": [_user(), {"type": "reasoning", "id": "rs_1", "summary": []}]}),
    ("reasoning with null", {"input": [_user(), {"type": "reasoning", "summary": None, "content": None}]}),
    ("an image that is not base64", {"input": [_user({**_IMAGE, "image_url": "data:image/png;base64,?"})]}),
    ("an image that is no data", {"input": [_user({**_IMAGE, "image_url": "data:,"})]}),
    ("a file without a type", {"input": [_user({"type": "input_file", "file_data": "aGk="})]}),
    (
        "a function with nulls",
        {"input": "Hello", "tools": [{**FUNCTION, "parameters": None, "description": None}]},
    ),
    ("a function with a name alone", {"input": "Hello", "tools": [{"type": "function", "name": "f"}]}),
)
"""What a provider may carry or refuse, but not trip over."""
