"""One attempt at a compaction by the upstream's own endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.attempts.attempt import Attempt
from dragoman.errors import BadRequestError
from dragoman.hookspecs import Compacted

if TYPE_CHECKING:
    from dragoman.hookspecs import HTTPRequest
    from dragoman.types import Event

__all__ = ["COMPACTION_FIELDS", "Compaction"]

COMPACTION_FIELDS = frozenset(
    {
        "model",
        "input",
        "previous_response_id",
        "instructions",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "image",
    }
)
"""What callers may say."""


class Compaction(Attempt):
    """An attempt whose answer is a window: `compacted`, once it is closed."""

    compacted = Compacted(output=[])

    def _ask(self, request: dict[str, Any]) -> HTTPRequest:
        http: HTTPRequest | None = self._call(
            "translate_compaction", self.provider.translate_compaction, request, self.target
        )
        if http is None:
            raise BadRequestError(
                f"{self.provider.name} compacts nothing for {self.target.model!r}",
                param="model",
                code="no_compaction",
            )
        return http

    def close(self) -> list[Event]:
        """Read the window.

        Raises:
            APIError: the request was refused, or the answer holds no window.
        """
        if self.refused:
            raise self._refusal()
        read = self.provider.parse_compaction
        found = self._call("parse_compaction", read, self._payload(), self.target)
        if not isinstance(found, Compacted) or not isinstance(found.output, list):
            raise self._unreadable(f"{self.provider.name} answered without a compacted window")
        self.compacted = found
        return []
