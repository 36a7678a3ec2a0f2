"""Many streams at once: none is lost, none is mixed up, nothing of them stays behind."""

from __future__ import annotations

import asyncio
import gc

import pytest
from plugins.server.tests.slow_streams import listen, paced_upstream

from dragoman.attempts.session import Session
from dragoman_server import Deployment


@pytest.fixture
def uncollected():
    """Run without the garbage collector: what goes then leaves no cycles."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_slow_streams_end_each_with_its_own_words_and_leave_nothing(serve):
    before = set(map(id, _sessions()))  # of other tests, that something holds on to

    async def ask(count: int) -> list[str]:
        async with paced_upstream(words=10, pause=0.05) as upstream:
            slow = Deployment(
                name="slow", model="openai_compatible/x", arguments={"settings": {"api_base": upstream}}
            )
            serving = serve(slow)
            server = await asyncio.to_thread(serving.__enter__)
            try:
                wrong = await listen(server.url, count, words=10)
                async with asyncio.timeout(10):
                    while not before.issuperset(map(id, _sessions())):  # noqa: ASYNC110 - the server may still be at its last words
                        await asyncio.sleep(0.02)
                return wrong
            finally:
                await asyncio.to_thread(serving.__exit__, None, None, None)

    assert asyncio.run(ask(200)) == []


def _sessions() -> list[Session]:
    return [one for one in gc.get_objects() if isinstance(one, Session)]
