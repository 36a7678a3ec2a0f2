"""Budgets: what a call may cost is held in the store before it is made, and settled when it is entered.

So a budget holds whoever calls at once, in however many processes, and after whatever end of one. A hold has
a lease, which is renewed while the call goes on: where its process is gone, it counts for nothing soon.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.accounts import PICODOLLARS, Account, Hold
from dragoman.costs import price_of, use_of
from dragoman.errors import APIError, PermissionDeniedError, RateLimitError, ServiceUnavailableError
from dragoman.events.brackets import new_id
from dragoman_server.keys import dollars
from dragoman_server.periods import window_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dragoman.memory.keeper import Keeper
    from dragoman.routing import Journey
    from dragoman.state import LedgerEntry, Transaction
    from dragoman_server.keys import Budget, Key

__all__ = [
    "ANSWER_TOKENS",
    "LEASE",
    "Limit",
    "Reservation",
    "Reservations",
    "free_holds",
    "limit_of",
    "limit_of_key",
    "price",
]

ANSWER_TOKENS = 4096
"""How long an answer is thought to get where its request has no max_output_tokens."""
LEASE = 30.0
"""Seconds for which a process that is alive holds what its calls may cost; it renews that in time."""

_log = logging.getLogger("dragoman.server")


class Limit(NamedTuple):
    """A budget as it stands now: the account of its period, and how much that may have."""

    account: str
    most: int
    whose: str
    period: str | None
    resets_at: float | None


def limit_of(whose: str, account: str, budget: Budget, since: float, now: float) -> Limit:
    """Return what a budget means at a moment.

    Args:
        whose: for messages: "This key".
        account: whose account it is.
        budget: how much, for how long.
        since: when its first period began.
        now: the moment, in Unix time.
    """
    if budget.period is None:
        return Limit(account, budget.amount, whose, None, None)
    window = window_at(budget.period, since, now)
    return Limit(f"{account}/{window.start:.0f}", budget.amount, whose, budget.period, window.end)


def limit_of_key(key: Key, now: float) -> Limit | None:
    """Return what a key's budget means at a moment; None where it has none."""
    return None if key.budget is None else limit_of("This key", key.id, key.budget, key.created_at, now)


def price(journey: Journey, input_tokens: int, output_tokens: int | None, *, unknown: bool) -> int:
    """Return what a call may cost, in picodollars, at the prices of the deployment that is asked first.

    Args:
        journey: of the call.
        input_tokens: about how many go in.
        output_tokens: how many may come out; None: ``ANSWER_TOKENS``.
        unknown: whether what nobody knows the price of costs nothing.

    Raises:
        PermissionDeniedError: nobody knows the price.
    """
    call = journey.call
    if call.mocked:
        return 0
    usage = {
        "input_tokens": input_tokens,
        "output_tokens": ANSWER_TOKENS if output_tokens is None else output_tokens,
    }
    response: dict[str, Any] = {"usage": usage, "service_tier": call.request.get("service_tier")}
    cost, _ = price_of(use_of(response, target=call.target, prices=journey.deployment.prices or None))
    if cost is not None and cost.currency == "USD":
        return int((cost.total * PICODOLLARS).to_integral_value(ROUND_CEILING))
    if unknown:
        return 0
    raise PermissionDeniedError(
        f"Nobody knows what {call.target.provider}/{call.target.model} costs, and this call has a budget to "
        "keep within. Give the model its prices in the config (input_cost_per_token, output_cost_per_token, "
        "or base_model), install dragoman-prices, or make the key with unknown_prices.",
        code="budget_unknown_price",
        param="model",
    )


@dataclass(slots=True, eq=False)
class Reservation:
    """What one call holds."""

    hold_ids: tuple[str, ...]
    amount: int
    over: bool = False
    """Whether it was settled. Where that transaction was lost, it ends with its lease."""

    def settle(self, transaction: Transaction, entry: LedgerEntry) -> None:
        """Settle what is held, in the transaction that enters the call.

        A call that was at work, and of which nobody knows what that took, costs what was held for it: else
        whoever leaves just before the end would pay nothing.
        """
        unknown = entry.cost is None and entry.attempts > 0
        cost = self.amount if unknown else entry.cost or 0
        for hold_id in self.hold_ids:
            transaction.settle(hold_id, cost)
        self.over = True


