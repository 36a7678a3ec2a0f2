"""Both kinds of client behind one face, for tests of what they do alike."""

import asyncio

import httpx
import pytest

from dragoman import AsyncDragoman, Dragoman


class Wrapped:
    """A sync or async client behind one face: ``call(client.responses.create, ...)``."""

    def __init__(self, kind):
        self.kind = kind
        self.loop = asyncio.new_event_loop() if kind is AsyncDragoman else None

    def __call__(self, method, *arguments, **options):
        result = method(*arguments, **options)
        return self.loop.run_until_complete(result) if self.loop else result

    def read(self, stream):
        """Read a stream to its end; return its events."""

        async def read():
            return [event async for event in stream]

        return self.loop.run_until_complete(read()) if self.loop else list(stream)

    def http_client(self, handler):
        """Return an HTTP client whose requests a function answers."""
        transport = httpx.MockTransport(handler)
        return (httpx.AsyncClient if self.loop else httpx.Client)(transport=transport)

    @staticmethod
    def texts(request):
        """Return the input of a translated request as (role, text)."""
        return [(item["role"], item["content"][0]["text"]) for item in request["input"]]

    def close(self):
        if self.loop:
            self.loop.close()


@pytest.fixture(params=[Dragoman, AsyncDragoman])
def call(request):
    wrapped = Wrapped(request.param)
    yield wrapped
    wrapped.close()


@pytest.fixture
def answering(toy):
    """Make the toy answer with a text; return what it was asked, request by request."""
    plugin = toy()

    def answer(text):
        plugin.answer = toy.whole(["text", text], ["finish"])

    answer("Hello")
    answer.requests = plugin.requests
    return answer
