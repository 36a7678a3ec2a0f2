"""From a Responses request to echo's wire: what its answer depends on, and nothing else.

``{model, stream, instructions, turns: [{from, text, ...}], tools: [{name, parameters}], call, may_call,
format, think, limit, logprobs}``: one turn for each input item, so that an index of the one is an index of
the other.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from dragoman.errors import BadRequestError
from dragoman.hookspecs import HTTPRequest
from dragoman.sealing import sealed_by, unseal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.hookspecs import Target

__all__ = ["translate_request"]


def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Return the request to echo's upstream.

    Raises:
        BadRequestError: an item or part that echo has no reading of, an output without its call, or a
            `tool_choice` that no tool fulfils.
    """
    items = request["input"]
    call_ids = {item.get("call_id") for item in items if item["type"] == "function_call"}
    functions = [tool for tool in request.get("tools") or () if tool["type"] == "function"]
    reasoning = request.get("reasoning") or {}
    wants_logprobs = "message.output_text.logprobs" in (request.get("include") or ())
    wire = {
        "model": target.model,
        "stream": request["stream"],
        "instructions": request.get("instructions"),
        "turns": [_turn(item, f"input[{index}]", call_ids) for index, item in enumerate(items)],
        "tools": [{"name": tool["name"], "parameters": tool.get("parameters")} for tool in functions],
        "call": _forced_call(request.get("tool_choice"), [tool["name"] for tool in functions]),
        "may_call": request.get("tool_choice") in (None, "auto"),
        "format": (request.get("text") or {}).get("format"),
        "think": reasoning.get("effort") not in {None, "none"},
        "limit": request.get("max_output_tokens"),
        "logprobs": (request.get("top_logprobs") or 0) if wants_logprobs else None,
    }
    return HTTPRequest(
        url="echo://local/answer", json={name: value for name, value in wire.items() if value is not None}
    )


def _forced_call(choice: str | dict[str, Any] | None, names: list[str]) -> str | None:
    """Return the function that `tool_choice` makes the model call: the one it names, else the first."""
    if choice == "required":
        if not names:
            raise BadRequestError(
                "tool_choice is required, but there is no function to call", param="tool_choice"
            )
        return names[0]
    if not isinstance(choice, dict):
        return None
    if choice["name"] not in names:
        raise BadRequestError(
            f"tool_choice names {choice['name']!r}, which is not among the tools", param="tool_choice.name"
        )
    return str(choice["name"])


def _turn(item: dict[str, Any], param: str, call_ids: set[str]) -> dict[str, Any]:
    type_ = item["type"]
    if type_ == "message":
        return {"from": item["role"], "text": _text(item["content"], f"{param}.content")}
    if type_ == "function_call":
        return {"from": "call", "text": f"{item['name']} {item['arguments']}"}
    if type_ == "function_call_output":
        call_id = item.get("call_id")
        if call_id not in call_ids:
            raise BadRequestError(
                f"no function call with the call_id {call_id!r} comes with this output; "
                "send the items of the earlier answer too",
                param=f"{param}.call_id",
            )
        return {"from": "tool", "text": _text(item["output"], f"{param}.output")}
    if type_ == "reasoning":
        parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
        turn = {"from": "reasoning", "text": "\n".join(part["text"] for part in parts)}
        state = unseal("echo", item.get("encrypted_content"), param=f"{param}.encrypted_content")
        return turn if state is None else {**turn, "state": state}
    if type_.startswith("echo:") or sealed_by(item.get("encrypted_content")) == "echo":
        return {"from": "receipt", "text": json.dumps(item, ensure_ascii=False)}
    raise BadRequestError(f"echo cannot read an item of the type {type_!r}", param=param)


def _text(parts: list[dict[str, Any]], param: str) -> str:
    texts = []
    for index, part in enumerate(parts):
        read = _PARTS.get(part["type"])
        if read is None:
            raise BadRequestError(
                f"echo cannot read a part of the type {part['type']!r}", param=f"{param}[{index}]"
            )
        texts.append(read(part, f"{param}[{index}]"))
    return "\n".join(texts)


def _image(part: dict[str, Any], param: str) -> str:
    return f"[image {_described(part.get('image_url') or part.get('file_id'), f'{param}.image_url')}]"


def _file(part: dict[str, Any], param: str) -> str:
    data = part.get("file_data")
    if data is not None and not data.startswith("data:"):
        data = f"data:application/octet-stream;base64,{data}"  # OpenAI takes both forms
    content = _described(data or part.get("file_url") or part.get("file_id"), f"{param}.file_data")
    return f"[file {', '.join(word for word in (part.get('filename'), content) if word)}]"


def _described(source: str | None, param: str) -> str:
    """Return ``image/png, 68 bytes`` for a data URL; any other address or id names itself."""
    if source is None or not source.startswith("data:"):
        return source or "without content"
    head, _, data = source.removeprefix("data:").partition(",")
    media_type, *options = head.split(";")
    try:
        content = base64.b64decode(data, validate=True) if "base64" in options else unquote_to_bytes(data)
    except binascii.Error as error:
        raise BadRequestError(f"the data is not base64: {error}", param=param) from None
    return f"{media_type or 'text/plain'}, {len(content)} bytes"


_PARTS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "input_text": lambda part, _: str(part["text"]),
    "output_text": lambda part, _: str(part["text"]),
    "refusal": lambda part, _: str(part["refusal"]),
    "input_image": _image,
    "input_file": _file,
}
