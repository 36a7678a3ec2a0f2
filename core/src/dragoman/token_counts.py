"""One attempt at counting the tokens of an input, by the upstream's own counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.attempt import Attempt
from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from typing import Any

    from dragoman.hookspecs import HTTPRequest
    from dragoman.types import Event

__all__ = ["TokenCount"]


class TokenCount(Attempt):
    """An attempt whose answer is a number: `input_tokens`, once it is closed."""

    input_tokens = 0

    def _ask(self, request: dict[str, Any]) -> HTTPRequest:
        ask = self.provider.translate_token_count
        http: HTTPRequest | None = self._call("translate_token_count", ask, request, self.target)
        if http is None:
            raise BadRequestError(
                f"{self.provider.name} has no token counter for {self.target.model!r}",
                param="model",
                code="no_token_counter",
            )
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
