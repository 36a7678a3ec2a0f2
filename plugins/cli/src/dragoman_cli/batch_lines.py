"""The lines of a batch, as OpenAI's Batch API has them: requests that are read, answers that are written."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from dragoman.errors import APIConnectionError, APIError, DragomanError
from dragoman.turns.arguments import Defaults, prepare_call
from dragoman.types import CallParameters
from dragoman_cli.answers import wire
from dragoman_cli.exits import USAGE, UsageError, exit_code

if TYPE_CHECKING:
    from pathlib import Path

    from dragoman import Response

__all__ = ["Problem", "Request", "answered", "failed", "parse_object", "read_requests"]

_FIELDS = frozenset({"custom_id", "method", "url", "body"})
_URL = "/v1/responses"
_PARAMETERS = frozenset(CallParameters.__annotations__)


class Request(NamedTuple):
    """A line that can be asked."""

    custom_id: str
    text: bytes
    """The line as it came: parsed, a large file would take many times its size."""
    model: str

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the call."""
        body = json.loads(self.text)["body"]
        return {name: body[name] for name in _PARAMETERS & body.keys()} | {"model": self.model}


class Problem(NamedTuple):
    """Why a line cannot be asked."""

    number: int
    """The line's, from 1."""
    message: str
    code: int = USAGE
    """The exit code: another than this where the line is well, but nobody can be asked so."""


def read_requests(path: Path, model: str | None) -> tuple[dict[str, Request], list[Problem]]:
    """Return the requests of a file by their custom_id, in order, and what is wrong with other lines.

    Args:
        path: the file.
        model: the model to ask, whatever the lines say; None: theirs, else ``$DRAGOMAN_MODEL``.

    Raises:
        UsageError: the file cannot be read, or has no lines.
    """
    requests: dict[str, Request] = {}
    problems: list[Problem] = []
    numbers: dict[str, int] = {}
    models: dict[str, Problem | None] = {}
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror or problem}") from problem
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            request = _request(text, model)
            earlier = numbers.setdefault(request.custom_id, number)
            if earlier != number:
                raise ValueError(f"custom_id {request.custom_id!r} is that of line {earlier} too")
        except ValueError as problem:
            problems.append(Problem(number, str(problem)))
            continue
        if request.model not in models:
            models[request.model] = _model_problem(request.model)
        if (found := models[request.model]) is not None:
            problems.append(found._replace(number=number))
        requests[request.custom_id] = request
    if not requests and not problems:
        raise UsageError(f"{path} has no lines: there is nothing to ask")
    return requests, problems


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that a line is.

    Raises:
        ValueError: it is none.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as problem:
        raise ValueError(f"it is not JSON: {problem.msg} (column {problem.colno})") from None
    except ValueError as problem:
        raise ValueError(f"it is not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _request(text: bytes, model: str | None) -> Request:
    line = parse_object(text)
    custom_id, method, url, body = (line.get(name) for name in ("custom_id", "method", "url", "body"))
    if unknown := line.keys() - _FIELDS:
        raise ValueError(f"{min(unknown)} is not a field of a line: {', '.join(sorted(_FIELDS))}")
    if not isinstance(custom_id, str) or not custom_id:
        raise ValueError("custom_id must be a string, another one on every line")
    if method != "POST":
        raise ValueError(f'method must be "POST", not {json.dumps(method)}')
    if url != _URL:
        raise ValueError(f'url must be "{_URL}", not {json.dumps(url)}')
    if not isinstance(body, dict):
        raise ValueError("body must be an object: the parameters of the call")
    for name in ("stream", "background"):
        if body.get(name):
            raise ValueError(f"body.{name} must be left out: a line of a batch waits for its whole answer")
    # A file is data, and often somebody else's: addresses, keys and the like are for who runs the command.
    if unknown := body.keys() - _PARAMETERS - {"stream"}:
        raise ValueError(f"body.{min(unknown)} is not a parameter of POST {_URL}")
    asked = model or body.get("model") or os.environ.get("DRAGOMAN_MODEL")
    if not isinstance(asked, str) or not asked:
        raise ValueError('body.model must be a string "provider/model", or use -m or $DRAGOMAN_MODEL')
    return Request(custom_id, text, asked)


def _model_problem(model: str) -> Problem | None:
    """Return why nobody can be asked for a model: no plugin, no key."""
    try:
        prepare_call(Defaults(), {"model": model, "input": "Hello"})  # sends nothing
    except DragomanError as problem:
        return Problem(0, str(problem), exit_code(problem))
    return None


# ---- answers ----------------------------------------------------------------------------------------


def answered(custom_id: str, response: Response) -> dict[str, Any]:
    """Return the line of an answer."""
    attempts = response.dragoman.attempts if response.dragoman else []
    return _line(custom_id, 200, wire(response), attempts[-1].request_id if attempts else None)


def failed(custom_id: str, error: Exception) -> dict[str, Any]:
    """Return the line of a failure.

    What an HTTP server would have answered is a `response` with its status; where there was no answer, or
    it was no call that failed, there is an `error`.
    """
    if isinstance(error, APIError) and error.response is not None and error.response.output:  # what arrived
        return _line(custom_id, error.status_code, wire(error.response), error.request_id)
    if isinstance(error, APIError) and not isinstance(error, APIConnectionError):
        return _line(custom_id, error.status_code, error.to_dict(), error.request_id)
    code = getattr(error, "code", None) or type(error).__name__
    return {**_line(custom_id), "error": {"code": code, "message": str(error)}}


def _line(
    custom_id: str,
    status: int | None = None,
    body: dict[str, Any] | None = None,
    request_id: str | None = None,
) -> dict[str, Any]:
    token = secrets.token_hex(12)
    # The format wants a request_id, and not every upstream gives one.
    response = {"status_code": status, "request_id": request_id or f"req_{token}", "body": body}
    return {
        "id": f"batch_req_{token}",
        "custom_id": custom_id,
        "response": None if body is None else response,
        "error": None,
    }
