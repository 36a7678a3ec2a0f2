"""The API that people call: ``responses`` and ``aresponses``, and clients shaped like OpenAI's."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, Unpack, overload

from dragoman.calls import CallOptions, Defaults, prepare_call
from dragoman.models import InputTokenCount
from dragoman.parameters import full_table
from dragoman.providers import described
from dragoman.streaming import AsyncResponseStream, ResponseStream
from dragoman.transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import httpx

    from dragoman.calls import Call
    from dragoman.models import Response
    from dragoman.parameters import Policy, Unsupported
    from dragoman.timeouts import Timeout
    from dragoman.types import ObjectParam

    _Input: TypeAlias = str | Sequence[ObjectParam]

__all__ = ["AsyncDragoman", "Dragoman", "aresponses", "responses", "supported_params"]


class Dragoman:
    """A client with settings of its own; ``client.responses`` has the shape of OpenAI's.

    Example::

        with Dragoman(timeout=60) as client:
            response = client.responses.create(model="anthropic/claude-sonnet-4-5", input="Hello")
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
    ) -> None:
        """Set what holds for every call that does not say otherwise.

        Args:
            api_key: the key for every provider that is called; for more than one use `providers`.
            api_base: the same for the address.
            providers: settings by provider: ``{"anthropic": {"api_key": "..."}}``.
            timeout: seconds for a whole call, or a ``Timeout``.
            num_retries: how often to try again what may pass.
            unsupported: "warn" or "error", see ``CallOptions``.
            extra_headers: sent with every request.
            http_client: an ``httpx.Client`` of yours, with its proxies and certificates; you close it.
        """
        self._defaults = _defaults(
            providers,
            api_key=api_key,
            api_base=api_base,
            timeout=timeout,
            num_retries=num_retries,
            unsupported=unsupported,
            extra_headers=extra_headers,
        )
        self._transport = Transport(http_client)
        self.responses = Responses(self._defaults, self._transport)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

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
    ) -> None:
        """Set what holds for every call that does not say otherwise (see ``Dragoman``)."""
        self._defaults = _defaults(
            providers,
            api_key=api_key,
            api_base=api_base,
            timeout=timeout,
            num_retries=num_retries,
            unsupported=unsupported,
            extra_headers=extra_headers,
        )
        self._transport = AsyncTransport(http_client)
        self.responses = AsyncResponses(self._defaults, self._transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()


class Responses:
    """``client.responses``."""

    def __init__(self, defaults: Defaults, transport: Transport) -> None:
        self._defaults = defaults
        self._transport = transport
        self.input_tokens = InputTokens(defaults, transport)

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

    def _prepared(self, options: Mapping[str, Any]) -> tuple[Call, ResponseStream]:
        call = prepare_call(self._defaults, options)
        transport = self._transport if call.http_client is None else Transport(call.http_client)
        return call, ResponseStream(call, transport)


class InputTokens:
    """``client.responses.input_tokens``."""

    def __init__(self, defaults: Defaults, transport: Transport) -> None:
        self._defaults = defaults
        self._transport = transport

    def count(self, **options: Unpack[CallOptions]) -> InputTokenCount:
        """Ask the provider's own counter how many tokens the input of a call would have; nothing is run.

        Raises:
            BadRequestError: the provider has no counter for the model, or cannot take the request.
            APIError: it was refused, or failed; see ``dragoman.errors``.
        """
        call = prepare_call(self._defaults, options)
        transport = self._transport if call.http_client is None else Transport(call.http_client)
        counted = call.token_count()
        for _ in transport.events(counted, call.timeout):
            pass  # a count has no events
        return InputTokenCount(input_tokens=counted.input_tokens)


class AsyncResponses:
    """``client.responses`` of the async client."""

    def __init__(self, defaults: Defaults, transport: AsyncTransport) -> None:
        self._defaults = defaults
        self._transport = transport
        self.input_tokens = AsyncInputTokens(defaults, transport)

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

    def _prepared(self, options: Mapping[str, Any]) -> tuple[Call, AsyncResponseStream]:
        call = prepare_call(self._defaults, options)
        transport = self._transport if call.http_client is None else AsyncTransport(call.http_client)
        return call, AsyncResponseStream(call, transport)


class AsyncInputTokens:
    """``client.responses.input_tokens`` of the async client."""

    def __init__(self, defaults: Defaults, transport: AsyncTransport) -> None:
        self._defaults = defaults
        self._transport = transport

    async def count(self, **options: Unpack[CallOptions]) -> InputTokenCount:
        """Ask the provider's own counter (see ``InputTokens.count``)."""
        call = prepare_call(self._defaults, options)
        transport = self._transport if call.http_client is None else AsyncTransport(call.http_client)
        counted = call.token_count()
        async for _ in transport.events(counted, call.timeout):
            pass  # a count has no events
        return InputTokenCount(input_tokens=counted.input_tokens)


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
    """Ask a model: ``dragoman.responses(model="anthropic/claude-sonnet-4-5", input="Hello")``.

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
    """Return what becomes of each parameter on a provider: ``supported_params("anthropic")``.

    Where a provider's models differ, name one: ``supported_params("vertex_ai/claude-sonnet-5")``. The names
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


def _defaults(providers: Mapping[str, Mapping[str, Any]] | None, **options: Any) -> Defaults:
    given = {name: value for name, value in options.items() if value is not None}
    return Defaults(options=given, providers=providers or {})
