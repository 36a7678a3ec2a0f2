"""Every way to ask dragoman, and to leave it in the middle: the SDK and its server, in this process."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import uvicorn
from websockets.asyncio.client import connect

from dragoman import APIError, AsyncDragoman, Dragoman
from dragoman.routing import Fleet
from dragoman_server import ServerConfig, create_app
from dragoman_server.listening import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from dragoman.routing import Deployment, RoutingSettings

__all__ = ["WAYS", "Way", "World", "world"]

_DELTA = "response.output_text.delta"
_ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


class World(NamedTuple):
    """All that can be asked: deployments of the same fleet."""

    client: Dragoman
    async_client: AsyncDragoman
    http: httpx.AsyncClient
    socket_url: str
    began: Callable[[str], Any]
    """Wait until a call, by its metadata's `cell`, has reached its upstream."""


class Way(NamedTuple):
    """One way to ask."""

    mode: str
    """Of the record."""
    streamed: bool
    """Whether the upstream is asked for a stream."""
    ask: Callable[[World, dict[str, Any]], Coroutine[Any, Any, Any]]
    """Ask, and read to the end, whichever it is; of the server's return what it said."""
    leave: Callable[[World, dict[str, Any]], Coroutine[Any, Any, Any]] | None
    """Ask, and leave in the middle; None: nobody can."""


async def _sync_whole(world: World, body: dict[str, Any]) -> None:
    with suppress(APIError):
        await asyncio.to_thread(lambda: world.client.responses.create(**body))


async def _sync_stream(world: World, body: dict[str, Any]) -> None:
    def read() -> None:
        with suppress(APIError), world.client.responses.stream(**body) as stream:
            stream.until_done()

    await asyncio.to_thread(read)


async def _leave_sync_stream(world: World, body: dict[str, Any]) -> None:
    def read() -> None:
        with world.client.responses.stream(**body) as stream:
            next(event for event in stream if event.type == _DELTA)

    await asyncio.to_thread(read)


async def _async_whole(world: World, body: dict[str, Any]) -> None:
    with suppress(APIError):
        await world.async_client.responses.create(**body)


async def _leave_async_whole(world: World, body: dict[str, Any]) -> None:
    await _cancelled(world, body, world.async_client.responses.create(**body))


async def _async_stream(world: World, body: dict[str, Any]) -> None:
    with suppress(APIError):
        async with world.async_client.responses.stream(**body) as stream:
            await stream.until_done()


async def _leave_async_stream(world: World, body: dict[str, Any]) -> None:
    async with world.async_client.responses.stream(**body) as stream:
        async for event in stream:
            if event.type == _DELTA:
                return


async def _served_whole(world: World, body: dict[str, Any]) -> str:
    return (await world.http.post("/responses", json=body)).text


async def _leave_served_whole(world: World, body: dict[str, Any]) -> None:
    await _cancelled(world, body, world.http.post("/responses", json=body))


async def _served_stream(world: World, body: dict[str, Any]) -> str:
    return (await world.http.post("/responses", json={**body, "stream": True})).text


async def _leave_served_stream(world: World, body: dict[str, Any]) -> None:
    async with world.http.stream("POST", "/responses", json={**body, "stream": True}) as answer:
        async for line in answer.aiter_lines():
            if line == f"event: {_DELTA}":
                return


async def _background(world: World, body: dict[str, Any]) -> str:
    made = await world.http.post("/responses", json={**body, "background": True})
    response = made.json()
    if "id" not in response:
        return made.text
    path = f"/responses/{response['id']}"
    async with world.http.stream("GET", path, params={"stream": True}) as answer:
        return (await answer.aread()).decode()  # its end comes when the response is over


async def _cancel_background(world: World, body: dict[str, Any]) -> None:
    response = (await world.http.post("/responses", json={**body, "background": True})).json()
    await world.began(body["metadata"]["cell"])
    cancelled = await world.http.post(f"/responses/{response['id']}/cancel")
    assert cancelled.json()["status"] == "cancelled"


async def _socket(world: World, body: dict[str, Any], *ends: str) -> str:
    frames = []
    async with connect(world.socket_url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "response.create", **body}))
        async for frame in socket:
            frames.append(frame)
            if json.loads(frame)["type"] in (ends or _ENDS):
                break
    return "\n".join(map(str, frames))


async def _leave_socket(world: World, body: dict[str, Any]) -> None:
    await _socket(world, body, _DELTA)


async def _cancelled(world: World, body: dict[str, Any], asking: Coroutine[Any, Any, Any]) -> None:
    task = asyncio.create_task(asking)
    await world.began(body["metadata"]["cell"])
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


WAYS = {
    "sync": Way("whole", False, _sync_whole, None),
    "sync stream": Way("stream", True, _sync_stream, _leave_sync_stream),
    "async": Way("whole", False, _async_whole, _leave_async_whole),
    "async stream": Way("stream", True, _async_stream, _leave_async_stream),
    "server": Way("whole", False, _served_whole, _leave_served_whole),
    "server stream": Way("stream", True, _served_stream, _leave_served_stream),
    "background": Way("background", False, _background, _cancel_background),
    "WebSocket": Way("websocket", True, _socket, _leave_socket),
}


@asynccontextmanager
async def world(
    deployments: tuple[Deployment, ...],
    routing: RoutingSettings,
    began: Callable[[str], Any],
    **config: Any,
) -> AsyncIterator[World]:
    """Run a server of these deployments, and clients of the same; `config`: more for the server."""
    app = create_app(ServerConfig(deployments=deployments, routing=routing, **config))
    server = uvicorn.Server(listening(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.005)
    address = f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    fleet = Fleet(deployments, routing)
    try:
        async with (
            AsyncDragoman(fleet=fleet) as async_client,
            httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as http,
        ):
            with Dragoman(fleet=fleet) as client:
                yield World(client, async_client, http, f"ws://{address}/responses", began)
    finally:
        server.should_exit = True
        await serving
