"""The ledger: each call is in it once, whatever became of it, with what its record says."""

import asyncio
import contextlib
import time
from collections import Counter
from decimal import Decimal

import pytest
from core.tests.test_background import Bench, slow

import dragoman
from dragoman import APIError, AsyncDragoman, ConflictError, Dragoman, hookimpl
from dragoman import plugins as rooms
from dragoman.costs import Cost
from dragoman.memory.keeper import Keeper
from dragoman.memory.leases import fail_abandoned
from dragoman.memory.memory_store import MemoryStore
from dragoman.plugins import Plugins
from dragoman.records.ledger import dollars, picodollars
from dragoman.routing import journey
from dragoman.turns import background
from dragoman.turns.turn import Memory

pytest_plugins = ["core.tests.toys"]
__all__ = ["slow"]  # the fixture

USED = ["usage", {"input_tokens": 20, "cached_tokens": 5, "output_tokens": 10, "reasoning_tokens": 3}]
ANSWER = (["text", "Hello"], USED, ["finish"])
CUT = (USED, ["text", "Hel"])
CUT_UNTOLD = (["text", "Hel"],)
REFUSED = (["fail", "too much", 429],)
MOVED = {"fallbacks": ["toy/other"], "stream_recovery": "buffer"}


class Pricer:
    """A dollar for an input token, a millionth of a millionth for an output token."""

    @hookimpl
    def price(self, use):
        if use.model == "unknown":
            return None
        return Cost(total=use.usage["input_tokens"] + use.usage["output_tokens"] * Decimal("1e-12"))


ONE = 20 * 10**12 + 10
"""What `USED` costs."""
ENDINGS = {
    "completed": ([ANSWER], {}, "completed", 1, ONE),
    "refused": ([REFUSED], {}, "failed", 0, 0),
    "cut": ([CUT], {}, "failed", 1, ONE),
    "cut before it told its usage": ([CUT_UNTOLD], {}, "failed", 0, None),
    "retried": ([REFUSED, ANSWER], {"num_retries": 1}, "completed", 1, ONE),
    "cut, then answered": ([CUT, ANSWER], MOVED, "completed", 2, 2 * ONE),
    "cut twice": ([CUT, CUT], MOVED, "failed", 2, 2 * ONE),
    "cut, then refused": ([CUT, REFUSED], MOVED, "failed", 1, ONE),
    "of unknown price": ([ANSWER], {"model": "toy/unknown"}, "completed", 1, None),
    "mocked": ([], {"mock_response": "Hi"}, "completed", None, 0),
}


class Books:
    """A store, and what was told of its entries."""

    def __init__(self):
        self.store = MemoryStore()
        self.entered = []
        self.memory = Memory(
            keeper=Keeper(self.store), owner="ann", entered=lambda _, entry: self.entered.append(entry)
        )

    @property
    def entries(self):
        return list(self.store._entries.values())


@pytest.fixture
def records(monkeypatch):
    """Return the records that were told so far."""
    monkeypatch.setattr(journey, "_FIRST_WAIT", 0.0)
    told = []
    remove = dragoman.on_record(told.append)

    def so_far():
        assert dragoman.flush_records()
        return told

    yield so_far
    remove()


@pytest.fixture
def priced(monkeypatch):
    """Know prices."""
    found = Plugins()
    monkeypatch.setattr(rooms, "_plugins", found)
    found.register(Pricer(), "pricer")


def ask(books, kind, stream, **options):
    """Make a call, sync or async, and read it to its end."""

    def blocking():
        with Dragoman() as client:
            client.responses._memory = books.memory
            made = client.responses.create(stream=stream, **options)
            if stream:
                made.until_done()

    async def waiting():
        async with AsyncDragoman() as client:
            client.responses._memory = books.memory
            made = await client.responses.create(stream=stream, **options)
            if stream:
                await made.until_done()

    with contextlib.suppress(APIError):
        blocking() if kind == "sync" else asyncio.run(waiting())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.usefixtures("priced")