class Reservations:
    """What the calls of one process hold. Renewed by ``renew`` as long as they go on."""

    def __init__(self, keeper: Callable[[], Keeper]) -> None:
        """Begin with none; `keeper` returns what keeps the store."""
        self._keeper = keeper
        self._running: set[Reservation] = set()

    async def hold(self, limits: Iterable[Limit], amount: int) -> Reservation:
        """Hold an amount on all of these accounts, or on none.

        Raises:
            RateLimitError: that would be more than one of them may have; code `insufficient_quota`.
            ServiceUnavailableError: the store cannot be asked.
        """
        wanted = [(limit, new_id("hold")) for limit in limits]
        try:
            await self._keeper().arun(partial(_hold, wanted=wanted, amount=amount))
        except ServiceUnavailableError as problem:  # if it is held all the same, it is not renewed
            raise ServiceUnavailableError(
                f"the store cannot tell now whether the budget allows this call: {problem.message}",
                code="store_unavailable",
                type="server_error",
            ) from problem
        reservation = Reservation(tuple(hold_id for _, hold_id in wanted), amount)
        self._running.add(reservation)
        return reservation

    async def release(self, reservation: Reservation) -> None:
        """Give back what is held, of a call that has ended; what was settled meanwhile stays so."""
        self._running.discard(reservation)
        if reservation.over:
            return
        reservation.over = True
        try:
            await self._keeper().arun(partial(_release, hold_ids=reservation.hold_ids))
        except APIError as problem:
            _log.info("what a call held is freed when its lease runs out: %s", problem)

    async def renew(self) -> None:
        """Renew the leases of all calls that go on."""
        hold_ids = [hold_id for reservation in self._running for hold_id in reservation.hold_ids]
        if hold_ids:
            await self._keeper().arun(partial(_renew, hold_ids=hold_ids))


def free_holds(transaction: Transaction, now: float, *, alone_at: float | None = None) -> int:
    """Free what processes held that are gone; return how many calls that was.

    Args:
        transaction: of the store.
        now: leases that end by then have run out.
        alone_at: when nobody else had the store open; leases from before are nobody's.
    """
    return transaction.free_holds(now if alone_at is None else max(now, alone_at + LEASE))


def _hold(transaction: Transaction, wanted: list[tuple[Limit, str]], amount: int) -> None:
    until = time.time() + LEASE
    held: list[str] = []
    for limit, hold_id in wanted:
        hold = Hold(id=hold_id, account=limit.account, amount=amount, lease_until=until)
        if amount > limit.most or not transaction.hold(hold, limit.most):
            for earlier in held:  # others share the transaction: it is undone by hand
                transaction.settle(earlier, 0)
            raise _used_up(limit, transaction.get_account(limit.account), amount)
        held.append(hold_id)


def _release(transaction: Transaction, hold_ids: tuple[str, ...]) -> None:
    for hold_id in hold_ids:
        transaction.settle(hold_id, 0)


def _renew(transaction: Transaction, hold_ids: list[str]) -> None:
    transaction.renew_holds(hold_ids, time.time() + LEASE)


def _used_up(limit: Limit, account: Account, amount: int) -> RateLimitError:
    per = "" if limit.period is None else f" for each {limit.period}"
    spent = f"${dollars(account.spent)} are spent"
    if account.held:
        spent += f", ${dollars(account.held)} are held for calls under way"
    again = "It does not begin anew."
    if limit.resets_at is not None:
        again = f"It begins anew at {datetime.fromtimestamp(limit.resets_at, UTC):%Y-%m-%dT%H:%M:%SZ}."
    return RateLimitError(
        f"{limit.whose} has a budget of ${dollars(limit.most)}{per}: {spent}, "
        f"and this call may cost ${dollars(amount)}, less with a smaller max_output_tokens. {again}",
        code="insufficient_quota",
        type="insufficient_quota",
        retryable=False,
    )
