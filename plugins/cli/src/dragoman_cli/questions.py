"""From the arguments of ``ask`` to the keywords of a call."""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dragoman_cli.exits import UsageError
from dragoman_cli.terminal import note

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["call_options"]

_STDIN = "-"
_FALLBACK_MODEL = "echo/echo"
_LONGEST_NAME = 64  # of a schema, as OpenAI has it


def call_options(arguments: Namespace) -> dict[str, Any]:
    """Return the keywords of ``client.responses.create``.

    Raises:
        UsageError: there is nothing to ask, an option is malformed, a file cannot be read.
    """
    from_flags = {
        "model": arguments.model or os.environ.get("DRAGOMAN_MODEL"),
        "instructions": arguments.system,
        "text.format": _schema_format(arguments.schema) if arguments.schema else None,
        "reasoning.effort": arguments.effort,
        "reasoning.summary": "auto" if arguments.reasoning else None,
        "max_output_tokens": arguments.max_tokens,
        "timeout": arguments.timeout,
        "unsupported": arguments.unsupported,
    }
    options: dict[str, Any] = {}
    for key, value in from_flags.items():
        if value is not None:
            _put(options, key, value)
    for option in arguments.option:
        key, value = _option(option)
        _put(options, key, value)
    if "stream" in options:
        raise UsageError("stream is decided by the command: use --json or --events")
    if "input" not in options:
        _add_input(options, arguments)
    elif arguments.prompt is not None or arguments.attach:
        raise UsageError("the input is given twice: as an option, and as PROMPT or --attach")
    if "model" not in options:
        options["model"] = _FALLBACK_MODEL
        note("warning", f"no model is named, {_FALLBACK_MODEL} repeats the prompt: use -m or $DRAGOMAN_MODEL")
    return options


# ---- the input --------------------------------------------------------------------------------------


def _add_input(options: dict[str, Any], arguments: Namespace) -> None:
    text = _prompt(arguments.prompt)
    # Files come first: providers advise it, and a question reads better after what it is about.
    parts = [_attachment(Path(path)) for path in arguments.attach]
    if parts:
        text_parts = [{"type": "input_text", "text": text}] if text else []
        options["input"] = [{"type": "message", "role": "user", "content": parts + text_parts}]
    elif text:
        options["input"] = text
    elif "prompt" not in options:  # a prompt stored at the provider needs no other input
        raise UsageError("there is nothing to ask: give PROMPT, or text on stdin (see dragoman ask --help)")


def _prompt(argument: str | None) -> str:
    if argument == _STDIN:
        return _piped_text()
    if sys.stdin is None or sys.stdin.isatty():
        return argument or ""
    return "\n\n".join(text for text in (argument, _piped_text()) if text)


def _piped_text() -> str:
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError as problem:
        raise UsageError(f"stdin is not text ({problem}): use --attach for files") from problem
    except OSError:  # closed, or not to be read
        return ""
    return text.rstrip("\r\n") if text.strip() else ""


def _attachment(path: Path) -> dict[str, Any]:
    """Return a content part: an image, else text where the bytes are text, else a file."""
    data = _read(path)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if data.startswith(b"%PDF-"):
        kind = "application/pdf"
    if kind.startswith("image/") and kind != "image/svg+xml":
        return {"type": "input_image", "image_url": _data_url(kind, data), "detail": "auto"}
    text = None if kind == "application/pdf" else _as_text(data)
    if text is not None:
        return {"type": "input_text", "text": f"{path.name}:\n\n{text}"}
    return {"type": "input_file", "filename": path.name, "file_data": _data_url(kind, data)}


def _as_text(data: bytes) -> str | None:
    # The bytes decide, not the name: to mimetypes, a .ts is a film and a .toml is nothing.
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror or problem}") from problem


# ---- options ----------------------------------------------------------------------------------------


def _schema_format(source: str) -> dict[str, Any]:
    literal = source.lstrip().startswith("{")
    name = "--schema" if literal else source
    try:
        schema = json.loads(source if literal else _read(Path(source)))
    except ValueError as problem:
        raise UsageError(f"{name} is not JSON: {problem}") from problem
    if not isinstance(schema, dict):
        raise UsageError(f"{name} is not a JSON schema: it must be an object")
    title = re.sub(r"[^a-zA-Z0-9_-]+", "_", str(schema.get("title", ""))).strip("_")
    return {
        "type": "json_schema",
        "name": title[:_LONGEST_NAME] or "answer",
        "schema": schema,
        "strict": True,
    }


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise UsageError(f"--option {text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value, parse_constant=_refuse_constant)
    except ValueError:
        return key, value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _put(options: dict[str, Any], key: str, value: Any) -> None:
    *outer, name = key.split(".")
    place = options
    for step in outer:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise UsageError(f"--option {key}: {step} is not an object, but {place!r}")
    before = place.get(name)
    place[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
