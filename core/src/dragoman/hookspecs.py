"""The contract between core and a provider plugin.

A provider is a package with one entry point::

    [project.entry-points."dragoman.providers"]
    acme = "dragoman_acme"

The name is the prefix of its models (``acme/large``); the value is a module, or an object, with functions
that are marked ``@hookimpl`` and named as below. Every hook is pure and synchronous: it translates data and
does no I/O, so that sync and async clients, the server and the tests drive the same code. The exception is
``load_credentials``, which may ask files, processes and token services, and is therefore never called on an
event loop.

What core does for every provider, so that no plugin has to: sending, decoding (SSE, NDJSON, AWS event
streams), ids, brackets and sequence numbers, the parameter policy, canonical input, custom tools, namespaces
and allowed tools on wires that only have functions, timeouts, retries, errors' classes, redaction.

A type checker proves a whole plugin at once::

    import dragoman_acme
    from dragoman.hookspecs import ProviderModule

    plugin: ProviderModule = dragoman_acme

(A module with an ``__all__`` shows the checker only what is in it: list the hooks, or leave it out.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output
    from dragoman.parameters import Policy

__all__ = [
    "SPEC_VERSION",
    "Compacted",
    "Credentials",
    "HTTPRequest",
    "LocalAnswer",
    "NativeProviderModule",
    "ProviderInfo",
    "ProviderModule",
    "ProviderSpec",
    "Setting",
    "StreamEvent",
    "Target",
    "hookimpl",
    "hookspec",
]

SPEC_VERSION = 1
"""The version of this contract. Trailing arguments and optional hooks are added without raising it."""

hookspec = pluggy.HookspecMarker("dragoman")
hookimpl = pluggy.HookimplMarker("dragoman")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing a provider can be configured with: a key, a base URL, a region."""

    name: str
    """The keyword that callers and config files use: ``api_key``, ``api_base``, ``api_version`` ..."""
    env: tuple[str, ...] = ()
    """Environment variables that hold it, the first that is set wins."""
    default: str | None = None
    required: bool = False
    """Without a value the call fails before any traffic, with an error that names `name` and `env`."""
    secret: bool = False
    """Never shown in a repr, message or log."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """What core and users must know of a provider before it is called."""

    name: str
    """The model prefix; the same as the entry point's name."""
    spec_version: int
    """The version of the contract that the plugin was written for: a literal number, not ``SPEC_VERSION``."""
    wire: str
    """``"responses"``: the upstream speaks the Responses API and core relays its answers. Else the name of
    the upstream's own API, for people: ``"messages"``, ``"converse"``."""
    settings: tuple[Setting, ...] = ()
    parameters: Mapping[str, Policy] = field(default_factory=dict)
    """The parameter policy (see ``dragoman.parameters``). What is absent is rejected on a translated wire
    and passed through on a native one."""
    models: tuple[str, ...] = ()
    """Some well-known models, newest first, for ``dragoman models``. Not a limit."""
    author: str = ""
    """In whose name state is sealed, and who can read it: the provider's, unless its models speak several
    wires that cannot read each other's (see ``model_info``)."""
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id")
    documentation: str = ""
    """Where users read on: the URL of the upstream's reference, or whatever leads there."""

    @property
    def native(self) -> bool:
        """Whether the upstream speaks the Responses API itself."""
        return self.wire == "responses"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one attempt goes: a model of a provider, and that provider's settings, all resolved."""

    provider: str
    model: str
    """What follows the first slash: the plugin's own name space."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Values of the provider's settings: the caller's argument, else the environment, else the default."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that no message may show."""
    author: str = ""
    """In whose name state is sealed (see ``dragoman.sealing``); the provider's where nothing is said."""

    def __post_init__(self) -> None:
        """Let the provider be the author, where there is no other."""
        if not self.author:
            object.__setattr__(self, "author", self.provider)

    def __repr__(self) -> str:
        """Show where it goes, and of the settings only the names."""
        return f"Target({self.provider}/{self.model}, settings={sorted(self.settings)})"

    def get(self, name: str) -> Any:
        """Return a setting, or None."""
        return self.settings.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRequest:
    """What is to be sent. `json` is encoded by core after the caller's `extra_body` was merged into it."""

    url: str
    json: Any = None
    body: bytes = b""
    """The encoded body; set by core before ``authorize``, which may have to sign it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    warnings: tuple[Mapping[str, Any], ...] = ()
    """What of the request could not be carried, ``{"message", "param"}`` each; shown to the caller."""

    def __repr__(self) -> str:
        """Show method and address (without its query, where keys may stand), and header names alone."""
        return f"HTTPRequest({self.method} {self.url.partition('?')[0]}, headers={sorted(self.headers)})"

    def with_headers(self, headers: Mapping[str, str]) -> HTTPRequest:
        """Return the same request with these headers set as well; header names are in lower case."""
        return HTTPRequest(  # not `dataclasses.replace`, which takes twice as long
            url=self.url,
            json=self.json,
            body=self.body,
            headers={**self.headers, **headers},
            method=self.method,
            warnings=self.warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What ``load_credentials`` found: any value that ``authorize`` understands."""

    value: Any = field(repr=False)
    expires_at: float | None = None
    """Unix time after which core asks again; None: never."""


