"""What a turn remembers, and what is remembered of it: operations on a store's transaction.

Context is the items of all earlier turns of a chain (each turn's input, then its output) or of a
conversation, then the new input. Instructions, tools and settings are not carried over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.attempts.history import begins_anew, from_an_answer
from dragoman.canonical import canonical_input
from dragoman.errors import BadRequestError, ConflictError, NotFoundError
from dragoman.events.brackets import new_id
from dragoman.state import StoredResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.state import StoredConversation, Transaction
    from dragoman.types import Item

__all__ = [
    "Recalled",
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
_CALLS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}

_SAID = frozenset({"completed", "incomplete"})  # what failed is asked again, and must not be there twice


class Recalled(NamedTuple):
    """What a request refers to, as it was found."""

    history: list[Item]
    """The items that come before the request's own input."""
    input: Any
    """The request's own input; where an item was only referred to, that item stands."""
    home: str | None = None
    """The id of the deployment that made what is continued: its account may be bound up with it."""

    def put_into(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request with this input."""
        return request if self.input is request.get("input") else {**request, "input": self.input}


def needs_store(request: Mapping[str, Any]) -> bool:
    """Tell whether a request refers to something that a store keeps."""
    return (
        request.get("previous_response_id") is not None
        or request.get("conversation") is not None
        or _refers(request.get("input"))
    )


def _refers(value: Any) -> bool:
    return isinstance(value, list) and any(map(_is_reference, value))


def _is_reference(item: Item) -> bool:
    type_ = item.get("type")
    return type_ == "item_reference" or (type_ is None and "role" not in item)


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


def recall(
    transaction: Transaction, owner: str, request: Mapping[str, Any], *, foreign_items: bool = False
) -> Recalled:
    """Return the items that come before a request's own input, and those that it only refers to.

    Args:
        transaction: of the store.
        owner: whose things it may refer to.
        request: validated; not changed.
        foreign_items: whether a reference to an item that is not here is the upstream's to resolve.

    Raises:
        BadRequestError: what it continues is not there, or not finished: an answer would lack its history.
            Or it answers a call that is not in its context, or refers to an item that is there already.
        NotFoundError: there is no such conversation, or no such item; `param` names the input item.
    """
    history, home = _history(transaction, owner, request)
    own = request.get("input")
    if isinstance(own, list) and _refers(own):
        own = _with_items(transaction, owner, own, history, foreign_items=foreign_items)
    continues = request.get("previous_response_id") is not None or conversation_id(request) is not None
    if continues and isinstance(own, list):
        _check_answers(own, history)
    return Recalled(history, own, home)


def _with_items(
    transaction: Transaction,
    owner: str,
    items: Sequence[Item],
    history: Sequence[Item],
    *,
    foreign_items: bool,
) -> list[Item]:
    """Return items with those in place that are only referred to."""
    there = {item["id"] for item in history if "id" in item}
    found: list[Item] = []
    for index, item in enumerate(items):
        if not _is_reference(item):
            found.append(item)
            continue
        item_id, param = item["id"], f"input[{index}]"
        if item_id in there:
            raise BadRequestError(
                f"{param} refers to {item_id!r}, which is in the history already: leave the reference out",
                param=param,
                code="duplicate_item",
            )
        kept = transaction.get_item(owner, item_id)
        if kept is None and not foreign_items:
            raise NotFoundError(
                f"{param}: Item with id {item_id!r} not found. Items are kept where responses are; "
                "send the item itself.",
                param=param,
                code="not_found",
            )
        found.append(item if kept is None else _as_sent(kept))
    return found


def _check_answers(items: Sequence[Item], history: Sequence[Item]) -> None:
    """Check that each answer of a tool belongs to a call before it, unless what is before it is hidden."""
    calls = {(item["type"], item.get("call_id")) for item in history if "type" in item}
    hidden = any(item["type"] == "compaction" for item in history)
    for index, item in enumerate(items):
        type_ = item.get("type")
        call = _CALLS.get(type_ or "")
        hidden = hidden or type_ in {"compaction", "item_reference"}
        if call and not hidden and (call, item.get("call_id")) not in calls:
            raise BadRequestError(
                f"input[{index}].call_id {item.get('call_id')!r} belongs to no {call} in the history or the "
                "input before it.",
                param=f"input[{index}].call_id",
                code="invalid_value",
            )
        calls.add((type_, item.get("call_id")))


def _history(
    transaction: Transaction, owner: str, request: Mapping[str, Any]
) -> tuple[list[Item], str | None]:
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
        return list(map(_as_sent, transaction.get_items(conversation))), None
    if previous is None:
        return [], None
    chain = transaction.get_chain(owner, previous)
    if not chain or (chain[0].previous_response_id is not None and not chain[0].begins_anew):
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
    items = _before_in_conversation(transaction, chain[0])
    for turn in chain:
        items += (*map(_as_sent, turn.input), *map(from_an_answer, turn.response["output"]))
    attempts = chain[-1].response.get("dragoman", {}).get("attempts")
    return items, attempts[-1].get("deployment") if attempts else None


def _before_in_conversation(transaction: Transaction, turn: StoredResponse) -> list[Item]:
    """Return what stood before a turn in its conversation, where it was made in one.

    Raises:
        BadRequestError: that cannot be told any more.
    """
    if turn.conversation_id is None or turn.begins_anew:
        return []
    own = {item["id"] for item in (*turn.input, *turn.response["output"])}
    items = transaction.get_items(turn.conversation_id)
    for place, item in enumerate(items):
        if item["id"] in own:
            return list(map(_as_sent, items[:place]))
    raise BadRequestError(
        f"response {turn.id!r} was made in conversation {turn.conversation_id!r}, but is no part of it now: "
        "go on with the conversation instead",
        param="previous_response_id",
        code="previous_response_not_found",
    )


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
        ConflictError: the response, made in the background, was cancelled or deleted meanwhile.
    """
    if request.get("background") and response["status"] != "queued":
        known = transaction.get_response(owner, response["id"])
        if known is None or known.finished:
            raise ConflictError(
                f"response {response['id']!r} was cancelled or deleted while it was made",
                code="response_ended",
                retryable=False,
            )
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
        begins_anew=begins_anew(response["output"]),
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
