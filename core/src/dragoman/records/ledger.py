"""The ledger: what every call took, for whom, written once, with the response or not at all.

Each turn is entered in the transaction that keeps its response, before its last event is told; one whose
response is not kept, or that failed before it had one, in a transaction of its own. Providers charge for
answers that broke too, so an entry holds the tokens and the cost of all attempts. What an attempt costs that
broke before it had told its usage nobody knows; one that was refused costs nothing.
"""

from __future__ import annotations

import logging
import time
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.costs import Use, price_of
from dragoman.errors import ServiceUnavailableError
from dragoman.memory.chains import conversation_id
from dragoman.records.record import metadata_tags, model_of, outcome_of, tags_of, user_of
from dragoman.state import LedgerEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dragoman.costs import Cost
    from dragoman.network.drivers import Driver
    from dragoman.records.record import Outcome
    from dragoman.routing.reports import AttemptReport
    from dragoman.state import StoredResponse, Transaction
    from dragoman.turns.errands import Errand
    from dragoman.turns.turn import Memory, Turn

__all__ = ["dollars", "enter", "enter_alone", "entry_of", "entry_of_lost", "picodollars", "warn_of_missing"]

_UNIT = Decimal("1e-12")
_PATIENCE = 2.0  # seconds that an answer waits for a ledger alone
_CUT = frozenset({"stream_interrupted", "malformed_stream"})
"""Codes of answers that had begun; any other attempt that failed before its first content was refused."""
_log = logging.getLogger("dragoman.ledger")


def enter(
    transaction: Transaction,
    entry: LedgerEntry,
    entered: Callable[[Transaction, LedgerEntry], None] | None = None,
) -> None:
    """Enter how a call ended. One that nobody was asked for leaves no entry.

    Args:
        transaction: of the store.
        entry: of the call.
        entered: is told of each call in the same transaction, also of those without an entry (`attempts` is
            0). Where a transaction has to be done again it is called again, for the transaction's own sake.
    """
    new = transaction.add_entry(entry) if entry.attempts else True
    if new and entered is not None:
        entered(transaction, entry)


async def enter_alone(driver: Driver, memory: Memory, entry: LedgerEntry) -> None:
    """Enter a call in a transaction of its own; where the store is not there, a warning is logged."""
    if not entry.attempts and memory.entered is None:
        return  # nobody was asked, and nobody wants to know
    operation = partial(enter, entry=entry, entered=memory.entered)
    try:
        await driver.operate(memory.keeper, operation, timeout=_PATIENCE)
    except ServiceUnavailableError as problem:
        warn_of_missing(entry, problem)


def entry_of(turn: Turn | Errand, outcome: Outcome | None = None) -> LedgerEntry:
    """Return the entry of a call as it stands; `outcome`: where its response does not say it.

    It says what the call's record says (see ``dragoman.records``), with what failed attempts took added.
    """
    journey, request = turn.journey, turn.request
    usages, cost = _taken(turn)
    return LedgerEntry(
        id=turn.response_id,
        at=time.time(),
        owner=turn.owner,
        user=user_of(request) or "",
        asked=journey.asked,
        provider=journey.call.target.provider,
        model=model_of(turn),
        tags=tags_of(journey, request),
        conversation=conversation_id(request),
        outcome=outcome_of(turn, outcome),
        cost=cost,
        attempts=len(journey.attempts),
        duration=turn.watch.seconds,
        **_tokens(usages),
    )


def entry_of_lost(stored: StoredResponse, now: float) -> LedgerEntry:
    """Return the entry of a response whose process is gone: what it took nobody knows."""
    response = stored.response
    added = response.get("dragoman") or {}
    usage = response.get("usage")
    return LedgerEntry(
        id=stored.id,
        at=now,
        owner=stored.owner,
        user=user_of(response) or "",
        asked=str(response.get("model") or ""),
        provider=str(added.get("provider") or ""),
        model=str(added.get("model") or response.get("model") or ""),
        tags=metadata_tags(response),
        conversation=stored.conversation_id,
        outcome=response["status"],
        duration=max(now - stored.created_at, 0.0),
        **_tokens([usage] if usage else []),
    )


def warn_of_missing(entry: LedgerEntry, problem: Exception) -> None:
    """Log that a call is not in the ledger, with what it would say: the answer is given all the same."""
    _log.warning(
        "the call %s is not in the ledger: %s (owner %r, model %r, tokens %d in, %d out, cost %s)",
        entry.id,
        problem,
        entry.owner,
        f"{entry.provider}/{entry.model}",
        entry.input_tokens,
        entry.output_tokens,
        "unknown" if entry.cost is None else dollars(entry.cost),
    )


def picodollars(cost: Cost | None) -> int | None:
    """Return a cost as the ledger keeps it; None where it is not known in dollars."""
    if cost is None or cost.currency != "USD":
        return None
    return int((cost.total / _UNIT).to_integral_value(ROUND_HALF_EVEN))


def dollars(amount: int) -> Decimal:
    """Return what the ledger keeps as dollars."""
    return amount * _UNIT


def _taken(turn: Turn | Errand) -> tuple[list[Mapping[str, Any]], int | None]:
    """Return the usage of all attempts, and what is known of their cost: None where that is nothing."""
    reports = list(turn.journey.attempts)
    usage = turn.usage
    last = reports[-1] if reports else None
    usages: list[Mapping[str, Any]] = []
    costs: list[int | None] = []
    if usage:
        usages.append(usage)
        costs.append(0 if turn.journey.call.mocked else picodollars(turn.bill.cost))
        # The answer is that of one of the attempts: where it failed, not always of the last.
        own = next((report for report in reversed(reports) if report.usage == usage), last)
        reports = [report for report in reports if report is not own]
    for report in reports:
        if report.usage:
            usages.append(report.usage)
            costs.append(_price(report))
        elif report.outcome != "failed" or report.first_event is not None or report.code in _CUT:
            costs.append(None)  # it was at work, and nobody said what that took
    known = [cost for cost in costs if cost is not None]
    return usages, sum(known) if known or not costs else None


def _price(report: AttemptReport) -> int | None:
    if report.call is None:
        return None
    target = report.call.target
    use = Use(
        provider=target.provider,
        model=target.model,
        asked=target.model,
        api_base=target.settings.get("api_base"),
        usage=report.usage or {},
        prices=report.prices,
    )
    return picodollars(price_of(use)[0])


def _tokens(usages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    sums = dict.fromkeys(("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"), 0)
    for usage in usages:
        sums["input_tokens"] += usage.get("input_tokens") or 0
        sums["output_tokens"] += usage.get("output_tokens") or 0
        sums["cached_tokens"] += (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
        sums["reasoning_tokens"] += (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    return sums
