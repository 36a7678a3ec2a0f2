"""``Router``: several deployments behind one model name, and what to do when one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from dragoman.memory.stores import opened
from dragoman.routing import Fleet, RoutingSettings, deployments_of
from dragoman.sdk.client import AsyncDragoman, Dragoman

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from dragoman.models import Response
    from dragoman.sdk.streaming import AsyncResponseStream, ResponseStream
    from dragoman.state import Store
    from dragoman.turns.arguments import CallOptions

__all__ = ["Router"]


class Router:
    """Calls by model names of your own, spread over deployments, with retries and fallbacks.

    Example::

        router = Router(
            model_list=[
                {"model_name": "chat", "litellm_params": {"model": "acme/large", "rpm": 100}},
                {"model_name": "backup", "litellm_params": {"model": "other/large"}},
            ],
            fallbacks=[{"chat": ["backup"]}],
        )
        print(router.responses(model="chat", input="Hello").output_text)

    What it knows of its deployments (limits, circuits, latencies) is shared by all its calls, sync and async;
    so is its store.
    """

    def __init__(
        self,
        model_list: Iterable[Mapping[str, Any]],
        *,
        store: Store | str | Literal[False] | None = None,
        **settings: Any,
    ) -> None:
        """Read the list and the settings.

        Args:
            model_list: mappings with `model_name`, `litellm_params` (`model`, settings of the provider,
                defaults of parameters, `weight`, `order`, `rpm`, `tpm`, `timeout` ...), perhaps `model_info`.
            store: where responses and conversations are kept (see ``Dragoman``).
            settings: as LiteLLM's router_settings: `num_retries`, `timeout`, `fallbacks`, `allowed_fails`,
                `cooldown_time`, `routing_strategy`, `stream_recovery`, ... (see ``RoutingSettings``).

        Raises:
            BadRequestError: an entry or a setting is wrong; `param` names it.
        """
        fleet = Fleet(deployments_of(model_list), RoutingSettings.of(settings, where="Router"))
        kept = opened(store)
        self.client = Dragoman(fleet=fleet, store=kept)
        """A sync client that calls by this router's model names: to stream, to retrieve, to converse."""
        self.async_client = AsyncDragoman(fleet=fleet, store=kept)
        """The same for async code."""

    def close(self) -> None:
        """Close the connections of sync calls, and the store."""
        self.client.close()

    async def aclose(self) -> None:
        """Close all connections, and the store."""
        await self.async_client.close()
        self.client.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections of sync calls, and the store."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close all connections, and the store."""
        await self.aclose()

    @overload
    def responses(self, *, stream: Literal[True], **options: Unpack[CallOptions]) -> ResponseStream: ...
    @overload
    def responses(
        self, *, stream: Literal[False] | None = ..., **options: Unpack[CallOptions]
    ) -> Response: ...
    @overload
    def responses(
        self, *, stream: bool | None, **options: Unpack[CallOptions]
    ) -> Response | ResponseStream: ...
    def responses(self, **options: Any) -> Response | ResponseStream:
        """Ask a model (see ``dragoman.responses``)."""
        return self.client.responses.create(**options)  # type: ignore[no-any-return]

    @overload
    async def aresponses(
        self, *, stream: Literal[True], **options: Unpack[CallOptions]
    ) -> AsyncResponseStream: ...
    @overload
    async def aresponses(
        self, *, stream: Literal[False] | None = ..., **options: Unpack[CallOptions]
    ) -> Response: ...
    @overload
    async def aresponses(
        self, *, stream: bool | None, **options: Unpack[CallOptions]
    ) -> Response | AsyncResponseStream: ...
    async def aresponses(self, **options: Any) -> Response | AsyncResponseStream:
        """Ask a model without blocking the event loop (see ``dragoman.aresponses``)."""
        return await self.async_client.responses.create(**options)  # type: ignore[no-any-return]
