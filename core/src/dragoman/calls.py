"""From keyword arguments to a call: what goes to the provider, what configures it, what is ours.

A keyword is one of three things: an option of dragoman's own (below), a setting of the provider that the
model names (``api_key``, ``aws_region_name`` ...), or else a parameter of the Responses API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.attempt import Attempt, Extras
from dragoman.errors import BadRequestError, DragomanError
from dragoman.models import validate_request
from dragoman.providers import COMMON_SETTINGS, Provider, load_provider, split_model
from dragoman.scripted import ScriptedProvider
from dragoman.session import Session
from dragoman.structured import json_schema_format
from dragoman.timeouts import Timeout
from dragoman.token_counts import TokenCount
from dragoman.types import CallParameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx
    from pydantic import BaseModel

    from dragoman.hookspecs import Target
    from dragoman.parameters import Unsupported
    from dragoman.types import Item

__all__ = ["Call", "CallOptions", "Defaults", "prepare_call"]


_Attempt = TypeVar("_Attempt", bound=Attempt)


class CallOptions(CallParameters, total=False):
    """Every keyword of a call: the parameters of ``POST /responses``, and these options.

    Settings of one provider (``acme_region`` ...) are taken as keywords too; a type checker knows them in
    `settings`.
    """

    api_key: str | None
    api_base: str | None
    """Where the provider's API is, in the form that its own SDK uses."""
    api_version: str | None
    settings: Mapping[str, Any] | None
    """Settings of the provider, by name: the same as passing them as keywords."""
    timeout: Timeout | float | None
    """Seconds for the whole call (for each attempt, where it is retried), or a ``Timeout``."""
    num_retries: int | None
    """How often a failure that may pass is tried again, before anything was received. Default 0."""
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    """Fields for the provider's own request body, sent as they are, whatever the parameter policy says."""
    http_client: httpx.Client | httpx.AsyncClient | None
    """Sends this call, in place of the client's own connections; stays open."""
    text_format: type[BaseModel] | None
    """A pydantic model that the answer must have: ``response.output_parsed`` is one."""
    unsupported: Unsupported | None
    """"warn" leaves out what the provider does not support, "error" refuses what is only warned about too."""
    drop_params: bool | None
    """True is ``unsupported="warn"``, as LiteLLM calls it."""
    allowed_openai_params: Sequence[str] | None
    """Parameters that are handed to the provider's translator whatever the policy says."""
    custom_llm_provider: str | None
    """The provider, where `model` has no prefix."""
    mock_response: str | Exception | None
    """Answer with this text, or raise this error, without asking anybody."""
    litellm_metadata: Mapping[str, Any] | None
    """Accepted for code that comes from LiteLLM; not sent anywhere."""


_OWN = frozenset(CallOptions.__annotations__) - frozenset(CallParameters.__annotations__)
_NOT_YET = {
    "fallbacks": "fallbacks need routing, which is not there yet; catch the error and call the next model"
}


@dataclass(slots=True, kw_only=True)
class Defaults:
    """What a client was made with, for every call that does not say otherwise."""

    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Settings by provider: ``{"acme": {"api_key": ...}}``."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One call, checked and resolved: everything that an attempt at it needs."""

    provider: Provider
    target: Target
    request: dict[str, Any]
    extras: Extras
    timeout: Timeout
    retries: int
    unsupported: Unsupported | None
    allowed: tuple[str, ...]
    text_format: type[BaseModel] | None
    http_client: Any

    def session(
        self, *, history: Sequence[Item] = (), response_id: str | None = None, stored: bool = False
    ) -> Session:
        """Return a fresh attempt (see ``Session``)."""
        return self._attempt(Session, history, response_id=response_id, stored=stored)

    def token_count(self, *, history: Sequence[Item] = (), remembered: bool = False) -> TokenCount:
        """Return a fresh attempt at counting the input's tokens."""
        return self._attempt(TokenCount, history, remembered=remembered)

    def _attempt(self, kind: type[_Attempt], history: Sequence[Item], **more: Any) -> _Attempt:
        return kind(
            self.provider,
            self.target,
            self.request,
            extras=self.extras,
            unsupported=self.unsupported,
            allowed=self.allowed,
            history=history,
            **more,
        )


def prepare_call(defaults: Defaults, arguments: Mapping[str, Any]) -> Call:
    """Return the call that these keyword arguments mean; nothing is sent.

    Raises:
        BadRequestError: an argument is wrong or missing; `param` names it.
        UnknownProviderError: no installed plugin serves the model's prefix.
        AuthenticationError: a credential is missing.
    """
    arguments = {name: value for name, value in arguments.items() if value is not None}
    given = {**defaults.options, **arguments}
    options = {name: given.pop(name) for name in list(given) if name in _OWN}
    for name, remedy in _NOT_YET.items():
        if given.pop(name, None):
            raise BadRequestError(remedy, param=name, code="unsupported_parameter")
    prefix, model = _model(given.get("model"), options.get("custom_llm_provider"))
    mock = options.get("mock_response")
    allowed = tuple(options.get("allowed_openai_params", ()))
    settings: dict[str, Any] = {}
    if mock is None:
        provider = load_provider(prefix)
        settings |= _common(defaults.options)  # what is said of one provider counts more, a call's own most
        settings |= {
            **defaults.providers.get(prefix, {}),
            **_common(arguments),
            **options.get("settings", {}),
        }
        settings |= {name: given.pop(name) for name in list(given) if provider.takes_setting(name)}
    elif isinstance(mock, Exception) and not isinstance(mock, DragomanError):
        raise mock
    else:
        provider = Provider(prefix, ScriptedProvider(prefix, mock))
        allowed = tuple(given)
    text_format = options.get("text_format")
    if text_format is not None:
        given["text"] = {**(given.get("text") or {}), "format": json_schema_format(text_format)}
    request = validate_request(given)
    return Call(
        provider=provider,
        target=provider.target(model, settings),
        request=request,
        extras=Extras(
            {**(defaults.options.get("extra_headers") or {}), **(arguments.get("extra_headers") or {})},
            options.get("extra_query"),
            options.get("extra_body"),
        ),
        timeout=_timeout(options.get("timeout")),
        retries=_retries(options.get("num_retries", 0)),
        unsupported=_unsupported(options),
        allowed=allowed,
        text_format=text_format,
        http_client=options.get("http_client"),
    )


def _model(model: object, provider: str | None) -> tuple[str, str]:
    if not isinstance(model, str) or not model:
        raise BadRequestError('model is missing: a string "provider/model"', param="model", code="missing")
    if provider is None:
        return split_model(model)
    return provider, model.removeprefix(f"{provider}/")


def _common(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in COMMON_SETTINGS if options.get(name)}


def _retries(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadRequestError(f"num_retries must be 0 or more, not {value!r}", param="num_retries")
    return value


def _unsupported(options: Mapping[str, Any]) -> Unsupported | None:
    value: Unsupported | None = options.get("unsupported")
    if value is None:
        return "warn" if options.get("drop_params") else None
    if value not in {"warn", "error"}:
        raise BadRequestError(f'unsupported must be "warn" or "error", not {value!r}', param="unsupported")
    return value


def _timeout(value: Timeout | float | None) -> Timeout:
    if isinstance(value, bool) or not isinstance(value, (Timeout, int, float, type(None))):
        raise BadRequestError(
            f"timeout must be seconds or a dragoman.Timeout, not {type(value).__name__}", param="timeout"
        )
    return Timeout.of(value)
