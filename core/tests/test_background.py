"""Background responses: queued at once, followed, resumed, cancelled, never left in progress."""

import asyncio
import json
import time

import pytest

from dragoman import BadRequestError, NotFoundError
from dragoman.hookspecs import LocalAnswer, hookimpl
from dragoman.memory.conversations import delete_response, get_response
from dragoman.memory.keeper import Keeper
from dragoman.memory.leases import fail_abandoned
from dragoman.memory.memory_store import MemoryStore
from dragoman.network.drivers import AsyncDriver
from dragoman.network.transport import AsyncTransport
from dragoman.providers import register_provider
from dragoman.testing.legality import check_events
from dragoman.turns import background
from dragoman.turns.arguments import Defaults, begin_journey
from dragoman.turns.background import Background
from dragoman.turns.turn import Memory, Turn

pytest_plugins = ["core.tests.toys"]


@pytest.fixture
def slow(toy):
    """A toy that says "Hello", then nothing for an hour; ``answer`` may be replaced."""

    class Slow(type(toy())):
        answer_with = ()

        @hookimpl
        def answer_locally(self):
            return LocalAnswer(headers={"content-type": "text/event-stream"}, chunks=self.answer_with)

    plugin = Slow()
    plugin.answer_with = [toy.stream(["text", "Hello"]), 3600.0]
    plugin.whole = [toy.stream(["text", "Hello"], ["text", " you"], ["finish"], ["end"])]
    register_provider(plugin)  # the toy's fixture forgets it afterwards
    return plugin


class Bench:
    """One process's background work, and what it remembers."""

    def __init__(self, owner="me", store=None):
        self.store = store or MemoryStore()
        self.memory = Memory(keeper=Keeper(self.store), owner=owner)
        self.background = Background()
        self.driver = AsyncDriver(AsyncTransport())

    def turn(self, **options):
        journey = begin_journey(
            Defaults(), {"model": "toy/m", "input": "Hi", "background": True, "stream": True, **options}
        )
        return Turn(journey, self.driver, self.memory)

    async def start(self, **options):
        return await self.background.start(self.turn(**options))

    async def events(self, response_id, after=-1):
        return [event async for event in self.background.events(self.memory, response_id, after=after)]

    def stored(self, response_id):
        return self.memory.keeper.run(lambda tx: get_response(tx, self.memory.owner, response_id))


def test_a_response_is_queued_at_once_and_done_later(slow):
    slow.answer_with = slow.whole

    async def main():
        bench = Bench()
        queued = await bench.start()
        assert (queued["status"], queued["background"], queued["store"]) == ("queued", True, True)
        assert bench.stored(queued["id"])["status"] == "queued"
        events = await bench.events(queued["id"])
        check_events(events)
        assert [event["type"] for event in events[:2]] == ["response.created", "response.queued"]
        assert events[-1]["type"] == "response.completed"
        stored = bench.stored(queued["id"])
        assert stored == events[-1]["response"]
        assert (stored["id"], stored["output"][0]["content"][0]["text"]) == (queued["id"], "Hello you")
        # Whoever comes later, or comes back, reads the rest: from what was kept.
        assert await bench.events(queued["id"]) == events
        assert await bench.events(queued["id"], after=3) == events[4:]

    asyncio.run(main())


def test_what_was_told_is_what_is_kept(slow):
    async def main():
        bench = Bench()
        queued = await bench.start()
        told = []
        async for event in bench.background.events(bench.memory, queued["id"]):
            told.append(json.dumps(event))
            if event["type"] == "response.output_text.delta":
                await bench.background.cancel(bench.memory, queued["id"])
        assert told == [json.dumps(event) for event in await bench.events(queued["id"])]

    asyncio.run(main())


def test_a_follower_that_leaves_and_comes_back_misses_nothing(slow):
    async def main():
        bench = Bench()
        queued = await bench.start()
        seen = []
        async for event in bench.background.events(bench.memory, queued["id"]):
            seen.append(event)
            if event["type"] == "response.output_text.delta":
                break
        again = bench.background.events(bench.memory, queued["id"], after=2)
        for expected in seen[3:]:
            assert await anext(again) == expected
        await again.aclose()
        await bench.background.close()

    asyncio.run(main())


def test_a_cancelled_response_keeps_what_had_come_and_stays_cancelled(slow):
    slow.answer_with = [b'data: ["usage", {"input_tokens": 9, "output_tokens": 1}]\n\n', *slow.answer_with]

    async def main():
        bench = Bench()
        queued = await bench.start()
        following = asyncio.create_task(bench.events(queued["id"]))
        async for event in bench.background.events(bench.memory, queued["id"]):
            if event["type"] == "response.output_text.delta":
                break
        cancelled = await bench.background.cancel(bench.memory, queued["id"])
        assert cancelled["status"] == "cancelled"
        assert cancelled["output"][0]["content"][0]["text"] == "Hello"
        assert cancelled["usage"]["total_tokens"] == 10
        assert cancelled["created_at"] == queued["created_at"]
        assert await bench.background.cancel(bench.memory, queued["id"]) == cancelled
        assert bench.stored(queued["id"]) == cancelled
        events = await following
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["response"] == cancelled

    asyncio.run(main())


def test_a_refused_response_has_failed(slow):
    async def main():
        bench = Bench()
        slow.answer_with = [b"data: not json\n\n"]
        queued = await bench.start()
        events = await bench.events(queued["id"])
        assert events[-1]["type"] == "response.failed"
        assert bench.stored(queued["id"])["status"] == "failed"

    asyncio.run(main())