class StreamEvent(NamedTuple):
    """One event of an upstream's stream, its payload parsed."""

    type: str
    """SSE: the `event:` line; AWS: the event or exception type; "" where the wire gives none."""
    data: Any
    """The payload, parsed from JSON."""
    is_exception: bool = False
    """Whether the framing itself says that the stream failed (AWS exceptions)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAnswer:
    """An HTTP answer that a provider makes in this process."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    chunks: Iterable[bytes | float] = ()
    """The body; a number is a pause in seconds before what follows."""


class Compacted(NamedTuple):
    """A conversation's window, made short by an upstream."""

    output: list[dict[str, Any]]
    """The items that take the window's place, exactly as the upstream gave them."""
    usage: dict[str, Any] | None = None
    """What it took, in the form of a response's `usage`."""


class ProviderSpec:
    """The hooks. pluggy lets an implementation leave out arguments; with all of them it can be type-checked,
    and ``handle_stream_event`` is called directly, event after event.
    """

    @hookspec(firstresult=True)
    def provider_info(self) -> ProviderInfo:  # type: ignore[empty-body]
        """Describe the provider. Required."""

    @hookspec(firstresult=True)
    def model_info(self, target: Target) -> ProviderInfo | None:
        """Optional: describe one model, where a prefix leads to models of several wires.

        Return the provider's info with another `wire`, `parameters` and `author`
        (``dataclasses.replace(INFO, ...)``); None where all is as ``provider_info`` says. Where a model's
        `wire` is ``"responses"``, core relays its answers. `settings` may be empty, when a user asks what
        is supported; `target.author` is not known yet.

        Raises:
            BadRequestError: there is no such model.
        """

    @hookspec(firstresult=True)
    def translate_request(self, request: dict[str, Any], target: Target) -> HTTPRequest:  # type: ignore[empty-body]
        """Turn a Responses request into the upstream's. Required.

        Args:
            request: the validated body of ``POST /responses`` without what the parameter policy removed;
                not to be changed. On a translated wire its `input` is canonical: a list of items, each with
                a `type`, each message's and tool output's content a list of parts; its tools are functions
                and those hosted tools that the policy table takes. ``request["stream"]`` is a bool.
                On a native wire it is what the caller sent, untouched.
            target: model and settings.

        Raises:
            BadRequestError: for what the upstream cannot take, `param` naming the field
                (``input[2].content[0]``). To leave something out instead, put it into the parameter table.
        """

    @hookspec(firstresult=True)
    def load_credentials(self, target: Target) -> Credentials | None:
        """Optional: find credentials that an argument or variable does not hold, such as a token.

        May block; called off the event loop, once until `expires_at` for the same settings.

        Raises:
            AuthenticationError: nothing was found; the message says where it was looked for.
        """

    @hookspec(firstresult=True)
    def authorize(
        self, http: HTTPRequest, target: Target, credentials: Credentials | None
    ) -> HTTPRequest | None:
        """Optional: add what depends on the final body or on loaded credentials: a signature, a token."""

    @hookspec(firstresult=True)
    def answer_locally(self, http: HTTPRequest, target: Target) -> LocalAnswer | None:
        """Optional: answer in this process, without network: a test double, a model that runs here.

        The answer goes the way of any other: decoded, translated, timed, cancelled.
        """

    @hookspec(firstresult=True)
    def parse_response(self, payload: Any, output: Output, target: Target) -> None:
        """Write a whole answer to `output`. Required unless the wire is native.

        `payload` is the parsed JSON of a 2xx answer. Unknown fields and blocks must not raise.
        """

    @hookspec(firstresult=True)
    def handle_stream_event(self, event: StreamEvent, output: Output, target: Target) -> None:
        """Write one upstream event to `output`. Required unless the wire is native.

        ``event.type`` is the SSE `event:` name (or the AWS event type; "" where the wire gives none),
        ``event.data`` the parsed JSON. Unknown types must not raise. Call ``output.finish`` where the
        upstream says why it stopped, ``output.end`` at its end mark, ``output.fail`` for an error.
        """

    @hookspec(firstresult=True)
    def supports_prefill(self, request: dict[str, Any], target: Target) -> bool | None:
        """Optional: tell whether a model takes the beginning of its own answer, and goes on right behind it.

        Where it does, core continues an answer that broke off in its text: it asks once more, with what the
        caller has read as the last input item, a message of the assistant. It does so only for plain text:
        no demanded form or tool, no `reasoning.effort`, no white space at the end. What else stands in the
        way, such as a parameter of the provider's own, is for this hook to say.

        Args:
            request: the caller's request, as in ``translate_request`` but without that message, its input
                not canonical.
            target: model and settings.
        """

    @hookspec(firstresult=True)
    def translate_token_count(self, request: dict[str, Any], target: Target) -> HTTPRequest | None:
        """Optional: turn the same request into a question to the upstream's token counter.

        None where there is no counter for this model. Arguments and errors as in ``translate_request``.
        """

    @hookspec(firstresult=True)
    def parse_token_count(self, payload: Any, target: Target) -> int:  # type: ignore[empty-body]
        """Return how many tokens the input has. Required with ``translate_token_count``.

        `payload` is the parsed JSON of the counter's 2xx answer.
        """

    @hookspec(firstresult=True)
    def translate_compaction(self, request: dict[str, Any], target: Target) -> HTTPRequest | None:
        """Optional: turn a request to ``POST /responses/compact`` into one to the upstream's own endpoint.

        None where there is none for this model; where there is none after all, and the upstream answers
        404, core makes up for it too, by a summary. Arguments and errors as in ``translate_request``; the
        request has no other fields than `model`, `input`, `instructions`, `service_tier`, `image`, those of
        the prompt cache, and `previous_response_id` where only the upstream remembers it.
        """

    @hookspec(firstresult=True)
    def parse_compaction(self, payload: Any, target: Target) -> Compacted:  # type: ignore[empty-body]
        """Return the window of the endpoint's 2xx answer. Required with ``translate_compaction``."""

    @hookspec(firstresult=True)
    def parse_error(
        self, status: int, headers: Mapping[str, str], body: bytes, target: Target
    ) -> ProviderError | None:
        """Turn a refusal (status >= 400) into OpenAI's vocabulary; None where the body is not the provider's.

        Core then reads the common dialects itself. Header names are in lower case.
        """


class _ProviderHooks(Protocol):
    """What every provider has."""

    def provider_info(self) -> ProviderInfo: ...

    def translate_request(self, request: dict[str, Any], target: Target) -> HTTPRequest: ...

    def parse_error(
        self, status: int, headers: Mapping[str, str], body: bytes, target: Target
    ) -> ProviderError | None: ...


class NativeProviderModule(_ProviderHooks, Protocol):
    """A plugin, as a type, whose upstream speaks the Responses API itself."""


class ProviderModule(_ProviderHooks, Protocol):
    """A plugin, as a type: assign the module to a variable of it, and a wrong signature is a type error."""

    def parse_response(self, payload: Any, output: Output, target: Target) -> None:
        """See ``ProviderSpec.parse_response``."""

    def handle_stream_event(self, event: StreamEvent, output: Output, target: Target) -> None:
        """See ``ProviderSpec.handle_stream_event``."""
