"""From keyword arguments to a call: what goes to the provider, what configures it, what is ours.

A keyword is one of three things: an option of dragoman's own (below), a setting of the provider that the
model names (``api_key``, ``aws_region_name`` ...), or else a parameter of the Responses API.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from dragoman.attempts.attempt import Extras
from dragoman.attempts.call import Call
from dragoman.attempts.scripted import ScriptedProvider
from dragoman.attempts.token_counts import estimate_tokens
from dragoman.errors import BadRequestError, DragomanError
from dragoman.models import validate_request
from dragoman.providers import COMMON_SETTINGS, Provider, is_provider, load_provider, split_model
from dragoman.routing import Fleet, RouteOptions, RoutingSettings, StreamRecovery
from dragoman.routing.accounts import account_mark
from dragoman.routing.checks import texts
from dragoman.routing.limits import time_limits
from dragoman.routing.settings import fallback_list
from dragoman.sdk.structured import json_schema_format
from dragoman.types import CallParameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx
    from pydantic import BaseModel

    from dragoman.network.timeouts import Timeout
    from dragoman.parameters import Unsupported
    from dragoman.routing import Deployment, Journey

__all__ = ["CallOptions", "Defaults", "begin_journey", "prepare_call"]


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
    """Seconds for one attempt, or a ``Timeout``."""
    num_retries: int | None
    """How often a failure that may pass is tried again. Default 0."""
    fallbacks: Sequence[str | Mapping[str, Any]] | None
    """Models to ask where this one fails: names, or mappings with `model` and what is different for it."""
    disable_fallbacks: bool | None
    """True: no other model than this is asked, whatever the client was told."""
    stream_recovery: StreamRecovery | None
    """What becomes of a stream that breaks after content was told: "continue", "buffer" or "fail"."""
    tags: Sequence[str] | None
    """Only deployments with one of these tags are asked."""
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
_OF_A_PROVIDER = frozenset(
    {*COMMON_SETTINGS, "settings", "custom_llm_provider", "extra_headers", "extra_query", "extra_body"}
)
_OF_AN_ACCOUNT = (*COMMON_SETTINGS, "settings", "custom_llm_provider")
_OF_ROUTING = ("fallbacks", "num_retries", "timeout", "stream_recovery", "disable_fallbacks", "tags")


@dataclass(slots=True, kw_only=True)
class Defaults:
    """What a client was made with, for every call that does not say otherwise."""

    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Settings by provider: ``{"acme": {"api_key": ...}}``."""
    fleet: Fleet = field(default_factory=lambda: Fleet(settings=RoutingSettings(num_retries=0)))
    """Where calls may go."""


def begin_journey(
    defaults: Defaults,
    arguments: Mapping[str, Any],
    *,
    check: Callable[[Mapping[str, Any], Provider], None] | None = None,
    allows: Callable[[str], bool] | None = None,
) -> Journey:
    """Return the way of the call that these keyword arguments mean; nothing is sent.

    Args:
        defaults: what holds where the arguments say nothing.
        arguments: the call's own.
        check: refuses arguments, by raising, before they are read for a provider.
        allows: tells by its name whether a fallback may be gone to; None: all may.

    Raises:
        BadRequestError: an argument is wrong or missing; `param` names it.
        NotFoundError: nothing serves the model.
        AuthenticationError: a credential is missing.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    routing = {
        name: value
        for name in _OF_ROUTING
        if (value := given.pop(name, defaults.options.get(name))) is not None
    }
    bound: str | None = given.get("custom_llm_provider")  # the provider that the call's own settings are for

    def prepare(deployment: Deployment, model: str) -> Call:
        nonlocal bound
        prefix = model.partition("/")[0]
        own = given
        if bound is None:
            bound = prefix
        elif prefix != bound and "/" in model and model != given.get("model"):
            own = _without_settings(given, bound)
        if check is not None:
            check({**own, **deployment.overrides}, load_provider(prefix))
        return prepare_call(defaults, {**deployment.arguments, **own, **deployment.overrides, "model": model})

    fleet = defaults.fleet
    tokens = _estimate(given) if fleet.counts_tokens else 0
    return fleet.journey(given.get("model"), prepare, options=_route_options(given, routing, tokens, allows))


def _without_settings(given: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """Return what of a call's arguments another provider may see: not this one's keys and addresses."""
    takes_setting = load_provider(provider).takes_setting
    return {
        name: value for name, value in given.items() if name not in _OF_A_PROVIDER and not takes_setting(name)
    }


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
        unsupported=_unsupported(options),
        allowed=allowed,
        text_format=text_format,
        http_client=options.get("http_client"),
        mocked=mock is not None,
    )


def _model(model: object, provider: str | None) -> tuple[str, str]:
    if not isinstance(model, str) or not model:
        raise BadRequestError('model is missing: a string "provider/model"', param="model", code="missing")
    if provider is None:
        return split_model(model)
    return provider, model.removeprefix(f"{provider}/")


def _common(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in COMMON_SETTINGS if options.get(name)}


def _unsupported(options: Mapping[str, Any]) -> Unsupported | None:
    value: Unsupported | None = options.get("unsupported")
    if value is None:
        return "warn" if options.get("drop_params") else None
    if value not in {"warn", "error"}:
        raise BadRequestError(f'unsupported must be "warn" or "error", not {value!r}', param="unsupported")
    return value


def _estimate(request: Mapping[str, Any]) -> int:
    """Return about how many tokens a request brings, and may take for its answer."""
    around = [request.get(name) for name in ("instructions", "tools", "text")]
    most = request.get("max_output_tokens")
    return estimate_tokens([request.get("input")], around) + (most if isinstance(most, int) else 0)


def _route_options(
    request: Mapping[str, Any],
    routing: Mapping[str, Any],
    tokens: int,
    allows: Callable[[str], bool] | None,
) -> RouteOptions:
    sticky, timeout = request.get("prompt_cache_key"), routing.get("timeout")
    return RouteOptions(
        fallbacks=fallback_list("fallbacks", routing["fallbacks"]) if "fallbacks" in routing else None,
        num_retries=_retries(routing.get("num_retries")),
        timeout=time_limits("timeout", timeout) if timeout is not None else None,
        tokens=tokens,
        streamed=bool(request.get("stream")),
        sticky=sticky if isinstance(sticky, str) else None,  # what is wrong with it is said later
        tags=frozenset(texts("tags", routing.get("tags") or ())),
        stream_recovery=_recovery(routing.get("stream_recovery")),
        disable_fallbacks=bool(routing.get("disable_fallbacks")),
        allows=allows,
        account=account_mark(_own_settings(request)),
        own_credentials=request.get("api_key") is not None,
    )


def _own_settings(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a call says which account it goes to."""
    own = {name: request[name] for name in _OF_AN_ACCOUNT if name in request}
    others = [name for name in request if name not in CallOptions.__annotations__]
    if others:
        prefix = str(request.get("custom_llm_provider") or request.get("model")).partition("/")[0]
        with contextlib.suppress(DragomanError):  # what is wrong is said elsewhere
            if is_provider(prefix):  # and not the name of a group
                takes_setting = load_provider(prefix).takes_setting
                own |= {name: request[name] for name in others if takes_setting(name)}
    return own


def _retries(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise BadRequestError(f"num_retries must be 0 or more, not {value!r}", param="num_retries")
    return value


def _recovery(value: StreamRecovery | None) -> StreamRecovery | None:
    if value is not None and value not in (known := get_args(StreamRecovery)):
        raise BadRequestError(
            f"stream_recovery must be one of {', '.join(known)}, not {value!r}", param="stream_recovery"
        )
    return value
