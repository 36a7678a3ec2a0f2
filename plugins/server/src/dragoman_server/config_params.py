"""``litellm_params``, sorted: settings of the provider, options of the call, defaults of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import DragomanError
from dragoman.hookspecs import Target
from dragoman.models import validate_request
from dragoman.parameters import PARAMETERS, apply_policy
from dragoman.providers import COMMON_SETTINGS, load_provider
from dragoman.routing.deployments import is_price
from dragoman_server.config_findings import nearest
from dragoman_server.config_keys import (
    ASKED_BY_RESPONSES,
    BARE_MODELS,
    CHAT_ONLY,
    CHAT_PARAMETERS,
    LITELLM_PARAMS,
    PER_REQUEST,
    PROVIDERS,
    SETTINGS,
)
from dragoman_server.config_sections import read_key, unknown_key
from dragoman_server.config_values import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import ProviderInfo
    from dragoman.providers import Provider
    from dragoman_server.config_findings import Findings
    from dragoman_server.yaml_lines import Node

__all__ = ["PRICES", "Context", "Params", "ParamsReader", "call_options", "read_price"]

_DIRECT = ("extra_headers", "extra_body", "extra_query", "allowed_openai_params", "mock_response")
_ROUTING = (
    "weight",
    "order",
    "rpm",
    "tpm",
    "max_parallel_requests",
    "tags",
    "timeout",
    "stream_timeout",
    "total_timeout",
    "num_retries",
    "cooldown_time",
    "stream_recovery",
)
_READ_FIRST = frozenset({"model", "custom_llm_provider", "litellm_credential_name"})


class Context(NamedTuple):
    """What all entries of a config share."""

    findings: Findings
    options: Mapping[str, Any]
    """What LiteLLM calls it -> value: options for calls of every model."""
    credentials: Mapping[str, Mapping[str, Node]]
    """credential_list: name -> settings."""


def call_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call options that LiteLLM's mean; `given` is by LiteLLM's names, its values checked."""
    options = {name: given[name] for name in _DIRECT if name in given}
    if given.get("drop_params"):
        options["unsupported"] = "warn"
    return options


def routing_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what LiteLLM's params say of routing, as fields of a ``Deployment``."""
    found = {name: given[name] for name in _ROUTING if name in given}
    if "num_retries" not in found and "max_retries" in given:
        found["num_retries"] = given["max_retries"]
    if "tags" in found:
        found["tags"] = frozenset(found["tags"])
    return found


PRICES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "tiered_pricing",
)
"""The prices that people write, to be found where one is misspelt."""


def read_price(name: str, node: Node, where: str, findings: Findings) -> Any:
    """Return a price; None where nothing can be used."""
    if isinstance(node.value, list | dict | bool):
        return node.plain()
    return typed(node, "number", f"{where}.{name}", findings)


class Params(NamedTuple):
    """What an entry's litellm_params mean."""

    name: str
    settings: dict[str, Any]
    parameters: dict[str, Any]
    options: dict[str, Any]
    routing: dict[str, Any]
    """Fields of a ``Deployment``."""
    prices: dict[str, Any]


