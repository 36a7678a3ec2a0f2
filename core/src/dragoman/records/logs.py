"""One line of JSON in the log for each call, at will: off unless asked for.

    import logging

    import dragoman

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    dragoman.log_calls()

or, without code, with ``DRAGOMAN_LOG_CALLS=1`` in the environment: the lines go to stderr then. The logger is
``dragoman.calls``; a call that failed is a warning, others are information. `time` is when the call began,
in UTC; the other fields are those of `dragoman.Record`, which documents them. Prompts and answers are not
among them, nor is any credential.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from dragoman.attempts.secrecy import without_credentials
from dragoman.records.listeners import on_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.records.record import Record

__all__ = ["as_line", "log_as_the_environment_says", "log_calls"]

_VARIABLE = "DRAGOMAN_LOG_CALLS"
_CONTENT = "content"
_OFF = frozenset({"", "0", "false", "no", "off"})

_log = logging.getLogger("dragoman.calls")


def log_calls(content: bool = False) -> Callable[[], None]:
    """Log every call from now on, of all clients, as one line of JSON.

    Handlers and formats are the application's: of the logger ``dragoman.calls``, or of those above.
    Its level becomes INFO, unless it has one.

    Args:
        content: whether lines hold prompts and answers too, as `input`, `instructions` and `output`.

    Returns:
        A function that ends it.
    """
    if _log.level == logging.NOTSET:
        _log.setLevel(logging.INFO)

    def listener(record: Record) -> None:
        level = logging.WARNING if record.outcome == "failed" else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, "%s", as_line(record, content=content))

    return on_record(listener)


def as_line(record: Record, *, content: bool = False) -> str:
    """Return a record as one line of JSON (see ``log_calls``)."""
    began = datetime.fromtimestamp(record.started_at, UTC).isoformat(timespec="milliseconds")
    told: dict[str, Any] = {"time": began, **record.as_json()}
    if content:
        told["input"] = without_credentials(record.request.get("input"))
        told["instructions"] = record.request.get("instructions")
        told["output"] = None if record.response is None else without_credentials(record.response["output"])
    return to_json(told, fallback=repr).decode()


def log_as_the_environment_says() -> None:
    """Log calls to stderr where ``DRAGOMAN_LOG_CALLS`` is "1", or "content" for prompts and answers too."""
    wish = os.environ.get(_VARIABLE, "").strip().lower()
    if wish in _OFF:
        return
    if not _log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        _log.addHandler(handler)
        _log.propagate = False  # bare lines, whatever format the application gives to its own
    log_calls(content=wish == _CONTENT)
