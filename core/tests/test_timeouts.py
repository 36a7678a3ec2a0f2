"""The clock that tells which time limit passes next."""

from __future__ import annotations

import asyncio

import pytest

from dragoman import APITimeoutError, Timeout
from dragoman.network.timeouts import Clock, LoopClock


class Now:
    """A time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now():
    return Now()


def passed(clock: Clock) -> str | None:
    try:
        clock.remaining()
    except APITimeoutError as error:
        return error.code
    return None


def test_a_number_bounds_an_attempt_as_a_whole_and_nothing_else():
    assert Timeout.of(3600) == Timeout(first_event=None, between_events=None, attempt=3600.0)
    assert Timeout.of(None) == Timeout()
    limits = Timeout(total=1)
    assert Timeout.of(limits) is limits


def test_no_limits_wait_for_ever(now):
    clock = Clock(Timeout(first_event=None, between_events=None), now)
    now.seconds += 1e9
    assert clock.remaining() is None
    clock.progress()
    assert clock.remaining() is None


def test_the_first_event_then_the_gaps(now):
    clock = Clock(Timeout(first_event=10, between_events=3), now)
    now.seconds += 9
    assert clock.remaining() == 1
    clock.progress()
    assert clock.remaining() == 3
    now.seconds += 2
    clock.progress()
    assert clock.remaining() == 3
    now.seconds += 3
    assert passed(clock) == "timeout_between_events"


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        (Timeout(first_event=2), "timeout_first_event", "waited 2 s for the first event of the answer"),
        (Timeout(first_event=5, total=2), "timeout_total", "waited 2 s for the end of the call"),
        (Timeout(first_event=None, total=2), "timeout_total", "(timeout.total)"),
        (Timeout(first_event=2, total=2), "timeout_total", "(timeout.total)"),
        (Timeout(first_event=5, attempt=2), "timeout_attempt", "waited 2 s for the end of the attempt"),
        (Timeout(attempt=2, total=3), "timeout_attempt", "(timeout.attempt)"),
        (Timeout(attempt=3, total=2), "timeout_total", "(timeout.total)"),
        (Timeout(attempt=2, total=2), "timeout_total", "(timeout.total)"),
    ],
)
def test_the_error_names_the_limit_that_passed(now, limits, code, words):
    clock = Clock(limits, now)
    now.seconds += 2
    with pytest.raises(APITimeoutError) as caught:
        clock.remaining()
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.status_code == 408


@pytest.mark.parametrize("limit", ["attempt", "total"])
def test_the_limit_of_the_whole_counts_across_events(now, limit):
    clock = Clock(Timeout(between_events=4, **{limit: 10}), now)
    for _ in range(3):
        now.seconds += 3
        clock.progress()
    assert clock.remaining() == 1
    now.seconds += 1
    assert passed(clock) == f"timeout_{limit}"


def test_the_callers_own_time_does_not_count(now):
    clock = Clock(Timeout(first_event=3, between_events=3, total=10), now)
    clock.pause()
    now.seconds += 1000
    clock.resume()
    assert clock.remaining() == 3
    clock.progress()
    now.seconds += 2
    clock.pause()
    now.seconds += 1000
    clock.resume()
    assert clock.remaining() == 1
    clock.progress()
    for _ in range(3):
        now.seconds += 2.5
        clock.progress()
    assert clock.remaining() == pytest.approx(0.5)


def test_once_the_model_has_stopped_its_end_mark_comes_soon_or_never(now):
    clock = Clock(Timeout(between_events=300), now)
    clock.progress(finishing=True)
    assert clock.remaining() == 2
    clock = Clock(Timeout(between_events=None), now)
    clock.progress(finishing=True)
    assert clock.remaining() == 2
    clock = Clock(Timeout(between_events=1), now)
    clock.progress(finishing=True)
    assert clock.remaining() == 1


def test_a_finished_answer_is_not_waited_for(now):
    clock = Clock(Timeout(), now)
    clock.drain()
    remaining = clock.remaining()
    assert remaining is not None
    assert remaining < 1


def test_a_clock_ends_waits_on_an_event_loop_each_by_the_limit_that_stands_then():
    async def waits() -> None:
        clock = LoopClock(Timeout(first_event=0.01, between_events=60))
        with pytest.raises(TimeoutError), clock:
            await asyncio.Event().wait()
        clock.progress()
        with clock:
            await asyncio.sleep(0)
        for _ in range(3):  # the task is not left cancelled
            await asyncio.sleep(0)
        clock.stop()

    asyncio.run(waits())


def test_a_limit_that_has_come_nearer_is_kept():
    async def waits() -> None:
        clock = LoopClock(Timeout(first_event=60))
        with clock:
            await asyncio.sleep(0)
        clock.drain()
        with pytest.raises(TimeoutError), clock:
            await asyncio.Event().wait()

    asyncio.run(waits())


def test_who_is_cancelled_by_somebody_else_hears_of_no_limit():
    async def waits() -> None:
        clock = LoopClock(Timeout(first_event=60))

        async def wait() -> None:
            with clock:
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(waits())
