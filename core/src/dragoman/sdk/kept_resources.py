"""What hangs off a client and reads what is kept: conversations, and the input items of responses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.errors import BadRequestError
from dragoman.memory import conversations as kept
from dragoman.memory.conversations import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dragoman.turns.turn import Memory
    from dragoman.types import Item

__all__ = ["AsyncConversations", "AsyncInputItems", "Conversations", "InputItems", "arun", "present", "run"]

_Result = TypeVar("_Result")


class InputItems:
    """``client.responses.input_items``."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def list(
        self,
        response_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: str = "desc",
        include: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return a page of the items that a response's own turn brought."""
        kept.check_include(include)
        return run(
            self._memory, kept.list_input_items, response_id=response_id, page=Page(after, limit, order)
        )


class Conversations:
    """``client.conversations``."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self.items = ConversationItems(memory)

    def create(
        self, *, items: Sequence[Item] = (), metadata: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Begin a conversation, with up to 20 items."""
        return run(self._memory, kept.create_conversation, items=items, metadata=metadata)

    def retrieve(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation: its id and metadata."""
        return run(self._memory, kept.get_conversation, conversation_id=conversation_id)

    def update(self, conversation_id: str, *, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the metadata."""
        return run(self._memory, kept.update_conversation, conversation_id=conversation_id, metadata=metadata)

    def delete(self, conversation_id: str) -> dict[str, Any]:
        """Delete a conversation with its items."""
        return run(self._memory, kept.delete_conversation, conversation_id=conversation_id)


class ConversationItems:
    """``client.conversations.items``."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def create(
        self, conversation_id: str, *, items: Sequence[Item], include: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Append up to 20 items."""
        kept.check_include(include)
        return run(self._memory, kept.add_items, conversation_id=conversation_id, items=items)

    def list(
        self,
        conversation_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: str = "desc",
        include: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return a page of the items."""
        kept.check_include(include)
        return run(
            self._memory, kept.list_items, conversation_id=conversation_id, page=Page(after, limit, order)
        )

    def retrieve(self, item_id: str, *, conversation_id: str, include: Sequence[str] = ()) -> dict[str, Any]:
        """Return one item."""
        kept.check_include(include)
        return run(self._memory, kept.get_item, conversation_id=conversation_id, item_id=item_id)

    def delete(self, item_id: str, *, conversation_id: str) -> dict[str, Any]:
        """Delete one item; return the conversation."""
        return run(self._memory, kept.delete_item, conversation_id=conversation_id, item_id=item_id)


class AsyncInputItems:
    """``client.responses.input_items`` of the async client."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    async def list(
        self,
        response_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: str = "desc",
        include: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return a page of the items that a response's own turn brought."""
        kept.check_include(include)
        return await arun(
            self._memory, kept.list_input_items, response_id=response_id, page=Page(after, limit, order)
        )


class AsyncConversations:
    """``client.conversations`` of the async client."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self.items = AsyncConversationItems(memory)

    async def create(
        self, *, items: Sequence[Item] = (), metadata: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Begin a conversation, with up to 20 items."""
        return await arun(self._memory, kept.create_conversation, items=items, metadata=metadata)

    async def retrieve(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation: its id and metadata."""
        return await arun(self._memory, kept.get_conversation, conversation_id=conversation_id)

    async def update(self, conversation_id: str, *, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the metadata."""
        return await arun(
            self._memory, kept.update_conversation, conversation_id=conversation_id, metadata=metadata
        )

    async def delete(self, conversation_id: str) -> dict[str, Any]:
        """Delete a conversation with its items."""
        return await arun(self._memory, kept.delete_conversation, conversation_id=conversation_id)


class AsyncConversationItems:
    """``client.conversations.items`` of the async client."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    async def create(
        self, conversation_id: str, *, items: Sequence[Item], include: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Append up to 20 items."""
        kept.check_include(include)
        return await arun(self._memory, kept.add_items, conversation_id=conversation_id, items=items)

    async def list(
        self,
        conversation_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: str = "desc",
        include: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return a page of the items."""
        kept.check_include(include)
        return await arun(
            self._memory, kept.list_items, conversation_id=conversation_id, page=Page(after, limit, order)
        )

    async def retrieve(
        self, item_id: str, *, conversation_id: str, include: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return one item."""
        kept.check_include(include)
        return await arun(self._memory, kept.get_item, conversation_id=conversation_id, item_id=item_id)

    async def delete(self, item_id: str, *, conversation_id: str) -> dict[str, Any]:
        """Delete one item; return the conversation."""
        return await arun(self._memory, kept.delete_item, conversation_id=conversation_id, item_id=item_id)


def run(memory: Memory | None, operation: Callable[..., _Result], **arguments: Any) -> _Result:
    """Carry out an operation on what a client keeps.

    Raises:
        BadRequestError: it keeps nothing.
    """
    memory = present(memory)
    return memory.keeper.run(partial(operation, owner=memory.owner, **arguments))


async def arun(memory: Memory | None, operation: Callable[..., _Result], **arguments: Any) -> _Result:
    """Carry out an operation without blocking the event loop (see ``run``)."""
    memory = present(memory)
    return await memory.keeper.arun(partial(operation, owner=memory.owner, **arguments))


def present(memory: Memory | None) -> Memory:
    """Return what a client keeps things in.

    Raises:
        BadRequestError: it keeps nothing.
    """
    if memory is None:
        raise BadRequestError("this client keeps nothing: it was made with store=False", code="no_store")
    return memory
