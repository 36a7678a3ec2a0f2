"""What a turn remembers, and what is remembered of it: operations on a store's transaction.

Context is the items of all earlier turns of a chain (each turn's input, then its output) or of a
conversation, then the new input. Instructions, tools and settings are not carried over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dragoman.brackets import new_id
from dragoman.canonical import canonical_input
from dragoman.errors import BadRequestError, NotFoundError
from dragoman.state import StoredResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.state import StoredConversation, Transaction
    from dragoman.types import Item

__all__ = [
    "conversation_id",
    "find_conversation",
    "find_response",
    "needs_store",
    "recall",
    "remember",
    "with_ids",
]

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "cto",
}


_SAID = frozenset({"completed", "incomplete"})  # what failed is asked again, and must not be there twice


def needs_store(request: Mapping[str, Any]) -> bool:
    """Tell whether a request refers to something that a store keeps."""
    return request.get("previous_response_id") is not None or request.get("conversation") is not None


def conversation_id(request: Mapping[str, Any]) -> str | None:
    """Return the id of the conversation that a request belongs to; it may be given as an object."""
    value = request.get("conversation")
    return value.get("id") if isinstance(value, dict) else value


def find_response(transaction: Transaction, owner: str, response_id: str) -> StoredResponse:
    """Return a response.

    Raises:
        NotFoundError: this owner has none of that id, whoever else may.
    """
    stored = transaction.get_response(owner, response_id)
    if stored is None:
        raise NotFoundError(
            f"Response with id {response_id!r} not found.", param="response_id", code="not_found"
        )
    return stored


def find_conversation(transaction: Transaction, owner: str, wanted: str) -> StoredConversation:
    """Return a conversation.

    Raises:
        NotFoundError: this owner has none of that id.
    """
    stored = transaction.get_conversation(owner, wanted)
    if stored is None:
        raise NotFoundError(
            f"Conversation with id {wanted!r} not found.", param="conversation", code="not_found"
        )
    return stored


def recall(transaction: Transaction, owner: str, request: Mapping[str, Any]) -> list[Item]:
    """Return the items that come before a request's own input.

    Raises:
        BadRequestError: what it continues is not there, or not finished: an answer would lack its history.
        NotFoundError: there is no such conversation.
    """
    previous = request.get("previous_response_id")
    conversation = conversation_id(request)
    if previous is not None and conversation is not None:
        raise BadRequestError(
            "previous_response_id and conversation cannot both be given: each names the history",
            param="previous_response_id",
            code="mutually_exclusive",
        )
    if conversation is not None:
        find_conversation(transaction, owner, conversation)
        return list(map(_as_sent, transaction.get_items(conversation)))
    if previous is None:
        return []
    chain = transaction.get_chain(owner, previous)
    if not chain or chain[0].previous_response_id is not None:
        raise BadRequestError(
            f"Previous response with id {previous!r} not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    if not chain[-1].finished:
        raise BadRequestError(
            f"response {previous!r} is still {chain[-1].response['status']}: wait for it, or cancel it",
            param="previous_response_id",
            code="response_not_finished",
        )
    return [item for turn in chain for item in (*map(_as_sent, turn.input), *turn.response["output"])]


def _as_sent(item: Item) -> Item:
    """Return an input item as its caller sends it: the ids of what callers say mean nothing to upstreams."""
    if item["type"].endswith("_output") or item.get("role") in {"user", "system", "developer"}:
        return {name: value for name, value in item.items() if name != "id"}
    return item


def remember(
    transaction: Transaction,
    owner: str,
    request: Mapping[str, Any],
    response: dict[str, Any],
    *,
    retention: float | None,
    input_items: Sequence[Item],
    lease_until: float | None = None,
) -> None:
    """Keep a turn; one of a conversation that did not fail is appended to it.

    Raises:
        NotFoundError: the conversation was deleted meanwhile.
    """
    under_way = request.get("background") and response["status"] != "queued"
    if under_way and transaction.get_response(owner, response["id"]) is None:
        return  # deleted while it was made
    conversation = conversation_id(request)
    created_at = float(response["created_at"])
    stored = StoredResponse(
        id=response["id"],
        owner=owner,
        created_at=created_at,
        input=input_items,
        response=response,
        previous_response_id=request.get("previous_response_id"),
        conversation_id=conversation,
        expires_at=None if retention is None else time.time() + retention,
        lease_until=lease_until,
    )
    if conversation is not None and response["status"] in _SAID:
        find_conversation(transaction, owner, conversation)
        transaction.add_items(conversation, [*input_items, *response["output"]])
    transaction.put_response(stored)


def with_ids(value: Any) -> list[Item]:
    """Return a request's input as items in full form, each with an id."""
    return [
        item if item.get("id") else {**item, "id": new_id(_PREFIXES.get(item["type"], "item"))}
        for item in canonical_input(value if value is not None else [])
    ]
