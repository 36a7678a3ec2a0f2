"""Operations on a store: at once, or many in one commit from event loops; what fails fails alone."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from dragoman.errors import BadRequestError, ServiceUnavailableError
from dragoman.memory.keeper import Keeper


class Ledger:
    """A store whose transaction is a list: what is appended is kept when the block is left."""

    blocking = True

    def __init__(self):
        self.commits = []
        self.closed = False
        self.open = threading.Event()
        self.open.set()
        self.down = False

    @contextmanager
    def transaction(self):
        assert self.open.wait(10)
        if self.down:
            raise OSError("disk full")
        written = []
        yield written
        self.commits.append(written)

    def close(self):
        self.closed = True


def writing(value):
    def operation(transaction):
        transaction.append(value)
        return value

    return operation


def refusing(transaction):
    raise BadRequestError("not this one")


def breaking(transaction):
    raise RuntimeError("bug")


@pytest.fixture
def kept():
    ledger = Ledger()
    keeper = Keeper(ledger, timeout=5)
    yield ledger, keeper
    keeper.close()
    assert ledger.closed


def test_a_thread_has_its_result_when_it_is_kept(kept):
    ledger, keeper = kept
    assert keeper.run(writing(1)) == 1
    assert ledger.commits == [[1]]


def test_operations_of_an_event_loop_share_a_commit(kept):
    ledger, keeper = kept

    async def main():
        ledger.open.clear()
        first = asyncio.create_task(keeper.arun(writing(0)))
        await asyncio.sleep(0)  # the worker has it, and waits
        rest = [asyncio.create_task(keeper.arun(writing(number))) for number in range(1, 100)]
        await asyncio.sleep(0)
        ledger.open.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(main()) == list(range(100))
    assert sorted(value for commit in ledger.commits for value in commit) == list(range(100))
    assert len(ledger.commits) <= 3


def test_an_operation_that_is_refused_spoils_no_other(kept):
    ledger, keeper = kept

    async def main():
        asked = [keeper.arun(operation) for operation in (writing(1), refusing, writing(2))]
        return await asyncio.gather(*asked, return_exceptions=True)

    one, refusal, two = asyncio.run(main())
    assert (one, two) == (1, 2)
    assert isinstance(refusal, BadRequestError)
    assert sorted(value for commit in ledger.commits for value in commit) == [1, 2]


def test_an_operation_that_breaks_takes_the_others_only_back_to_the_start(kept):
    ledger, keeper = kept

    async def main():
        ledger.open.clear()
        asked = [asyncio.create_task(keeper.arun(op)) for op in (writing(1), breaking, writing(2))]
        await asyncio.sleep(0)
        ledger.open.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    one, broken, two = asyncio.run(main())
    assert (one, two) == (1, 2)
    assert isinstance(broken, ServiceUnavailableError)
    assert sorted(value for commit in ledger.commits for value in commit) == [1, 2]


def test_a_store_that_is_down_is_a_503_that_may_pass(kept):
    ledger, keeper = kept
    ledger.down = True
    for ask in (lambda: keeper.run(writing(1)), lambda: asyncio.run(keeper.arun(writing(1)))):
        with pytest.raises(ServiceUnavailableError, match="disk full") as refusal:
            ask()
        assert (refusal.value.status_code, refusal.value.code) == (503, "store_unavailable")
    ledger.down = False
    assert asyncio.run(keeper.arun(writing(2))) == 2


def test_a_store_that_hangs_is_a_503_within_the_limit():
    ledger = Ledger()
    keeper = Keeper(ledger, timeout=0.05)
    ledger.open.clear()
    with pytest.raises(ServiceUnavailableError, match=r"0\.05 s"):
        asyncio.run(keeper.arun(writing(1)))
    ledger.open.set()
    keeper.close()
