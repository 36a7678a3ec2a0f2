"""Where a request goes: the model's id as the path wants it, the region, the host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from dragoman.hookspecs import Target

__all__ = [
    "UNKNOWN_REGION",
    "counted_model",
    "family_name",
    "maker_of",
    "region_of",
    "url_for",
    "with_region",
]

UNKNOWN_REGION = "region-of-the-profile"
"""Stands in the host until ``authorize`` knows the region from AWS's configuration files."""

_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
_REGION_IN_PATH = re.compile(rf"({_REGION})/(.+)")
_REGION_IN_ARN = re.compile(rf"arn:aws[^:]*:[a-z]+:({_REGION}):")
_REGION_IN_HOST = re.compile(rf"//bedrock-runtime(?:-fips)?\.({_REGION})\.")
# Inference profiles send a request to one of several regions; the counter knows only the model itself.
_PROFILE = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9-]+\.)")
_PROFILE_ARN = re.compile(r"arn:aws[^:]*:bedrock:[^:]*:\d*:(?:inference-profile|foundation-model)/(.+)")


def _split(model: str) -> tuple[str | None, str]:
    """Return the region in a model's name (``us-east-1/...``), and the id behind it."""
    region = None
    while True:
        if model.startswith("converse/"):
            model = model.removeprefix("converse/")
        elif region is None and (found := _REGION_IN_PATH.fullmatch(model)):
            region, model = found[1], found[2]
        else:
            return region, model


def family_name(target: Target) -> str:
    """Return the name by which the model's family is known."""
    return _split(target.model)[1]


def _model_id(target: Target) -> str:
    model = _split(target.model)[1]
    if model.startswith("invoke/"):
        raise BadRequestError(
            "bedrock speaks Converse, not InvokeModel: leave out 'invoke/'",
            param="model",
            code="invalid_model",
        )
    return str(target.get("model_id") or model)


def region_of(target: Target) -> str | None:
    """Return the region: in the model's name, in its ARN, among the settings, in the host; None: unknown."""
    in_name, _ = _split(target.model)
    in_arn = _REGION_IN_ARN.match(_model_id(target))
    in_host = _REGION_IN_HOST.search(_base(target) or "")
    region = in_name or (in_arn and in_arn[1]) or target.get("aws_region_name") or (in_host and in_host[1])
    return str(region) if region else None


def counted_model(target: Target) -> str:
    """Return the id that CountTokens takes: of the model itself, not of a profile that leads to it."""
    model = _split(target.model)[1]
    if found := _PROFILE_ARN.fullmatch(model):
        model = found[1]
    return _PROFILE.sub("", model, count=1) if _PROFILE.match(model) else model


def maker_of(target: Target) -> str:
    """Return who made the model (``anthropic``, ``amazon``); "" where the id does not tell."""
    model = counted_model(target)
    return "" if model.startswith("arn:") else model.rpartition("/")[2].partition(".")[0]


def url_for(target: Target, method: str, *, model: str | None = None) -> str:
    """Return the address. The id is one segment of the path: its colons and slashes are encoded."""
    base = _base(target) or _host(region_of(target) or UNKNOWN_REGION)
    return f"{base}/model/{quote(model or _model_id(target), safe='')}/{method}"


def with_region(url: str, region: str) -> str:
    """Return the address with the region in its host, where that was left open."""
    host = _host(UNKNOWN_REGION)
    return _host(region) + url.removeprefix(host) if url.startswith(host) else url


def _base(target: Target) -> str | None:
    base = target.get("aws_bedrock_runtime_endpoint") or target.get("api_base")
    return str(base).rstrip("/") if base else None


def _host(region: str) -> str:
    ending = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime.{region}.{ending}"
