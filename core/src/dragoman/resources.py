"""What hangs off a client: ``client.responses``, ``client.conversations``, shaped like OpenAI's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from dragoman import conversations as kept
from dragoman.calls import CallOptions, Defaults, prepare_call
from dragoman.chains import recall
from dragoman.conversations import Page
from dragoman.errors import BadRequestError
from dragoman.models import InputTokenCount, Response, parse_response
from dragoman.streaming import AsyncResponseStream, ResponseStream
from dragoman.transport import AsyncTransport, Transport
from dragoman.turns import AsyncDriver, BlockingDriver, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dragoman.calls import Call
    from dragoman.turns import Memory
    from dragoman.types import Item

__all__ = ["AsyncConversations", "AsyncResponses", "Conversations", "Responses"]

_Result = TypeVar("_Result")


class Responses:
    """``client.responses``."""

    def __init__(self, defaults: Defaults, transport: Transport, memory: Memory | None) -> None:
        self._defaults = defaults
        self._transport = transport
        self._memory = memory
        self.input_items = InputItems(memory)
        self.input_tokens = InputTokens(defaults, transport, memory)

    @overload
    def create(self, *, stream: Literal[True], **options: Unpack[CallOptions]) -> ResponseStream: ...
    @overload
    def create(self, *, stream: Literal[False] | None = ..., **options: Unpack[CallOptions]) -> Response: ...
    @overload
    def create(self, *, stream: bool | None, **options: Unpack[CallOptions]) -> Response | ResponseStream: ...
    def create(self, **options: Any) -> Response | ResponseStream:
        """Ask a model. Every parameter of OpenAI's ``responses.create``, and those of ``CallOptions``.

        Returns:
            The response; with ``stream=True`` its events as they come.

        Raises:
            APIError: the request is wrong, was refused, or failed; see ``dragoman.errors``.
        """
        call, stream = self._prepared(options)
        stream.open()
        return stream if call.request.get("stream") else stream.get_final_response()

    def stream(self, **options: Unpack[CallOptions]) -> ResponseStream:
        """Ask a model and read its events: ``with client.responses.stream(...) as stream``."""
        _, stream = self._prepared({**options, "stream": True})
        return stream

    def parse(self, **options: Unpack[CallOptions]) -> Response:
        """Ask for an answer of a form: `text_format` is a pydantic model, `output_parsed` an instance."""
        _, stream = self._prepared({**options, "stream": None})
        return stream.get_final_response()

    def retrieve(self, response_id: str) -> Response:
        """Return a response that was stored.

        Raises:
            NotFoundError: there is none of that id.
        """
        return parse_response(_run(self._memory, kept.get_response, response_id=response_id))

    def delete(self, response_id: str) -> None:
        """Delete a response with its input; what continues it has lost its history (see ``retrieve``)."""
        _run(self._memory, kept.delete_response, response_id=response_id)

    def _prepared(self, options: Mapping[str, Any]) -> tuple[Call, ResponseStream]:
        call = _in_the_foreground(prepare_call(self._defaults, options))
        transport = self._transport if call.http_client is None else Transport(call.http_client)
        return call, ResponseStream(Turn(call, BlockingDriver(transport), self._memory))


class InputTokens:
    """``client.responses.input_tokens``."""

    def __init__(self, defaults: Defaults, transport: Transport, memory: Memory | None) -> None:
        self._defaults = defaults
        self._transport = transport
        self._memory = memory

    def count(self, **options: Unpack[CallOptions]) -> InputTokenCount:
        """Ask the provider's own counter how many tokens the input of a call would have; nothing is run.

        Raises:
            BadRequestError: the provider has no counter for the model, or cannot take the request.
            APIError: it was refused, or failed; see ``dragoman.errors``.
        """
        call = prepare_call(self._defaults, options)
        transport = self._transport if call.http_client is None else Transport(call.http_client)
        history = _run(self._memory, recall, request=call.request) if self._memory is not None else ()
        counted = call.token_count(history=history, remembered=self._memory is not None)
        for _ in transport.events(counted, call.timeout):
            pass  # a count has no events
        return InputTokenCount(input_tokens=counted.input_tokens)


class AsyncResponses:
    """``client.responses`` of the async client."""

    def __init__(self, defaults: Defaults, transport: AsyncTransport, memory: Memory | None) -> None:
        self._defaults = defaults
        self._transport = transport
        self._memory = memory
        self.input_items = AsyncInputItems(memory)
        self.input_tokens = AsyncInputTokens(defaults, transport, memory)

    @overload
    async def create(
        self, *, stream: Literal[True], **options: Unpack[CallOptions]
    ) -> AsyncResponseStream: ...
    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **options: Unpack[CallOptions]
    ) -> Response: ...
    @overload
    async def create(
        self, *, stream: bool | None, **options: Unpack[CallOptions]
    ) -> Response | AsyncResponseStream: ...
    async def create(self, **options: Any) -> Response | AsyncResponseStream:
        """Ask a model (see ``Responses.create``)."""
        call, stream = self._prepared(options)
        await stream.open()
        return stream if call.request.get("stream") else await stream.get_final_response()

    def stream(self, **options: Unpack[CallOptions]) -> AsyncResponseStream:
        """Ask a model and read its events: ``async with client.responses.stream(...) as stream``."""
        _, stream = self._prepared({**options, "stream": True})
        return stream

    async def parse(self, **options: Unpack[CallOptions]) -> Response:
        """Ask for an answer of a form (see ``Responses.parse``)."""
        _, stream = self._prepared({**options, "stream": None})
        return await stream.get_final_response()

    async def retrieve(self, response_id: str) -> Response:
        """Return a response that was stored (see ``Responses.retrieve``)."""
        return parse_response(await _arun(self._memory, kept.get_response, response_id=response_id))

    async def delete(self, response_id: str) -> None:
        """Delete a response (see ``Responses.delete``)."""
        await _arun(self._memory, kept.delete_response, response_id=response_id)

    def _prepared(self, options: Mapping[str, Any]) -> tuple[Call, AsyncResponseStream]:
        call = _in_the_foreground(prepare_call(self._defaults, options))
        transport = self._transport if call.http_client is None else AsyncTransport(call.http_client)
        return call, AsyncResponseStream(Turn(call, AsyncDriver(transport), self._memory))


class AsyncInputTokens:
    """``client.responses.input_tokens`` of the async client."""

    def __init__(self, defaults: Defaults, transport: AsyncTransport, memory: Memory | None) -> None:
        self._defaults = defaults
        self._transport = transport
        self._memory = memory

    async def count(self, **options: Unpack[CallOptions]) -> InputTokenCount:
        """Ask the provider's own counter (see ``InputTokens.count``)."""
        call = prepare_call(self._defaults, options)
        transport = self._transport if call.http_client is None else AsyncTransport(call.http_client)
        history = await _arun(self._memory, recall, request=call.request) if self._memory is not None else ()
        counted = call.token_count(history=history, remembered=self._memory is not None)
        async for _ in transport.events(counted, call.timeout):
            pass  # a count has no events
        return InputTokenCount(input_tokens=counted.input_tokens)


