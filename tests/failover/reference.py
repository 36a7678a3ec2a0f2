"""A client that does everything right, in the simplest way: nothing is told before an attempt is complete.

It speaks OpenAI's wire alone, and shares no code with dragoman: it is what upstream and judge are tried on.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import httpx
from tests.failover.outcomes import Failure, Outcome
from tests.failover.story import HEALTHY

if TYPE_CHECKING:
    from tests.failover.cells import Cell
    from tests.failover.profiles import Profile

__all__ = ["ReferenceCaller", "TruncatingCaller"]

_RETRIED = frozenset({429, 500, 502, 503, 504})


class _Broken(Exception):  # noqa: N818 - one failed attempt
    def __init__(self, failure: Failure, *, again: bool = False, wait: float | None = None) -> None:
        self.failure, self.again, self.wait = failure, again, wait


class ReferenceCaller:
    """Buffers, retries, falls back."""

    def __init__(self, cell: Cell, url: str, profile: Profile) -> None:
        self._cell, self._profile = cell, profile
        address = cell.address(url, "openai")
        self._http = httpx.AsyncClient(base_url=address, timeout=profile.first_token, verify=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, *, healthy: bool = False) -> Outcome:
        outcome = Outcome(streamed=self._cell.streamed)
        for model in [HEALTHY] if healthy else [self._cell.primary, self._cell.fallback]:
            for number in range(1 + self._profile.retries):
                try:
                    outcome.events, outcome.response = await self._attempt(model)
                except _Broken as broken:
                    outcome.failure = outcome.failure or broken.failure
                    if broken.failure.code == "content_policy_violation":
                        return outcome
                    if not broken.again:
                        break
                    backoff = 0.05 * 2**number * random.uniform(0.5, 1)
                    await asyncio.sleep(broken.wait if broken.wait is not None else backoff)
                else:
                    outcome.failure = None
                    return outcome
        return outcome

    async def _attempt(self, model: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        body = {"model": model, "input": "Tell the story.", "stream": self._cell.streamed}
        try:
            async with self._http.stream("POST", "/responses", json=body) as answer:
                if answer.status_code != 200:
                    raise _refused(answer.status_code, answer.headers, json.loads(await answer.aread()))
                if self._cell.streamed:
                    return self._judged(await self._events(answer))
                return [], json.loads(await answer.aread())
        except httpx.TimeoutException:
            raise _Broken(Failure(status=408, code="timeout", message="silence")) from None
        except (httpx.TransportError, ValueError) as problem:
            raise _Broken(Failure(status=502, code="cut", message=str(problem)), again=True) from None

    async def _events(self, answer: httpx.Response) -> list[dict[str, Any]]:
        events = []
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                events.append(json.loads(line.removeprefix("data: ")))
                if events[-1]["type"] == "response.completed":
                    break
        return events

    def _judged(self, events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        if events[-1]["type"] != "response.completed":
            raise _Broken(Failure(status=502, code="cut", message="no end mark"), again=True)
        return events, events[-1]["response"]


class TruncatingCaller(ReferenceCaller):
    """As the reference, but the end of the bytes is the end of the answer."""

    def _judged(self, events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        text = "".join(event.get("delta", "") for event in events)
        said = {"type": "message", "content": [{"type": "output_text", "text": text}]}
        return [], {"status": "completed", "model": self._cell.primary, "output": [said]}


def _refused(status: int, headers: httpx.Headers, body: dict[str, Any]) -> _Broken:
    error = body["error"]
    failure = Failure(status=status, code=error["code"], message=error["message"])
    wait = None
    if "retry-after-ms" in headers:
        wait = float(headers["retry-after-ms"]) / 1000
    elif "retry-after" in headers:
        wait = float(headers["retry-after"])
    return _Broken(failure, again=status in _RETRIED, wait=wait)
