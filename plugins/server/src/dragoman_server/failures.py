"""Turns that fail or are left: what is told of them, and what is kept."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.chains import remember, with_ids
from dragoman.errors import (
    APIError,
    DragomanError,
    InternalServerError,
    ProviderError,
    ServiceUnavailableError,
    StreamInterruptedError,
)
from dragoman.snapshots import initial_response
from dragoman.stream_errors import error_event
from dragoman.turns import error_of

if TYPE_CHECKING:
    from dragoman.turns import Turn
    from dragoman.types import Event

__all__ = ["abandon", "as_api_error", "caller_left", "first_event", "server_stops"]

_log = logging.getLogger("dragoman.server")


def caller_left() -> APIError:
    """Return why a response ended whose caller is gone."""
    return StreamInterruptedError("the caller left before the response was done", code="client_disconnected")


def server_stops() -> APIError:
    """Return why a response ended when the server was stopped."""
    return ServiceUnavailableError(
        "the server is stopping; send the request again", code="server_stopping", type="server_error"
    )


def as_api_error(problem: Exception) -> APIError:
    """Return what went wrong as an error that a caller may see; what is nobody's business is logged."""
    if isinstance(problem, APIError):
        return problem
    if isinstance(problem, DragomanError):
        _log.error("%s", problem)
        return InternalServerError(str(problem), code="plugin_error", retryable=False)
    _log.error("a request failed by a defect of the server", exc_info=problem)
    return InternalServerError(
        "The server failed while it worked on the request; its log has the details, under the request id.",
        code="internal_error",
        retryable=False,
    )


def first_event(turn: Turn) -> Event:
    """Return the `response.created` of a turn that no upstream has accepted yet."""
    response = initial_response(
        turn.call.request,
        response_id=turn.response_id,
        provider=turn.call.provider.name,
        model=turn.call.target.model,
        stored=turn.stores,
    )
    return {"type": "response.created", "sequence_number": 0, "response": response}


async def abandon(
    turn: Turn, problem: APIError, *, told: int | None = None, created: Event | None = None
) -> list[Event]:
    """End a turn in the middle; keep what had arrived, where the turn is one that is stored.

    Args:
        turn: whose ``events`` are no longer read.
        problem: why.
        told: the number of the last event that the caller was sent; None: none was.
        created: the first of them, where it was ours (see ``first_event``).

    Returns:
        The events that end the response: what of it was open, the error, the failed response.
    """
    session = turn.session
    events: list[Event] = []
    if session is not None and session.closed:
        response = _failed(session.response, problem)  # whole, but it could not be told or kept
    elif session is not None and session.accepted:
        events = session.abort(problem)
        response = session.response
        await _keep(turn, response)
    elif created is not None:
        response = _failed(created["response"], problem)
        await _keep(turn, response)
    else:
        return []  # nobody has heard of it
    if not events:
        events = [error_event({}, _as_said(problem)), {"type": "response.failed", "response": response}]
    number = -1 if told is None else told
    return [{**event, "sequence_number": number + place} for place, event in enumerate(events, 1)]


async def _keep(turn: Turn, response: dict[str, Any]) -> None:
    """Remember a turn as it stands, also when the server stops meanwhile."""
    memory, request = turn.memory, turn.call.request
    if memory is None or not turn.stores:
        return
    operation = partial(
        remember,
        owner=memory.owner,
        request=request,
        response=response,
        retention=memory.retention,
        input_items=with_ids(request.get("input")),
    )
    try:
        await asyncio.shield(memory.keeper.arun(operation))
    except APIError as problem:
        _log.warning("a response that ended early could not be stored: %s", problem)


def _failed(response: dict[str, Any], problem: APIError) -> dict[str, Any]:
    return {**response, "status": "failed", "error": error_of(problem)}


def _as_said(problem: APIError) -> ProviderError:
    return ProviderError(
        message=problem.message,
        status=problem.status_code,
        type=problem.to_dict()["error"]["type"],
        code=problem.code,
        param=problem.param,
    )
