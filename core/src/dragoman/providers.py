"""Providers: one plugin manager each, behind a typed facade that is checked when it is loaded."""

from __future__ import annotations

import difflib
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pluggy

from dragoman import discovery
from dragoman.errors import AuthenticationError, BadRequestError, PluginError, UnknownProviderError
from dragoman.hookspecs import SPEC_VERSION, Credentials, ProviderInfo, ProviderSpec, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dragoman.errors import ProviderError
    from dragoman.hookspecs import Compacted, HTTPRequest, LocalAnswer, StreamEvent
    from dragoman.output import Output

__all__ = [
    "COMMON_SETTINGS",
    "Provider",
    "described",
    "is_provider",
    "load_provider",
    "register_provider",
    "split_model",
]

_OLDEST_SPEC_VERSION = 1
_REQUIRED = ("provider_info", "translate_request")
_REQUIRED_TRANSLATED = ("parse_response", "handle_stream_event")
_ANSWERS = {"translate_token_count": "parse_token_count", "translate_compaction": "parse_compaction"}
COMMON_SETTINGS = ("api_key", "api_base", "api_version")
"""Settings that may be given to every provider, whether it has them or not: a client sets them for all."""
_EXPIRY_MARGIN = 60.0  # seconds: a token is not used in its last minute

_loaded: dict[str, Provider] = {}
_lock = threading.RLock()


