"""The API that people call: ``responses`` and ``aresponses``, and clients shaped like OpenAI's."""

from __future__ import annotations

import asyncio
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, Unpack, overload

from dragoman.memory.stores import memory_of
from dragoman.network.transport import AsyncTransport, Transport
from dragoman.parameters import full_table
from dragoman.providers import described
from dragoman.sdk.kept_resources import AsyncConversations, Conversations, present
from dragoman.sdk.resources import AsyncResponses, Responses
from dragoman.spending import spend
from dragoman.turns.arguments import CallOptions, Defaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import httpx

    from dragoman.models import Response
    from dragoman.network.timeouts import Timeout
    from dragoman.parameters import Policy, Unsupported
    from dragoman.routing import Fleet
    from dragoman.sdk.streaming import AsyncResponseStream, ResponseStream
    from dragoman.state import Spend, Store
    from dragoman.types import ObjectParam

    _Input: TypeAlias = str | Sequence[ObjectParam]

__all__ = ["AsyncDragoman", "Dragoman", "aresponses", "responses", "supported_params"]


class Dragoman:
    """A client with settings of its own; ``client.responses`` has the shape of OpenAI's.

    Example::

        with Dragoman(timeout=60) as client:
            response = client.responses.create(model="acme/large", input="Hello")
            print(response.output_text)
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        api_base: str | None = None,
        providers: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: Timeout | float | None = None,
        num_retries: int | None = None,
        unsupported: Unsupported | None = None,
        extra_headers: Mapping[str, str] | None = None,
        http_client: httpx.Client | None = None,
        store: Store | str | Literal[False] | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        """Set what holds for every call that does not say otherwise.

        Args:
            api_key: the key for every provider that is called; for more than one use `providers`.
            api_base: the same for the address.
            providers: settings by provider: ``{"acme": {"api_key": "..."}}``.
            timeout: seconds for one attempt, or a ``Timeout``.
            num_retries: how often to try again what may pass.
            unsupported: "warn" or "error", see ``CallOptions``.
            extra_headers: sent with every request.
            http_client: an ``httpx.Client`` of yours, with its proxies and certificates; you close it.
            store: where responses and conversations are kept: a URL (``sqlite:///turns.db``, with
                dragoman-sql), a store of yours, False for nowhere. None: in this client's memory.
            fleet: deployments behind model names of your own (see ``Router``, which makes one).
        """
        self._defaults = _defaults(
            providers,
            fleet,
            api_key=api_key,
            api_base=api_base,
            timeout=timeout,
            num_retries=num_retries,
            unsupported=unsupported,
            extra_headers=extra_headers,
        )
        self._transport = Transport(http_client)
        self._memory = memory_of(store)
        self.responses = Responses(self._defaults, self._transport, self._memory)
        self.conversations = Conversations(self._memory)

    def spend(
        self,
        *,
        by: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Sequence[Spend]:
        """Return what all calls took whose ledger is in this client's store, or each group of them.

        Args:
            by: what tells groups apart: any of owner, user, asked, provider, model, tag, day.
            since: Unix time of the first calls that count; None: all do.
            until: Unix time of the first that do not.
            where: values that calls must have, by these names.

        Raises:
            BadRequestError: an unknown name, or this client was made with ``store=False``.
        """
        memory = present(self._memory)
        return memory.keeper.run(partial(spend, by=by, since=since, until=until, where=where or {}))

    def close(self) -> None:
        """Close the connections, and the store."""
        self._transport.close()
        if self._memory is not None:
            self._memory.keeper.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()


class AsyncDragoman:
    """The async client: as ``Dragoman``, with ``await``."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        api_base: str | None = None,
        providers: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: Timeout | float | None = None,
        num_retries: int | None = None,
        unsupported: Unsupported | None = None,
        extra_headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
        store: Store | str | Literal[False] | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        """Set what holds for every call that does not say otherwise (see ``Dragoman``)."""
        self._defaults = _defaults(
            providers,
            fleet,
            api_key=api_key,
            api_base=api_base,
            timeout=timeout,
            num_retries=num_retries,
            unsupported=unsupported,
            extra_headers=extra_headers,
        )
        self._transport = AsyncTransport(http_client)
        self._memory = memory_of(store)
        self.responses = AsyncResponses(self._defaults, self._transport, self._memory)
        self.conversations = AsyncConversations(self._memory)

    async def spend(
        self,
        *,
        by: Sequence[str] = (),
        since: float | None = None,
        until: float | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Sequence[Spend]:
        """Return what calls took (see ``Dragoman.spend``)."""
        memory = present(self._memory)
        return await memory.keeper.arun(partial(spend, by=by, since=since, until=until, where=where or {}))

    async def close(self) -> None:
        """Close the connections, and the store."""
        await self._transport.close()
        if self._memory is not None:
            await asyncio.to_thread(self._memory.keeper.close)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()


@overload
def responses(
    input: _Input = ..., model: str = ..., /, *, stream: Literal[True], **options: Unpack[CallOptions]
) -> ResponseStream: ...
@overload
def responses(
    input: _Input = ...,
    model: str = ...,
    /,
    *,
    stream: Literal[False] | None = ...,
    **options: Unpack[CallOptions],
) -> Response: ...
@overload
def responses(
    input: _Input = ..., model: str = ..., /, *, stream: bool | None, **options: Unpack[CallOptions]
) -> Response | ResponseStream: ...
def responses(input: Any = None, model: Any = None, **options: Any) -> Response | ResponseStream:  # noqa: A002
    """Ask a model: ``dragoman.responses(model="acme/large", input="Hello")``.

    Takes every parameter of OpenAI's ``responses.create`` and those of ``CallOptions``; keys and addresses
    come from arguments, else from the provider's usual environment variables.

    Returns:
        The response; with ``stream=True`` its events as they come.

    Raises:
        APIError: the request is wrong, was refused, or failed; see ``dragoman.errors``.
    """
    return _client().responses.create(input=input, model=model, **options)  # type: ignore[no-any-return]


@overload
async def aresponses(
    input: _Input = ..., model: str = ..., /, *, stream: Literal[True], **options: Unpack[CallOptions]
) -> AsyncResponseStream: ...
@overload
async def aresponses(
    input: _Input = ...,
    model: str = ...,
    /,
    *,
    stream: Literal[False] | None = ...,
    **options: Unpack[CallOptions],
) -> Response: ...
@overload
async def aresponses(
    input: _Input = ..., model: str = ..., /, *, stream: bool | None, **options: Unpack[CallOptions]
) -> Response | AsyncResponseStream: ...
async def aresponses(
    input: Any = None,  # noqa: A002
    model: Any = None,
    **options: Any,
) -> Response | AsyncResponseStream:
    """Ask a model without blocking the event loop (see ``responses``)."""
    return await _async_client().responses.create(input=input, model=model, **options)  # type: ignore[no-any-return]


def supported_params(model_or_provider: str) -> dict[str, Policy]:
    """Return what becomes of each parameter on a provider: ``supported_params("acme")``.

    Where a provider's models differ, name one: ``supported_params("acme/large")``. The names
    are those of ``dragoman.parameters``; on a provider that speaks the Responses API itself,
    what its table does not name is native.
    """
    info = described(model_or_provider)
    return full_table(info.parameters, native=info.native)


@cache
def _client() -> Dragoman:
    return Dragoman()


@cache
def _async_client() -> AsyncDragoman:
    return AsyncDragoman()


def _defaults(
    providers: Mapping[str, Mapping[str, Any]] | None, fleet: Fleet | None, **options: Any
) -> Defaults:
    given = {name: value for name, value in options.items() if value is not None}
    if fleet is None:
        return Defaults(options=given, providers=providers or {})
    return Defaults(options=given, providers=providers or {}, fleet=fleet)
