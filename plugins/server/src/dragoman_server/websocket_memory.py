"""What a WebSocket remembers by itself: of each lane the newest response, where no store keeps it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from dragoman.memory.chains import with_ids
from dragoman.memory.keeper import Keeper
from dragoman.state import StoredResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dragoman.state import Transaction
    from dragoman.turns.turn import Turn

__all__ = ["Chain", "ConnectionMemory", "continuing"]

Chain: TypeAlias = "tuple[StoredResponse, ...]"
"""Turns that are in no store, oldest first; the first may continue a response that is in one."""
_Result = TypeVar("_Result")


class ConnectionMemory:
    """The newest turn of each lane, with all before it. It goes with the connection."""

    def __init__(self) -> None:
        self._newest: dict[str | None, Chain] = {}

    def find(self, response_id: object) -> Chain | None:
        """Return the chain that ends with a response; None where no lane's newest has that id."""
        return next((chain for chain in self._newest.values() if chain[-1].id == response_id), None)

    def keep(self, lane: str | None, turn: Turn, response: dict[str, Any], before: Chain | None) -> None:
        """Remember a finished turn as the newest of its lane; one that is stored is found in the store."""
        if turn.stores or turn.memory is None:
            self._newest.pop(lane, None)
            return
        request = turn.request
        newest = StoredResponse(
            id=response["id"],
            owner=turn.memory.owner,
            created_at=float(response["created_at"]),
            input=with_ids(request.get("input")),
            response=response,
            previous_response_id=request.get("previous_response_id"),
        )
        self._newest[lane] = (*(before or ()), newest)

    def evict(self, response_id: object) -> None:
        """Forget a response: a turn that referred to it has failed."""
        for lane, chain in list(self._newest.items()):
            if chain[-1].id == response_id:
                del self._newest[lane]

    def forget(self, lane: str | None) -> None:
        """Forget a lane."""
        self._newest.pop(lane, None)


def continuing(turn: Turn, chain: Chain) -> None:
    """Make a turn find its history in a chain."""
    if turn.memory is not None:
        keeper = _ContinuingKeeper(turn.memory.keeper, chain, stores=turn.stores)
        turn.memory = replace(turn.memory, keeper=keeper)


class _ContinuingKeeper(Keeper):
    """The server's keeper, for the one turn that continues a chain."""

    def __init__(self, keeper: Keeper, chain: Chain, *, stores: bool) -> None:
        super().__init__(keeper.store)
        self._keeper = keeper
        self._chain = chain
        self._alone = not stores and chain[0].previous_response_id is None

    async def arun(
        self, operation: Callable[[Transaction], _Result], *, timeout: float | None = None
    ) -> _Result:
        """Carry out an operation; a store that is not needed is not asked, so it may be down."""
        if self._alone:
            return operation(cast("Transaction", _Continuing(None, self._chain)))
        return await self._keeper.arun(
            lambda transaction: operation(cast("Transaction", _Continuing(transaction, self._chain))),
            timeout=timeout,
        )


class _Continuing:
    """A transaction that knows a chain besides."""

    def __init__(self, transaction: Transaction | None, chain: Chain) -> None:
        self._transaction = transaction
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def get_chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all before it, the stored ones too."""
        chain = self._chain
        if response_id != chain[-1].id:
            return self._transaction.get_chain(owner, response_id) if self._transaction else []
        before = chain[0].previous_response_id
        if before is None or self._transaction is None:
            return chain
        return (*self._transaction.get_chain(owner, before), *chain)

    def put_response(self, stored: StoredResponse) -> None:
        """Add a response, together with what is in no store of its history: it is whole for everyone."""
        chain = self._chain
        if self._transaction is None:
            return
        if stored.previous_response_id == chain[-1].id:
            earlier = [item for turn in chain for item in (*turn.input, *turn.response["output"])]
            stored = replace(
                stored,
                input=[*earlier, *stored.input],
                previous_response_id=chain[0].previous_response_id,
            )
        self._transaction.put_response(stored)