class Provider:
    """One provider's hooks, as typed calls. Creating it checks the plugin; nothing is called yet.

    Each hook is resolved once: a hook manager's own call costs more than most of them do.
    """

    def __init__(self, name: str, plugin: object, *, origin: str = "") -> None:
        """Check and wrap a plugin.

        Args:
            name: the model prefix.
            plugin: a module or an object with hook implementations.
            origin: where it comes from, for messages: distribution and version.

        Raises:
            PluginError: the plugin does not fit the contract; the message says where and how to mend it.
        """
        self.name = name
        self.origin = origin or repr(plugin)
        self._manager = pluggy.PluginManager("dragoman")
        self._manager.add_hookspecs(ProviderSpec)
        self._register(plugin)
        self.info = self._checked_info()
        self._describes_models = self._has("model_info")
        self._check_required()
        self.loads_credentials = self._has("load_credentials")
        """Whether the plugin has a credential chain of its own."""
        self.compacts = self._has("translate_compaction")
        """Whether the plugin knows an endpoint of the upstream's that compacts."""
        self._settings = frozenset((*COMMON_SETTINGS, *(setting.name for setting in self.info.settings)))
        self._hooks = {name: self._resolve(name) for name in vars(ProviderSpec) if name[0] != "_"}
        self.handle_stream_event: Callable[[StreamEvent, Output, Target], None] = self._hooks[
            "handle_stream_event"
        ]
        # Beside the credentials their settings, which stay alive: some are known by identity.
        self._credentials: dict[Any, tuple[Credentials, Target]] = {}
        self._credentials_lock = threading.Lock()

    # ---- hooks --------------------------------------------------------------------------------------

    def info_for(self, target: Target) -> ProviderInfo:
        """Return what is to be known of one model: the provider's info, or the model's own."""
        if not self._describes_models:
            return self.info
        found = self._hooks["model_info"](target)
        return cast("ProviderInfo", found or self.info)

    def translate_request(self, request: dict[str, Any], target: Target) -> HTTPRequest:
        """Return the upstream's request."""
        http = self._hooks["translate_request"](request, target)
        if http is None:
            raise PluginError(
                f"{self.origin}: translate_request returned None; it must return an HTTPRequest"
            )
        return cast("HTTPRequest", http)

    def authorize(self, http: HTTPRequest, target: Target, credentials: Credentials | None) -> HTTPRequest:
        """Return the request with a signature or token, or as it was where the plugin adds none."""
        authorized = self._hooks["authorize"](http, target, credentials)
        return cast("HTTPRequest", authorized or http)

    def answer_locally(self, http: HTTPRequest, target: Target) -> LocalAnswer | None:
        """Return an answer made in this process, None where the upstream is to be asked."""
        return cast("LocalAnswer | None", self._hooks["answer_locally"](http, target))

    def parse_response(self, payload: Any, output: Output, target: Target) -> None:
        """Write a whole answer to `output`."""
        self._hooks["parse_response"](payload, output, target)

    def supports_prefill(self, request: dict[str, Any], target: Target) -> bool:
        """Tell whether a model goes on behind the beginning of its answer."""
        return bool(self._hooks["supports_prefill"](request, target))

    def translate_token_count(self, request: dict[str, Any], target: Target) -> HTTPRequest | None:
        """Return the question to the upstream's token counter; None where it has none."""
        http = self._hooks["translate_token_count"](request, target)
        return cast("HTTPRequest | None", http)

    def parse_token_count(self, payload: Any, target: Target) -> int:
        """Return what the counter says."""
        return cast("int", self._hooks["parse_token_count"](payload, target))

    def translate_compaction(self, request: dict[str, Any], target: Target) -> HTTPRequest | None:
        """Return the request to the upstream's compaction; None where it has none."""
        http = self._hooks["translate_compaction"](request, target)
        return cast("HTTPRequest | None", http)

    def parse_compaction(self, payload: Any, target: Target) -> Compacted:
        """Return the window that came back."""
        return cast("Compacted", self._hooks["parse_compaction"](payload, target))

    def parse_error(
        self, status: int, headers: Mapping[str, str], body: bytes, target: Target
    ) -> ProviderError | None:
        """Return what the provider says went wrong, None where the plugin can't read it."""
        error = self._hooks["parse_error"](status, headers, body, target)
        return cast("ProviderError | None", error)

    # ---- credentials --------------------------------------------------------------------------------

    def cached_credentials(self, target: Target) -> Credentials | None:
        """Return credentials that were loaded before and are still good: no I/O."""
        found, _ = self._credentials.get(_settings_key(target), (None, None))
        if found and (found.expires_at is None or found.expires_at - _EXPIRY_MARGIN > time.time()):
            return found
        return None

    def load_credentials(self, target: Target) -> Credentials | None:
        """Return the credentials for these settings, loading them where needed. May block."""
        with self._credentials_lock:  # many callers, one refresh
            found = self.cached_credentials(target)
            if found is None:
                found = self._hooks["load_credentials"](target)
                if found is not None:
                    self._credentials[_settings_key(target)] = (found, target)
            return found

    # ---- settings -----------------------------------------------------------------------------------

    def takes_setting(self, name: str) -> bool:
        """Tell whether a keyword is this provider's setting rather than a request parameter."""
        return name in self._settings

    def target(self, model: str, arguments: Mapping[str, Any]) -> Target:
        """Return where a call to `model` goes: arguments first, then the environment, then defaults.

        Raises:
            AuthenticationError: a required secret has no value; the message names what was looked for.
            BadRequestError: the same for a required setting that is no secret; or an argument is none of
                the provider's settings.
        """
        for name in arguments:
            if not self.takes_setting(name):
                raise self._unknown_setting(name)
        settings: dict[str, Any] = {}
        secrets: list[str] = []
        for setting in self.info.settings:
            value: Any = arguments.get(setting.name)
            if value is None:
                value = _first_set(setting.env) or setting.default
            if isinstance(value, str):
                value = value.strip()  # a newline after a pasted key makes an invalid header
            if value is None or value == "":
                if setting.required:
                    raise self._missing(setting.name, setting.env, secret=setting.secret)
                continue
            settings[setting.name] = value
            if setting.secret and isinstance(value, str):
                secrets.append(value)
        target = Target(self.name, model, settings, tuple(secrets))
        if self._describes_models:
            target = replace(target, author=self.info_for(target).author)
        return target

    def _unknown_setting(self, name: str) -> BadRequestError:
        known = sorted(setting.name for setting in self.info.settings)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return BadRequestError(
            f"{self.name} has no setting {name!r}.{hint} It has: {', '.join(known) or 'none'}",
            param=name,
            code="unknown_setting",
            provider=self.name,
        )

    def _missing(self, name: str, env: tuple[str, ...], *, secret: bool) -> Exception:
        places = [f"the argument {name}", *(f"the environment variable {variable}" for variable in env)]
        message = f"{self.name} needs {name}: looked for {', '.join(places)}"
        if secret:
            return AuthenticationError(message, param=name, code="missing_credentials", provider=self.name)
        return BadRequestError(message, param=name, code="missing_setting", provider=self.name)

    # ---- checks -------------------------------------------------------------------------------------

    def _register(self, plugin: object) -> None:
        try:
            self._manager.register(plugin)
            self._manager.check_pending()
        except pluggy.PluginValidationError as problem:
            raise PluginError(
                f"{self.origin} does not fit the hooks of dragoman (spec version {SPEC_VERSION}): {problem}"
            ) from problem

    def _checked_info(self) -> ProviderInfo:
        if not self._has("provider_info"):
            raise PluginError(
                f"{self.origin} has no provider_info hook. Is it marked with @hookimpl of "
                "dragoman.hookspecs, and does the entry point name the module that holds it?"
            )
        try:
            info = self._manager.hook.provider_info()
        except Exception as problem:
            raise PluginError(
                f"{self.origin} failed in provider_info ({type(problem).__name__}: {problem})"
            ) from problem
        if not isinstance(info, ProviderInfo):
            raise PluginError(
                f"{self.origin}: provider_info returned {info!r}; it must return a ProviderInfo"
            )
        if info.name != self.name:
            raise PluginError(
                f"{self.origin} is registered as {self.name!r} but calls itself {info.name!r}; "
                "entry point and provider_info must agree"
            )
        if info.spec_version > SPEC_VERSION:
            raise PluginError(
                f"{self.origin} is written for spec version {info.spec_version}, this dragoman has "
                f"{SPEC_VERSION}: pip install --upgrade dragoman"
            )
        if info.spec_version < _OLDEST_SPEC_VERSION:
            distribution = self.origin.partition(" ")[0]
            raise PluginError(
                f"{self.origin} is written for spec version {info.spec_version}, this dragoman supports "
                f"{_OLDEST_SPEC_VERSION} to {SPEC_VERSION}: pip install --upgrade {distribution}"
            )
        return info

    def _check_required(self) -> None:
        translated = self._describes_models or not self.info.native
        required: tuple[str, ...] = _REQUIRED + _REQUIRED_TRANSLATED if translated else _REQUIRED
        for question, answer in _ANSWERS.items():
            if self._has(question):
                required += (answer,)
        missing = [name for name in required if not self._has(name)]
        if missing:
            raise PluginError(
                f"{self.origin} (wire {self.info.wire!r}) lacks the required hook"
                f"{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
            )

    def _has(self, hook: str) -> bool:
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def _resolve(self, hook_name: str) -> Callable[..., Any]:
        """Return the hook as a function of all its arguments, in the order of the specification.

        Where one plugin implements it and nothing wraps it, that is the implementation itself, or next to it.
        """
        caller = getattr(self._manager.hook, hook_name)
        implementations = caller.get_hookimpls()
        specified = tuple(caller.spec.argnames)
        if not implementations:
            return lambda *_: None
        (only,) = implementations[:1]
        if len(implementations) == 1 and not (only.wrapper or only.hookwrapper):
            function, wanted = only.function, tuple(only.argnames)
            if wanted == specified:
                return cast("Callable[..., Any]", function)
            places = [specified.index(name) for name in wanted]
            return lambda *arguments: function(*(arguments[place] for place in places))
        return lambda *arguments: caller(**dict(zip(specified, arguments, strict=True)))


