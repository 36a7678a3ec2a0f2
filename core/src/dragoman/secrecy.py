"""Secrets are removed by value: wherever a key turns up in a message, it is replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dragoman.errors import ProviderError

__all__ = ["Redactor"]

_CREDENTIAL_WORDS = ("auth", "key", "token", "secret", "cookie", "signature")
_SHORTEST = 6  # anything shorter is no secret, and would turn up in innocent words
_REPLACEMENT = "[secret]"


class Redactor:
    """Knows one call's secrets and takes them out of texts and parsed JSON."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self._add(secret)

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Learn the values of headers that carry credentials, with and without their scheme (``Bearer``)."""
        for name, value in headers.items():
            if any(word in name.lower() for word in _CREDENTIAL_WORDS):
                self._add(value)
                self._add(value.rpartition(" ")[2])

    def _add(self, secret: str) -> None:
        if len(secret) >= _SHORTEST:
            self._secrets |= {secret, quote(secret, safe="")}  # as it stands, and as addresses have it

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _REPLACEMENT)
        return text

    def error(self, error: ProviderError) -> ProviderError:
        """Return the same error without secrets in its words."""
        words = {name: getattr(error, name) for name in ("message", "type", "code", "param")}
        return replace(error, **self.json(words))

    def json(self, value: Any) -> Any:
        """Return parsed JSON with its strings cleaned."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {key: self.json(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.json(inner) for inner in value]
        return value
