"""LiteLLM's ``model_list``, as Python code has it, read into deployments."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman.routing.checks import number, seconds, section, text, texts, whole, wrong
from dragoman.routing.deployments import Deployment, is_price
from dragoman.routing.limits import time_limits
from dragoman.routing.settings import recovery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["deployments_of"]

_ENVIRONMENT = "os.environ/"


def _count(field: str, value: object) -> int:
    return whole(field, value, least=1)


_ROUTING: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    "weight": ("weight", number),
    "order": ("order", whole),
    "rpm": ("rpm", _count),
    "tpm": ("tpm", _count),
    "max_parallel_requests": ("max_parallel_requests", _count),
    "tags": ("tags", lambda field, value: frozenset(texts(field, value))),
    "timeout": ("timeout", time_limits),
    "stream_timeout": ("stream_timeout", seconds),
    "total_timeout": ("total_timeout", seconds),
    "num_retries": ("num_retries", whole),
    "max_retries": ("num_retries", whole),
    "cooldown_time": ("cooldown_time", number),
    "stream_recovery": ("stream_recovery", recovery),
}
"""Key of litellm_params -> the deployment's field, and how it is read."""
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "max_tokens": ("max_output_tokens",),
    "max_completion_tokens": ("max_output_tokens",),
    "reasoning_effort": ("reasoning", "effort"),
}
"""Parameters of Chat Completions -> their place in the Responses API."""
_INFORMATION = frozenset(
    {
        "budget_duration",
        "max_budget",
        "merge_reasoning_content_in_choices",
        "mode",
        "priority",
        "region_name",
        "supports_system_message",
        "tag_regex",
        "use_in_pass_through",
        "use_litellm_proxy",
    }
)
"""Keys of litellm_params that are about the deployment and not for its calls; so is whatever has a cost."""


def deployments_of(model_list: Iterable[Mapping[str, Any]], *, where: str = "model_list") -> list[Deployment]:
    """Return the deployments of a model_list: mappings with model_name, litellm_params, perhaps model_info.

    A text "os.environ/NAME" is replaced by what that variable holds. What of litellm_params is not for
    routing becomes an argument of the calls.

    Raises:
        BadRequestError: an entry is wrong; `param` names the place.
    """
    found: list[Deployment] = []
    taken: set[str] = set()
    for place, entry in enumerate(model_list):
        deployment = _deployment(f"{where}[{place}]", entry, taken)
        taken.add(deployment.id)
        found.append(deployment)
    return found


def _deployment(where: str, entry: object, taken: set[str]) -> Deployment:
    parts = section(where, entry)
    name = text(f"{where}.model_name", parts.get("model_name"))
    inside = f"{where}.litellm_params"
    params = {
        key: _resolved(f"{inside}.{key}", value)
        for key, value in section(inside, parts.get("litellm_params")).items()
    }
    params = {key: value for key, value in params.items() if value is not None}
    info = section(f"{where}.model_info", parts.get("model_info") or {})
    model = _model(f"{inside}.model", params)
    own: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    prices = {key: value for key, value in info.items() if _is_of_prices(key) and value is not None}
    information = dict(info)
    for key, value in params.items():
        if key in {"model", "custom_llm_provider"}:
            continue
        if _is_of_prices(key):
            prices[key] = value if isinstance(value, list | dict | str) else number(f"{inside}.{key}", value)
        elif key in _ROUTING:
            target, read = _ROUTING[key]
            own[target] = read(f"{inside}.{key}", value)
        elif key in _INFORMATION or "_cost" in key:
            information[key] = value
        else:
            path = _PARAMETERS.get(key, (key,))
            if isinstance(value, dict):  # reasoning_effort: {effort: low, summary: auto}
                path = path[:1]
            for step in reversed(path[1:]):
                value = {step: value}  # noqa: PLW2901
            arguments[path[0]] = value
    if name.count("*") > 1 or model.count("*") > 1 or ("*" in model and "*" not in name):
        raise BadRequestError(
            f"{where}: {name!r} leads to {model!r}: each may have one *, and one in the model needs one in "
            "model_name",
            param=f"{where}.model_name",
            code="invalid_value",
        )
    return Deployment(
        id=_id(f"{where}.model_info.id", info.get("id"), name, params, taken),
        name=name,
        model=model,
        arguments=arguments,
        prices=prices,
        info=information,
        **own,
    )


def _is_of_prices(name: str) -> bool:
    return name == "base_model" or is_price(name)


def _resolved(field: str, value: object) -> object:
    if not isinstance(value, str) or not value.startswith(_ENVIRONMENT):
        return value
    variable = value.removeprefix(_ENVIRONMENT)
    if variable not in os.environ:
        raise BadRequestError(
            f"{field}: the environment variable {variable} is not set", param=field, code="invalid_value"
        )
    return os.environ[variable]


def _model(field: str, params: Mapping[str, Any]) -> str:
    model = text(field, params.get("model"))
    provider = params.get("custom_llm_provider")
    if provider is not None:
        return f"{provider}/{model.removeprefix(f'{provider}/')}"
    prefix, slash, rest = model.partition("/")
    if model != "*" and not (prefix and slash and rest):
        raise wrong(field, "provider/model", model)
    return model


def _id(field: str, given: object, name: str, params: Mapping[str, Any], taken: set[str]) -> str:
    """Return the id that an entry has, or one that stays the same as long as the entry does."""
    if given is not None:
        found = text(field, str(given))
        if found in taken:
            raise BadRequestError(
                f"{field}: {found!r} is the id of an earlier entry", param=field, code="invalid_value"
            )
        return found
    said = json.dumps([name, params], sort_keys=True, default=repr).encode()
    digest = hashlib.blake2b(said, digest_size=8).hexdigest()
    names = (digest if copy == 1 else f"{digest}-{copy}" for copy in itertools.count(1))
    return next(name for name in names if name not in taken)
