"""The endpoints of ``/conversations``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman.memory import conversations as kept
from dragoman.models import validate_request
from dragoman_server.bodies import check_fields
from dragoman_server.paths import known_id
from dragoman_server.responses import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman_server.exchange import Exchange

__all__ = [
    "add_items",
    "create",
    "delete",
    "delete_item",
    "get_item",
    "list_items",
    "retrieve",
    "update",
]

_CREATED = frozenset({"items", "metadata"})
_UPDATED = frozenset({"metadata"})
_ADDED = frozenset({"items"})


async def create(exchange: Exchange) -> None:
    """``POST /conversations``."""
    given = _checked(await exchange.body(), _CREATED)
    await _operate(
        exchange,
        kept.create_conversation,
        items=given.get("items") or [],
        metadata=given.get("metadata") or {},
    )


async def retrieve(exchange: Exchange) -> None:
    """``GET /conversations/{conversation_id}``."""
    await _operate(exchange, kept.get_conversation, conversation_id=_conversation(exchange))


async def update(exchange: Exchange) -> None:
    """``POST /conversations/{conversation_id}``: its metadata are replaced."""
    conversation_id = _conversation(exchange)
    given = _checked(await exchange.body(), _UPDATED, required="metadata")
    await _operate(
        exchange, kept.update_conversation, conversation_id=conversation_id, metadata=given["metadata"]
    )


async def delete(exchange: Exchange) -> None:
    """``DELETE /conversations/{conversation_id}``."""
    await _operate(exchange, kept.delete_conversation, conversation_id=_conversation(exchange))


async def add_items(exchange: Exchange) -> None:
    """``POST /conversations/{conversation_id}/items``."""
    kept.check_include(exchange.query_list("include"))
    conversation_id = _conversation(exchange)
    given = _checked(await exchange.body(), _ADDED, required="items")
    await _operate(exchange, kept.add_items, conversation_id=conversation_id, items=given["items"])


async def list_items(exchange: Exchange) -> None:
    """``GET /conversations/{conversation_id}/items``."""
    kept.check_include(exchange.query_list("include"))
    page = page_of(exchange.query())
    await _operate(exchange, kept.list_items, conversation_id=_conversation(exchange), page=page)


async def get_item(exchange: Exchange) -> None:
    """``GET /conversations/{conversation_id}/items/{item_id}``."""
    kept.check_include(exchange.query_list("include"))
    await _operate(exchange, kept.get_item, conversation_id=_conversation(exchange), item_id=_item(exchange))


async def delete_item(exchange: Exchange) -> None:
    """``DELETE /conversations/{conversation_id}/items/{item_id}``."""
    await _operate(
        exchange, kept.delete_item, conversation_id=_conversation(exchange), item_id=_item(exchange)
    )


async def _operate(exchange: Exchange, operation: Callable[..., dict[str, Any]], **arguments: Any) -> None:
    await exchange.answer(await exchange.service.operate(operation, owner=exchange.owner.name, **arguments))


def _conversation(exchange: Exchange) -> str:
    return known_id(exchange, "conversation_id", "Conversation")


def _item(exchange: Exchange) -> str:
    return known_id(exchange, "item_id", "Item")


def _checked(
    body: Mapping[str, Any], known: frozenset[str], *, required: str | None = None
) -> dict[str, Any]:
    """Return the fields of a body, items and metadata checked as those of a request are."""
    check_fields(body, known)
    if required is not None and body.get(required) is None:
        raise BadRequestError(f"{required} is required.", param=required, code="missing_required_parameter")
    given = {name: value for name, value in body.items() if value is not None}
    items = given.get("items", [])
    if not isinstance(items, list):
        raise BadRequestError("items must be a list.", param="items", code="invalid_type")
    # As the input of a request that goes on from something: outputs of tools need no call before them.
    request = {"model": "any", "conversation": "any", "input": items}
    if "metadata" in given:
        request["metadata"] = given["metadata"]
    try:
        validate_request(request)
    except BadRequestError as error:
        if error.param is not None and error.param.startswith("input"):
            param = f"items{error.param.removeprefix('input')}"
            error.message = error.message.replace(error.param, param)
            error.param = param
        raise
    return given
