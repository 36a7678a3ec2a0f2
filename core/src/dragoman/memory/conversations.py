"""What is asked of stored responses and conversations: operations on a store's transaction.

Each returns what the API answers, as JSON. Who asks about another owner's thing is told that it is not there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import BadRequestError, NotFoundError
from dragoman.events.brackets import new_id
from dragoman.memory.chains import find_conversation, find_response, with_ids
from dragoman.state import StoredConversation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.state import Transaction
    from dragoman.types import Item

__all__ = [
    "INCLUDABLE",
    "Page",
    "add_items",
    "check_include",
    "create_conversation",
    "delete_conversation",
    "delete_item",
    "delete_response",
    "get_conversation",
    "get_item",
    "get_response",
    "list_input_items",
    "list_items",
    "update_conversation",
]

INCLUDABLE = (
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
    "message.input_image.image_url",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
)
"""What `include` may ask for. What is kept is told whole, so it all is there wherever it was received."""
_MOST_ITEMS = 20
_LONGEST_PAGE = 100


class Page(NamedTuple):
    """Which part of a list is asked for."""

    after: str | None = None
    """The id behind which it begins."""
    limit: int = 20
    order: str = "desc"

    def of(self, items: Sequence[Item]) -> dict[str, Any]:
        """Return this part of items that are oldest first.

        Raises:
            BadRequestError: a limit or an order that there is not.
            NotFoundError: an `after` that is not in the list.
        """
        if not 1 <= self.limit <= _LONGEST_PAGE:
            raise BadRequestError(f"limit must be from 1 to {_LONGEST_PAGE}, not {self.limit}", param="limit")
        if self.order not in {"asc", "desc"}:
            raise BadRequestError(f"order must be asc or desc, not {self.order!r}", param="order")
        ordered = list(items) if self.order == "asc" else list(reversed(items))
        if self.after is not None:
            places = [place for place, item in enumerate(ordered) if item.get("id") == self.after]
            if not places:
                raise NotFoundError(
                    f"after: no item {self.after[:80]!r} in this list", param="after", code="not_found"
                )
            ordered = ordered[places[0] + 1 :]
        data = ordered[: self.limit]
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(ordered) > len(data),
        }


def check_include(include: Sequence[str]) -> None:
    """Check what a caller wants to see beside the rest.

    Raises:
        BadRequestError: something that there is not; the message names it.
    """
    for index, what in enumerate(include):
        if what not in INCLUDABLE:
            raise BadRequestError(
                f"include[{index}] cannot be {str(what)[:80]!r}: there are {', '.join(INCLUDABLE)}",
                param=f"include[{index}]",
                code="invalid_value",
            )


# ---- responses --------------------------------------------------------------------------------------


def get_response(transaction: Transaction, owner: str, response_id: str) -> dict[str, Any]:
    """Return a response as last told."""
    return find_response(transaction, owner, response_id).response


def delete_response(transaction: Transaction, owner: str, response_id: str) -> dict[str, Any]:
    """Delete a response; what continues it has lost its history."""
    find_response(transaction, owner, response_id)
    transaction.delete_response(owner, response_id)
    return {"id": response_id, "object": "response", "deleted": True}


def list_input_items(transaction: Transaction, owner: str, response_id: str, page: Page) -> dict[str, Any]:
    """Return the items that a response's own turn brought."""
    return page.of(find_response(transaction, owner, response_id).input)


# ---- conversations ----------------------------------------------------------------------------------


def create_conversation(
    transaction: Transaction,
    owner: str,
    items: Sequence[Item] = (),
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Begin a conversation."""
    named = _checked(items)
    stored = StoredConversation(
        id=new_id("conv"), owner=owner, created_at=time.time(), metadata=dict(metadata or {})
    )
    transaction.put_conversation(stored)
    transaction.add_items(stored.id, named)
    return _told(stored)


def get_conversation(transaction: Transaction, owner: str, conversation_id: str) -> dict[str, Any]:
    """Return a conversation."""
    return _told(find_conversation(transaction, owner, conversation_id))


def update_conversation(
    transaction: Transaction, owner: str, conversation_id: str, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Replace a conversation's metadata."""
    stored = find_conversation(transaction, owner, conversation_id)
    stored = StoredConversation(
        id=stored.id, owner=owner, created_at=stored.created_at, metadata=dict(metadata)
    )
    transaction.put_conversation(stored)
    return _told(stored)


def delete_conversation(transaction: Transaction, owner: str, conversation_id: str) -> dict[str, Any]:
    """Delete a conversation with its items; the responses that were made in it stay."""
    find_conversation(transaction, owner, conversation_id)
    transaction.delete_conversation(owner, conversation_id)
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


def add_items(
    transaction: Transaction, owner: str, conversation_id: str, items: Sequence[Item]
) -> dict[str, Any]:
    """Append items; return them as a list."""
    find_conversation(transaction, owner, conversation_id)
    named = _checked(items)
    transaction.add_items(conversation_id, named)
    return Page(limit=_LONGEST_PAGE, order="asc").of(named)


def list_items(transaction: Transaction, owner: str, conversation_id: str, page: Page) -> dict[str, Any]:
    """Return a page of a conversation's items."""
    find_conversation(transaction, owner, conversation_id)
    return page.of(transaction.get_items(conversation_id))


def get_item(transaction: Transaction, owner: str, conversation_id: str, item_id: str) -> Item:
    """Return an item of a conversation."""
    find_conversation(transaction, owner, conversation_id)
    for item in transaction.get_items(conversation_id):
        if item["id"] == item_id:
            return item
    raise _no_item(item_id)


def delete_item(transaction: Transaction, owner: str, conversation_id: str, item_id: str) -> dict[str, Any]:
    """Delete an item; return the conversation."""
    stored = find_conversation(transaction, owner, conversation_id)
    if not transaction.delete_item(conversation_id, item_id):
        raise _no_item(item_id)
    return _told(stored)


def _checked(items: Sequence[Item]) -> list[Item]:
    if len(items) > _MOST_ITEMS:
        raise BadRequestError(f"at most {_MOST_ITEMS} items at a time, not {len(items)}", param="items")
    return with_ids(list(items))


def _told(stored: StoredConversation) -> dict[str, Any]:
    return {
        "id": stored.id,
        "object": "conversation",
        "created_at": int(stored.created_at),
        "metadata": stored.metadata,
    }


def _no_item(item_id: str) -> NotFoundError:
    return NotFoundError(f"Item with id {item_id!r} not found.", param="item_id", code="not_found")