def test_each_call_is_entered_once(toy, records, kind, stream, store, ending):
    scripts, options, outcome, times, cost = ENDINGS[ending]
    write = toy.stream if stream else toy.whole
    toy([write(*script) for script in scripts], native="user metadata")
    books = Books()
    asked = {"model": "toy/m", "input": "Hi", "user": "eve", "metadata": {"tags": "b, a,b"}, **options}
    ask(books, kind, stream, store=store, tags=["z"], **asked)
    ((entry,), (record,)) = books.entries, records()
    assert books.entered == [entry]
    for name in ("id", "owner", "user", "asked", "provider", "model", "tags", "conversation", "outcome"):
        assert getattr(entry, name) == getattr(record, name), name
    assert (entry.owner, entry.user, entry.tags) == ("ann", "eve", ("a", "b", "z"))
    assert (entry.outcome, entry.attempts, entry.cost) == (outcome, len(record.attempts), cost)
    if times is not None:
        told = (entry.input_tokens, entry.cached_tokens, entry.output_tokens, entry.reasoning_tokens)
        assert told == (20 * times, 5 * times, 10 * times, 3 * times)
    assert 0 <= time.time() - entry.at < 60
    assert 0 <= entry.duration <= record.duration


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.usefixtures("priced")
def test_a_stream_that_is_left_costs_what_had_come(toy, records, kind):
    toy(toy.stream(USED, ["text", "Hello"], ["text", " you"], ["finish"]))
    books = Books()

    async def leave():
        async with AsyncDragoman() as client:
            client.responses._memory = books.memory
            async with client.responses.stream(model="toy/m", input="Hi") as stream:
                await anext(event async for event in stream if event.type == "response.output_text.delta")

    if kind == "async":
        asyncio.run(leave())
    else:
        with Dragoman() as client:
            client.responses._memory = books.memory
            with client.responses.stream(model="toy/m", input="Hi") as stream:
                next(event for event in stream if event.type == "response.output_text.delta")
    (entry,) = books.entries
    assert (entry.outcome, entry.cost, entry.output_tokens) == ("cancelled", ONE, 10)
    assert [attempt["outcome"] for attempt in records()[0].attempts] == ["cancelled"]


def test_a_task_that_is_cancelled_is_entered(toy, records, monkeypatch):
    monkeypatch.setattr(journey, "_FIRST_WAIT", 60.0)
    toy([toy.whole(*REFUSED)])
    books = Books()

    async def cancelled():
        async with AsyncDragoman(num_retries=1) as client:
            client.responses._memory = books.memory
            task = asyncio.create_task(client.responses.create(model="toy/m", input="Hi"))
            await asyncio.sleep(0.05)  # by now it waits to try again
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    (entry,) = books.entries
    assert (entry.outcome, entry.attempts, entry.cost) == ("cancelled", 1, 0)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_nobody_was_asked_is_not_entered_but_told(toy, kind):
    toy()
    books = Books()
    ask(books, kind, False, model="toy/m", input="Hi", previous_response_id="resp_0")
    assert books.entries == []
    (told,) = books.entered
    assert (told.attempts, told.outcome, told.owner) == (0, "failed", "ann")


def test_what_could_not_be_kept_is_entered_all_the_same(toy):
    toy([toy.whole(*ANSWER)] * 2)
    books = Books()

    def refuse(transaction, *_, **__):
        raise ConflictError("gone meanwhile", code="response_ended")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dragoman.turns.turn.remember", refuse)
        ask(books, "sync", False, model="toy/m", input="Hi")
    (entry,) = books.entered
    assert books.entries == [entry]
    assert (entry.outcome, entry.input_tokens) == ("failed", 20)


class Down(MemoryStore):
    """A store that is not there."""

    def transaction(self):
        raise OSError("no disk")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_answer_that_is_not_stored_is_given_without_a_store(toy, caplog, kind):
    toy(toy.whole(*ANSWER))
    with Dragoman(store=Down()) as client:
        response = client.responses.create(model="toy/m", input="Hi", store=False)
    assert response.output_text == "Hello"
    (said,) = (record.getMessage() for record in caplog.records if record.name == "dragoman.ledger")
    assert response.id in said
    assert "20 in, 10 out" in said


def test_a_store_that_is_forgotten_has_what_its_calls_cost(toy):
    """The newest entries, and sums of those before."""
    store = MemoryStore(max_entries=10)
    toy(toy.whole(*ANSWER), native="user")
    with Dragoman(store=store) as client:
        for number in range(35):
            client.responses.create(model="toy/m", input="Hi", user=f"user {number % 3}")
    (all_,) = store.get_spend()
    assert (all_.calls, all_.input_tokens, all_.unpriced) == (35, 700, 35)
    assert [(row.of["user"], row.calls) for row in store.get_spend(by=["user"])] == [
        ("user 0", 12),
        ("user 1", 12),
        ("user 2", 11),
    ]
    assert len(store._entries) <= 10


