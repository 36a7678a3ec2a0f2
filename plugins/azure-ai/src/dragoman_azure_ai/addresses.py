"""Addresses: where each wire of a resource answers, whatever address of it the caller has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from dragoman.hookspecs import Target

__all__ = ["chat_url", "messages_url", "responses_url"]

_VERSION = "api-version"
_CHAT_VERSION = "2024-05-01-preview"
_DEPLOYMENTS_VERSION = "2024-10-21"
# Versions of the surface /openai/v1, and what its query says for each; every other version is a date.
_V1_VERSIONS = {"v1": "", "latest": "", "preview": "preview"}
_SURFACES = frozenset({"models", "openai", "anthropic"})
_CHAT = ["chat", "completions"]
_MESSAGES = ["v1", "messages"]
# One model behind an address of its own: there is no resource around it.
_SERVERLESS = (".models.ai.azure.com", ".inference.ai.azure.com", ".inference.ml.azure.com")
_OPENAI = ".openai.azure.com"


class _Base(NamedTuple):
    """What `api_base` and `api_version` say."""

    host: str
    root: str
    """Scheme, host and what stands before the surface, such as a gateway's path; no slash at its end."""
    surface: str
    """``models``, ``openai``, ``anthropic``; ``v1``, ``chat``, ``messages`` at a host's root; "" for none."""
    rest: list[str]
    """The folders behind the surface."""
    query: list[tuple[str, str]]
    version: str
    """"" where nothing is said."""

    def url(self, path: str, version: str = "") -> str:
        query = [*self.query, *([(_VERSION, version)] if version else [])]
        return f"{self.root}/{path}" + (f"?{urlencode(query)}" if query else "")


def chat_url(target: Target, deployment: str) -> str:
    """Return where Chat Completions answers.

    That is ``/models/chat/completions`` of a resource, unless the address names another surface or
    `api_version` is one of /openai/v1.
    """
    base = _base(target)
    if base.surface == "openai" and base.rest[:1] == ["deployments"]:
        name = (base.rest[1:2] or [quote(deployment, safe="")])[0]
        return base.url(f"openai/deployments/{name}/chat/completions", base.version or _DEPLOYMENTS_VERSION)
    dated = "" if base.version in _V1_VERSIONS else base.version
    if base.surface == "v1":
        return base.url("v1/chat/completions", dated)
    if base.surface == "chat" or (not base.surface and base.host.endswith(_SERVERLESS)):
        return base.url("chat/completions", dated or _CHAT_VERSION)
    nowhere = base.surface in {"", "anthropic", "messages"}
    if base.surface == "openai" or (
        nowhere and (base.version in _V1_VERSIONS or base.host.endswith(_OPENAI))
    ):
        return base.url("openai/v1/chat/completions", _V1_VERSIONS.get(base.version, ""))
    return base.url("models/chat/completions", dated or _CHAT_VERSION)


def messages_url(target: Target, path: str = "messages") -> str:
    """Return where Claude answers, or what belongs to it: ``messages/count_tokens``."""
    base = _base(target)
    return base.url(f"v1/{path}" if base.surface == "messages" else f"anthropic/v1/{path}")


def responses_url(target: Target, path: str = "responses") -> str:
    """Return where the Responses API answers, or what belongs to it: ``responses/input_tokens``."""
    base = _base(target)
    surface = "v1" if base.surface == "v1" else "openai/v1"
    return base.url(f"{surface}/{path}", _V1_VERSIONS.get(base.version, ""))


def _base(target: Target) -> _Base:
    """Return what the settings say; a version in the address is more specific than the setting."""
    given = str(target.get("api_base"))
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
    except ValueError:
        raise _unusable(given) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _unusable(given)
    query = parse_qsl(parts.query, keep_blank_values=True)
    version = next((value for name, value in query if name == _VERSION), target.get("api_version"))
    before, surface, rest = _split([folder for folder in parts.path.split("/") if folder])
    root = "/".join([f"{parts.scheme}://{parts.netloc}", *before])
    others = [(name, value) for name, value in query if name != _VERSION]
    return _Base(parts.hostname, root, surface, rest, others, str(version or ""))


def _split(folders: list[str]) -> tuple[list[str], str, list[str]]:
    """Return what stands before the surface, the surface, and what stands behind it."""
    if folders[:2] == ["api", "projects"]:
        folders = folders[3:]  # a project's address: its models are the resource's
    places = [place for place, folder in enumerate(folders) if folder in _SURFACES]
    if places:
        return folders[: places[-1]], folders[places[-1]], folders[places[-1] + 1 :]
    if folders[-2:] == _MESSAGES:
        return folders[:-2], "messages", []
    ends = folders[-2:] == _CHAT
    if ends:
        folders = folders[:-2]
    if folders[-2:] == ["v1", "responses"]:
        folders = folders[:-1]
    if folders[-1:] == ["v1"]:
        return folders[:-1], "v1", []
    return folders, "chat" if ends else "", []


def _unusable(base: str) -> BadRequestError:
    return BadRequestError(
        f"api_base {base.partition('?')[0]!r} is not the address of a Foundry resource: write "
        "https://NAME.services.ai.azure.com, or any address of it from the portal",
        param="api_base",
        code="invalid_setting",
    )
