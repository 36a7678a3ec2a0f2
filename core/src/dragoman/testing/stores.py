"""The conformance kit of stores: inherit ``StoreConformance``, say how yours is opened, have a test suite.

::

    class TestMyStore(StoreConformance):
        @pytest.fixture(autouse=True)
        def place(self, tmp_path):
            self.url = f"mine:///{tmp_path}/store"

        def open(self):
            return MyStore(self.url)

It needs pytest and hypothesis.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dragoman.accounts import Account, StoredKey
from dragoman.events.brackets import new_id
from dragoman.state import StoredConversation, StoredResponse
from dragoman.testing.store_accounts import AccountConformance, make_hold
from dragoman.testing.store_ledger import LedgerConformance, make_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dragoman.state import Store, Transaction

__all__ = ["StoreConformance"]

_TEXTS = (
    "Grüße, 你好, 👩\u200d👩\u200d👧, e\u0301",
    "a\0b",
    "half a pair: \ud83d",
    "'; DROP TABLE responses; -- \\ \" \u2028",
    "x" * 2_000_000,
)
_ODD_IDS = ("", "\0", "a\0", "\ud800", '"a"', "'", "%", "a" * 100_000)
_THREADS = 8


def _response(owner: str = "ann", *, status: str = "completed", **fields: Any) -> StoredResponse:
    id_ = new_id("resp")
    made: dict[str, Any] = {
        "id": id_,
        "owner": owner,
        "created_at": 1700000000.25,
        "input": [{"type": "message", "id": f"msg_in_{id_}", "role": "user", "content": "Hi"}],
        "response": {"id": id_, "status": status, "output": [{"type": "message", "id": f"msg_{id_}"}]},
    }
    return StoredResponse(**{**made, **fields})


def _chain(count: int) -> list[StoredResponse]:
    turns: list[StoredResponse] = []
    for _ in range(count):
        turns.append(_response(previous_response_id=turns[-1].id if turns else None))
    return turns


def _conversation(owner: str = "ann") -> StoredConversation:
    return StoredConversation(id=new_id("conv"), owner=owner, created_at=1700000000.5, metadata={"a": "b"})


def _events(*numbers: int) -> list[dict[str, Any]]:
    return [{"type": "response.output_text.delta", "sequence_number": n, "delta": str(n)} for n in numbers]


def _items(*ids: str) -> list[dict[str, Any]]:
    return [{"id": id_, "type": "message", "content": f"of {id_}"} for id_ in ids]


def _numbers(events: Sequence[Any]) -> list[int]:
    return [event["sequence_number"] for event in events]


def _ids(rows: Sequence[Any]) -> list[str]:
    return [row["id"] if isinstance(row, dict) else row.id for row in rows]


class StoreConformance(LedgerConformance, AccountConformance):
    """What every store does, as tests. Each test has an instance of its own, and an empty store."""

    durable = True
    """Whether what was committed is there when the store is opened again."""
    rolls_back = True
    """Whether an exception undoes what its transaction did before."""

    def open(self) -> Store:
        """Return the store, opened: within one test always the same place, empty at first."""
        raise NotImplementedError(f"{type(self).__name__} must say how its store is opened: def open(self)")

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Open the store for a test."""
        opened = self.open()
        yield opened
        opened.close()

    # ---- responses

    def test_a_response_comes_back_as_it_was(self, store: Store) -> None:
        """Every field, with its type."""
        bare = _response()
        full = _response(
            "bob", status="in_progress", previous_response_id=bare.id, conversation_id="conv_1",
            expires_at=1800000000.125, lease_until=1700000060.5, begins_anew=True,
        )  # fmt: skip
        with store.transaction() as transaction:
            transaction.put_response(bare)
            transaction.put_response(full)
        with store.transaction() as transaction:
            assert transaction.get_response("ann", bare.id) == bare
            assert transaction.get_response("bob", full.id) == full

    def test_a_response_is_replaced_and_keeps_its_events(self, store: Store) -> None:
        """The last one put counts."""
        queued = _response(status="queued", lease_until=5.0)
        done = replace(queued, response={**queued.response, "status": "completed"}, lease_until=None)
        with store.transaction() as transaction:
            transaction.put_response(queued)
            transaction.add_events(queued.id, _events(0))
            transaction.put_response(done)
            assert transaction.get_response("ann", queued.id) == done
            assert transaction.get_events(queued.id, -1) == _events(0)

    def test_a_deleted_response_is_gone_with_its_events(self, store: Store) -> None:
        """Also where one of its id is made again."""
        stored = _response()
        with store.transaction() as transaction:
            transaction.put_response(stored)
            transaction.add_events(stored.id, _events(0, 1))
        with store.transaction() as transaction:
            assert transaction.delete_response("ann", stored.id) is True
            assert transaction.delete_response("ann", stored.id) is False
            assert transaction.get_response("ann", stored.id) is None
            transaction.put_response(stored)
            assert list(transaction.get_events(stored.id, -1)) == []

    # ---- chains

    def test_a_chain_is_told_oldest_first(self, store: Store) -> None:
        """From wherever it is asked for; long ones too."""
        turns = _chain(300)
        with store.transaction() as transaction:
            for turn in turns:
                transaction.put_response(turn)
        with store.transaction() as transaction:
            assert list(transaction.get_chain("ann", turns[-1].id)) == turns
            assert list(transaction.get_chain("ann", turns[2].id)) == turns[:3]
            assert list(transaction.get_chain("ann", "resp_nobody")) == []

    def test_a_fork_sees_its_own_past(self, store: Store) -> None:
        """And nothing of the other branch."""
        root, trunk = _chain(2)
        left, right = (_response(previous_response_id=trunk.id) for _ in range(2))
        with store.transaction() as transaction:
            for turn in (root, trunk, left, right):
                transaction.put_response(turn)
            assert list(transaction.get_chain("ann", left.id)) == [root, trunk, left]
            assert list(transaction.get_chain("ann", right.id)) == [root, trunk, right]

    def test_a_chain_begins_late_where_a_turn_was_deleted(self, store: Store) -> None:
        """Its first turn then still names the one that is missing: that is how callers see it."""
        first, second, third, fourth = _chain(4)
        with store.transaction() as transaction:
            for turn in (first, second, third, fourth):
                transaction.put_response(turn)
            transaction.delete_response("ann", second.id)
            chain = transaction.get_chain("ann", fourth.id)
            assert list(chain) == [third, fourth]
            assert chain[0].previous_response_id == second.id

    def test_a_chain_goes_back_to_one_that_begins_anew(self, store: Store) -> None:
        """That one is the first; what came before it may even be gone."""
        turns = _chain(5)
        for place in (1, 2):
            turns[place] = replace(turns[place], begins_anew=True)
        with store.transaction() as transaction:
            for turn in turns:
                transaction.put_response(turn)
            assert list(transaction.get_chain("ann", turns[-1].id)) == turns[2:]
            assert list(transaction.get_chain("ann", turns[2].id)) == [turns[2]]
            assert list(transaction.get_chain("ann", turns[1].id)) == [turns[1]]
            transaction.delete_response("ann", turns[0].id)
            assert list(transaction.get_chain("ann", turns[-1].id)) == turns[2:]

    # ---- owners

    def test_nobody_sees_or_deletes_what_is_anothers(self, store: Store) -> None:
        """Whatever id they know."""
        first, second = _chain(2)
        conversation = _conversation()
        foreign = _response("bob", previous_response_id=second.id)
        with store.transaction() as transaction:
            for turn in (first, second, foreign):
                transaction.put_response(turn)
            transaction.put_conversation(conversation)
        with store.transaction() as transaction:
            for other in ("bob", "", "ANN", "ann ", "%"):
                assert transaction.get_response(other, first.id) is None
                assert list(transaction.get_chain(other, second.id)) == []
                assert transaction.delete_response(other, first.id) is False
                assert transaction.get_conversation(other, conversation.id) is None
                assert transaction.delete_conversation(other, conversation.id) is False
            assert list(transaction.get_chain("bob", foreign.id)) == [foreign]
            assert list(transaction.get_chain("ann", second.id)) == [first, second]
            assert transaction.get_conversation("ann", conversation.id) == conversation

    def test_what_is_anothers_is_not_replaced(self, store: Store) -> None:
        """Whoever puts a response or a conversation under an id that is taken is refused."""
        mine, conversation = _response(), _conversation()
        with store.transaction() as transaction:
            transaction.put_response(mine)
            transaction.put_conversation(conversation)
        with pytest.raises(ValueError, match="another owner"), store.transaction() as transaction:
            transaction.put_response(replace(mine, owner="bob", input=[]))
        with pytest.raises(ValueError, match="another owner"), store.transaction() as transaction:
            transaction.put_conversation(replace(conversation, owner="bob", metadata={}))
        with store.transaction() as transaction:
            assert transaction.get_response("ann", mine.id) == mine
            assert transaction.get_response("bob", mine.id) is None
            assert transaction.get_conversation("ann", conversation.id) == conversation

    # ---- items

    def test_items_are_found_wherever_they_are(self, store: Store) -> None:
        """In what went in, in what came out, in a conversation; the newest response's counts."""
        first, second = _response(), _response(created_at=1700000001.0)
        conversation = _conversation()
        first.response["output"] = _items("out", "both", *_ODD_IDS)
        second.response["output"] = [{"id": "both", "type": "message", "content": "newer"}]
        with store.transaction() as transaction:
            transaction.put_response(second)
            transaction.put_response(first)
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items("kept", "out"))
        with store.transaction() as transaction:
            assert transaction.get_item("ann", first.input[0]["id"]) == first.input[0]
            assert transaction.get_item("ann", "both") == second.response["output"][0]
            assert transaction.get_item("ann", "kept") == _items("kept")[0]
            for odd in _ODD_IDS:
                assert transaction.get_item("ann", odd) == _items(odd)[0]
            for item_id in ("out", "kept", "both", first.input[0]["id"]):
                assert transaction.get_item("bob", item_id) is None
            assert transaction.get_item("ann", "nobody's") is None

    def test_items_go_with_what_holds_them(self, store: Store) -> None:
        """Deleted, expired or replaced: then another that holds them counts, or nothing does."""
        gone, expired, replaced = _response(), _response(expires_at=1.0), _response(status="in_progress")
        conversation = _conversation()
        for one in (gone, expired, replaced):
            one.response["output"] = _items("shared", f"own_{one.id}")
        with store.transaction() as transaction:
            for one in (gone, expired, replaced):
                transaction.put_response(one)
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items("a", "b"))
        with store.transaction() as transaction:
            transaction.delete_response("ann", gone.id)
            transaction.purge(2.0)
            assert transaction.get_item("ann", "shared") == _items("shared")[0]
            transaction.put_response(replace(replaced, response={**replaced.response, "output": []}))
            transaction.delete_item(conversation.id, "a")
            assert transaction.get_item("ann", "b") == _items("b")[0]
            transaction.delete_conversation("ann", conversation.id)
        with store.transaction() as transaction:
            for item_id in ("shared", "a", "b", *(f"own_{one.id}" for one in (gone, expired, replaced))):
                assert transaction.get_item("ann", item_id) is None

    # ---- events

    def test_events_are_told_in_order_behind_a_number(self, store: Store) -> None:
        """However many were added at a time."""
        one, other = _response(status="in_progress"), _response(status="in_progress")
        with store.transaction() as transaction:
            transaction.put_response(one)
            transaction.put_response(other)
            transaction.add_events(other.id, _events(0))
            transaction.add_events(one.id, _events(*range(9)))
        with store.transaction() as transaction:
            transaction.add_events(one.id, [])
            transaction.add_events(one.id, _events(*range(9, 600)))
            assert list(transaction.get_events(one.id, -1)) == _events(*range(600))
            assert _numbers(transaction.get_events(one.id, 7)) == list(range(8, 600))
            assert list(transaction.get_events(one.id, 599)) == []
            assert _numbers(transaction.get_events(other.id, -1)) == [0]
            assert list(transaction.get_events("resp_nobody", -1)) == []

    # ---- what is unfinished, and what expires

    def test_unfinished_responses_are_found_and_leased(self, store: Store) -> None:
        """Everybody's; only unfinished ones can be leased."""
        stored = {
            status: _response(status, status=status, lease_until=1.5)
            for status in ("queued", "in_progress", "completed", "failed", "incomplete", "cancelled")
        }
        with store.transaction() as transaction:
            for one in stored.values():
                transaction.put_response(one)
        with store.transaction() as transaction:
            assert set(_ids(transaction.get_unfinished())) == {stored["queued"].id, stored["in_progress"].id}
            for one in stored.values():
                assert transaction.renew(one.id, 99.5) is not one.finished, one.response["status"]
            assert transaction.renew("resp_nobody", 99.5) is False
            for status, one in stored.items():
                expected = 1.5 if one.finished else 99.5
                found = transaction.get_response(status, one.id)
                assert found is not None
                assert found.lease_until == expected, status
            ended = {**stored["queued"].response, "status": "completed"}
            transaction.put_response(replace(stored["queued"], response=ended))
            assert _ids(transaction.get_unfinished()) == [stored["in_progress"].id]

    def test_what_has_expired_is_purged(self, store: Store) -> None:
        """With its events; what has not, and what never does, stays."""
        past, edge, future, never = (_response(expires_at=when) for when in (1.0, 2.0, 2.5, None))
        with store.transaction() as transaction:
            for one in (past, edge, future, never):
                transaction.put_response(one)
                transaction.add_events(one.id, _events(0))
        with store.transaction() as transaction:
            assert transaction.purge(2.0) == 2
            assert transaction.purge(2.0) == 0
            left = [one for one in (past, edge, future, never) if transaction.get_response("ann", one.id)]
            assert left == [future, never]
            assert [len(transaction.get_events(one.id, -1)) for one in (past, future)] == [0, 1]

    # ---- conversations

    def test_a_conversation_and_its_items(self, store: Store) -> None:
        """Items stay in the order in which they came, also when the conversation is replaced."""
        conversation, other = _conversation(), _conversation()
        with store.transaction() as transaction:
            for one in (conversation, other):
                transaction.put_conversation(one)
            assert list(transaction.get_items(conversation.id)) == []
            transaction.add_items(conversation.id, _items("z", "a"))
            transaction.add_items(conversation.id, [])
            transaction.add_items(conversation.id, _items("m"))
            transaction.add_items(other.id, _items("a"))
        with store.transaction() as transaction:
            changed = replace(conversation, metadata={"topic": "a\0b"})
            transaction.put_conversation(changed)
            assert transaction.get_conversation("ann", conversation.id) == changed
            assert list(transaction.get_items(conversation.id)) == _items("z", "a", "m")
            assert transaction.delete_item(conversation.id, "a") is True
            assert transaction.delete_item(conversation.id, "a") is False
            assert transaction.delete_item("conv_nobody", "z") is False
            transaction.add_items(conversation.id, _items("a"))
            assert _ids(transaction.get_items(conversation.id)) == ["z", "m", "a"]
            assert _ids(transaction.get_items(other.id)) == ["a"]

    def test_an_item_that_comes_again_takes_its_own_place(self, store: Store) -> None:
        """A caller who sends back what a conversation already holds does not double it."""
        conversation = _conversation()
        with store.transaction() as transaction:
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items("a", "b"))
            again = {"id": "a", "type": "message", "content": "changed"}
            transaction.add_items(conversation.id, [*_items("c"), again, *_items("c")])
            assert list(transaction.get_items(conversation.id)) == [again, *_items("b", "c")]

    def test_a_deleted_conversation_is_gone_with_its_items(self, store: Store) -> None:
        """Also where one of its id is made again; the responses that were made in it stay."""
        conversation = _conversation()
        made = _response(conversation_id=conversation.id)
        with store.transaction() as transaction:
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items("a"))
            transaction.put_response(made)
        with store.transaction() as transaction:
            assert transaction.delete_conversation("ann", conversation.id) is True
            assert transaction.delete_conversation("ann", conversation.id) is False
            assert transaction.get_conversation("ann", conversation.id) is None
            assert list(transaction.get_items(conversation.id)) == []
            assert transaction.get_response("ann", made.id) == made
            transaction.put_conversation(conversation)
            assert list(transaction.get_items(conversation.id)) == []

    # ---- what texts hold

    def test_every_text_survives(self, store: Store) -> None:
        """Everything that JSON can carry: NUL, halves of surrogate pairs, two megabytes; exact numbers."""
        response = _response(
            input=[{"id": text[:9], "type": "message", "content": text, text[:9]: [text]} for text in _TEXTS]
        )
        response.response["metadata"] = {"big": 2**70, "small": 5e-324, "no": None, "yes": True, "": []}
        conversation = _conversation()
        with store.transaction() as transaction:
            transaction.put_response(response)
            transaction.add_events(response.id, [{**_events(0)[0], "delta": text} for text in _TEXTS[:1]])
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, response.input)
        with store.transaction() as transaction:
            assert transaction.get_response("ann", response.id) == response
            assert transaction.get_events(response.id, -1)[0]["delta"] == _TEXTS[0]
            assert list(transaction.get_items(conversation.id)) == response.input

    def test_ids_that_nobody_made_are_not_found(self, store: Store) -> None:
        """They come from outside: NUL, halves of surrogate pairs, wildcards and long ones break nothing."""
        mine, conversation = _response(), _conversation()
        with store.transaction() as transaction:
            transaction.put_response(mine)
            transaction.put_conversation(conversation)
            for odd in _ODD_IDS:
                assert transaction.get_response("ann", odd) is None
                assert transaction.get_response(odd, mine.id) is None
                assert list(transaction.get_chain("ann", odd)) == []
                assert transaction.get_conversation("ann", odd) is None
                assert transaction.delete_response("ann", odd) is False
                assert transaction.delete_conversation("ann", odd) is False
                assert list(transaction.get_events(odd, -1)) == []
                assert transaction.delete_item(conversation.id, odd) is False

    def test_items_may_have_any_id(self, store: Store) -> None:
        """Callers choose the ids of their items."""
        conversation = _conversation()
        with store.transaction() as transaction:
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items(*_ODD_IDS))
        with store.transaction() as transaction:
            assert list(transaction.get_items(conversation.id)) == _items(*_ODD_IDS)
            for odd in _ODD_IDS:
                assert transaction.delete_item(conversation.id, odd) is True
            assert list(transaction.get_items(conversation.id)) == []

    # ---- transactions

    def test_an_exception_undoes_its_transaction(self) -> None:
        """All verbs of it; and the store works on."""
        if not self.rolls_back:
            pytest.skip("this store says that it does not roll back")
        store = self.open()
        kept, lost, conversation = _response(status="queued", expires_at=1.0), _response(), _conversation()
        entry = make_entry()
        with store.transaction() as transaction:
            transaction.put_response(kept)
            transaction.add_events(kept.id, _events(0))
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items("a"))
            transaction.hold(make_hold("kept", 1), most=9)
            transaction.add_entry(entry)

        def change_all(transaction: Transaction) -> None:
            transaction.put_response(lost)
            transaction.renew(kept.id, 9.5)
            transaction.add_events(kept.id, _events(1))
            transaction.delete_item(conversation.id, "a")
            transaction.add_items(conversation.id, _items("b"))
            transaction.put_conversation(replace(conversation, metadata={}))
            transaction.purge(2.0)
            transaction.delete_conversation("ann", conversation.id)
            transaction.put_key(StoredKey(id="key", digest="", created_at=1.0))
            transaction.settle("kept", 1)
            transaction.hold(make_hold("lost", 2), most=9)
            transaction.roll_up(entry.at + 1, 1)
            transaction.add_entry(make_entry())

        with pytest.raises(LookupError), store.transaction() as transaction:
            change_all(transaction)
            raise LookupError
        with store.transaction() as transaction:
            assert transaction.get_response("ann", lost.id) is None
            assert transaction.get_response("ann", kept.id) == kept
            assert list(transaction.get_events(kept.id, -1)) == _events(0)
            assert transaction.get_conversation("ann", conversation.id) == conversation
            assert list(transaction.get_items(conversation.id)) == _items("a")
            assert transaction.get_key("key") is None
            assert transaction.get_account("a") == Account(0, 1)
            assert transaction.get_entry(entry.id) == entry
            assert [row.calls for row in transaction.get_spend()] == [1]
        store.close()

    def test_threads_do_not_get_in_each_others_way(self, store: Store) -> None:
        """Appending to one conversation, and counting in one unfinished response: nothing is lost."""
        conversation, counter = _conversation(), _response(status="in_progress")
        counter.response["count"] = 0
        with store.transaction() as transaction:
            transaction.put_conversation(conversation)
            transaction.put_response(counter)
        together = threading.Barrier(_THREADS)

        def work(thread: int) -> None:
            together.wait(30)
            for number in range(10):
                with store.transaction() as transaction:
                    found = transaction.get_response("ann", counter.id)
                    assert found is not None
                    more = {**found.response, "count": found.response["count"] + 1}
                    transaction.put_response(replace(found, response=more))
                with store.transaction() as transaction:
                    transaction.add_items(
                        conversation.id, _items(*(f"{thread}-{number}-{part}" for part in range(2)))
                    )
                    transaction.put_response(_response(f"thread {thread}"))

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(work, range(_THREADS)))
        with store.transaction() as transaction:
            found = transaction.get_response("ann", counter.id)
            assert found is not None
            assert found.response["count"] == _THREADS * 10
            ids = _ids(transaction.get_items(conversation.id))
        assert len(ids) == _THREADS * 20
        for thread in range(_THREADS):
            expected = [f"{thread}-{number}-{part}" for number in range(10) for part in range(2)]
            assert [id_ for id_ in ids if id_.startswith(f"{thread}-")] == expected

    def test_a_store_that_is_opened_again_has_everything(self) -> None:
        """Whatever was committed before it was closed."""
        if not self.durable:
            pytest.skip("this store says that it is not durable")
        first, second = _chain(2)
        waiting, conversation = _response(status="queued", lease_until=3.5), _conversation()
        old, entry = make_entry(at=5.0), make_entry()
        store = self.open()
        with store.transaction() as transaction:
            for one in (first, second, waiting):
                transaction.put_response(one)
            transaction.add_events(waiting.id, _events(0, 1))
            transaction.put_conversation(conversation)
            transaction.add_items(conversation.id, _items("a", "b"))
            transaction.put_key(StoredKey(id="key", digest="ab", created_at=1.5, terms={"rpm": 3}))
            for name in ("spent", "held"):
                transaction.hold(make_hold(name, 7), most=20)
            transaction.settle("spent", 5)
            transaction.add_entry(old)
            transaction.add_entry(entry)
            transaction.roll_up(6.0, 10)
        store.close()
        store = self.open()
        with store.transaction() as transaction:
            assert [stored.terms for stored in transaction.list_keys()] == [{"rpm": 3}]
            assert transaction.get_account("a") == Account(5, 7)
            assert list(transaction.get_chain("ann", second.id)) == [first, second]
            assert list(transaction.get_unfinished()) == [waiting]
            assert list(transaction.get_events(waiting.id, -1)) == _events(0, 1)
            assert transaction.get_conversation("ann", conversation.id) == conversation
            assert list(transaction.get_items(conversation.id)) == _items("a", "b")
            assert transaction.get_entry(entry.id) == entry
            assert [row.calls for row in transaction.get_spend()] == [2]
        store.close()

    # ---- everything together

    def test_it_equals_a_plain_model(self) -> None:
        """Any interleaving of verbs by several owners, as hypothesis makes them up."""
        pytest.importorskip("hypothesis", reason="the kit's property test needs hypothesis")
        from dragoman.testing.store_machine import run_machine  # noqa: PLC0415 - hypothesis may be absent

        run_machine(self.open, reopens=self.durable, rolls_back=self.rolls_back)
