"""Any interleaving of accounts' verbs equals a model of plain dicts: no money is made or lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dragoman.accounts import Account, Hold
from dragoman.events.brackets import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.state import Store

__all__ = ["run_machine"]

_PLACES = st.integers(0, 30)  # which of the holds that were made so far, counted from the newest
_LEASES = st.integers(0, 20)
_NOBODY = "nobody's"


class _Machine(RuleBasedStateMachine):
    """Does everything twice, to the store and to the model, and compares what is told."""

    open: Callable[[], Store]
    reopens: bool

    @initialize()
    def begin(self) -> None:
        self.store = self.open()
        self.accounts: dict[str, Account] = {}
        self.holds: dict[str, Hold] = {}
        self.held: list[str] = []
        self.run_id = new_id("run")  # accounts are never emptied: each run has others

    def teardown(self) -> None:
        with self.store.transaction() as transaction:
            for hold_id in self.holds:
                transaction.settle(hold_id, 0)
        self.store.close()

    @rule(name=st.sampled_from("ab"), amount=st.integers(0, 9), most=st.integers(0, 30), until=_LEASES)
    def hold(self, name: str, amount: int, most: int, until: int) -> None:
        one = Hold(
            id=f"{self.run_id}_{len(self.held)}",
            account=self.run_id + name,
            amount=amount,
            lease_until=float(until),
        )
        before = self.accounts.get(one.account, Account())
        fits = before.spent + before.held + amount <= most
        with self.store.transaction() as transaction:
            assert transaction.hold(one, most) is fits
        if fits:
            self.held.append(one.id)
            self.holds[one.id] = one
            self._change(one.account, 0, amount)

    @rule(place=_PLACES, cost=st.integers(0, 9))
    def settle(self, place: int, cost: int) -> None:
        id_ = self.held[-1 - place] if place < len(self.held) else _NOBODY
        one = self.holds.pop(id_, None)
        with self.store.transaction() as transaction:
            assert transaction.settle(id_, cost) is (one is not None)
        if one is not None:
            self._change(one.account, cost, -one.amount)

    @rule(places=st.lists(_PLACES, max_size=3), until=_LEASES)
    def renew_holds(self, places: list[int], until: int) -> None:
        ids = [self.held[-1 - place] for place in places if place < len(self.held)]
        for id_ in ids:
            if id_ in self.holds:
                self.holds[id_] = replace(self.holds[id_], lease_until=float(until))
        with self.store.transaction() as transaction:
            transaction.renew_holds(ids, float(until))

    @rule(now=_LEASES)
    def free_holds(self, now: int) -> None:
        freed = [one for one in self.holds.values() if one.lease_until <= now and one.amount]
        with self.store.transaction() as transaction:
            assert transaction.free_holds(float(now)) == len(freed)
        for one in freed:
            self.holds[one.id] = replace(one, amount=0)
            self._change(one.account, 0, -one.amount)

    @rule(name=st.sampled_from("ab"))
    def read_account(self, name: str) -> None:
        with self.store.transaction() as transaction:
            assert transaction.get_account(self.run_id + name) == self.accounts.get(
                self.run_id + name, Account()
            )

    def _change(self, account: str, spent: int, held: int) -> None:
        before = self.accounts.get(account, Account())
        self.accounts[account] = Account(before.spent + spent, before.held + held)

    @rule()
    def reopen(self) -> None:
        if self.reopens:
            self.store.close()
            self.store = self.open()


def run_machine(open_: Callable[[], Store], *, reopens: bool) -> None:
    """Compare a store with the model.

    Args:
        open_: opens the store, always at the same place.
        reopens: whether what was committed is there when it is opened again.
    """
    machine = type("Machine", (_Machine,), {})
    machine.open, machine.reopens = staticmethod(open_), reopens  # type: ignore[attr-defined]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
