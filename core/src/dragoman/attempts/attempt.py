"""What every question to an upstream has in common, whatever its answer: translated, authorized, refused.

The only caller of provider hooks, with what is built on it: a ``Session`` reads a response, a ``TokenCount``
a number. Without I/O; a driver (``dragoman.network.transport``) moves the bytes::

    attempt.prepare()            what to send
    attempt.authorize(...)       the same with credentials
    attempt.accept(...)          status and headers came
    attempt.feed(chunk)          bytes came; returns the events they complete, a ``Batch``
    attempt.close()              no more bytes; returns the last events, raises what was refused
    attempt.abort(error)         the connection broke; returns the events that end the answer, or raises
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from pydantic_core import from_json, to_json

from dragoman.attempts.history import continued_by, is_bound, readable_context
from dragoman.attempts.secrecy import Redactor
from dragoman.canonical import canonical_input
from dragoman.errors import APIError, BadRequestError, DragomanError, MalformedResponseError
from dragoman.hookspecs import HTTPRequest
from dragoman.parameters import apply_policy, policy_for
from dragoman.refusals import generic_refusal, refusal_error, request_id_of
from dragoman.tools import ToolNames, call_ids, rewrite_tools

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dragoman.events.batches import Batch
    from dragoman.hookspecs import Credentials, LocalAnswer, Target
    from dragoman.parameters import Unsupported
    from dragoman.providers import Provider
    from dragoman.types import Event, Item

__all__ = ["Attempt", "Extras", "excerpt", "parse_json"]

_FIRST_REFUSAL = 300  # redirects are not followed: they would carry credentials elsewhere
_STREAM_TYPE = "text/event-stream"
_REMEMBERED = frozenset({"previous_response_id", "conversation", "background", "background_options"})


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


class Attempt:
    """One question to one target. Create, prepare, feed, close; what came of it is the subclass's to say."""

    progressed = False
    """Whether the last `feed` brought the answer on; comments and keep-alive events do not."""

    def __init__(
        self,
        provider: Provider,
        target: Target,
        request: dict[str, Any],
        *,
        extras: Extras | None = None,
        unsupported: Unsupported | None = None,
        allowed: Collection[str] = (),
        history: Sequence[Item] = (),
        remembered: bool = False,
        moved: bool = False,
    ) -> None:
        """Translate-to-be; nothing is called yet.

        Args:
            provider: whose hooks to call.
            target: model and settings.
            request: the validated request of the caller; not changed.
            extras: what the caller adds to the upstream's request.
            unsupported: overrides the parameter policy (see ``apply_policy``).
            allowed: parameters that pass whatever the policy says.
            history: the items before the request's own input.
            remembered: whether dragoman has seen to what the request says of history and keeping, so that
                the upstream is not told.
            moved: whether another account than this target's made the history: what is encrypted for that one
                is left out.
        """
        self.provider = provider
        self.target = target
        self.info = provider.info_for(target)
        self.streamed = bool(request.get("stream"))
        self.url: str | None = None
        """What is called; its query may hold credentials."""
        self._request = request
        self._extras = extras or Extras()
        self._unsupported: Unsupported | None = unsupported
        self._allowed = allowed
        self._history = history
        self._remembered = remembered
        self._moved = moved
        self._redact = Redactor(target.secrets)
        self._names = ToolNames()
        self._warnings: list[dict[str, Any]] = []
        # Where the input's items stood before some were left out; None: in the history.
        self._places: list[int | None] = []
        self._body: list[bytes] = []
        self._status = 0
        self._headers: Mapping[str, str] = {}

    # ---- the request --------------------------------------------------------------------------------

    def prepare(self) -> HTTPRequest:
        """Return what to send, its body encoded; credentials are added by ``authorize`` afterwards.

        Raises:
            BadRequestError: the provider cannot take the request; `param` names the field.
        """
        table, native = self.info.parameters, self.info.native
        request = self._request
        if self._remembered:
            request = {name: value for name, value in request.items() if name not in _REMEMBERED}
        elif not native:
            self._check_that_nothing_refers_to_a_store(request)
        request, self._warnings = apply_policy(
            request,
            table,
            provider=self.provider.name,
            native=native,
            unsupported=self._unsupported,
            allowed=self._allowed,
        )
        request = self._with_readable_input(request)
        if native:
            self._names = ToolNames(known_call_ids=call_ids(request.get("input")))
        else:
            request, self._names = rewrite_tools(
                {**request, "stream": self.streamed},
                lambda feature: policy_for(feature, table, native=False).support == "native",
            )
        http = self._with_extras(self._translated(request))
        self._learn_secrets(http)
        self.url = http.url
        return http

    def _learn_secrets(self, http: HTTPRequest) -> None:
        """Let no message show what the caller has added, or what its tools and an address hold."""
        redact, extras = self._redact, self._extras
        redact.add_headers(http.headers)
        redact.add_url(http.url)
        redact.add_all(extras.headers)
        redact.add_all(extras.query)
        redact.add_fields(extras.body)
        for tool in self._request.get("tools") or ():
            if tool.get("type") == "mcp":
                redact.add_fields(tool)

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

    def _check_that_nothing_refers_to_a_store(self, request: Mapping[str, Any]) -> None:
        for name in ("previous_response_id", "conversation", "background"):
            if request.get(name):
                raise BadRequestError(
                    f"{name} needs a store of responses, and nothing is kept here: send the earlier items as "
                    "input, or let the client have a store",
                    param=name,
                    code="no_store",
                )

    def _with_readable_input(self, request: dict[str, Any]) -> dict[str, Any]:
        value = request.get("input")
        native = self.info.native
        if not self._history and not isinstance(value, list):  # nothing, or a text, which anybody can read
            if native:
                return request
            items = canonical_input(value or [])
            self._places = list(range(len(items)))
            return {**request, "input": items}
        items = list(value) if native and isinstance(value, list) else canonical_input(value or [])
        history = self._history
        if self._moved and native:
            history = [item for item in history if not is_bound(item)]
            if len(history) < len(self._history):
                self._warnings.append(
                    {
                        "message": "reasoning was left out: it is encrypted for another account than the one "
                        "that answers now",
                        "param": continued_by(self._request),
                    }
                )
        before, own = readable_context(
            history, items, self.target.author, native=native, continued=continued_by(self._request)
        )
        self._warnings.extend(before.warnings)
        self._warnings.extend(own.warnings)
        self._places = [*(None for _ in before.items), *own.places]
        return {**request, "input": [*before.items, *own.items]}

    def _ask(self, request: dict[str, Any]) -> HTTPRequest:
        """Return the upstream's request, from the hook whose answer this is to be."""
        raise NotImplementedError

    def _translated(self, request: dict[str, Any]) -> HTTPRequest:
        """Return the upstream's request; errors and warnings name places of the caller's own input.

        The translator counts only the items that it was given, without those that were left out.
        """
        try:
            http = self._ask(request)
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
        place = self._places[int(head)]
        return continued_by(self._request) if place is None else f"input[{place}]{rest}"

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
        return HTTPRequest(
            url=url, json=http.json, body=body, headers=headers, method=http.method, warnings=http.warnings
        )

    # ---- the answer ---------------------------------------------------------------------------------

    @property
    def request_id(self) -> str | None:
        """The upstream's own id of the request, by which its support knows it; None where it gave none."""
        return request_id_of(self._headers, self.provider)

    @property
    def answered(self) -> bool:
        """Whether the upstream's status has come."""
        return self._status > 0

    @property
    def accepted(self) -> bool:
        """Whether the upstream has taken the request."""
        return 0 < self._status < _FIRST_REFUSAL

    @property
    def refused(self) -> bool:
        """Whether the upstream has said no."""
        return self._status >= _FIRST_REFUSAL

    @property
    def ended(self) -> bool:
        """Whether the answer is over, whatever the connection still does."""
        return False

    @property
    def finishing(self) -> bool:
        """Whether the model has said why it stopped: only usage and the end mark are still to come."""
        return False

    def accept(self, status: int, headers: Mapping[str, str]) -> Batch:
        """Take status and headers (names in lower case); return the events that open the answer."""
        self._status, self._headers = status, headers
        return []

    def feed(self, chunk: bytes) -> Batch:
        """Take bytes of the answer; return the events that they complete."""
        self._body.append(chunk)
        return []

    def close(self) -> Batch:
        """Take the end of the bytes; return the events that end the answer.

        Raises:
            APIError: the request was refused.
        """
        raise NotImplementedError

    def abort(self, error: APIError) -> Sequence[Event]:
        """End the answer because the connection failed.

        Raises:
            APIError: the same, where the answer has no way to say so.
        """
        raise error

    def _payload(self) -> Any:
        """Return a whole answer, parsed."""
        body = b"".join(self._body)
        try:
            return parse_json(body)
        except ValueError:
            what = excerpt(body) or "nothing"
            raise self._unreadable(
                f"{self.provider.name} answered with something that is not JSON: {what}"
            ) from None

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


def _encode(body: Any) -> bytes:
    try:
        return to_json(body)
    except ValueError as problem:
        raise BadRequestError(
            f"the request cannot be written as JSON: {problem}", code="invalid_json"
        ) from problem


def parse_json(data: bytes) -> Any:
    """Return what JSON of an upstream says.

    Raises:
        ValueError: it is none.
    """
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data)  # slower, but takes half surrogate pairs


def excerpt(data: bytes, limit: int = 120) -> str:
    """Return the beginning of what an upstream said, for a message."""
    text = data[: limit + 1].decode(errors="replace")
    return text if len(text) <= limit else f"{text[:limit]}..."
