"""Keys and tokens: found as ``dragoman_azure`` finds them, sent as each wire wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dragoman_azure.credentials import load_credentials as found_by_azure
from dragoman_azure_ai.info import INFO

if TYPE_CHECKING:
    from dragoman.hookspecs import Credentials, HTTPRequest, Target

__all__ = ["authorize", "load_credentials"]

_KEY = "api-key"
# By a folder of the address; a model behind an address of its own takes its key as a bearer token.
_HEADERS = {"anthropic": "x-api-key", "models": _KEY, "openai": _KEY}


def load_credentials(target: Target) -> Credentials:
    """Return the header that opens the resource (see ``dragoman_azure.credentials``).

    Raises:
        AuthenticationError: nothing was found, or it was refused; the message says where it was looked for.
        PluginError: azure-identity is asked for by name and is not there.
    """
    return found_by_azure(target, INFO)


def authorize(http: HTTPRequest, credentials: Credentials | None) -> HTTPRequest | None:
    """Return the request with the header that was found, unless the caller has set it."""
    if credentials is None:
        return None
    headers = dict(credentials.value)
    if _KEY in headers:
        key = headers.pop(_KEY)
        folders = urlsplit(http.url).path.split("/")
        name = next((_HEADERS[folder] for folder in reversed(folders) if folder in _HEADERS), "")
        headers |= {name: key} if name else {"authorization": f"Bearer {key}"}
    return http.with_headers({**headers, **http.headers})
