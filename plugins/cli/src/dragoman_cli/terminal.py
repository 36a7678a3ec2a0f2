"""Writing to stdout and stderr: whole lines, flowing text, JSON, tables."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Flow", "abandon_broken_streams", "as_json", "note", "remark", "say", "table"]


def say(text: str) -> None:
    """Write a line to stdout, at once."""
    _write(sys.stdout, f"{text}\n")


def remark(text: str) -> None:
    """Write a line to stderr, as it is."""
    _write(sys.stderr, f"{text}\n")


def note(kind: str, message: object) -> None:
    """Write one line to stderr, whatever breaks the message has: ``warning: ...``, ``error: ...``."""
    remark(f"{kind}: {' '.join(str(message).split())}")


class Flow:
    """Text that comes in pieces; each block of it begins on a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self.used = False
        self._stream = stream
        self._block: object = None
        self._line_is_open = False

    def write(self, text: str, block: object) -> None:
        """Write a piece of the block, at once."""
        if not text:
            return
        if block != self._block:
            self.end_line()
            self._block = block
        _write(self._stream, text)
        self.used = True
        self._line_is_open = not text.endswith("\n")

    def end_line(self) -> None:
        """Break the line, unless it is broken already."""
        if self._line_is_open:
            self._line_is_open = False
            _write(self._stream, "\n")


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Return `value` as JSON, readable where stdout can show it and escaped where it cannot."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return aligned columns; the last one is as long as it likes."""
    lines = [tuple(headings), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def abandon_broken_streams() -> None:
    """Make the interpreter's last flush harmless where a stream's reader has gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            with suppress(OSError):  # a stream that stands in for a file has no descriptor
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # a terminal without Unicode, or half a surrogate pair from a model
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
