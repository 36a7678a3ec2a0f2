"""The conformance kit of stores: what they do with keys and accounts. See ``dragoman.testing.stores``."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dragoman.accounts import KEPT_AFTER_LEASE, Account, Hold, StoredKey

if TYPE_CHECKING:
    from dragoman.state import Store

__all__ = ["AccountConformance", "make_hold"]

_THREADS = 8
_ODD_IDS = ("", "\0", "a\0", "\ud800", '"a"', "'", "%", "a" * 100_000)


def make_hold(id_: str, amount: int, *, account: str = "a", lease_until: float = 5.0) -> Hold:
    """Return a hold."""
    return Hold(id=id_, account=account, amount=amount, lease_until=lease_until)


class AccountConformance:
    """Keys and accounts, as tests; part of ``StoreConformance``."""

    durable: bool

    def open(self) -> Store:
        """Return the store, opened."""
        raise NotImplementedError

    # ---- keys

    def test_a_key_comes_back_as_it_was(self, store: Store) -> None:
        """Under its id alone; the last one put counts."""
        terms = {"name": "Grüße", "rpm": 3, "models": ["a/*"], "expires_at": 1.5, "metadata": {"a": "b"}}
        first = StoredKey(id="key_1", digest="ab", created_at=2.5, terms=terms)
        second = StoredKey(id="key_2", digest="cd", created_at=1.25)
        with store.transaction() as transaction:
            assert list(transaction.list_keys()) == []
            transaction.put_key(first)
            transaction.put_key(second)
        with store.transaction() as transaction:
            assert transaction.get_key("key_1") == first
            assert list(transaction.list_keys()) == [second, first]
            for odd in (*_ODD_IDS, "key_", "KEY_1"):
                assert transaction.get_key(odd) is None
            changed = replace(first, terms={**terms, "revoked_at": 9.5})
            transaction.put_key(changed)
            assert transaction.get_key("key_1") == changed
            assert list(transaction.list_keys()) == [second, changed]

    # ---- accounts

    def test_an_account_is_never_held_over_its_limit(self, store: Store) -> None:
        """What is spent counts, what is held counts, what was refused does not."""
        with store.transaction() as transaction:
            assert transaction.get_account("a") == Account(0, 0)
            assert transaction.hold(make_hold("one", 6), most=10) is True
            assert transaction.hold(make_hold("two", 5), most=10) is False
            assert transaction.hold(make_hold("two", 4), most=10) is True
            assert transaction.hold(make_hold("more", 1, account="b"), most=0) is False
            assert transaction.hold(make_hold("free", 0), most=10) is True
        with store.transaction() as transaction:
            assert transaction.get_account("a") == Account(0, 10)
            assert transaction.get_account("b") == Account(0, 0)
            assert transaction.settle("one", 7) is True
            assert transaction.get_account("a") == Account(7, 4)
            assert transaction.hold(make_hold("three", 0), most=10) is False
            assert transaction.settle("more", 1) is False

    def test_a_hold_is_settled_once(self, store: Store) -> None:
        """For less than it was, for more, for nothing; dollars by the million are exact."""
        large = 9 * 10**18
        with store.transaction() as transaction:
            assert transaction.hold(make_hold("one", large), most=large) is True
            assert transaction.settle("one", large - 1) is True
            assert transaction.settle("one", large - 1) is False
            assert transaction.get_account("a") == Account(large - 1, 0)
            assert transaction.hold(make_hold("two", 1), most=large) is True
            assert transaction.settle("two", 0) is True
        with store.transaction() as transaction:
            assert transaction.get_account("a") == Account(large - 1, 0)
            assert transaction.settle("two", 5) is False

    def test_holds_whose_lease_ran_out_count_for_nothing(self, store: Store) -> None:
        """But whoever was only slow still settles them, unless a day has passed."""
        with store.transaction() as transaction:
            for name, until in (("past", 5.0), ("edge", 6.0), ("renewed", 6.0), ("future", 6.5)):
                assert transaction.hold(make_hold(name, 10, lease_until=until), most=100) is True
            assert transaction.hold(make_hold("other", 3, account="b", lease_until=1.0), most=100) is True
            transaction.renew_holds([], 9.0)
            transaction.renew_holds(["renewed", "nobody's"], 9.0)
        with store.transaction() as transaction:
            assert transaction.free_holds(6.0) == 3
            assert transaction.free_holds(6.0) == 0
            assert transaction.get_account("a") == Account(0, 20)
            assert transaction.get_account("b") == Account(0, 0)
        with store.transaction() as transaction:
            assert transaction.settle("past", 4) is True
            assert transaction.settle("past", 4) is False
            assert transaction.get_account("a") == Account(4, 20)
            assert transaction.free_holds(6.0 + KEPT_AFTER_LEASE) == 2
            assert transaction.settle("edge", 4) is False
            assert transaction.settle("future", 4) is True
            assert transaction.get_account("a") == Account(8, 0)

    def test_many_at_once_are_held_one_after_the_other(self, store: Store) -> None:
        """So many as there is room for, and no money is lost on the way."""
        together = threading.Barrier(_THREADS)

        def work(thread: int) -> int:
            together.wait(30)
            held = 0
            for number in range(10):
                name = f"{thread}-{number}"
                with store.transaction() as transaction:
                    kept = transaction.hold(make_hold(name, 10), most=250)
                held += kept
                if kept:
                    with store.transaction() as transaction:
                        assert transaction.settle(name, 10) is True
            return held

        with ThreadPoolExecutor(_THREADS) as pool:
            assert sum(pool.map(work, range(_THREADS))) == 25
        with store.transaction() as transaction:
            assert transaction.get_account("a") == Account(250, 0)

    def test_accounts_equal_a_plain_model(self) -> None:
        """Any interleaving of holding, settling, renewing and freeing."""
        pytest.importorskip("hypothesis", reason="the kit's property test needs hypothesis")
        from dragoman.testing.store_account_machine import run_machine  # noqa: PLC0415 - hypothesis may be absent

        run_machine(self.open, reopens=self.durable)
