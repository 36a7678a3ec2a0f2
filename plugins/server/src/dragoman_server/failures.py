"""Turns that fail or are left: what is told of them, and what is kept."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from dragoman.errors import (
    APIError,
    DragomanError,
    InternalServerError,
    ServiceUnavailableError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.turns.turn import Turn
    from dragoman.types import Event

__all__ = ["abandon", "as_api_error", "caller_left", "server_stops"]

_LEFT = "client_disconnected"
_log = logging.getLogger("dragoman.server")


def caller_left() -> APIError:
    """Return why a response ended whose caller is gone."""
    return StreamInterruptedError("the caller left before the response was done", code=_LEFT)


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


async def abandon(turn: Turn, problem: APIError) -> Sequence[Event]:
    """End a turn in the middle; keep what had arrived, also when the server stops meanwhile.

    Returns:
        The events that end the response, for whoever still listens.
    """
    concluded = turn.response is not None
    ending = turn.interrupt(problem, "cancelled" if problem.code == _LEFT else "failed")
    try:
        await asyncio.shield(turn.settle() if concluded else turn.keep())
    except APIError as lost:
        _log.warning("a response that ended early could not be stored: %s", lost)
    return ending
