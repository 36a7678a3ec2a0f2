"""One attempt at a response, without I/O: request -> HTTP -> bytes -> events -> Response.

For any split of the bytes the events are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.attempts.attempt import Attempt, excerpt, parse_json
from dragoman.decoding import StreamDecodeError, decoder_for
from dragoman.decoding.sse import SSEDecoder
from dragoman.errors import APIError, ProviderError
from dragoman.events.batches import RawEvents, events_of, has_content
from dragoman.events.brackets import new_id
from dragoman.events.snapshots import initial_response
from dragoman.events.stream_errors import as_said
from dragoman.hookspecs import StreamEvent
from dragoman.output import Output
from dragoman.refusals import refusal_error
from dragoman.relay.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.decoding import Decoder, RawEvent
    from dragoman.events.batches import Batch
    from dragoman.hookspecs import HTTPRequest
    from dragoman.types import Event

__all__ = ["Session"]

_PIECE = 2048  # bytes of a native stream, to begin with
_STREAM_TYPE = "text/event-stream"
_DONE = b"[DONE]"
# What of a response is dragoman's to say where dragoman remembers it, whatever an upstream says.
_OURS = ("id", "created_at", "previous_response_id", "conversation", "store", "background")


class Session(Attempt):
    """An attempt whose answer is a response. Create, prepare, feed; then `response` is the caller's."""

    _answer: Output | Relay | None = None
    _decoder: Decoder | None = None
    _closed = False
    ending: list[Event]
    """Of an answer that failed the last events: what was open is closed, the error, the failed response."""

    def __init__(
        self,
        *arguments: Any,
        response_id: str | None = None,
        stored: bool = False,
        created_at: int | None = None,
        quiet: bool = False,
        **more: Any,
    ) -> None:
        """Translate-to-be; nothing is called yet.

        Args:
            arguments: see ``Attempt``.
            response_id: the id of the response; None: a fresh one, or a native upstream's own.
            stored: whether the response will be found under it.
            created_at: Unix time of the response; None: when the attempt's answer begins.
            quiet: whether nobody reads the events that lead to the response.
            more: see ``Attempt``.
        """
        super().__init__(*arguments, remembered=response_id is not None, **more)
        self._response_id = response_id
        self._stored = stored
        self.ending = []
        self._created_at = created_at
        self._quiet = quiet

    def _ask(self, request: dict[str, Any]) -> HTTPRequest:
        http: HTTPRequest = self._call(
            "translate_request", self.provider.translate_request, request, self.target
        )
        return http

    @property
    def response(self) -> dict[str, Any]:
        """The Response so far; final once the session is closed."""
        return self._started().response

    @property
    def closed(self) -> bool:
        """Whether the response has its end; nothing follows."""
        return self._closed

    @property
    def ended(self) -> bool:
        """Whether the answer is over, whatever the connection still does."""
        return self._answer is not None and self._answer.ended

    @property
    def finishing(self) -> bool:
        """Whether the model has said why it stopped: only usage and the end mark are still to come."""
        return self._answer is not None and self._answer.finish_reason is not None

    @property
    def failing(self) -> bool:
        """Whether the answer has failed; what still comes of it is its end."""
        return self._answer is not None and self._answer.error is not None

    @property
    def error(self) -> APIError | None:
        """Why the response failed, as the exception to raise; None where it did not."""
        failure = self._answer.error if self._answer is not None else None
        if failure is None:
            return None
        return refusal_error(failure, self._headers, self._redact, provider=self.provider, target=self.target)

    def accept(self, status: int, headers: Mapping[str, str]) -> Batch:
        """Take status and headers (names in lower case); return the events that open the response."""
        super().accept(status, headers)
        if self.refused:
            return []
        content_type = headers.get("content-type", "")
        self._decoder = decoder_for(content_type)
        if self._decoder is None and self.streamed and "json" not in content_type:
            self._decoder = decoder_for(_STREAM_TYPE)  # for servers that forget to say what they send
        self._started().begin()
        return self._started().take_events()

    def feed(self, chunk: bytes) -> Batch:
        """Take bytes of the answer; return the events that they complete."""
        if self._decoder is None:
            return super().feed(chunk)
        answer, decoder = self._answer, self._decoder
        if not isinstance(answer, Relay) or not isinstance(decoder, SSEDecoder):
            return self._decoded(chunk)
        events: list[Event | RawEvents] = []
        progressed = False
        piece = _PIECE
        while True:  # by the piece: once one delta of a value was read, those behind it need not be
            if not answer.ended:
                chunk = decoder.pass_over(chunk, answer.take_bytes)
            events.extend(self._decoded(chunk[:piece]))
            progressed = progressed or self.progressed
            chunk = chunk[piece:]
            piece *= 2
            if not chunk:
                self.progressed = progressed
                return events

    def _decoded(self, chunk: bytes) -> Batch:
        try:
            raw_events = self._decoder.feed(chunk)  # type: ignore[union-attr]
        except StreamDecodeError as problem:
            return self._malformed(str(problem))
        return self._take(raw_events)

    def close(self) -> Batch:
        """Take the end of the bytes; return the events that end the response.

        Raises:
            APIError: the request was refused.
        """
        if self._closed:
            return []
        if self.refused:
            raise self._refusal()
        events: Batch = []
        if self._decoder is None:
            try:
                self._read_whole()
            except APIError as problem:
                return self.abort(problem)
        elif not self.ended:
            try:
                events = self._take(self._decoder.close())
            except StreamDecodeError as problem:
                events = self._malformed(str(problem))
        return [*events, *self._complete()]

    def abort(self, error: APIError) -> Sequence[Event]:
        """End the response because the connection failed; what arrived stays in it."""
        if self._closed:
            return []
        answer = self._started()
        if answer.error is None:
            answer.error = as_said(error)
        return list(events_of(self._complete()))

    def _take(self, raw_events: list[RawEvent]) -> Batch:
        answer = self._started()
        finishing, failing = self.finishing, self.failing
        handle = self.provider.handle_stream_event
        place = before = 0
        while place < len(raw_events) and not answer.ended:
            if isinstance(answer, Relay) and (taken := answer.take_run(raw_events, place)):
                place += taken
                continue
            raw = raw_events[place]
            place += 1
            if answer.error is None:
                before = answer.pending
            data = raw.data
            if not data:
                continue
            if data == _DONE:
                answer.ended = answer.finish_reason is not None
                continue
            try:
                payload = parse_json(data)
            except ValueError:
                return self._malformed(f"an event of the stream is not JSON: {excerpt(data)}")
            if isinstance(answer, Relay):
                answer.event(payload, data)
            else:
                try:
                    handle(StreamEvent(raw.type, payload, raw.is_exception), answer, self.target)
                except APIError as problem:  # should have been output.fail, and means the same
                    answer.fail(as_said(problem))
                except Exception as problem:
                    return self._malformed(f"{self._fault('handle_stream_event', problem)}: {excerpt(data)}")
        events = self._take_events()
        if self.failing:
            self.ending += events_of(events if failing else events[before:])
        self.progressed = self.finishing != finishing or has_content(events)
        return events

    def _read_whole(self) -> None:
        payload = self._payload()
        answer = self._started()
        if isinstance(answer, Relay):
            answer.whole(payload, quiet=self._quiet)
        else:
            self._call("parse_response", self.provider.parse_response, payload, answer, self.target)

    def _complete(self) -> Batch:
        self._closed = True
        answer = self._started()
        if answer.error is not None:
            answer.error = self._redact.error(answer.error)
        events = self._take_events()
        answer.complete()
        last = self._take_events()
        if self.failing:
            self.ending += events_of(last)
        return [*events, *last]

    def _take_events(self) -> Batch:
        answer = self._started()
        events = answer.take_events()
        if answer.error is not None:  # a native upstream's own words are in them
            for event in events:
                if isinstance(event, RawEvents):
                    continue
                if event["type"] == "error":
                    event.update(self._redact.json(event))
                elif event["type"] == "response.failed":
                    event["response"]["error"] = self._redact.json(event["response"].get("error"))
        return events

    def _malformed(self, message: str) -> Batch:
        answer = self._started()
        events = answer.take_events()
        if answer.error is None:
            answer.error = ProviderError(message=message, status=502, code="malformed_stream")
        answer.ended = True
        return events

    def _started(self) -> Output | Relay:
        if self._answer is None:
            response = initial_response(
                self._request,
                response_id=self._response_id or new_id("resp"),
                stored=self._stored,
                created_at=self._created_at,
                provider=self.provider.name,
                model=self.target.model,
                warnings=self._warnings,
            )
            if self.info.native:
                self._answer = Relay(response, self._names, own=_OURS if self._response_id else ())
            else:
                # A stream's events are the progress by which its time is measured, whoever reads them.
                quiet = self._quiet and self._decoder is None
                self._answer = Output(response, self._names, quiet=quiet)
        return self._answer
