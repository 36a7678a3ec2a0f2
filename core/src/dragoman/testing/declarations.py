"""What a conformance class declares, and how its checks get at the provider."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload
from unittest import mock

import pytest

from dragoman import discovery
from dragoman.attempts.attempt import Attempt
from dragoman.attempts.session import Session
from dragoman.attempts.token_counts import TokenCount
from dragoman.compaction.attempt import Compaction
from dragoman.events.brackets import new_id
from dragoman.models import validate_request
from dragoman.parameters import policy_for
from dragoman.providers import Provider
from dragoman.testing.running import Run, run_stream, run_whole
from dragoman.testing.samples import SAMPLES, Sample, merged, sample_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dragoman.hookspecs import Credentials, HTTPRequest, ProviderInfo, Target
    from dragoman.parameters import Policy
    from dragoman.testing.exchanges import ErrorCase, Exchange

__all__ = ["Declarations", "fail_for", "sent"]

_Kind = TypeVar("_Kind", bound=Provider)
_Attempt = TypeVar("_Attempt", bound=Attempt)


class _OfflineProvider(Provider):
    """A provider whose credential chain has found what the conformance class declares."""

    declared: Credentials | None = None

    def load_credentials(self, target: Target) -> Credentials | None:
        return self.declared or super().load_credentials(target)


class Declarations:
    """The attributes of a conformance class. `provider` (or `plugin`), `model` and `text` are required."""

    provider: ClassVar[str] = ""
    """The model prefix: the plugin is loaded through its entry point, as users get it."""
    plugin: Any = None
    """The plugin itself, a module or an object, where it has no entry point (yet)."""
    model: ClassVar[str] = "model"
    settings: ClassVar[Mapping[str, Any]] = {}
    """Settings that a call needs. Give secret ones a value of 6 characters or more: that it never shows is
    checked."""
    credentials: ClassVar[Credentials | None] = None
    """What ``load_credentials`` would find, for providers with a credential chain: nobody is asked."""

    text: ClassVar[Exchange]
    """A plain answer."""
    tool_call: ClassVar[Exchange | None] = None
    """An answer that calls a function."""
    reasoning: ClassVar[Exchange | None] = None
    """An answer with readable reasoning."""
    exchanges: ClassVar[Mapping[str, Exchange]] = {}
    """Further ones, by any name: hosted tools, citations, an answer that was cut off ..."""
    errors: ClassVar[Sequence[ErrorCase]] = ()
    """Refusals in the provider's own words."""
    token_count: ClassVar[tuple[bytes, int] | None] = None
    """An answer of the upstream's token counter, and the count in it; for providers that have one."""
    compaction: ClassVar[tuple[bytes, Sequence[Mapping[str, Any]]] | None] = None
    """An answer of the upstream's compaction, and the items in it; for providers that have one."""
    samples: ClassVar[Mapping[str, Any]] = {}
    """Values for parameters and features, where those of ``dragoman.testing.samples`` do not fit."""

    # ---- for the checks -----------------------------------------------------------------------------

    @overload
    def loaded(self) -> Provider: ...
    @overload
    def loaded(self, kind: type[_Kind]) -> _Kind: ...
    def loaded(self, kind: type[Provider] = _OfflineProvider) -> Provider:
        """Return the provider: one for each check, since pytest makes an instance for each test."""
        if kind not in self._loaded:
            self._loaded[kind] = self._load(kind)
        return self._loaded[kind]

    @cached_property
    def _loaded(self) -> dict[type[Provider], Provider]:
        return {}

    def _load(self, kind: type[Provider]) -> Provider:
        name, origin = self.provider, ""
        plugin = self.plugin
        if plugin is None:
            found = discovery.load(discovery.PROVIDERS, name)
            if found is None:
                pytest.fail(
                    f"no entry point {name!r} in the group {discovery.PROVIDERS}: is the package installed "
                    "(pip install -e .), and does the class declare `provider` or `plugin`?"
                )
            plugin, origin = found[0], found[1].origin
        elif not name:
            name = plugin.provider_info().name
        provider = kind(name, plugin, origin=origin)
        if isinstance(provider, _OfflineProvider):
            provider.declared = self.credentials
        return provider

    def info(self, provider: Provider) -> ProviderInfo:
        """Return what is to be known of the class's model."""
        return provider.info_for(self.target(provider))

    def target(self, provider: Provider, model: str = "") -> Target:
        """Return where calls go, whatever the environment holds."""
        model = model or self.model
        if model not in self._targets:
            with self.clean_environment(provider):
                self._targets[model] = provider.target(model, self.settings)
        return self._targets[model]

    @cached_property
    def _targets(self) -> dict[str, Target]:
        return {}

    @contextmanager
    def clean_environment(self, provider: Provider) -> Iterator[None]:
        """Hide the environment variables that the provider's settings read."""
        with mock.patch.dict(os.environ):
            for setting in provider.info.settings:
                for variable in setting.env:
                    os.environ.pop(variable, None)
            yield

    def session(self, provider: Provider | None = None, /, **request: Any) -> Session:
        """Return a fresh attempt; what is not given is a short question to `model`."""
        return self._attempt(Session, provider or self.loaded(), request, response_id=new_id("resp"))

    def compacting(self, **request: Any) -> Compaction:
        """Return a fresh attempt at compacting such a request's input."""
        return self._attempt(Compaction, self.loaded(), request, remembered=True)

    def counting(self, **request: Any) -> TokenCount:
        """Return a fresh attempt at counting the tokens of such a request."""
        return self._attempt(TokenCount, self.loaded(), request, remembered=True)

    def _attempt(
        self, kind: type[_Attempt], provider: Provider, request: Mapping[str, Any], **memory: Any
    ) -> _Attempt:
        body = {"model": self.model, "input": "Hello", **request}
        model = body["model"]
        body["model"] = f"{provider.name}/{model}"
        # As in a call whose turns are remembered: what refers to them never reaches the upstream.
        return kind(provider, self.target(provider, model), validate_request(body), **memory)

    def declared(self) -> dict[str, Exchange]:
        """Return all exchanges, by name."""
        if getattr(self, "text", None) is None:
            pytest.fail(
                "declare `text = Exchange(body=..., stream=..., text=...)`: an answer of the upstream"
            )
        given = {
            "text": self.text,
            "tool_call": self.tool_call,
            "reasoning": self.reasoning,
            **self.exchanges,
        }
        return {name: exchange for name, exchange in given.items() if exchange is not None}

    def asking(self, exchange: Exchange) -> dict[str, Any]:
        """Return the parameters of a request that may be answered with this exchange."""
        tools = [_offered(name, arguments) for name, arguments in exchange.calls]
        return {**({"tools": tools} if tools else {}), **exchange.request}

    def whole(self, exchange: Exchange, body: bytes | None = None) -> Run:
        """Return what comes out of the unstreamed answer (of `body`, where that is given)."""
        headers = {"content-type": exchange.body_type}
        session = self.session(**self.asking(exchange))
        return run_whole(session, exchange.body if body is None else body, headers=headers)

    def streamed(self, exchange: Exchange, *chunks: bytes, **options: Any) -> Run:
        """Return what comes out of the streamed answer (of `chunks`, where they are given)."""
        headers = {"content-type": exchange.stream_type}
        session = self.session(**self.asking(exchange), stream=True)
        return run_stream(session, chunks or [exchange.stream], headers=headers, **options)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Exception | None:
        """Return what is raised when the upstream answers with this status."""
        try:
            run_stream(self.session(), [body], status=status, headers=headers or {})
        except Exception as error:
            return error
        return None

    # ---- the policy table ---------------------------------------------------------------------------

    def policies(self, provider: Provider) -> dict[str, Policy]:
        """Return the policy of every parameter and feature that the table or the kit knows."""
        info = self.info(provider)
        table = info.parameters
        names = {name for name in (*table, *SAMPLES, *self.samples) if not name.endswith(".*")}
        return {name: policy_for(name, table, native=info.native) for name in sorted(names)}

    def sample(self, name: str) -> Sample | None:
        """Return a use of a parameter or feature."""
        return sample_for(name, self.samples)

    def beside(self, provider: Provider, sample: Sample) -> dict[str, Any]:
        """Return what a sample needs beside it, as far as the provider carries that."""
        info = self.info(provider)
        uses = []
        for name in sample.beside:
            needed = self.sample(name)
            support = policy_for(name, info.parameters, native=info.native).support
            if needed is not None and support not in {"warned", "rejected"}:
                uses.append(needed.request)
        return merged(*uses)


def fail_for(problems: Sequence[str], summary: str) -> None:
    """Fail with everything that was found, not only the first."""
    __tracebackhide__ = True  # pytest then shows the check, with what its docstring says of troubleshooting
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        pytest.fail(f"{summary}\n{listed}")


def sent(http: HTTPRequest) -> dict[str, Any]:
    """Return what of a request reaches the upstream, without what core adds by itself."""
    headers = {name: value for name, value in http.headers.items() if name.lower() != "accept"}
    return {
        "method": http.method,
        "url": http.url,
        "headers": headers,
        "body": http.body if http.json is None else http.json,
    }


def _offered(name: str, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
    if isinstance(arguments, str):
        return {"type": "custom", "name": name}
    return {"type": "function", "name": name, "parameters": {"type": "object"}}
