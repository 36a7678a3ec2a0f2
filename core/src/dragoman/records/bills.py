"""What one call takes and costs: the answer, and the summaries on the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.costs import Cost, price_of, sum_of, use_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.attempts.call import Call
    from dragoman.routing import Deployment

__all__ = ["Bill"]


class _Part(NamedTuple):
    """One answer, and where it is from."""

    answer: Mapping[str, Any]
    call: Call
    prices: Mapping[str, Any] | None


class Bill:
    """The answers that a call has to pay for. A failed attempt's own usage stands with that attempt."""

    cost: Cost | None = None
    """What they cost together; None where no price is known."""
    warnings: tuple[str, ...] = ()
    """What is not in it, or why it is not known."""

    def __init__(self) -> None:
        self._summaries: list[_Part] = []

    def add(self, summary: Mapping[str, Any], call: Call, deployment: Deployment) -> None:
        """Take in the answer to a call on the way."""
        self._summaries.append(_Part(summary, call, deployment.prices or None))

    def usage(self, own: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return what was taken in all; `own`: by the answer itself, None where there is none."""
        for summary in self._summaries:
            own = _sum(own, summary.answer["usage"])
        return own

    def close(self, answer: Mapping[str, Any] | None, call: Call, deployment: Deployment) -> None:
        """Work out the cost.

        Args:
            answer: the response, its usage its own; None where there is none.
            call: whose it is.
            deployment: the same.
        """
        parts = self._summaries
        if answer is not None:
            parts = [*parts, _Part(answer, call, deployment.prices or None)]
        priced = [
            price_of(use_of(part.answer, target=part.call.target, prices=part.prices))
            for part in parts
            if part.answer.get("usage") and not part.call.mocked
        ]
        if len(priced) == 1:
            ((self.cost, self.warnings),) = priced
        elif priced:
            self.cost = sum_of([cost for cost, _ in priced])
            self.warnings = tuple(dict.fromkeys(warning for _, warnings in priced for warning in warnings))


def _sum(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what two answers took together."""
    if one is None or other is None:
        return one or other
    return {
        name: _sum(figure, other.get(name)) if isinstance(figure, dict) else figure + other.get(name, 0)
        for name, figure in one.items()
    }
