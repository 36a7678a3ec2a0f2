"""The part of the stores' conformance kit that is about the ledger."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.events.brackets import new_id
from dragoman.state import LedgerEntry, Spend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.state import Store

__all__ = ["LedgerConformance", "make_entry"]

_DAY = 86400.0
_TODAY = 20_000 * _DAY
_ODD = ("", "\0", "\ud800", '"a"', "'", "%", "Grüße", "a" * 10_000)
_MUCH = 2**61  # millionths of a millionth of a dollar; four of them are more than 64 bits hold


def make_entry(**fields: Any) -> LedgerEntry:
    """Return an entry; what is not given is of no consequence."""
    made = {"id": new_id("resp"), "at": _TODAY + 0.25, "asked": "group", "provider": "acme", "model": "large"}
    return LedgerEntry(**{"outcome": "completed", "cost": 1, **made, **fields})


def _groups(rows: Sequence[Spend]) -> list[tuple[Any, ...]]:
    return [(*row.of.values(), row.calls) for row in rows]


class LedgerConformance:
    """What every store does with entries, as tests (see ``StoreConformance``)."""

    def open(self) -> Store:
        """Return the store, opened."""
        raise NotImplementedError

    def test_an_entry_comes_back_as_it_was(self, store: Store) -> None:
        """Every field, with its type."""
        full = make_entry(
            owner="ann", user="eve", tags=("a", "b,\0"), conversation="conv_1", outcome="failed",
            input_tokens=2**40, cached_tokens=3, output_tokens=5, reasoning_tokens=2, cost=_MUCH,
            attempts=3, duration=1.25,
        )  # fmt: skip
        bare = make_entry(cost=None)
        odd = [make_entry(owner=text, user=text, model=text, tags=(text,)) for text in _ODD]
        with store.transaction() as transaction:
            assert [transaction.add_entry(entry) for entry in (full, bare, *odd)] == [True] * (2 + len(odd))
        with store.transaction() as transaction:
            for entry in (full, bare, *odd):
                assert transaction.get_entry(entry.id) == entry
            assert transaction.get_entry("resp_nobody's") is None
            assert [row.of["user"] for row in transaction.get_spend(by=["user"]) if row.calls == 1] == sorted(
                ["eve", *_ODD[1:]]
            )

    def test_nothing_is_counted_twice(self, store: Store) -> None:
        """The first entry of an id stays."""
        entry = make_entry(cost=5)
        with store.transaction() as transaction:
            assert transaction.add_entry(entry) is True
            assert transaction.add_entry(replace(entry, cost=7)) is False
        with store.transaction() as transaction:
            assert transaction.add_entry(entry) is False
            assert transaction.get_entry(entry.id) == entry
            (all_,) = transaction.get_spend()
        assert (all_.calls, all_.cost) == (1, 5)

    def test_what_is_not_known_is_not_counted_as_nothing(self, store: Store) -> None:
        """Calls without a price are counted by themselves; sums are exact beyond 64 bits."""
        entries = [make_entry(cost=_MUCH + 1, outcome="failed") for _ in range(9)]
        entries += [make_entry(cost=None, outcome="cancelled"), make_entry(cost=0, outcome="incomplete")]
        entries = [
            replace(e, input_tokens=7, cached_tokens=4, output_tokens=3, reasoning_tokens=2) for e in entries
        ]
        expected = Spend(
            of={}, calls=11, failed=9, unpriced=1, cost=9 * _MUCH + 9,
            input_tokens=77, cached_tokens=44, output_tokens=33, reasoning_tokens=22,
        )  # fmt: skip
        with store.transaction() as transaction:
            assert list(transaction.get_spend()) == []
            for entry in entries:
                transaction.add_entry(entry)
            assert list(transaction.get_spend()) == [expected]

    def test_spend_is_told_by_what_is_asked(self, store: Store) -> None:
        """By any of the names, together; chosen by any, and by time; days are those of UTC."""
        with store.transaction() as transaction:
            for owner, user, tags, day in (
                ("ann", "x", ("a", "b"), 0.0),
                ("ann", "y", ("a",), 0.999),
                ("bob", "x", (), 1.0),
                ("bob", "x", ("b",), -0.001),
            ):
                transaction.add_entry(make_entry(owner=owner, user=user, tags=tags, at=_TODAY + day * _DAY))
            spend = transaction.get_spend
            assert _groups(spend(by=["owner"])) == [("ann", 2), ("bob", 2)]
            assert _groups(spend(by=["user", "owner"])) == [("x", "ann", 1), ("x", "bob", 2), ("y", "ann", 1)]
            assert _groups(spend(by=["tag"])) == [("", 1), ("a", 2), ("b", 2)]
            assert _groups(spend(by=["tag"], where={"tag": "a"})) == [("a", 2), ("b", 1)]
            assert _groups(spend(by=["day"])) == [("2024-10-03", 1), ("2024-10-04", 2), ("2024-10-05", 1)]
            assert _groups(spend(by=["asked", "provider", "model"])) == [("group", "acme", "large", 4)]
            assert _groups(spend(where={"owner": "bob", "user": "x"})) == [(2,)]
            assert _groups(spend(where={"model": "small"})) == []
            assert _groups(spend(since=_TODAY, until=_TODAY + _DAY)) == [(2,)]
            assert _groups(spend(since=_TODAY + _DAY)) == [(1,)]
            assert _groups(spend(until=_TODAY)) == [(1,)]

    def test_what_is_rolled_up_counts_as_before(self, store: Store) -> None:
        """In steps, the oldest first; and what is added to a day afterwards counts with it."""
        entries = [
            make_entry(
                owner=("ann", "bob")[number % 2], tags=(("a",), ("a", "b"), ())[number % 3],
                at=_TODAY + number * _DAY / 4, cost=None if number % 5 == 0 else number * _MUCH // 64,
                outcome="failed" if number % 7 == 0 else "completed",
            )
            for number in range(20)
        ]  # fmt: skip
        asked: tuple[Sequence[str], ...] = ((), ("day",), ("tag", "owner"), ("day", "tag", "owner", "model"))
        ever: dict[str, Any] = {}
        period: dict[str, Any] = {"since": _TODAY + _DAY, "until": _TODAY + 3 * _DAY}
        with store.transaction() as transaction:
            for entry in reversed(entries):
                transaction.add_entry(entry)
            before = [list(transaction.get_spend(by=by, **more)) for by in asked for more in (ever, period)]
        for expected in (3, 3, 3, 1, 0):
            with store.transaction() as transaction:
                assert transaction.roll_up(_TODAY + 2.5 * _DAY, 3) == expected
                after = [
                    list(transaction.get_spend(by=by, **more)) for by in asked for more in (ever, period)
                ]
                assert after == before
        with store.transaction() as transaction:
            known = [transaction.get_entry(entry.id) for entry in entries]
            assert known == [None] * 10 + entries[10:]
            transaction.add_entry(replace(entries[1], id=new_id("resp"), cost=5))
            assert transaction.roll_up(_TODAY + _DAY, 100) == 1
            (all_,) = transaction.get_spend()
        assert (all_.calls, all_.cost) == (21, before[0][0].cost + 5)

    def test_threads_that_roll_up_lose_and_double_nothing(self, store: Store) -> None:
        """While others add entries, and others look."""
        together = threading.Barrier(6)

        def work(thread: int) -> list[tuple[int, int]]:
            together.wait(30)
            seen = []
            for number in range(20):
                with store.transaction() as transaction:
                    if thread < 2:
                        transaction.roll_up(_TODAY + _DAY, 7)
                    elif thread < 4:
                        transaction.add_entry(make_entry(cost=1, owner=f"{number % 3}"))
                    else:
                        seen += [(row.calls, row.cost) for row in transaction.get_spend()]
            return seen

        with ThreadPoolExecutor(6) as pool:
            looked = list(pool.map(work, range(6)))
        for seen in looked:
            assert seen == sorted(seen)
            assert all(calls == cost for calls, cost in seen)
        with store.transaction() as transaction:
            (all_,) = transaction.get_spend()
        assert (all_.calls, all_.cost) == (40, 40)