class ParamsReader:
    """Sorts one entry's litellm_params."""

    def __init__(self, node: Node, where: str, context: Context) -> None:
        self._place = node.place
        self._where = where
        self._findings = context.findings
        self._context = context
        self._given: dict[str, Node] = self._with_credential(node.value)
        self._provider: Provider | None = None
        self._info: ProviderInfo | None = None
        """What is known of the model; settings may decide on that too."""
        self._any_provider = False
        self._settings: dict[str, Any] = {}
        self._parameters: dict[str, Any] = {}
        self._options: dict[str, Any] = {}
        self._prices: dict[str, Any] = {}

    def read(self) -> Params | None:
        """Return what they mean; None where there is no model: then the findings say why."""
        name = self._model()
        if name is not None:
            self._load(name)
        others = {}
        for key, node in self._given.items():
            setting = self._setting(key)
            if key not in _READ_FIRST and setting is not None:
                self._set(key, setting, node)
            else:
                others[key] = node
        if name is not None:
            self._describe(name)
        for key, node in others.items():
            self._sort(key, node)
        own = self._options
        if name is None:
            return None
        options = call_options({**self._context.options, **own})
        if self._info is not None:
            self._check_parameters(name, self._info, options)
        return Params(name, self._settings, self._parameters, options, routing_of(own), self._prices)

    def _with_credential(self, given: dict[str, Node]) -> dict[str, Node]:
        reference = given.get("litellm_credential_name")
        if reference is None:
            return given
        found = self._context.credentials.get(str(reference.value))
        if found is None:
            hint = nearest(str(reference.value), self._context.credentials)
            self._findings.error(
                reference.place,
                f"{self._where}.litellm_credential_name: credential_list has no such name.{hint}",
            )
        return {**(found or {}), **given}

    # ---- the model ----------------------------------------------------------------------------------

    def _text(self, name: str) -> str | None:
        node = self._given.get(name)
        value = typed(node, "text", f"{self._where}.{name}", self._findings, needed=True) if node else None
        return str(value).strip() if value is not None else None

    def _model(self) -> str | None:
        node = self._given.get("model")
        if node is None or node.value is None:
            self._findings.error(self._place, f"{self._where} lacks model: provider/model")
            return None
        model, provider = self._text("model"), self._text("custom_llm_provider")
        if model is None:
            return None
        if provider is not None:
            model = f"{provider}/{model.removeprefix(f'{provider}/')}"
        elif "/" not in model and model != "*":
            guess = next((prefix for start, prefix in BARE_MODELS if model.startswith(start)), None)
            if guess is None:
                self._findings.error(
                    node.place, f"{self._where}.model names no provider: write provider/{model}"
                )
                return None
            self._findings.add(
                "notice", node.place, f"{self._where}.model {model!r} is read as {guess}/{model}"
            )
            model = f"{guess}/{model}"
        if model.startswith(ASKED_BY_RESPONSES):
            model = model.replace("responses/", "", 1)
        prefix, slash, rest = model.partition("/")
        if slash and not (prefix and rest):
            self._findings.error(node.place, f"{self._where}.model must be provider/model, not {model!r}")
            return None
        return f"{PROVIDERS.get(prefix, prefix)}{slash}{rest}"

    def _load(self, model: str) -> None:
        prefix, slash, _ = model.partition("/")
        if not slash or "*" in prefix:
            self._any_provider = True
            return
        try:
            self._provider = load_provider(prefix)
        except DragomanError as problem:
            self._findings.error(self._given["model"].place, f"{self._where}.model: {_words(problem)}")

    def _describe(self, model: str) -> None:
        if self._provider is None:
            return
        prefix, _, rest = model.partition("/")
        if "*" in rest or "mock_response" in self._given:
            self._info = self._provider.info
            return
        try:
            self._info = self._provider.info_for(Target(prefix, rest, self._settings))
        except DragomanError as problem:
            self._findings.error(self._given["model"].place, f"{self._where}.model: {_words(problem)}")

    # ---- one of the parameters ----------------------------------------------------------------------

    def _sort(self, name: str, node: Node) -> None:
        if name in _READ_FIRST:
            return
        if name in LITELLM_PARAMS:
            key = LITELLM_PARAMS[name]
            value = read_key(name, node, key, self._where, self._findings)
            if value is not None and key.level is None:
                (self._prices if name == "base_model" else self._options)[name] = value
        elif is_price(name):
            price = read_price(name, node, self._where, self._findings)
            if price is not None:
                self._prices[name] = price
        elif name in PER_REQUEST:
            self._findings.add(
                PER_REQUEST[name],
                node.place,
                f"{self._where}.{name} is for each request to say; it is left out",
            )
        elif name in CHAT_PARAMETERS:
            path = CHAT_PARAMETERS[name]
            self._default(path[:1] if isinstance(node.value, dict) else path, node, name)
        elif name in self._known_parameters():
            self._default((name,), node, name)
        elif name in SETTINGS:
            who = self._provider.name if self._provider else "the provider"
            self._findings.warn(node.place, f"{self._where}.{name} is no setting of {who}; it is left out")
        elif name in CHAT_ONLY:
            self._refuse_chat_parameter(name, node)
        else:
            unknown_key(name, node, self._where, self._known(), self._findings)

    def _setting(self, name: str) -> str | None:
        """Return what the provider calls a setting; None where it is none."""
        if self._provider is None:
            return name if self._any_provider and name in {*COMMON_SETTINGS, "base_url"} else None
        own = {setting.name for setting in self._provider.info.settings}
        if name in own:
            return name
        if name in LITELLM_PARAMS:
            return None
        return next((alias for alias in SETTINGS.get(name, ()) if alias in own), None)

    def _set(self, name: str, setting: str, node: Node) -> None:
        if self._any_provider:
            self._findings.error(
                node.place, f"{self._where}.{name} would be sent to every provider: name one, as in openai/*"
            )
            return
        value = typed(node, "setting", f"{self._where}.{name}", self._findings)
        if value is None:
            return
        declared = self._provider.info.settings if self._provider else ()
        if isinstance(value, str) and any(one.name == setting and one.secret for one in declared):
            self._findings.hide(value, None if node.from_environment else node.place)
        if setting not in self._settings or name == setting:
            self._settings[setting] = value

    def _default(self, path: tuple[str, ...], node: Node, name: str) -> None:
        value = typed(node, "any", f"{self._where}.{name}", self._findings)
        if value is None:
            return
        if node.from_environment:
            value = _parsed(value, path[-1])
        for step in reversed(path[1:]):
            value = {step: value}
        before = self._parameters.get(path[0])
        if isinstance(before, dict) and isinstance(value, dict):
            value = {**before, **value}
        self._parameters[path[0]] = value

    def _refuse_chat_parameter(self, name: str, node: Node) -> None:
        drops = self._given.get("drop_params")
        dropped = self._context.options.get("drop_params") is True if drops is None else drops.value is True
        remedy = CHAT_ONLY[name] or "take it out, or set drop_params: true"
        self._findings.add(
            "warning" if dropped else "error",
            node.place,
            f"{self._where}.{name} belongs to Chat Completions, the Responses API has no such parameter: "
            f"{'it is left out' if dropped else remedy}",
        )

    def _known_parameters(self) -> set[str]:
        info = self._info or (self._provider.info if self._provider else None)
        own = info.parameters if info else {}
        return {*PARAMETERS, *(name for name in own if "." not in name)}

    def _known(self) -> set[str]:
        settings = {one.name for one in self._provider.info.settings} if self._provider else set(SETTINGS)
        return {*LITELLM_PARAMS, *settings, *PRICES, *CHAT_PARAMETERS, *self._known_parameters()}

    # ---- defaults of requests -----------------------------------------------------------------------

    def _check_parameters(self, model: str, info: ProviderInfo, options: Mapping[str, Any]) -> None:
        """Check each default as if a request had it."""
        if "mock_response" in options:
            return
        prefix = model.partition("/")[0]
        for name, value in self._parameters.items():
            written = next((key for key in self._given if CHAT_PARAMETERS.get(key, (key,))[0] == name), name)
            place = self._given[written].place
            try:
                request = validate_request({"model": model, "input": "", name: value})
                _, warnings = apply_policy(
                    request,
                    info.parameters,
                    provider=prefix,
                    native=info.native,
                    unsupported=options.get("unsupported"),
                    allowed=options.get("allowed_openai_params", ()),
                )
            except DragomanError as problem:
                self._findings.error(place, f"{self._where}.{written}: {_words(problem)}")
                continue
            for warning in warnings:
                self._findings.warn(place, f"{self._where}.{written}: {warning['message']}")


def _words(problem: DragomanError) -> str:
    return str(getattr(problem, "message", problem))


def _parsed(text: str, name: str) -> Any:
    """Return what a variable's text means as a parameter: numbers and flags, unless it is for words."""
    if name in {"instructions", "user", "safety_identifier", "prompt_cache_key", "metadata"}:
        return text
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
