"""How many tokens an input has: by the upstream's own counter, or about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.attempts.attempt import Attempt
from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.hookspecs import HTTPRequest, Target
    from dragoman.memory.chains import Recalled
    from dragoman.network.drivers import Driver
    from dragoman.turns.errands import Errand
    from dragoman.types import Event

__all__ = ["TokenCount", "count_tokens", "estimate_tokens", "no_counter"]

_NO_COUNTER = "no_token_counter"
_CHARACTERS = 4  # of a token, in the middle of many languages and models
_OF_AN_ITEM = 4  # tokens around it: role, separators
_OF_A_FILE = 1000  # tokens: an image of middling size, a page or two
_FILES = frozenset({"image_url", "file_data", "file_url", "file_id"})
_UNREAD = frozenset({"id", "call_id", "type", "status", "encrypted_content", "detail"})


def no_counter(target: Target) -> BadRequestError:
    """Return the error of a model whose provider counts no tokens."""
    return BadRequestError(
        f"{target.provider} has no token counter for {target.model!r}", param="model", code=_NO_COUNTER
    )


class TokenCount(Attempt):
    """An attempt whose answer is a number: `input_tokens`, once it is closed."""

    input_tokens = 0

    def _ask(self, request: dict[str, Any]) -> HTTPRequest:
        ask = self.provider.translate_token_count
        http: HTTPRequest | None = self._call("translate_token_count", ask, request, self.target)
        if http is None:
            raise no_counter(self.target)
        return http

    def close(self) -> list[Event]:
        """Read the count.

        Raises:
            APIError: the request was refused, or the answer holds no count.
        """
        if self.refused:
            raise self._refusal()
        count = self._call("parse_token_count", self.provider.parse_token_count, self._payload(), self.target)
        if isinstance(count, bool) or not isinstance(count, int):
            raise self._unreadable(f"{self.provider.name} answered without a count of tokens")
        self.input_tokens = count
        return []


async def count_tokens(errand: Errand, recalled: Recalled, driver: Driver) -> int | None:
    """Return the upstream's count of the input's tokens; None where it has no counter.

    Args:
        errand: its request holds the input.
        recalled: what the request refers to.
        driver: how to wait.

    Raises:
        APIError: the request is wrong, was refused, or the answer holds no count.
    """
    call = (await errand.leg(driver)).call
    attempt = call.token_count(recalled if errand.memory is not None else None)
    try:
        await errand.ask(attempt, driver)
    except BadRequestError as refusal:
        if refusal.code != _NO_COUNTER:
            raise
        errand.journey.withdrawn()
        return None
    errand.answered()
    return attempt.input_tokens


def estimate_tokens(items: Sequence[Any], around: Sequence[Any] = ()) -> int:
    """Return about how many tokens items have, with what else the model is shown: instructions, tools."""
    characters, files = _size([*items, *around])
    return characters // _CHARACTERS + len(items) * _OF_AN_ITEM + files * _OF_A_FILE


def _size(value: Any) -> tuple[int, int]:
    """Return the characters that a model would read, and the files."""
    if isinstance(value, str):
        return len(value), 0
    characters = files = 0
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _FILES and inner:
                files += 1
            elif name not in _UNREAD:
                more = _size(inner)
                characters, files = characters + len(name) + more[0], files + more[1]
    elif isinstance(value, list):
        for inner in value:
            more = _size(inner)
            characters, files = characters + more[0], files + more[1]
    return characters, files
