"""What hangs off a client: ``client.responses``, shaped like OpenAI's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from dragoman.attempts.token_counts import count_tokens, no_counter
from dragoman.compaction.attempt import COMPACTION_FIELDS
from dragoman.compaction.endpoint import compact
from dragoman.errors import BadRequestError
from dragoman.memory import conversations as kept
from dragoman.models import CompactedResponse, InputTokenCount, Response, parse_response
from dragoman.network.drivers import AsyncDriver, BlockingDriver, at_once
from dragoman.network.transport import AsyncTransport, Transport
from dragoman.sdk.kept_resources import AsyncInputItems, InputItems, arun, run
from dragoman.sdk.streaming import AsyncResponseStream, ResponseStream
from dragoman.turns.arguments import CallOptions, Defaults, begin_journey
from dragoman.turns.errands import Errand
from dragoman.turns.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.attempts.call import Call
    from dragoman.network.drivers import Driver
    from dragoman.turns.turn import Memory

__all__ = ["AsyncResponses", "Responses"]


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
        stream = self._prepared(options).open()
        return stream if options.get("stream") else stream.get_final_response()

    def stream(self, **options: Unpack[CallOptions]) -> ResponseStream:
        """Ask a model and read its events: ``with client.responses.stream(...) as stream``."""
        return self._prepared({**options, "stream": True})

    def parse(self, **options: Unpack[CallOptions]) -> Response:
        """Ask for an answer of a form: `text_format` is a pydantic model, `output_parsed` an instance."""
        stream = self._prepared({**options, "stream": None})
        return stream.get_final_response()

    def compact(self, **options: Unpack[CallOptions]) -> CompactedResponse:
        """Make a conversation's window short: by the provider, or by a summary of the same model.

        Takes `model`, `input`, `previous_response_id`, `instructions`, and options of the call. The items of
        `output` are the next call's input, beside what is new.

        Raises:
            BadRequestError: there is nothing to compact, or a parameter that means nothing here.
            APIError: it was refused, or failed; see ``dragoman.errors``.
        """
        journey = begin_journey(self._defaults, {"input": [], **options})
        call = _to_compact(journey.call)
        transport = self._transport if call.http_client is None else Transport(call.http_client)
        with Errand("compact", journey, self._memory) as errand:
            return CompactedResponse.model_validate(at_once(compact(errand, BlockingDriver(transport))))

    def retrieve(self, response_id: str, *, include: Sequence[str] = ()) -> Response:
        """Return a response that was stored, with all that it has; `include` leaves nothing out.

        Raises:
            NotFoundError: there is none of that id.
        """
        kept.check_include(include)
        return parse_response(run(self._memory, kept.get_response, response_id=response_id))

    def delete(self, response_id: str) -> None:
        """Delete a response with its input; what continues it has lost its history (see ``retrieve``)."""
        run(self._memory, kept.delete_response, response_id=response_id)

    def _prepared(self, options: Mapping[str, Any]) -> ResponseStream:
        journey = begin_journey(self._defaults, _in_the_foreground(options))
        client = journey.call.http_client
        transport = self._transport if client is None else Transport(client)
        return ResponseStream(Turn(journey, BlockingDriver(transport), self._memory))


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
        journey = begin_journey(self._defaults, options)
        client = journey.call.http_client
        transport = self._transport if client is None else Transport(client)
        with Errand("input_tokens", journey, self._memory) as errand:
            return at_once(_count(errand, BlockingDriver(transport)))


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
        stream = await self._prepared(options).open()
        return stream if options.get("stream") else await stream.get_final_response()

    def stream(self, **options: Unpack[CallOptions]) -> AsyncResponseStream:
        """Ask a model and read its events: ``async with client.responses.stream(...) as stream``."""
        return self._prepared({**options, "stream": True})

    async def parse(self, **options: Unpack[CallOptions]) -> Response:
        """Ask for an answer of a form (see ``Responses.parse``)."""
        stream = self._prepared({**options, "stream": None})
        return await stream.get_final_response()

    async def compact(self, **options: Unpack[CallOptions]) -> CompactedResponse:
        """Make a conversation's window short (see ``Responses.compact``)."""
        journey = begin_journey(self._defaults, {"input": [], **options})
        call = _to_compact(journey.call)
        transport = self._transport if call.http_client is None else AsyncTransport(call.http_client)
        with Errand("compact", journey, self._memory) as errand:
            return CompactedResponse.model_validate(await compact(errand, AsyncDriver(transport)))

    async def retrieve(self, response_id: str, *, include: Sequence[str] = ()) -> Response:
        """Return a response that was stored (see ``Responses.retrieve``)."""
        kept.check_include(include)
        return parse_response(await arun(self._memory, kept.get_response, response_id=response_id))

    async def delete(self, response_id: str) -> None:
        """Delete a response (see ``Responses.delete``)."""
        await arun(self._memory, kept.delete_response, response_id=response_id)

    def _prepared(self, options: Mapping[str, Any]) -> AsyncResponseStream:
        journey = begin_journey(self._defaults, _in_the_foreground(options))
        client = journey.call.http_client
        transport = self._transport if client is None else AsyncTransport(client)
        return AsyncResponseStream(Turn(journey, AsyncDriver(transport), self._memory))


class AsyncInputTokens:
    """``client.responses.input_tokens`` of the async client."""

    def __init__(self, defaults: Defaults, transport: AsyncTransport, memory: Memory | None) -> None:
        self._defaults = defaults
        self._transport = transport
        self._memory = memory

    async def count(self, **options: Unpack[CallOptions]) -> InputTokenCount:
        """Ask the provider's own counter (see ``InputTokens.count``)."""
        journey = begin_journey(self._defaults, options)
        client = journey.call.http_client
        transport = self._transport if client is None else AsyncTransport(client)
        with Errand("input_tokens", journey, self._memory) as errand:
            return await _count(errand, AsyncDriver(transport))


async def _count(errand: Errand, driver: Driver) -> InputTokenCount:
    count = await count_tokens(errand, await errand.recall(driver), driver)
    if count is None:
        raise no_counter(errand.journey.call.target)
    return InputTokenCount(input_tokens=count)


def _in_the_foreground(options: Mapping[str, Any]) -> Mapping[str, Any]:
    if options.get("background"):
        raise BadRequestError(
            "background work goes on without its caller, so it needs a process that stays: a server "
            "(dragoman serve). Here, leave background out and run the call in a thread or task of yours",
            param="background",
            code="background_needs_a_server",
        )
    return options


def _to_compact(call: Call) -> Call:
    for name in call.request:
        if name not in COMPACTION_FIELDS:
            raise BadRequestError(
                f"{name} means nothing to a compaction, which takes {', '.join(sorted(COMPACTION_FIELDS))}",
                param=name,
                code="unknown_parameter",
            )
    return call
