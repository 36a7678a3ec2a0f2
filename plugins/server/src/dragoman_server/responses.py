"""The endpoints of ``/responses``: made, streamed, found, followed, cancelled, deleted."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIStatusError, BadRequestError
from dragoman.memory import conversations as kept
from dragoman.memory.conversations import Page
from dragoman_server.attendance import Attendance
from dragoman_server.bodies import check_entries
from dragoman_server.exchange import plain_headers, query_flag, query_number
from dragoman_server.failures import abandon, as_api_error, caller_left, server_stops
from dragoman_server.paths import known_id
from dragoman_server.streams import stream_events, stream_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.turns.turn import Turn
    from dragoman_server.admissions import Admission
    from dragoman_server.exchange import Exchange

__all__ = ["cancel", "create", "delete", "list_input_items", "page_of", "retrieve", "upgrade"]

_UNFINISHED = frozenset({"queued", "in_progress"})


async def create(exchange: Exchange) -> None:
    """``POST /responses``."""
    service = exchange.service
    body = await exchange.body()
    check_entries(body, service.limits)
    admission = service.admission(exchange.owner)
    turn = service.turn(body, admission)
    await admission.admit_turn(turn)
    exchange.standing = admission.headers
    if turn.request.get("background"):
        await _begin(exchange, turn, admission)
        return
    exchange.journey = turn.journey
    try:
        if turn.request.get("stream"):
            await stream_turn(exchange, turn)
        else:
            response = await whole(exchange, turn)
            cost = response["dragoman"]["cost"]
            told = plain_headers({"x-dragoman-cost": cost and cost["total"]})
            await exchange.answer(response, 200, *told)
    finally:
        await admission.leave_turn(turn)


async def _begin(exchange: Exchange, turn: Turn, admission: Admission) -> None:
    """Begin a response in the background, and follow it where that is asked for."""
    service = exchange.service
    leave = partial(admission.leave_turn, turn)
    try:
        queued = await service.background.start(turn, over=leave)
    except BaseException:
        await leave()
        raise
    if turn.request.get("stream"):
        memory = service.memory(exchange.owner)
        await stream_events(exchange, service.background.events(memory, turn.response_id))
    else:
        await exchange.answer(queued)


async def whole(exchange: Exchange, turn: Turn) -> dict[str, Any]:
    """Carry out a turn; return its response. The caller's leaving ends it.

    Raises:
        APIError: it was refused, or failed.
        CancelledError: the caller has left.
    """
    async with Attendance(exchange.receive) as attendance:
        try:
            async with aclosing(turn.batches()) as batches:
                async for _ in batches:
                    pass
        except asyncio.CancelledError:
            problem = caller_left() if attendance.gone else server_stops()
            await abandon(turn, problem)
            if attendance.gone:
                raise
            raise problem from None
    if turn.error is not None:
        raise as_api_error(turn.error)
    assert turn.response is not None  # noqa: S101 - its events have been read
    return turn.response


async def retrieve(exchange: Exchange) -> None:
    """``GET /responses/{id}``; its events, if `stream` is true."""
    query, response_id = exchange.query(), known_id(exchange, "response_id", "Response")
    kept.check_include(exchange.query_list("include"))
    service, owner = exchange.service, exchange.owner
    after = query_number(query, "starting_after", -1)
    if after is None or after < -1:
        raise BadRequestError(f"starting_after must be at least -1, not {after}.", param="starting_after")
    if not query_flag(query, "stream"):
        await exchange.answer(
            await service.operate(kept.get_response, owner=owner.name, response_id=response_id)
        )
        return
    events = service.background.events(service.memory(owner), response_id, after=after)
    await stream_events(exchange, events)


async def delete(exchange: Exchange) -> None:
    """``DELETE /responses/{id}``; one that is still being made is cancelled first."""
    response_id = known_id(exchange, "response_id", "Response")
    service, owner = exchange.service, exchange.owner
    found = await service.operate(kept.get_response, owner=owner.name, response_id=response_id)
    if found["status"] in _UNFINISHED:
        await service.background.cancel(service.memory(owner), response_id)
    await exchange.answer(
        await service.operate(kept.delete_response, owner=owner.name, response_id=response_id)
    )


async def cancel(exchange: Exchange) -> None:
    """``POST /responses/{id}/cancel``."""
    response_id = known_id(exchange, "response_id", "Response")
    service = exchange.service
    await exchange.answer(await service.background.cancel(service.memory(exchange.owner), response_id))


async def list_input_items(exchange: Exchange) -> None:
    """``GET /responses/{id}/input_items``."""
    response_id = known_id(exchange, "response_id", "Response")
    kept.check_include(exchange.query_list("include"))
    listed = await exchange.service.operate(
        kept.list_input_items,
        owner=exchange.owner.name,
        response_id=response_id,
        page=page_of(exchange.query()),
    )
    await exchange.answer(listed)


async def upgrade(exchange: Exchange) -> None:
    """``GET /responses``: a WebSocket elsewhere; clients that hear 426 go on over HTTP at once."""
    wanted = exchange.headers.get(b"upgrade", b"").lower() == b"websocket"
    error = APIStatusError(
        "WebSocket is off on this server: use POST with stream: true."
        if wanted
        else "GET needs the id of a response: /responses/{id}. POST makes one.",
        status_code=426 if wanted else 405,
        code="websocket_off" if wanted else "method_not_allowed",
        type="invalid_request_error",
    )
    await exchange.refuse(error, (b"allow", b"POST"))


def page_of(query: Mapping[str, str]) -> Page:
    """Return the page that a query asks for."""
    limit = query_number(query, "limit", 20)
    return Page(query.get("after") or None, 20 if limit is None else limit, query.get("order", "desc"))