def test_a_response_that_is_deleted_while_it_is_made_stays_deleted(slow):
    slow.answer_with = slow.whole

    async def main():
        bench = Bench()
        queued = await bench.start()
        bench.memory.keeper.run(lambda tx: delete_response(tx, "me", queued["id"]))
        await asyncio.gather(*(job.task for job in bench.background._jobs.values()))
        with pytest.raises(NotFoundError):
            bench.stored(queued["id"])

    asyncio.run(main())


def test_a_process_that_stops_fails_what_it_was_making(slow):
    async def main():
        bench = Bench()
        queued = await bench.start()
        await asyncio.sleep(0)
        await bench.background.close()
        stored = bench.stored(queued["id"])
        assert stored["status"] == "failed"
        assert "ended before it was done" in stored["error"]["message"]

    asyncio.run(main())


def test_what_a_dead_process_left_fails_when_its_lease_is_over(slow):
    async def main():
        bench = Bench()
        queued = await bench.start()
        keeper = bench.memory.keeper
        assert keeper.run(lambda tx: fail_abandoned(tx, time.time())) == 0  # somebody is at work on it
        assert keeper.run(lambda tx: fail_abandoned(tx, time.time() + 3600)) == 1
        assert bench.stored(queued["id"])["status"] == "failed"
        await bench.background.close()

    asyncio.run(main())


def test_another_process_follows_to_the_end(slow):
    slow.answer_with = [0.02, *slow.whole]

    async def main():
        here = Bench()
        there = Bench(store=here.store)
        queued = await here.start()
        assert await there.events(queued["id"], after=1) == (await here.events(queued["id"]))[2:]
        assert there.stored(queued["id"])["status"] == "completed"

    asyncio.run(main())


@pytest.mark.parametrize("ending", ["cancel", "delete"])
def test_another_process_ends_a_response(slow, monkeypatch, ending):
    """Its upstream is left, and nothing of it comes back."""
    monkeypatch.setattr(background, "_RENEWED_EVERY", 0.0)

    async def main():
        here = Bench()
        there = Bench(store=here.store)
        queued = await here.start()
        (job,) = here.background._jobs.values()
        following = there.background.events(there.memory, queued["id"])
        seen = [await anext(following)]
        while seen[-1]["type"] != "response.output_text.delta":
            seen.append(await anext(following))
        assert there.stored(queued["id"])["status"] == "in_progress"
        if ending == "cancel":
            cancelled = await there.background.cancel(there.memory, queued["id"])
            assert cancelled["status"] == "cancelled"
        else:
            there.memory.keeper.run(lambda tx: delete_response(tx, "me", queued["id"]))
        seen += [event async for event in following]
        await asyncio.wait_for(asyncio.wait([job.task]), 10)
        if ending == "cancel":
            assert seen[-1]["response"] == here.stored(queued["id"]) == cancelled
            assert await there.events(queued["id"]) == await here.events(queued["id"]) == seen
        else:
            with pytest.raises(NotFoundError):
                here.stored(queued["id"])

    asyncio.run(main())


def test_whoever_was_told_more_than_a_dead_process_kept_is_told_the_end(slow):
    async def main():
        bench = Bench()
        queued = await bench.start()
        bench.memory.keeper.run(lambda tx: fail_abandoned(tx, time.time() + 3600))
        after_the_crash = Bench(store=bench.store)
        (end,) = await after_the_crash.events(queued["id"], after=-1)
        assert (end["type"], end["response"]["status"]) == ("response.failed", "failed")
        (later,) = await after_the_crash.events(queued["id"], after=7)
        assert later == {**end, "sequence_number": 8}
        assert await after_the_crash.events(queued["id"], after=end["sequence_number"]) == []
        await bench.background.close()

    asyncio.run(main())


def test_what_nobody_else_can_be_making_fails_at_once(slow):
    async def main():
        bench = Bench()
        started = time.time()
        queued = await bench.start()
        keeper = bench.memory.keeper
        assert keeper.run(lambda tx: fail_abandoned(tx, time.time(), alone_at=started - 1)) == 0
        assert keeper.run(lambda tx: fail_abandoned(tx, time.time(), alone_at=time.time() + 1)) == 1
        assert bench.stored(queued["id"])["error"]["code"] == "server_error"
        await bench.background.close()

    asyncio.run(main())


def test_what_cannot_be_made_or_followed_in_the_background_says_so(slow):
    async def main():
        bench = Bench()
        with pytest.raises(BadRequestError, match="store"):
            await bench.start(store=False)
        with pytest.raises(BadRequestError, match="not found"):
            await bench.start(previous_response_id="resp_0")
        slow.answer_with = slow.whole
        ordinary = bench.turn(background=False)
        _ = [event async for event in ordinary.events()]
        for ask in (bench.events, lambda id_: bench.background.cancel(bench.memory, id_)):
            with pytest.raises(BadRequestError, match="background=true"):
                await ask(ordinary.response_id)
        queued = await bench.start()
        stranger = Bench("another", bench.store)
        for ask in (stranger.events, lambda id_: stranger.background.cancel(stranger.memory, id_)):
            with pytest.raises(NotFoundError):
                await ask(queued["id"])
        await bench.background.close()

    asyncio.run(main())
