"""Secrets are removed by value: wherever a key turns up in a message, it is replaced."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dragoman.errors import ProviderError

__all__ = ["Redactor", "shown_url", "without_credentials"]

_CREDENTIAL_WORDS = ("auth", "key", "token", "secret", "cookie", "signature", "password", "credential")
_HARMLESS = ("version", "beta", "accept", "content-type", "user-agent")  # ends of names that tell of features
_SHORTEST = 6  # anything shorter is no secret, and would turn up in innocent words
_REPLACEMENT = "[secret]"
_FIELDS = frozenset({"authorization", "headers", "api_key", "encrypted_content"})


class Redactor:
    """Knows one call's secrets and takes them out of texts and parsed JSON."""

    __slots__ = ("_known", "_sources")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Looked through when first needed: few calls fail.
        self._sources: list[tuple[Callable[[Any], Iterable[str]], Any]] = [(iter, tuple(secrets))]
        self._known: list[str] | None = None

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Learn the values of headers that carry credentials, with and without their scheme (``Bearer``)."""
        self._add(_in_headers, headers)

    def add_all(self, values: Mapping[str, Any]) -> None:
        """Learn the values of a caller's own headers, or of its query: only it knows what they are."""
        self._add(_in_all, values)

    def add_fields(self, value: Any) -> None:
        """Learn what parsed JSON has under names of credentials, and under `headers`, however deep."""
        self._add(_in_fields, value)

    def add_url(self, url: str) -> None:
        """Learn the name and the password that an address holds."""
        self._add(_in_url, url)

    def _add(self, find: Callable[[Any], Iterable[str]], source: Any) -> None:
        self._sources.append((find, source))
        self._known = None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is None:
            self._known = sorted(self._forms(), key=len, reverse=True)
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, _REPLACEMENT)
        return text

    def _forms(self) -> set[str]:
        """Return the secrets as they stand, and as addresses and forms have them."""
        found = {secret for find, source in self._sources for secret in find(source)}
        long = {secret for secret in found if len(secret) >= _SHORTEST}
        return {form for secret in long for form in (secret, quote(secret, safe=""), quote_plus(secret))}

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


def _in_headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if any(word in name.lower() for word in _CREDENTIAL_WORDS):
            yield from (value, value.rpartition(" ")[2])


def _in_all(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if not name.lower().endswith(_HARMLESS):
            yield from map(str, value if isinstance(value, (list, tuple)) else (value,))


def _in_fields(value: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, str):
        if secret:
            yield from (value, value.rpartition(" ")[2])
    elif isinstance(value, dict):
        for name, inner in value.items():
            lowered = name.lower()
            known = secret or lowered == "headers" or any(word in lowered for word in _CREDENTIAL_WORDS)
            yield from _in_fields(inner, secret=known)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _in_fields(inner, secret=secret)


def _in_url(url: str) -> Iterator[str]:
    place = urlsplit(url).netloc.rpartition("@")[0] if "@" in url else ""
    if place:
        name, _, password = place.partition(":")
        yield from (unquote(name), unquote(password))
        yield b64encode(unquote(place).encode()).decode()  # as the header of it has them


def shown_url(url: str) -> str:
    """Return an address as messages may show it: without its query, and without name and password."""
    scheme, separator, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def without_credentials(value: Any) -> Any:
    """Return items of the Responses API without credentials, and without what only its maker can read."""
    if isinstance(value, dict):
        return {name: without_credentials(inner) for name, inner in value.items() if name not in _FIELDS}
    if isinstance(value, (list, tuple)):
        return [without_credentials(inner) for inner in value]
    return value
