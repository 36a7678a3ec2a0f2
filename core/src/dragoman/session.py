"""One attempt at one target, without I/O: request -> HTTP -> bytes -> events -> Response.

The only caller of provider hooks. A driver (``dragoman.transport``) moves the bytes::

    session.prepare()            what to send
    session.accept(...)          status and headers came
    session.feed(chunk)          bytes came; returns the events they complete
    session.close()              no more bytes; returns the last events, raises what was refused
    session.abort(error)         the connection broke; returns the events that end the response

For any split of the bytes the events are the same.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from pydantic_core import from_json, to_json

from dragoman.brackets import new_id
from dragoman.canonical import canonical_input
from dragoman.decoding import StreamDecodeError, decoder_for
from dragoman.errors import APIError, BadRequestError, DragomanError, MalformedResponseError, ProviderError
from dragoman.history import readable_history
from dragoman.hookspecs import HTTPRequest, StreamEvent
from dragoman.output import Output
from dragoman.parameters import apply_policy, policy_for
from dragoman.refusals import generic_refusal, refusal_error
from dragoman.relay import Relay
from dragoman.secrecy import Redactor
from dragoman.snapshots import initial_response
from dragoman.tools import ToolNames, rewrite_tools

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dragoman.decoding import Decoder, RawEvent
    from dragoman.hookspecs import Credentials, LocalAnswer, Target
    from dragoman.parameters import Unsupported
    from dragoman.providers import Provider
    from dragoman.types import Event

__all__ = ["Extras", "Session"]

_FIRST_REFUSAL = 300  # redirects are not followed: they would carry credentials elsewhere
_STREAM_TYPE = "text/event-stream"
_DONE = b"[DONE]"


class Extras:
    """What a caller adds to the upstream's request beside the Responses API: headers, query, body fields."""

    __slots__ = ("body", "headers", "query")

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        self.headers = {name.lower(): value for name, value in (headers or {}).items() if value is not None}
        self.query = dict(query or {})
        self.body = dict(body or {})


