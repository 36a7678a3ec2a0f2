"""How many requests and events a second one process serves, with echo as its upstream.

    python plugins/server/benchmarks/requests.py [--seconds 3] [--connections 32]

In this process, application alone; then over a local socket, with the server in a process of its own and this
one as the caller. Echo answers in the server's process, so its work is part of the figures. No network, no
other server: what is compared is one commit with the next on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import time

import uvicorn

from dragoman_server import Deployment, ServerConfig, create_app
from dragoman_server.listening import listening

WORDS = 200
CONFIG = ServerConfig(deployments=(Deployment(name="echo/*", model="echo/*"),))
CASES = {
    "whole, store: false": {"input": "Hello there", "store": False},
    "whole, store: true": {"input": "Hello there"},
    f"stream of {WORDS} words, store: false": {"input": "word " * WORDS, "store": False, "stream": True},
    f"stream of {WORDS} words, store: true": {"input": "word " * WORDS, "stream": True},
}


def body_of(case):
    return json.dumps({"model": "echo/m", **case}).encode()


# ---- in this process ----------------------------------------------------------------------------------


async def in_process(seconds):
    app = create_app(CONFIG)
    async with app.router.lifespan_context(app):
        for name, case in CASES.items():
            body = body_of(case)
            headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
            scope = {
                "type": "http", "method": "POST", "path": "/v1/responses", "query_string": b"",
                "headers": headers, "root_path": "",
            }  # fmt: skip
            counted = 0

            async def send(message):
                nonlocal counted
                counted += message["type"] == "http.response.body"

            requests, begun = 0, time.perf_counter()
            while time.perf_counter() - begun < seconds:
                pending = [{"type": "http.request", "body": body}]

                async def receive(pending=pending):
                    if pending:
                        return pending.pop()
                    return await asyncio.get_running_loop().create_future()

                await app(dict(scope), receive, send)
                requests += 1
            report(name, requests, counted if case.get("stream") else 0, time.perf_counter() - begun)


# ---- over a socket ------------------------------------------------------------------------------------


def run_server(listener):
    uvicorn.Server(listening(create_app(CONFIG), log_level="warning")).run(sockets=[listener])


class Caller(asyncio.Protocol):
    """Sends the same request again and again; counts what comes."""

    def __init__(self, request, tally):
        self._request, self._tally = request, tally
        self._rest = b""

    def connection_made(self, transport):
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data):
        self._tally["events"] += data.count(b"event: ")
        data = self._rest + data
        end = data.endswith(b"\r\n0\r\n\r\n") or (b"chunked" not in data[:400] and _whole(data))
        if end:
            self._rest = b""
            self._tally["requests"] += 1
            self._transport.write(self._request)
        else:
            self._rest = data if b"chunked" not in data[:400] else data[:400] + data[-8:]


def _whole(data):
    head, found, body = data.partition(b"\r\n\r\n")
    if not found or b"content-length" not in head:
        return False
    return len(body) >= int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])


async def over_socket(port, case, seconds, connections):
    body = body_of(case)
    request = (
        b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body) + body
    )
    tally = {"requests": 0, "events": 0}
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: Caller(request, tally), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    spent = time.perf_counter() - begun
    for transport, _ in opened:
        transport.abort()
    return tally["requests"], tally["events"], spent


def report(name, requests, events, spent):
    figures = f"{requests / spent:9,.0f} requests/s"
    if events:
        figures += f" {events / spent:12,.0f} events/s"
    print(f"  {name:36}{figures}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    print("the application in this process")
    asyncio.run(in_process(options.seconds))
    print(f"over a local socket, {options.connections} connections")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = multiprocessing.get_context("fork").Process(target=run_server, args=(listener,))
        server.start()
        try:
            for name, case in CASES.items():
                report(name, *asyncio.run(over_socket(port, case, options.seconds, options.connections)))
        finally:
            server.terminate()
            server.join()


if __name__ == "__main__":
    main()