def _first_set(variables: Iterable[str]) -> str | None:
    """Return what the first of these environment variables says that says anything."""
    for name in variables:
        value = os.environ.get(name)
        if value:
            return value
    return None


def _settings_key(target: Target) -> tuple[tuple[str, object], ...]:
    # Values need not be hashable (a service account as a dict, a token function): those count by identity.
    return tuple(
        sorted(
            (name, value if isinstance(value, str) else f"object {id(value)}")
            for name, value in target.settings.items()
        )
    )


def split_model(model: str) -> tuple[str, str]:
    """Return (provider, the provider's own model name) of ``provider/model``.

    Raises:
        UnknownProviderError: there is no prefix.
    """
    provider, slash, name = model.partition("/")
    if not slash or not provider or not name:
        raise UnknownProviderError(
            f"model {model!r} names no provider: write provider/model. Installed: {_installed()}",
            param="model",
            code="model_not_found",
        )
    return provider, name


def load_provider(name: str) -> Provider:
    """Return the provider of a model prefix, importing its plugin at first use; no other is touched.

    Raises:
        UnknownProviderError: nothing installed serves the prefix; the message says what is there.
        PluginError: its plugin is broken; the message says which distribution, and what mends it.
    """
    provider = _loaded.get(name)
    if provider is None:
        with _lock:
            provider = _loaded.get(name)
            if provider is None:
                provider = _loaded[name] = _load(name)
    return provider


def is_provider(name: str) -> bool:
    """Tell whether something serves a model prefix, without loading it."""
    return name in _loaded or discovery.has(discovery.PROVIDERS, name)


def described(model_or_provider: str) -> ProviderInfo:
    """Return what is to be known of a provider (``acme``) or of a model (``acme/large``).

    Raises:
        UnknownProviderError: nothing installed serves the prefix.
        BadRequestError: the provider has no such model.
    """
    prefix, _, model = model_or_provider.partition("/")
    provider = load_provider(prefix)
    return provider.info_for(Target(prefix, model)) if model else provider.info


def register_provider(plugin: object) -> Provider:
    """Make a provider known without an entry point, for this process: for tests, notebooks, applications.

    Args:
        plugin: a module or an object with hook implementations; its own name is the model prefix.

    Raises:
        PluginError: the plugin does not fit the contract.
    """
    info = getattr(plugin, "provider_info", lambda: None)()
    if not isinstance(info, ProviderInfo):
        raise PluginError(f"{plugin!r} has no provider_info hook that returns a ProviderInfo")
    provider = Provider(info.name, plugin)
    with _lock:
        _loaded[info.name] = provider
    return provider


def _load(name: str) -> Provider:
    found = discovery.load(discovery.PROVIDERS, name)
    if found is None:
        raise _unknown(name)
    plugin, listing = found
    return Provider(name, plugin, origin=listing.origin)


def _unknown(name: str) -> UnknownProviderError:
    known = discovery.names(discovery.PROVIDERS)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UnknownProviderError(
        f"no installed plugin serves {name!r}.{hint} Installed: {_installed()}. "
        f"A plugin for it would be: pip install dragoman-{name.replace('_', '-')}",
        param="model",
        code="model_not_found",
    )


def _installed() -> str:
    return ", ".join(sorted({*discovery.names(discovery.PROVIDERS), *_loaded})) or "none"
