"""What a call has to pass before it is made, and gives back when it has ended: limits and budgets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIError, ServiceUnavailableError
from dragoman_server.budgets import Limit, limit_of, limit_of_key, price
from dragoman_server.counting import estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dragoman.routing import Journey
    from dragoman.state import LedgerEntry, Transaction
    from dragoman.turns.turn import Turn
    from dragoman.types import Item
    from dragoman_server.authentication import Owner
    from dragoman_server.budgets import Reservation
    from dragoman_server.key_limits import Place
    from dragoman_server.service import Service

__all__ = ["Admission"]

_ALL = "all"
"""The account of everybody's calls together."""


class Admission:
    """One call's: ``admit`` it before it is made, ``leave`` when it has ended, however that was."""

    def __init__(self, service: Service, owner: Owner) -> None:
        """Get ready for a call of this owner's."""
        self.owner = owner
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        """How the key stands, for the answer."""
        self._service = service
        self._place: Place | None = None
        self._reservation: Reservation | None = None
        self._of_all = service.config.budget
        self._budgeted = self._of_all is not None or (owner.key is not None and owner.key.budget is not None)

    @property
    def entered(self) -> Callable[[Transaction, LedgerEntry], None] | None:
        """What settles the call as it is entered (see ``dragoman.turns``); None: nothing is held."""
        return self._settle if self._budgeted else None

    async def admit_turn(self, turn: Turn, *, asks: bool = True) -> None:
        """Take a turn's place, and hold what it may cost.

        Args:
            turn: not begun.
            asks: whether a model will be asked.

        Raises:
            APIError: it may not be made now; the turn has ended with that.
        """
        if self.owner.key is None and not self._budgeted:
            return
        try:
            history: Sequence[Item] = ()
            if self._measured and asks:
                history = (await turn.prepare()).history
            await self.admit(turn.journey, turn.request, history, asks=asks)
        except APIError as refusal:
            turn.interrupt(refusal, "failed")
            raise

    async def admit(
        self, journey: Journey, request: Mapping[str, Any], history: Sequence[Item] = (), *, asks: bool = True
    ) -> None:
        """Take a call's place, and hold what it may cost.

        Args:
            journey: of the call.
            request: what goes in,
            history: after this.
            asks: whether it costs tokens.

        Raises:
            APIError: it may not be made now.
        """
        key = self.owner.key
        measured = asks and self._measured
        tokens = estimate(request, history) if measured else 0
        most = request.get("max_output_tokens") if asks else 0
        if key is not None:
            self._place = self._service.key_limits.enter(key, tokens + (most or 0))
            if self._place is not None:
                self.headers = self._place.headers
        if self._budgeted and asks:
            try:
                await self._hold(journey, tokens, most)
            except BaseException:
                self._leave_place(0)
                raise

    async def leave(self, usage: Mapping[str, Any] | None) -> None:
        """Give back what the call has taken; harmless at any moment, also twice.

        Args:
            usage: the response's; None: nobody knows.
        """
        self._leave_place(None if usage is None else usage.get("total_tokens"))
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            await self._service.reservations.release(reservation)

    async def leave_turn(self, turn: Turn) -> None:
        """Give back what a turn has taken."""
        usage = (turn.response or {}).get("usage")
        await self.leave(usage or (None if turn.journey.attempts else {"total_tokens": 0}))

    @property
    def _measured(self) -> bool:
        """Whether it matters how long the call is."""
        return self._budgeted or (self.owner.key is not None and self.owner.key.tpm is not None)

    def _leave_place(self, tokens: int | None) -> None:
        if self._place is not None:
            self._place.leave(tokens)

    def _settle(self, transaction: Transaction, entry: LedgerEntry) -> None:
        if self._reservation is not None:
            self._reservation.settle(transaction, entry)

    async def _hold(self, journey: Journey, tokens: int, most: int | None) -> None:
        service, key = self._service, self.owner.key
        now = time.time()
        limits: list[Limit] = []
        unknown = True
        if key is not None and (of_key := limit_of_key(key, now)) is not None:
            limits.append(of_key)
            unknown = key.budget is not None and key.budget.unknown_prices
        if self._of_all is not None:
            limits.append(limit_of("This server", _ALL, self._of_all, 0.0, now))
            unknown = unknown and self._of_all.unknown_prices
        amount = price(journey, tokens, most, unknown=unknown)
        try:
            self._reservation = await service.reservations.hold(limits, amount)
        except ServiceUnavailableError:
            if not service.config.unstored_without_store:
                raise
