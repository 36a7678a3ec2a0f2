"""Ids that callers send: what cannot be one of ours is not looked up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError, NotFoundError
from dragoman.memory.chains import conversation_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_server.exchange import Exchange

__all__ = ["check_history", "known_id"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def known_id(exchange: Exchange, name: str, what: str) -> str:
    """Return an id of the path.

    Raises:
        NotFoundError: nothing has such an id; told as of any other that is not there.
    """
    value = str(exchange.path[name])
    if not _ID.fullmatch(value):
        raise NotFoundError(f"{what} with id {value[:80]!r} not found.", param=name, code="not_found")
    return value


def check_history(request: Mapping[str, Any]) -> None:
    """Check the ids by which a request names its history, as ``known_id`` does.

    Raises:
        BadRequestError: nothing has such a previous_response_id.
        NotFoundError: nothing has such a conversation.
    """
    previous, conversation = request.get("previous_response_id"), conversation_id(request)
    if previous is not None and not _ID.fullmatch(previous):
        raise BadRequestError(
            f"Previous response with id {previous[:80]!r} not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    if conversation is not None and not _ID.fullmatch(conversation):
        raise NotFoundError(
            f"Conversation with id {conversation[:80]!r} not found.", param="conversation", code="not_found"
        )
