"""A scripted upstream over real sockets, and a small provider that speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import queue
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

import dragoman
from dragoman import providers
from dragoman.hookspecs import HTTPRequest, ProviderInfo, Setting
from dragoman.network import transport
from dragoman.parameters import policies

_PATIENCE = 10.0  # seconds after which a test gives up; none waits so long unless something is broken


class StubProvider:
    """A provider with the plainest wire: ``{"text"}``, ``{"finish"}``, ``{"end": true}``, ``{"ping"}``."""

    @dragoman.hookimpl
    def provider_info(self):
        return ProviderInfo(
            name="stub",
            spec_version=1,
            wire="stub",
            settings=(
                Setting(name="api_base", required=True),
                Setting(name="api_key", secret=True, default="sk-stub-secret"),
            ),
            parameters=policies(native="temperature"),
        )

    @dragoman.hookimpl
    def translate_request(self, request, target):
        return HTTPRequest(
            url=f"{target.get('api_base')}/answers",
            json={"model": target.model, "stream": request["stream"]},
            headers={"x-api-key": target.get("api_key")},
        )

    @dragoman.hookimpl
    def parse_response(self, payload, output):
        output.text(payload["text"])
        output.usage(input_tokens=1, output_tokens=2)
        output.finish()

    @dragoman.hookimpl
    def handle_stream_event(self, event, output, target):
        data = event.data
        if "text" in data:
            output.text(data["text"])
        if "finish" in data:
            output.finish(data["finish"])
        if "end" in data:
            output.end()


class Wire:
    """One connection to the upstream, from its side: verbs for what goes over it."""

    def __init__(self, upstream: Upstream, connection: socket.socket) -> None:
        self._upstream = upstream
        self._connection = connection
        self._received = b""
        self.open = True

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def head(self, status: int = 200, **headers: str) -> None:
        """Send the status line and the headers of a chunked answer; "" leaves a header out."""
        named = {"transfer_encoding": "chunked", "content_type": "text/event-stream", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value]
        self.send("\r\n".join([f"HTTP/1.1 {status} Scripted", *lines, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def event(self, **data: Any) -> None:
        self.chunk(f"data: {json.dumps(data)}\n\n".encode())

    def end(self) -> None:
        """End the chunked body; the connection stays open for the next request."""
        self.chunk(b"")

    def story(self, *words: str) -> None:
        """Send a whole stream."""
        self.head()
        for word in words:
            self.event(text=word)
        self.event(finish="completed")
        self.event(end=True)
        self.end()

    def whole(self, body: Any, status: int = 200, **headers: str) -> None:
        """Send an answer that is not streamed."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content_type": "application/json", "content_length": str(len(data)), **headers}
        self.head(status, transfer_encoding="", **named)
        self.send(data)

    def hold(self, comment: bytes = b"", every: float = 0.02) -> None:
        """Say nothing, or the same again and again, until the other side hangs up."""
        self._upstream.holding.put(True)
        ends = time.monotonic() + _PATIENCE
        with contextlib.suppress(OSError):
            while time.monotonic() < ends:
                readable, _, _ = select.select([self._connection], [], [], every if comment else _PATIENCE)
                if readable and not self._connection.recv(1):
                    break
                if comment:
                    self.chunk(comment)
        self.open = False
        self._upstream.hangups.put(True)

    def close(self) -> None:
        self.open = False

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False

    def read_request(self) -> dict[str, Any] | None:
        while b"\r\n\r\n" not in self._received:
            data = self._connection.recv(65536)
            if not data:
                return None
            self._received += data
        head, _, rest = self._received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            rest += self._connection.recv(65536)
        self._received = rest[length:]
        return {"line": line, "headers": headers, "body": rest[:length]}


class Upstream:
    """An HTTP server that answers as the test says: ``upstream.answers(script, script)``.

    A script is a function of a ``Wire``. The last one serves all further requests.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.threads: list[threading.Thread] = []
        self.holding: queue.Queue[bool] = queue.Queue()
        self.hangups: queue.Queue[bool] = queue.Queue()
        self._scripts: list[Any] = []
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def answers(self, *scripts: Any) -> None:
        self._scripts = list(scripts)

    def wait_for_hold(self) -> None:
        """Return when a script holds the line."""
        self.holding.get(timeout=_PATIENCE)

    def wait_for_hangup(self) -> None:
        """Return when the other side has hung up on a script that held the line."""
        self.hangups.get(timeout=_PATIENCE)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(_PATIENCE)

    def _start(self, function: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._sockets.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            wire = Wire(self, connection)
            while wire.open:
                request = wire.read_request()
                if request is None:
                    return
                with self._lock:
                    self.requests.append(request)
                    script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                script(wire)


@dataclass
class Outcome:
    """What one call came to."""

    events: list[Any] = field(default_factory=list)
    response: Any = None
    error: Any = None
    seconds: float = 0.0

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


def _ask_sync(options: dict[str, Any], outcome: Outcome) -> None:
    with dragoman.Dragoman() as client:
        if options.pop("stream"):
            with client.responses.stream(**options) as stream:
                for event in stream:
                    outcome.events.append(event)
                outcome.response = stream.get_final_response()
        else:
            outcome.response = client.responses.create(**options)


async def _ask_async(options: dict[str, Any], outcome: Outcome) -> None:
    async with dragoman.AsyncDragoman() as client:
        if options.pop("stream"):
            async with client.responses.stream(**options) as stream:
                async for event in stream:
                    outcome.events.append(event)
                outcome.response = await stream.get_final_response()
        else:
            outcome.response = await client.responses.create(**options)


@pytest.fixture(params=["sync", "async"])
def ask(request, upstream):
    """Make one call by either driver and return its ``Outcome``: ``ask(stream=True, timeout=...)``."""

    def ask(*, stream: bool = False, **options: Any) -> Outcome:
        outcome = Outcome()
        options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url, "stream": stream, **options}
        began = time.monotonic()
        try:
            if request.param == "sync":
                _ask_sync(options, outcome)
            else:
                asyncio.run(_ask_async(options, outcome))
        except dragoman.APIError as error:
            outcome.error = error
        outcome.seconds = time.monotonic() - began
        return outcome

    return ask


@pytest.fixture
def upstream(stub_provider):
    """A scripted upstream."""
    transport._tls()  # loading certificates, once in a process, takes as long as the limits that tests set
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def stub_provider(monkeypatch):
    """Make the provider ``stub`` known for this test."""
    monkeypatch.setattr(providers, "_loaded", dict(providers._loaded))
    return dragoman.register_provider(StubProvider())


@pytest.fixture(scope="module")
def nothing_left_open():
    """Fail where sockets or streams are left open: collecting them warns, and warnings are errors."""
    yield
    gc.collect()
