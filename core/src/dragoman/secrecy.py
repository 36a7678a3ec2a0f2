"""Secrets are removed by value: wherever a key turns up in a message, it is replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
        self._secrets = {secret for secret in secrets if len(secret) >= _SHORTEST}

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Learn the values of headers that carry credentials, with and without their scheme (``Bearer``)."""
        for name, value in headers.items():
            if any(word in name.lower() for word in _CREDENTIAL_WORDS):
                for secret in (value, value.rpartition(" ")[2]):
                    if len(secret) >= _SHORTEST:
                        self._secrets.add(secret)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _REPLACEMENT)
        return text

    def error(self, error: ProviderError) -> ProviderError:
        """Return the same error without secrets in its words."""
        return replace(error, message=self(error.message))

    def json(self, value: Any) -> Any:
        """Return parsed JSON with its strings cleaned."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {key: self.json(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.json(inner) for inner in value]
        return value
