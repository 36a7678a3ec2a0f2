"""Servers on real sockets, and an upstream on another that notices who leaves it."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
import uvicorn

from dragoman.hookspecs import HTTPRequest, ProviderInfo, Setting, hookimpl
from dragoman.parameters import policies
from dragoman.providers import register_provider
from dragoman.routing import journey
from dragoman_server import Deployment, Limits, ServerConfig, create_app
from dragoman_server.listening import listening

ECHO = Deployment(name="echo/*", model="echo/*")


class Running:
    """A server: its address, its application, and how to stop it."""

    def __init__(self, app, **listening_options):
        self.app = app
        config = listening(app, port=0, log_level="critical", **listening_options)
        self._server = uvicorn.Server(config)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    def stop(self):
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def begin_to_stop(self):
        self._server.should_exit = True

    def _run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        self._ready.set()
        await serving


@contextmanager
def running(*deployments, keyring=None, uvicorn_options=None, **options):
    """Serve these deployments, echo by default."""
    app = create_app(ServerConfig(deployments=deployments or (ECHO,), **options), keyring=keyring)
    server = Running(app, **uvicorn_options or {})
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def serve():
    """``with serve(deployment, limits=..., master_key=...) as server``."""
    return running


@pytest.fixture(scope="session")
def limits():
    """``limits(grace=0.05)``: the usual ones but for these."""
    return Limits


@pytest.fixture(scope="session")
def server():
    """A server without keys, with echo behind it; it never loses its patience with an upstream."""
    with running(limits=Limits(grace=60, shutdown=1)) as served:
        yield served


@pytest.fixture
def http(server):
    """An HTTP client of that server."""
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


@pytest.fixture
def hurried(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr(journey, "_FIRST_WAIT", 0.0)


# ---- an upstream --------------------------------------------------------------------------------------


class Upstream:
    """Answers a line of JSON for each text; what the input says decides how it goes on.

    "silent": nothing is ever answered. "half": one event, then nothing more. "late": all of it, but not
    before ``go``. Else: all of it.
    """

    def __init__(self):
        self.asked = threading.Event()
        self.left = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(10)

    def go(self):
        self._loop.call_soon_threadsafe(self._go.set)

    def stop(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _run(self):
        self._loop, self._over, self._go = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line
        )
        mode = json.loads(await reader.readexactly(size))["mode"]
        self.asked.set()
        if mode == "late":
            await self._go.wait()
        if mode != "silent":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            writer.write(b'data: {"text": "One "}\n\n')
            if mode != "half":
                writer.write(b'data: {"text": "two"}\n\ndata: {"end": true}\n\n')
                writer.close()
                return
        with suppress(ConnectionError):  # gone before it was told anything
            await writer.drain()
            await reader.read()  # the end of what the other side sends: it has gone
        self.left.set()
        writer.close()


class Toy:
    """The provider in front of that upstream."""

    @hookimpl
    def provider_info(self):
        return ProviderInfo(
            name="toy",
            spec_version=1,
            wire="toy",
            settings=(Setting(name="api_base"),),
            parameters=policies(native="temperature"),
        )

    @hookimpl
    def translate_request(self, request, target):
        text = request["input"][-1]["content"][0]["text"]
        return HTTPRequest(url=target.get("api_base"), json={"mode": text})

    @hookimpl
    def parse_response(self, payload, output, target):
        raise AssertionError("it always streams")

    @hookimpl
    def handle_stream_event(self, event, output, target):
        if "text" in event.data:
            output.text(event.data["text"])
        else:
            output.usage(input_tokens=1, output_tokens=2)
            output.finish("completed")
            output.ended = True


@pytest.fixture
def upstream():
    """An upstream, and the deployment that leads there."""
    register_provider(Toy())
    running_upstream = Upstream()
    running_upstream.deployment = Deployment(
        name="toy", model="toy/m", arguments={"settings": {"api_base": running_upstream.url}}
    )
    yield running_upstream
    running_upstream.stop()


# ---- reading streams ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def events_of():
    """Read the events of a body; comments and the end mark are left out."""

    def read(body: bytes | str) -> list[dict[str, Any]]:
        text = body.decode() if isinstance(body, bytes) else body
        events = []
        for block in text.split("\n\n"):
            if block.startswith("event: "):
                name, data = block.split("\n")
                events.append(json.loads(data.removeprefix("data: ")))
                assert events[-1]["type"] == name.removeprefix("event: ")
        return events

    return read
