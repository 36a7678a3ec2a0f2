"""Many slow streams at once: an upstream that says a word at a time, and callers who know their own words."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["listen", "paced_upstream"]

_BACKLOG = 1000
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def paced_upstream(words: int, pause: float) -> AsyncIterator[str]:
    """Run a server of Chat Completions that answers "x" with "x-0 x-1 ...", a word and a pause at a time."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
                asked = json.loads(await reader.readexactly(int(lengths[0].partition(b":")[2])))
                writer.write(_HEAD)
                for number in range(words):
                    _say(writer, {"content": f"{asked['messages'][-1]['content']}-{number} "})
                    await writer.drain()
                    await asyncio.sleep(pause)
                _say(writer, {}, "stop")
                writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=_BACKLOG)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def _say(writer: asyncio.StreamWriter, delta: dict[str, Any], reason: str | None = None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode()
    event = b"data: %b\n\n" % chunk
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))


async def listen(url: str, count: int, words: int) -> list[str]:
    """Ask for so many streams at once; return what was wrong with them.

    Args:
        url: of the server; its model `slow` leads to the upstream.
        count: of streams.
        words: that each of them has.
    """
    timeout, connector = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        heard = await asyncio.gather(*(_hear(http, url, f"s{number}") for number in range(count)))
    return [
        f"s{number}: {told}"
        for number, told in enumerate(heard)
        if told != "".join(f"s{number}-{word} " for word in range(words))
    ]


async def _hear(http: aiohttp.ClientSession, url: str, text: str) -> str:
    """Return all that one stream said; what is not as it has to be stands in it too."""
    told, number, done = [], -1, False
    try:
        async with http.post(
            f"{url}/v1/responses", json={"model": "slow", "input": text, "stream": True}
        ) as answer:
            async for line in answer.content:
                done = done or line == b"data: [DONE]\n"
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                number += 1
                if event["sequence_number"] != number or event["type"] in {"error", "response.failed"}:
                    told.append(f"({number}: {event})")
                elif event["type"] == "response.output_text.delta":
                    told.append(event["delta"])
                elif event["type"] == "response.completed":
                    (item,) = event["response"]["output"]
                    if item["content"][0]["text"] != "".join(told):
                        told.append(f"(completed: {item})")
    except aiohttp.ClientError as problem:
        told.append(f"({problem!r})")
    return "".join(told) if done else f"{''.join(told)} (no end)"