class InputItems:
    """``client.responses.input_items``."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def list(
        self, response_id: str, *, after: str | None = None, limit: int = 20, order: str = "desc"
    ) -> dict[str, Any]:
        """Return a page of the items that a response's own turn brought."""
        return _run(
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
        return _run(self._memory, kept.create_conversation, items=items, metadata=metadata)

    def retrieve(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation: its id and metadata."""
        return _run(self._memory, kept.get_conversation, conversation_id=conversation_id)

    def update(self, conversation_id: str, *, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the metadata."""
        return _run(
            self._memory, kept.update_conversation, conversation_id=conversation_id, metadata=metadata
        )

    def delete(self, conversation_id: str) -> dict[str, Any]:
        """Delete a conversation with its items."""
        return _run(self._memory, kept.delete_conversation, conversation_id=conversation_id)


class ConversationItems:
    """``client.conversations.items``."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def create(self, conversation_id: str, *, items: Sequence[Item]) -> dict[str, Any]:
        """Append up to 20 items."""
        return _run(self._memory, kept.add_items, conversation_id=conversation_id, items=items)

    def list(
        self, conversation_id: str, *, after: str | None = None, limit: int = 20, order: str = "desc"
    ) -> dict[str, Any]:
        """Return a page of the items."""
        return _run(
            self._memory, kept.list_items, conversation_id=conversation_id, page=Page(after, limit, order)
        )

    def retrieve(self, item_id: str, *, conversation_id: str) -> dict[str, Any]:
        """Return one item."""
        return _run(self._memory, kept.get_item, conversation_id=conversation_id, item_id=item_id)

    def delete(self, item_id: str, *, conversation_id: str) -> dict[str, Any]:
        """Delete one item; return the conversation."""
        return _run(self._memory, kept.delete_item, conversation_id=conversation_id, item_id=item_id)


class AsyncInputItems:
    """``client.responses.input_items`` of the async client."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    async def list(
        self, response_id: str, *, after: str | None = None, limit: int = 20, order: str = "desc"
    ) -> dict[str, Any]:
        """Return a page of the items that a response's own turn brought."""
        return await _arun(
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
        return await _arun(self._memory, kept.create_conversation, items=items, metadata=metadata)

    async def retrieve(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation: its id and metadata."""
        return await _arun(self._memory, kept.get_conversation, conversation_id=conversation_id)

    async def update(self, conversation_id: str, *, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the metadata."""
        return await _arun(
            self._memory, kept.update_conversation, conversation_id=conversation_id, metadata=metadata
        )

    async def delete(self, conversation_id: str) -> dict[str, Any]:
        """Delete a conversation with its items."""
        return await _arun(self._memory, kept.delete_conversation, conversation_id=conversation_id)


class AsyncConversationItems:
    """``client.conversations.items`` of the async client."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    async def create(self, conversation_id: str, *, items: Sequence[Item]) -> dict[str, Any]:
        """Append up to 20 items."""
        return await _arun(self._memory, kept.add_items, conversation_id=conversation_id, items=items)

    async def list(
        self, conversation_id: str, *, after: str | None = None, limit: int = 20, order: str = "desc"
    ) -> dict[str, Any]:
        """Return a page of the items."""
        return await _arun(
            self._memory, kept.list_items, conversation_id=conversation_id, page=Page(after, limit, order)
        )

    async def retrieve(self, item_id: str, *, conversation_id: str) -> dict[str, Any]:
        """Return one item."""
        return await _arun(self._memory, kept.get_item, conversation_id=conversation_id, item_id=item_id)

    async def delete(self, item_id: str, *, conversation_id: str) -> dict[str, Any]:
        """Delete one item; return the conversation."""
        return await _arun(self._memory, kept.delete_item, conversation_id=conversation_id, item_id=item_id)


def _in_the_foreground(call: Call) -> Call:
    if call.request.get("background"):
        raise BadRequestError(
            "background work goes on without its caller, so it needs a process that stays: a server "
            "(dragoman serve). Here, leave background out and run the call in a thread or task of yours",
            param="background",
            code="background_needs_a_server",
        )
    return call


def _run(memory: Memory | None, operation: Callable[..., _Result], **arguments: Any) -> _Result:
    memory = _present(memory)
    return memory.keeper.run(partial(operation, owner=memory.owner, **arguments))


async def _arun(memory: Memory | None, operation: Callable[..., _Result], **arguments: Any) -> _Result:
    memory = _present(memory)
    return await memory.keeper.arun(partial(operation, owner=memory.owner, **arguments))


def _present(memory: Memory | None) -> Memory:
    if memory is None:
        raise BadRequestError("this client keeps nothing: it was made with store=False", code="no_store")
    return memory
