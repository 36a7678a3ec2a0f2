"""One call, checked and resolved: what every attempt at it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dragoman.attempts.attempt import Attempt, Extras
from dragoman.attempts.session import Session
from dragoman.attempts.token_counts import TokenCount
from dragoman.compaction.attempt import COMPACTION_FIELDS, Compaction
from dragoman.compaction.windows import ShortenedSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from dragoman.compaction.windows import Shortened
    from dragoman.hookspecs import Target
    from dragoman.memory.chains import Recalled
    from dragoman.parameters import Unsupported
    from dragoman.providers import Provider
    from dragoman.types import Item

__all__ = ["Call"]

_Attempt = TypeVar("_Attempt", bound=Attempt)


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One call, checked and resolved: everything that an attempt at it needs."""

    provider: Provider
    target: Target
    request: dict[str, Any]
    extras: Extras
    unsupported: Unsupported | None
    allowed: tuple[str, ...]
    text_format: type[BaseModel] | None
    http_client: Any
    mocked: bool
    """Whether nobody is asked."""

    def session(
        self, *, history: Sequence[Item] = (), shortened: Shortened | None = None, **more: Any
    ) -> Session:
        """Return a fresh attempt (see ``Session``); `shortened` takes the place of history and input."""
        if shortened is None:
            return self._attempt(Session, self.request, history, **more)
        request = {**self.request, "input": []}
        return self._attempt(ShortenedSession, request, [shortened.item], shortened=shortened, **more)

    def token_count(self, recalled: Recalled | None = None) -> TokenCount:
        """Return a fresh attempt at counting the input's tokens; None: nothing is remembered here."""
        return self._ask(TokenCount, recalled, self.request)

    def compaction(self, recalled: Recalled | None = None) -> Compaction:
        """Return a fresh attempt at compacting the input (see ``dragoman.compaction.endpoint``)."""
        request = {name: value for name, value in self.request.items() if name in COMPACTION_FIELDS}
        return self._ask(Compaction, recalled, request)

    def _ask(self, kind: type[_Attempt], recalled: Recalled | None, request: dict[str, Any]) -> _Attempt:
        if recalled is None:
            return self._attempt(kind, request, ())
        request = recalled.put_into(request)
        return self._attempt(kind, request, recalled.history, remembered=True)

    def _attempt(
        self, kind: type[_Attempt], request: dict[str, Any], history: Sequence[Item], **more: Any
    ) -> _Attempt:
        return kind(
            self.provider,
            self.target,
            request,
            extras=self.extras,
            unsupported=self.unsupported,
            allowed=self.allowed,
            history=history,
            **more,
        )
