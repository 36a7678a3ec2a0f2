"""``model_list``: from each entry to a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.routing import Deployment
from dragoman.routing.deployments import is_price
from dragoman_server.config_findings import nearest
from dragoman_server.config_keys import MODEL_ENTRY, MODEL_INFO, is_model_fact
from dragoman_server.config_params import PRICES, ParamsReader, read_price
from dragoman_server.config_sections import read_key, read_section

if TYPE_CHECKING:
    from dragoman_server.config_findings import Findings, Place
    from dragoman_server.config_params import Context, Params
    from dragoman_server.yaml_lines import Node

__all__ = ["read_model"]

_PARAMS = "litellm_params"


def read_model(node: Node, where: str, context: Context) -> Deployment | None:
    """Return the deployment of an entry; None where it has none: then the findings say why."""
    entry = read_section(node.emptied(1), MODEL_ENTRY, where, context.findings, needed=True)
    parts = node.value if isinstance(node.value, dict) else {}
    info = _read_info(parts["model_info"], f"{where}.model_info", context) if "model_info" in parts else {}
    params = parts.get(_PARAMS)
    for needed in ("model_name", _PARAMS):
        if needed not in parts or parts[needed].value is None:
            context.findings.error(node.place, f"{where} lacks {needed}")
    if params is None or not isinstance(params.value, dict):
        return None
    model = ParamsReader(params, f"{where}.{_PARAMS}", context).read()
    name: str | None = entry.get("model_name")
    if model is None or name is None:
        return None
    _check_stars(name, model, parts["model_name"].place, context.findings)
    prices = {key: value for key, value in info.items() if key == "base_model" or is_price(key)}
    return Deployment(
        id=info.get("id") or where,
        name=name,
        model=model.name,
        arguments={**model.options, **model.parameters, "settings": model.settings},
        prices={**prices, **model.prices},
        info=info,
        **model.routing,
    )


def _check_stars(name: str, model: Params, place: Place, findings: Findings) -> None:
    if name.count("*") > 1 or model.name.count("*") > 1:
        findings.error(place, f"only one * is possible in a model's name: {name!r} -> {model.name!r}")
    elif "*" in model.name and "*" not in name:
        findings.error(place, f"{name!r} leads to {model.name!r}: where there is a * on the right, "
                              "model_name needs one too")  # fmt: skip


def _read_info(node: Node, where: str, context: Context) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        return {}  # said already
    found: dict[str, Any] = {}
    for name, inner in node.value.items():
        if name in MODEL_INFO:
            found[name] = read_key(name, inner, MODEL_INFO[name], where, context.findings)
        elif is_price(name):
            found[name] = read_price(name, inner, where, context.findings)
        elif not is_model_fact(name):
            hint = nearest(name, [*MODEL_INFO, *PRICES])
            if hint:
                context.findings.error(inner.place, f"unknown key {name!r} in {where}.{hint}")
            else:
                context.findings.warn(
                    inner.place, f"{where}.{name} is not known; dragoman does nothing with it"
                )
    if found.get("mode") not in {None, "chat", "completion", "responses"}:
        mode = node.value["mode"]
        context.findings.warn(
            mode.place, f"{where}.mode: only models that answer POST /responses can be served"
        )
    return {name: value for name, value in found.items() if value is not None}