class Session:
    """One attempt. Create, prepare, feed; then `response` is what the caller gets."""

    def __init__(
        self,
        provider: Provider,
        target: Target,
        request: dict[str, Any],
        *,
        extras: Extras | None = None,
        unsupported: Unsupported | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        """Translate-to-be; nothing is called yet.

        Args:
            provider: whose hooks to call.
            target: model and settings.
            request: the validated request of the caller; not changed.
            extras: what the caller adds to the upstream's request.
            unsupported: overrides the parameter policy (see ``apply_policy``).
            allowed: parameters that pass whatever the policy says.
        """
        self.provider = provider
        self.target = target
        self.streamed = bool(request.get("stream"))
        self.progressed = False
        """Whether the last `feed` brought the answer on; comments and keep-alive events do not."""
        self._request = request
        self._extras = extras or Extras()
        self._unsupported: Unsupported | None = unsupported
        self._allowed = allowed
        self._redact = Redactor(target.secrets)
        self._answer: Output | Relay | None = None
        self._names = ToolNames()
        self._warnings: list[dict[str, Any]] = []
        self._places: list[int] = []  # where the input's items stood before some were left out
        self._decoder: Decoder | None = None
        self._body: list[bytes] = []
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._closed = False

    # ---- the request --------------------------------------------------------------------------------

    def prepare(self) -> HTTPRequest:
        """Return what to send, its body encoded; credentials are added by ``authorize`` afterwards.

        Raises:
            BadRequestError: the provider cannot take the request; `param` names the field.
        """
        provider = self.provider
        table = provider.info.parameters
        request, self._warnings = apply_policy(
            self._request,
            table,
            provider=provider.name,
            native=provider.native,
            unsupported=self._unsupported,
            allowed=self._allowed,
        )
        request = self._with_readable_input(request)
        if not provider.native:
            request, self._names = rewrite_tools(
                {**request, "stream": self.streamed},
                lambda feature: policy_for(feature, table, native=False).support == "native",
            )
        http = self._with_extras(self._translated(request))
        self._redact.add_headers(http.headers)
        return http

    @property
    def loads_credentials(self) -> bool:
        """Whether ``load_credentials`` may block."""
        return self.provider.loads_credentials and self.cached_credentials() is None

    def cached_credentials(self) -> Credentials | None:
        """Return credentials that an earlier call has loaded and that are still good."""
        return self.provider.cached_credentials(self.target)

    def load_credentials(self) -> Credentials | None:
        """Return what the provider's own credential chain finds; None where it has none. May block."""
        if not self.provider.loads_credentials:
            return None
        return cast(
            "Credentials | None", self._call("load_credentials", self.provider.load_credentials, self.target)
        )

    def authorize(self, http: HTTPRequest, credentials: Credentials | None) -> HTTPRequest:
        """Return the request as it is to be sent; from now on no message shows what was added."""
        http = self._call("authorize", self.provider.authorize, http, self.target, credentials)
        self._redact.add_headers(http.headers)
        return http

    def answer_locally(self, http: HTTPRequest) -> LocalAnswer | None:
        """Return the answer of a provider that needs no network."""
        return cast(
            "LocalAnswer | None",
            self._call("answer_locally", self.provider.answer_locally, http, self.target),
        )

    def _with_readable_input(self, request: dict[str, Any]) -> dict[str, Any]:
        value = request.get("input")
        native = self.provider.native
        if value is None or (native and isinstance(value, str)):
            return request if native else {**request, "input": []}
        items = list(value) if native else canonical_input(value)
        history = readable_history(items, self.provider.name, native=native)
        self._warnings.extend(history.warnings)
        self._places = history.places
        return {**request, "input": history.items}

    def _translated(self, request: dict[str, Any]) -> HTTPRequest:
        """Return the upstream's request; errors and warnings name places of the caller's own input.

        The translator counts only the items that it was given, without those that were left out.
        """
        try:
            http: HTTPRequest = self._call(
                "translate_request", self.provider.translate_request, request, self.target
            )
        except BadRequestError as error:
            place = self._callers_place(error.param)
            if error.param and place and place != error.param:
                error.message = error.message.replace(error.param, place)
                error.args = (error.message,)
                error.param = place
            raise
        self._warnings.extend(
            {**warning, "param": self._callers_place(warning.get("param"))} for warning in http.warnings
        )
        return http

    def _callers_place(self, param: str | None) -> str | None:
        head, bracket, rest = (param or "").removeprefix("input[").partition("]")
        if not bracket or not head.isdecimal() or int(head) >= len(self._places):
            return param
        return f"input[{self._places[int(head)]}]{rest}"

    def _with_extras(self, http: HTTPRequest) -> HTTPRequest:
        url, body, headers = http.url, http.body, dict(http.headers)
        extras = self._extras
        if extras.query:
            url += ("&" if "?" in url else "?") + urlencode(extras.query, doseq=True)
        if http.json is not None:
            body = _encode({**http.json, **extras.body} if extras.body else http.json)
            headers.setdefault("content-type", "application/json")
        headers.setdefault("accept", _STREAM_TYPE if self.streamed else "application/json")
        for name, value in extras.headers.items():
            # Headers that list beta features are joined: a caller's feature must not switch the plugin's off.
            own = headers.get(name) if name.endswith("-beta") else None
            headers[name] = f"{own},{value}" if own else value
        return replace(http, url=url, body=body, headers=headers)

    # ---- the answer ---------------------------------------------------------------------------------

    @property
    def response(self) -> dict[str, Any]:
        """The Response so far; final once the session is closed."""
        return self._started().response

    @property
    def answered(self) -> bool:
        """Whether the upstream's status has come."""
        return self._status > 0

    @property
    def accepted(self) -> bool:
        """Whether the upstream has taken the request."""
        return 0 < self._status < _FIRST_REFUSAL

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
    def error(self) -> APIError | None:
        """Why the response failed, as the exception to raise; None where it did not."""
        failure = self._answer.error if self._answer is not None else None
        if failure is None:
            return None
        return refusal_error(failure, self._headers, self._redact, provider=self.provider, target=self.target)

    def accept(self, status: int, headers: Mapping[str, str]) -> list[Event]:
        """Take status and headers (names in lower case); return the events that open the response."""
        self._status = status
        self._headers = headers
        if status >= _FIRST_REFUSAL:
            return []
        content_type = headers.get("content-type", "")
        self._decoder = decoder_for(content_type)
        if self._decoder is None and self.streamed and "json" not in content_type:
            self._decoder = decoder_for(
                _STREAM_TYPE
            )  # servers and recorders that forget to say what they send
        self._started().begin()
        return self._started().take_events()

    def feed(self, chunk: bytes) -> list[Event]:
        """Take bytes of the answer; return the events that they complete."""
        if self._decoder is None:
            self._body.append(chunk)
            self.progressed = False
            return []
        try:
            raw_events = self._decoder.feed(chunk)
        except StreamDecodeError as problem:
            return self._malformed(str(problem))
        return self._take(raw_events)

    def close(self) -> list[Event]:
        """Take the end of the bytes; return the events that end the response.

        Raises:
            APIError: the request was refused.
        """
        if self._closed:
            return []
        if self._status >= _FIRST_REFUSAL:
            raise self._refusal()
        events: list[Event] = []
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
        return events + self._complete()

    def abort(self, error: APIError) -> list[Event]:
        """End the response because the connection failed; what arrived stays in it."""
        if self._closed:
            return []
        answer = self._started()
        if answer.error is None:
            answer.error = _as_said(error)
        return self._complete()

    def _take(self, raw_events: list[RawEvent]) -> list[Event]:
        answer = self._started()
        finishing = self.finishing
        handle = self.provider.handle_stream_event
        for raw in raw_events:
            if answer.ended:
                break
            data = raw.data
            if not data:
                continue
            if data == _DONE:
                answer.ended = answer.finish_reason is not None
                continue
            try:
                payload = from_json(data)
            except ValueError:
                try:
                    payload = json.loads(data)  # slower, but takes half surrogate pairs
                except ValueError:
                    return self._malformed(f"an event of the stream is not JSON: {_excerpt(data)}")
            if isinstance(answer, Relay):
                answer.event(payload)
            else:
                try:
                    handle(StreamEvent(raw.type, payload, raw.is_exception), answer, self.target)
                except APIError as problem:  # should have been output.fail, and means the same
                    answer.fail(_as_said(problem))
                except Exception as problem:
                    return self._malformed(f"{self._fault('handle_stream_event', problem)}: {_excerpt(data)}")
        events = self._take_events()
        self.progressed = bool(events) or self.finishing != finishing
        return events

    def _read_whole(self) -> None:
        body = b"".join(self._body)
        try:
            payload = json.loads(body)
        except ValueError:
            what = _excerpt(body) or "nothing"
            raise self._unreadable(
                f"{self.provider.name} answered with something that is not JSON: {what}"
            ) from None
        answer = self._started()
        if isinstance(answer, Relay):
            answer.whole(payload)
        else:
            self._call("parse_response", self.provider.parse_response, payload, answer, self.target)

    def _complete(self) -> list[Event]:
        self._closed = True
        answer = self._started()
        if answer.error is not None:
            answer.error = self._redact.error(answer.error)
        answer.complete()
        return self._take_events()

    def _take_events(self) -> list[Event]:
        answer = self._started()
        events = answer.take_events()
        if answer.error is not None:  # a native upstream's own words are in them
            for event in events:
                if event["type"] == "error":
                    event.update(self._redact.json(event))
                elif event["type"] == "response.failed":
                    event["response"]["error"] = self._redact.json(event["response"].get("error"))
        return events

    def _malformed(self, message: str) -> list[Event]:
        answer = self._started()
        events = answer.take_events()
        if answer.error is None:
            answer.error = ProviderError(message=message, status=502, code="malformed_stream")
        answer.ended = True
        return events

    def _refusal(self) -> APIError:
        body = b"".join(self._body)
        target = self.target
        said = None
        try:
            said = self.provider.parse_error(self._status, self._headers, body, target)
        except Exception as problem:
            # What the upstream meant counts more than the plugin's defect: its status decides on retries.
            generic = generic_refusal(self._status, body)
            said = replace(generic, message=f"{generic.message} ({self._fault('parse_error', problem)})")
        said = said or generic_refusal(self._status, body)
        return refusal_error(
            said, self._headers, self._redact, provider=self.provider, target=target, body=body
        )

    # ---- helpers ------------------------------------------------------------------------------------

    def _started(self) -> Output | Relay:
        if self._answer is None:
            response = initial_response(
                self._request,
                response_id=new_id("resp"),
                provider=self.provider.name,
                model=self.target.model,
                warnings=self._warnings,
            )
            self._answer = Relay(response) if self.provider.native else Output(response, self._names)
        return self._answer

    def _call(self, hook: str, function: Any, *arguments: Any) -> Any:
        """Call a hook; what it raises by accident becomes an error that names the plugin, not the caller."""
        try:
            return function(*arguments)
        except APIError as error:
            error.provider = error.provider or self.provider.name
            error.model = error.model or self.target.model
            error.message = self._redact(error.message)
            error.args = (error.message,)
            raise
        except DragomanError:
            raise
        except Exception as problem:
            fault = self._unreadable(self._fault(hook, problem))
            fault.retryable = False  # the same request would meet the same defect
            raise fault from problem

    def _fault(self, hook: str, problem: Exception) -> str:
        return (
            f"{self.provider.origin} failed in {hook} ({type(problem).__name__}: {problem}); "
            "this is a defect of the plugin, please report it"
        )

    def _unreadable(self, message: str) -> MalformedResponseError:
        return MalformedResponseError(
            self._redact(message),
            provider=self.provider.name,
            model=self.target.model,
            code="malformed_response",
        )


def _as_said(error: APIError) -> ProviderError:
    """Return an exception as the description that ends a response."""
    return ProviderError(
        message=error.message,
        status=error.status_code,
        type=error.type,
        code=error.code,
        param=error.param,
        retry_after=error.retry_after,
    )


def _encode(body: Any) -> bytes:
    try:
        return to_json(body)
    except ValueError as problem:
        raise BadRequestError(
            f"the request cannot be written as JSON: {problem}", code="invalid_json"
        ) from problem


def _excerpt(data: bytes, limit: int = 120) -> str:
    text = data[: limit + 1].decode(errors="replace")
    return text if len(text) <= limit else f"{text[:limit]}..."
