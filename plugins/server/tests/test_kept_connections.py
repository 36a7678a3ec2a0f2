"""Connections to upstreams that close just as they are used again, over the server's own transport."""

import httpx
import pytest

from dragoman import providers
from dragoman_server import Deployment


@pytest.fixture
def closing(monkeypatch):
    """An upstream that is told what to do with each connection (``core.tests.upstream``)."""
    from core.tests.upstream import StubProvider, Upstream

    monkeypatch.setattr(providers, "_loaded", dict(providers._loaded))
    providers.register_provider(StubProvider())
    server = Upstream()
    yield server
    server.stop()


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_request_that_nobody_heard_is_sent_again_and_is_no_attempt(serve, closing, leave, stream):
    def hangs_up(wire):
        getattr(wire, leave)()

    def kept(wire):
        wire.whole({"text": "Hi"})

    def fresh(wire):
        wire.whole({"text": "Hi"}, connection="close")

    def again(wire):
        wire.story("Again") if stream else wire.whole({"text": "Again"})

    deployment = Deployment(name="m", model="stub/m", arguments={"api_base": closing.url}, num_retries=0)
    with serve(deployment) as server, httpx.Client(base_url=server.url) as http:

        def ask(*, stream=False):
            return http.post("/responses", json={"model": "m", "input": "Hi", "stream": stream})

        closing.answers(kept, hangs_up, again)
        assert ask().status_code == 200
        answer = ask(stream=stream)
        assert (answer.status_code, answer.headers["x-dragoman-attempts"]) == (200, "1")
        assert "Again" in answer.text
        assert (len(closing.requests), closing.connections) == (3, 2)

        closing.answers(fresh, hangs_up, again)
        assert ask().status_code == 200
        assert ask(stream=stream).status_code == 502
        assert len(closing.requests) == 5
