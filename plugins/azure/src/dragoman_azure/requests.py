"""Requests to Azure OpenAI: OpenAI's own, addressed to a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from dragoman.errors import BadRequestError
from dragoman.hookspecs import HTTPRequest
from dragoman_openai.requests import compaction_body, responses_body, token_count_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import Target

__all__ = ["translate_compaction", "translate_request", "translate_token_count"]

_VERSION = "api-version"
# Versions of the v1 surface, and what its query says for each; every other version is a date.
_V1_VERSIONS = {"": "", "v1": "", "latest": "", "preview": "preview"}
# What may follow /openai in an address from the portal or from another client's settings.
_KNOWN_PATHS = frozenset({"", "v1", "responses", "deployments"})


def translate_request(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST`` to the resource with the request as its body; its `model` is the deployment."""
    return _addressed("responses", responses_body(request, target), target)


def translate_token_count(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST`` to the resource's counter of tokens."""
    return _addressed("responses/input_tokens", token_count_body(request, target), target)


def translate_compaction(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST`` to the resource's compaction."""
    return _addressed("responses/compact", compaction_body(request, target), target)


def _addressed(path: str, body: dict[str, Any], target: Target) -> HTTPRequest:
    url, warnings = _address(str(target.get("api_base")), str(target.get("api_version") or ""), path)
    return HTTPRequest(url=url, json=body, warnings=warnings)


def _address(base: str, version: str, question: str) -> tuple[str, tuple[dict[str, Any], ...]]:
    """Return where the resource answers, and what of the settings could not be followed.

    An address that names a surface or a version is more specific than the setting, which may be a variable
    meant for another program: the address wins.
    """
    try:
        parts = urlsplit(base if "://" in base else f"https://{base}")
    except ValueError:
        raise _unusable(base) from None
    folders = [folder for folder in parts.path.split("/") if folder]
    prefix, rest = _around_openai(folders)
    surface = rest[0] if rest else ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or surface not in _KNOWN_PATHS:
        raise _unusable(base)
    query = parse_qsl(parts.query, keep_blank_values=True)
    version = next((value for name, value in query if name == _VERSION), version)
    query = [(name, value) for name, value in query if name != _VERSION]
    warnings: tuple[dict[str, Any], ...] = ()
    if surface == "v1" and version not in _V1_VERSIONS:
        warnings = (_left_out(version),)
        version = ""
    path = [*prefix, "openai", question]
    if version in _V1_VERSIONS:
        path.insert(-1, "v1")
        version = _V1_VERSIONS[version]
    if version:
        query.append((_VERSION, version))
    ending = f"?{urlencode(query)}" if query else ""
    return f"{parts.scheme}://{parts.netloc}/{'/'.join(path)}{ending}", warnings


def _around_openai(folders: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands before the last ``openai`` (a gateway's path, a project's) and what after it."""
    if "openai" not in folders:
        return folders, []
    place = len(folders) - 1 - folders[::-1].index("openai")
    return folders[:place], folders[place + 1 :]


def _left_out(version: str) -> dict[str, Any]:
    message = (
        f"api_version {version!r} was left out: api_base names the v1 surface, which has no dated versions; "
        "for that version, end api_base before /openai"
    )
    return {"message": message, "param": "api_version"}


def _unusable(base: str) -> BadRequestError:
    return BadRequestError(
        f"api_base {base.partition('?')[0]!r} is not the address of an Azure OpenAI resource: write "
        "https://NAME.openai.azure.com, at most followed by /openai, /openai/v1 or /openai/responses",
        param="api_base",
        code="invalid_setting",
    )
