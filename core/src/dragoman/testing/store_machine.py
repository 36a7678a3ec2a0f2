"""Any interleaving of a store's verbs equals a model of plain dicts: hypothesis makes them up."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dragoman.events.brackets import new_id
from dragoman.spending import FILTERS, GROUPS
from dragoman.state import LedgerEntry, StoredConversation, StoredResponse
from dragoman.testing.store_ledger import make_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.state import Store
    from dragoman.types import Event, Item

__all__ = ["run_machine"]

_OWNERS = st.sampled_from(["", "ann", "bob"])
_PLACES = st.integers(0, 30)  # which of the things that were made so far, counted from the newest
_STATUSES = st.sampled_from(["queued", "in_progress", "completed", "failed"])
_TIMES = st.one_of(st.none(), st.integers(0, 20).map(float))
_ITEM_IDS = st.lists(st.sampled_from(["a", "b", "c", "\0", "\ud800"]), max_size=4)
_TEXTS = st.text(max_size=5)
_NOBODY = "nobody's"
_COSTS = st.one_of(st.none(), st.integers(0, 2**62))
_TAGS = st.lists(st.sampled_from(["a", "b", "\0"]), max_size=2).map(lambda tags: tuple(sorted(set(tags))))


def _output(text: str) -> list[Item]:
    return [{"id": text, "type": "message"}]


class _Machine(RuleBasedStateMachine):
    """Does everything twice, to the store and to the model, and compares what is told."""

    open: Callable[[], Store]
    reopens: bool
    rolls_back: bool

    @initialize()
    def begin(self) -> None:
        self.store = self.open()
        self.responses: dict[str, StoredResponse] = {}
        self.events: dict[str, list[Event]] = {}
        self.conversations: dict[str, StoredConversation] = {}
        self.items: dict[str, dict[str, Item]] = {}
        self.made: list[str] = []
        self.begun: list[str] = []
        self.entries: list[LedgerEntry] = []
        self.rolled: set[str] = set()
        self.run_id = new_id("run")  # what is in the ledger stays there, so each run has its own model

    def teardown(self) -> None:
        """Leave the store empty for the next run, by the model's account."""
        for one in list(self.responses.values()):
            self.delete(one.owner, self.made[::-1].index(one.id))
        for conversation in list(self.conversations.values()):
            self.delete_conversation(conversation.owner, self.begun[::-1].index(conversation.id))
        self.store.close()

    def _response_id(self, place: int) -> str:
        return self.made[-1 - place] if place < len(self.made) else _NOBODY

    def _conversation_id(self, place: int) -> str:
        return self.begun[-1 - place] if place < len(self.begun) else _NOBODY

    # ---- responses

    @rule(
        owner=_OWNERS,
        previous=_PLACES,
        status=_STATUSES,
        text=_TEXTS,
        expires_at=_TIMES,
        anew=st.booleans(),
        fails=st.booleans(),
    )
    def put(
        self,
        owner: str,
        previous: int,
        status: str,
        text: str,
        expires_at: float | None,
        *,
        anew: bool,
        fails: bool,
    ) -> None:
        id_ = f"resp_{len(self.made)}"
        one = StoredResponse(
            id=id_, owner=owner, created_at=float(len(self.made)), input=[{"id": "i", "content": text}],
            response={"id": id_, "status": status, "output": _output(text)}, expires_at=expires_at,
            begins_anew=anew and previous % 3 == 0,
            previous_response_id=self._response_id(previous) if previous < 20 else None,
        )  # fmt: skip
        if fails and self.rolls_back:
            self._fail(one)
            return
        self.made.append(id_)
        self.responses[id_] = one
        with self.store.transaction() as transaction:
            transaction.put_response(one)

    def _fail(self, one: StoredResponse) -> None:
        try:
            with self.store.transaction() as transaction:
                transaction.put_response(one)
                transaction.purge(100.0)
                raise LookupError
        except LookupError:
            pass

    @rule(place=_PLACES, status=_STATUSES, text=_TEXTS)
    def replace(self, place: int, status: str, text: str) -> None:
        one = self.responses.get(self._response_id(place))
        if one is not None:
            one = replace(one, response={**one.response, "status": status, "output": _output(text)})
            self.responses[one.id] = one
            with self.store.transaction() as transaction:
                transaction.put_response(one)

    @rule(owner=_OWNERS, place=_PLACES)
    def delete(self, owner: str, place: int) -> None:
        id_ = self._response_id(place)
        known = id_ in self.responses and self.responses[id_].owner == owner
        if known:
            del self.responses[id_]
            self.events.pop(id_, None)
        with self.store.transaction() as transaction:
            assert transaction.delete_response(owner, id_) is known

    @rule(owner=_OWNERS, place=_PLACES)
    def read(self, owner: str, place: int) -> None:
        chain: list[StoredResponse] = []
        following: str | None = self._response_id(place)
        while following in self.responses and self.responses[following].owner == owner:
            chain.insert(0, self.responses[following])
            following = None if chain[0].begins_anew else chain[0].previous_response_id
        with self.store.transaction() as transaction:
            assert transaction.get_response(owner, self._response_id(place)) == (chain[-1] if chain else None)
            assert list(transaction.get_chain(owner, self._response_id(place))) == chain

    @rule(owner=_OWNERS, item=st.one_of(st.sampled_from(["i", "a", "\0", "z"]), _TEXTS))
    def read_item(self, owner: str, item: str) -> None:
        found = [
            one.items[item] for one in self.responses.values() if one.owner == owner and item in one.items
        ]
        kept = [
            items[item]
            for id_, items in self.items.items()
            if self.conversations[id_].owner == owner and item in items
        ]
        with self.store.transaction() as transaction:
            told = transaction.get_item(owner, item)
        assert told in (found[-1:] or kept) if found or kept else told is None

    @rule(now=st.integers(0, 20))
    def purge(self, now: int) -> None:
        expired = [
            one.id for one in self.responses.values() if one.expires_at is not None and one.expires_at <= now
        ]
        for id_ in expired:
            del self.responses[id_]
            self.events.pop(id_, None)
        with self.store.transaction() as transaction:
            assert transaction.purge(float(now)) == len(expired)

    @rule(place=_PLACES, until=st.integers(0, 20))
    def renew(self, place: int, until: int) -> None:
        id_ = self._response_id(place)
        if id_ in self.responses and not self.responses[id_].finished:
            self.responses[id_] = replace(self.responses[id_], lease_until=float(until))
        with self.store.transaction() as transaction:
            renewed = transaction.renew(id_, float(until))
            assert renewed is (id_ in self.responses and not self.responses[id_].finished)
            unfinished = {one.id: one for one in transaction.get_unfinished()}
        assert unfinished == {id_: one for id_, one in self.responses.items() if not one.finished}

    @rule(place=_PLACES, count=st.integers(0, 3), after=st.integers(-1, 6))
    def append_events(self, place: int, count: int, after: int) -> None:
        id_ = self._response_id(place)
        known = self.events.setdefault(id_, []) if id_ in self.responses else []
        with self.store.transaction() as transaction:
            if id_ in self.responses:
                more = [{"type": "x", "sequence_number": len(known) + number} for number in range(count)]
                known.extend(more)
                transaction.add_events(id_, more)
            assert list(transaction.get_events(id_, after)) == known[after + 1 :]

    # ---- conversations

    @rule(owner=_OWNERS, text=_TEXTS)
    def begin_conversation(self, owner: str, text: str) -> None:
        one = StoredConversation(
            id=f"conv_{len(self.begun)}", owner=owner, created_at=1.5, metadata={"text": text}
        )
        self.begun.append(one.id)
        self.conversations[one.id], self.items[one.id] = one, {}
        with self.store.transaction() as transaction:
            transaction.put_conversation(one)

    @rule(place=_PLACES, ids=_ITEM_IDS, text=_TEXTS)
    def append_items(self, place: int, ids: list[str], text: str) -> None:
        id_ = self._conversation_id(place)
        if id_ in self.conversations:
            more: list[Any] = [
                {"id": item, "content": text, "place": place} for place, item in enumerate(ids)
            ]
            self.items[id_].update((item["id"], item) for item in more)
            with self.store.transaction() as transaction:
                transaction.add_items(id_, more)

    @rule(place=_PLACES, item=st.sampled_from(["a", "b", "\0", "z"]))
    def delete_item(self, place: int, item: str) -> None:
        id_ = self._conversation_id(place)
        known = self.items.get(id_, {}).pop(item, None) is not None
        with self.store.transaction() as transaction:
            assert transaction.delete_item(id_, item) is known

    @rule(owner=_OWNERS, place=_PLACES)
    def read_conversation(self, owner: str, place: int) -> None:
        id_ = self._conversation_id(place)
        one = self.conversations.get(id_)
        with self.store.transaction() as transaction:
            assert transaction.get_conversation(owner, id_) == (one if one and one.owner == owner else None)
            assert list(transaction.get_items(id_)) == list(self.items.get(id_, {}).values())

    @rule(owner=_OWNERS, place=_PLACES)
    def delete_conversation(self, owner: str, place: int) -> None:
        id_ = self._conversation_id(place)
        known = id_ in self.conversations and self.conversations[id_].owner == owner
        if known:
            del self.conversations[id_], self.items[id_]
        with self.store.transaction() as transaction:
            assert transaction.delete_conversation(owner, id_) is known

    # ---- the ledger

    @rule(owner=_OWNERS, user=_OWNERS, tags=_TAGS, cost=_COSTS, day=st.integers(0, 3), known=st.booleans())
    def enter(
        self, owner: str, user: str, tags: tuple[str, ...], cost: int | None, day: int, *, known: bool
    ) -> None:
        entry = make_entry(
            owner=owner, user=user, tags=tags, cost=cost, at=day * 86400.0 + len(self.entries),
            model=self.run_id, output_tokens=len(self.entries),
        )  # fmt: skip
        if known and self.entries and self.entries[0].id not in self.rolled:
            entry = replace(entry, id=self.entries[0].id)
        new = all(entry.id != one.id for one in self.entries)
        if new:
            self.entries.append(entry)
        with self.store.transaction() as transaction:
            assert transaction.add_entry(entry) is new

    @rule(before=st.integers(0, 4), most=st.integers(1, 4))
    def roll_up(self, before: int, most: int) -> None:
        old = sorted((one for one in self.entries if one.id not in self.rolled), key=lambda one: one.at)
        old = [one for one in old if one.at < before * 86400][:most]
        with self.store.transaction() as transaction:
            transaction.roll_up(before * 86400.0, most)
            self.rolled |= {one.id for one in old if transaction.get_entry(one.id) is None}

    @rule(
        by=st.lists(st.sampled_from([name for name in GROUPS if name != "model"]), max_size=3, unique=True),
        where=st.dictionaries(st.sampled_from(FILTERS[:2]), _OWNERS, max_size=1),
        since=st.one_of(st.none(), st.integers(0, 3)),
        until=st.one_of(st.none(), st.integers(0, 4)),
    )
    def spend(self, by: list[str], where: dict[str, str], since: int | None, until: int | None) -> None:
        calls, costs, tokens = (
            Counter[tuple[str, ...]](),
            Counter[tuple[str, ...]](),
            Counter[tuple[str, ...]](),
        )
        for entry in self.entries:
            day = int(entry.at // 86400)
            if any(getattr(entry, name) != value for name, value in where.items()):
                continue
            if (since is not None and day < since) or (until is not None and day >= until):
                continue
            values = [
                (entry.tags or ("",))
                if name == "tag"
                else (f"1970-01-0{day + 1}",)
                if name == "day"
                else (getattr(entry, name),)
                for name in by
            ]
            for group in itertools.product(*values):
                calls[group] += 1
                costs[group] += entry.cost or 0
                tokens[group] += entry.output_tokens
        with self.store.transaction() as transaction:
            rows = transaction.get_spend(
                by=by, where={**where, "model": self.run_id},
                since=None if since is None else since * 86400.0,
                until=None if until is None else until * 86400.0,
            )  # fmt: skip
        told = {tuple(row.of.values()): (row.calls, row.cost, row.output_tokens) for row in rows}
        assert told == {group: (calls[group], costs[group], tokens[group]) for group in sorted(calls)}
        assert list(told) == sorted(told)

    # ---- the store itself

    @rule()
    def reopen(self) -> None:
        if self.reopens:
            self.store.close()
            self.store = self.open()


def run_machine(open_: Callable[[], Store], *, reopens: bool, rolls_back: bool) -> None:
    """Compare a store with the model.

    Args:
        open_: opens the store, always at the same place.
        reopens: whether what was committed is there when it is opened again.
        rolls_back: whether an exception undoes its transaction.
    """
    machine = type("Machine", (_Machine,), {})
    machine.open, machine.reopens, machine.rolls_back = staticmethod(open_), reopens, rolls_back  # type: ignore[attr-defined]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