@pytest.mark.usefixtures("priced")
def test_a_client_tells_what_its_calls_cost(toy):
    toy(toy.whole(*ANSWER))
    with Dragoman() as client:
        for model in ("toy/m", "toy/m", "toy/unknown"):
            response = client.responses.create(model=model, input="Hi", unsupported="warn")
            cost = dragoman.cost(client.responses.retrieve(response.id))
            assert (cost and picodollars(cost)) == (ONE if model == "toy/m" else None)
        known, unknown = client.spend(by=["model"])
        assert (known.of, known.calls, known.dollars) == ({"model": "m"}, 2, 40 + 20 * Decimal("1e-12"))
        assert (unknown.unpriced, unknown.dollars) == (1, None)
        assert client.spend(since=time.time() + 60) == []
        for wrong in ({"by": ["colour"]}, {"where": {"day": "2026-11-23"}}):
            with pytest.raises(dragoman.BadRequestError, match="there is: owner, user"):
                client.spend(**wrong)
    assert asyncio.run(AsyncDragoman().spend()) == []
    with pytest.raises(dragoman.BadRequestError, match="store=False"):
        Dragoman(store=False).spend()


# ---- in the background


class BackgroundBench(Bench):
    """One that counts what is told of entries."""

    def __init__(self, **options):
        super().__init__(**options)
        self.told = Counter()
        self.memory = Memory(
            keeper=Keeper(self.store), owner="me", entered=lambda _, entry: self.told.update([entry.id])
        )

    def entry(self, queued):
        assert self.told[queued["id"]] == 1
        return self.store.get_entry(queued["id"])


@pytest.mark.parametrize("end", ["completed", "refused", "cancelled", "stopped", "lost", "deleted"])
def test_background_work_is_entered_once(slow, end):
    used = b'data: ["usage", {"input_tokens": 9, "output_tokens": 1}]\n\n'
    chunks = {"completed": [used, *slow.whole], "deleted": [used, *slow.whole], "refused": [b"data: no\n\n"]}
    slow.answer_with = chunks.get(end, [used, *slow.answer_with])

    async def main():
        bench = BackgroundBench()
        queued = await bench.start()
        events = bench.background.events(bench.memory, queued["id"])
        keeper = bench.memory.keeper
        if end == "deleted":
            keeper.run(lambda tx: tx.delete_response("me", queued["id"]))
            await asyncio.gather(*(job.task for job in bench.background._jobs.values()))
        elif end == "lost":
            assert keeper.run(lambda tx: fail_abandoned(tx, time.time() + 3600, entered=bench.memory.entered))
        elif end in {"cancelled", "stopped"}:
            async for event in events:
                if event["type"] == "response.output_text.delta":
                    break
            await (
                bench.background.cancel(bench.memory, queued["id"])
                if end == "cancelled"
                else bench.background.close()
            )
        else:
            _ = [event async for event in events]
        entry = bench.entry(queued)
        await bench.background.close()
        assert bench.entry(queued) == entry
        expected = {"completed": "completed", "cancelled": "cancelled"}.get(end, "failed")
        assert (entry.outcome, entry.owner, entry.provider) == (expected, "me", "toy")
        assert entry.input_tokens == (0 if end in {"lost", "refused"} else 9)
        with contextlib.suppress(dragoman.NotFoundError):
            assert bench.stored(queued["id"])["status"] == expected

    asyncio.run(main())


@pytest.mark.parametrize("ending", ["cancel", "delete"])
def test_what_another_process_ends_is_entered_by_the_one_that_makes_it(slow, monkeypatch, ending):
    monkeypatch.setattr(background, "_RENEWED_EVERY", 0.0)
    slow.answer_with = [
        b'data: ["usage", {"input_tokens": 9, "output_tokens": 1}]\n\n',
        *slow.answer_with,
    ]

    async def main():
        here = BackgroundBench()
        there = BackgroundBench(store=here.store)
        queued = await here.start()
        (job,) = here.background._jobs.values()
        async for event in here.background.events(here.memory, queued["id"]):
            if event["type"] == "response.output_text.delta":
                break
        await there.background.cancel(there.memory, queued["id"])
        if ending == "delete":
            there.memory.keeper.run(lambda tx: tx.delete_response("me", queued["id"]))
        await asyncio.wait_for(asyncio.wait([job.task]), 10)
        entry = here.entry(queued)
        assert (entry.outcome, entry.input_tokens) == ("cancelled" if ending == "cancel" else "failed", 9)
        assert there.told.total() == 0

    asyncio.run(main())


def test_background_work_that_was_not_begun_is_told(slow):
    async def main():
        bench = BackgroundBench()
        with pytest.raises(dragoman.BadRequestError):
            await bench.start(previous_response_id="resp_0")
        assert bench.told.total() == 1
        assert bench.store._entries == {}

    asyncio.run(main())


# ---- money


def test_dollars_are_exact_both_ways():
    for told in ("0", "0.000000000001", "12345678.000000000001", "0.1"):
        cost = Cost(total=Decimal(told))
        assert dollars(picodollars(cost)) == cost.total
    assert picodollars(Cost(total=Decimal(1), currency="EUR")) is None
    assert picodollars(None) is None
