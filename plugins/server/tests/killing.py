"""A ``dragoman serve`` that is killed under load and started again, and callers who remember all they heard.

Everything that a caller was told is looked for afterwards, whole. What a caller was not told may be there or
not, but not in part.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from dragoman.costs import Cost
from dragoman.memory.stores import open_store
from dragoman.records.ledger import picodollars

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Callers", "kill_under_load", "serving"]

_GONE = (aiohttp.ClientError, ConnectionError, TimeoutError)
_OVER = {"completed": "response.completed", "failed": "response.failed", "cancelled": "response.failed"}
_SETTLED_AFTER = 60.0  # seconds: the lease, the pause between looks at leases, and a slow machine
_CONFIG = """
model_list:
  - model_name: echo/e
    litellm_params: {model: echo/e, input_cost_per_token: 0.0000031, output_cost_per_token: 0.0000157}
"""
_AT_ONCE = 32  # looks at what was told


class _WrongError(Exception):
    """A caller was told something that cannot be."""


@dataclass
class _Background:
    """What a caller knows of a background response."""

    text: str
    status: str = "queued"
    """As it was last told."""
    events: list[dict[str, Any]] = field(default_factory=list)
    asked_to_end: bool = False
    """Whether somebody asked to cancel or delete it, whatever came of that."""
    since: float = field(default_factory=time.monotonic)


@dataclass
class _Conversation:
    """What a caller knows of a conversation: its texts, and those that may have been added unheard."""

    texts: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)


class Callers:
    """What all callers were told of one store, by however many servers."""

    def __init__(self, chance: random.Random, *, settles_at_once: bool, workers: int = 1) -> None:
        """Begin.

        Args:
            chance: what callers do.
            settles_at_once: whether background work that died has failed as soon as a server is there again;
                else within a minute.
            workers: how many processes serve.
        """
        self.told: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._chance = chance
        self._settles_at_once = settles_at_once
        self._workers = workers
        self._turns: dict[str, str] = {}
        self._chains: list[tuple[str | None, int]] = []  # the last response, and the words until then
        self._conversations: dict[str, _Conversation] = {}
        self._background: dict[str, _Background] = {}
        self._deleted: list[str] = []
        self._fresh: set[str] = set()
        self._heard = asyncio.Event()  # something new
        self._texts = 0
        self._billed: dict[str, dict[str, Any]] = {}
        """Calls that were told to their end: what each has cost."""
        self._calls = 0  # that were made, heard of or not

    # ---- asking -----------------------------------------------------------------------------------------

    async def ask(self, http: aiohttp.ClientSession) -> None:
        """Call until the server is gone."""
        self._fresh.clear()
        chains = [self._ask_chain(http, number, stream=number % 2 == 0) for number in range(4)]
        calls = [
            *chains,
            *(self._ask_conversation(http) for _ in range(3)),
            *(self._ask_background(http) for _ in range(5)),
            *(self._ask_unstored(http, stream=bool(number)) for number in range(2)),
        ]
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(self._until_gone(call))

    async def hear(self, count: int) -> None:
        """Wait until callers were told so many things more."""
        enough = self.told.total() + count
        while self.told.total() < enough:
            self._heard.clear()
            await self._heard.wait()

    async def _until_gone(self, call: Any) -> None:
        try:
            await call
        except _GONE:
            pass
        except _WrongError as wrong:
            self.wrong.append(str(wrong))

    async def _ask_chain(self, http: aiohttp.ClientSession, place: int, *, stream: bool) -> None:
        """Turn after turn; now and then one is deleted that nothing follows."""
        if place == len(self._chains):
            self._chains.append((None, 0))
        while True:
            last, words = self._chains[place]
            text = self._text()
            body = {"model": "echo/e", "input": text, "previous_response_id": last, "stream": stream}
            response = await (
                self._streamed(http, body) if stream else self._json(http, "POST", "responses", body)
            )
            self._check_answer(response, text)
            if response["usage"]["input_tokens"] != words + _words(text):
                raise _WrongError(f"{response['id']} was made without all of its history")
            self._hear(response["id"], "turns streamed" if stream else "turns")
            self._turns[response["id"]] = text
            if self._chance.random() < 0.1:
                del self._turns[response["id"]]
                await self._json(http, "DELETE", f"responses/{response['id']}")
                self._hear(response["id"], "deleted")
                self._deleted.append(response["id"])
            elif words > 2000:
                self._chains[place] = (None, 0)
            else:
                self._chains[place] = (response["id"], words + 2 * _words(text))

    async def _ask_conversation(self, http: aiohttp.ClientSession) -> None:
        """A conversation: begun with an item, gone on with by turns and items."""
        first = self._text()
        made = await self._json(http, "POST", "conversations", {"items": [_user(first)]})
        known = self._conversations[made["id"]] = _Conversation([first])
        self._hear(made["id"], "conversations")
        while True:
            text = self._text()
            if self._chance.random() < 0.3:
                known.unheard = [text]
                await self._json(http, "POST", f"conversations/{made['id']}/items", {"items": [_user(text)]})
                self._hear(made["id"], "items added")
            else:
                known.unheard = [text, text]
                body = {"model": "echo/e", "input": text, "conversation": made["id"], "stream": True}
                response = await self._streamed(http, body)
                self._check_answer(response, text)
                self._turns[response["id"]] = text
                self._hear(response["id"], "turns in conversations")
            known.texts += known.unheard
            known.unheard = []

    async def _ask_unstored(self, http: aiohttp.ClientSession, *, stream: bool) -> None:
        """Turns of which nothing is kept but what they cost."""
        while True:
            text = self._text()
            body = {"model": "echo/e", "input": text, "store": False, "stream": stream}
            response = await (
                self._streamed(http, body) if stream else self._json(http, "POST", "responses", body)
            )
            self._check_answer(response, text)
            self._tell("turns that are not stored")

    async def _ask_background(self, http: aiohttp.ClientSession) -> None:
        """Background work: left alone, followed to its end, polled, cancelled or deleted."""
        while True:
            text = self._text()
            steps = [
                part
                for word in text.split()
                for part in ({"text": f"{word} "}, {"pause": self._chance.uniform(0, 0.08)})
            ]
            body = {"model": "echo/e", "input": json.dumps({"echo": steps}), "background": True}
            queued = await self._json(http, "POST", "responses", body)
            id_, known = queued["id"], _Background("".join(f"{word} " for word in text.split()))
            self._background[id_] = known
            self._hear(id_, "background queued")
            manner = self._chance.choice(["leave", "follow", "follow", "cancel", "delete"])
            if manner == "leave":
                await asyncio.sleep(self._chance.uniform(0, 0.2))
            elif manner == "follow":
                async for event in self._events(http, "GET", f"responses/{id_}?stream=true", None):
                    known.events.append(event)
                known.status = known.events[-1]["response"]["status"]
                self._check_answer(known.events[-1]["response"], known.text)
                self._hear(id_, "background completed")
            else:
                await asyncio.sleep(self._chance.uniform(0, 0.3))
                known.asked_to_end = True
                method, path = ("DELETE", "") if manner == "delete" else ("POST", "/cancel")
                ended = await self._json(http, method, f"responses/{id_}{path}")
                known.status = ended.get("status", "deleted")
                self._hear(id_, f"background {known.status if manner == 'cancel' else 'deleted'}")

    # ---- looking ----------------------------------------------------------------------------------------

    @property
    def unsettled(self) -> list[str]:
        """The background responses that were not over when they were last looked at."""
        return [id_ for id_, known in self._background.items() if known.status in {"queued", "in_progress"}]

    async def look(self, http: aiohttp.ClientSession, *, everything: bool = False) -> None:
        """Look for what was told, since the last ``ask`` or ever; note in `wrong` what is not so."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def checked(check: Any) -> None:
            async with gate:
                try:
                    await check
                except _WrongError as wrong:
                    self.wrong.append(str(wrong))

        def recent(ids: Any) -> list[str]:
            return [id_ for id_ in ids if everything or id_ in self._fresh]

        checks = [
            *(self._look_turn(http, id_) for id_ in recent(self._turns)),
            *(self._look_deleted(http, id_) for id_ in recent(self._deleted)),
            *(self._look_conversation(http, id_) for id_ in recent(self._conversations)),
            *(self._look_background(http, id_) for id_ in {*recent(self._background), *self.unsettled}),
        ]
        await asyncio.gather(*map(checked, checks))

    def look_at_ledger(self, url: str) -> None:
        """Look in the store itself for what was told to its end, and for background work that is over."""
        store = open_store(url)
        with store.transaction() as transaction:
            (total,) = transaction.get_spend(where={"asked": "echo/e"})
            cost = 0
            for id_, response in self._billed.items():
                entry = transaction.get_entry(id_)
                told = Cost.from_json(response["dragoman"]["cost"])
                usage = response["usage"]
                if entry is None:
                    self.wrong.append(f"{id_} was told, and is not in the ledger")
                    continue
                if (entry.outcome, entry.cost, entry.input_tokens, entry.output_tokens) != (
                    "completed", picodollars(told), usage["input_tokens"], usage["output_tokens"],
                ):  # fmt: skip
                    self.wrong.append(f"{id_} cost {told}, and its entry is {entry}")
                cost += entry.cost or 0
            for id_, known in self._background.items():
                if known.status not in {*_OVER, "deleted"}:
                    continue
                entry = transaction.get_entry(id_)
                # What is ended in another process is entered by the one that makes it, when that hears of it.
                if entry is None and not (known.asked_to_end and self._workers > 1):
                    self.wrong.append(f"{id_} is {known.status}, and not in the ledger")
                elif entry is not None and known.status not in {"deleted", entry.outcome}:
                    self.wrong.append(f"{id_} is {known.status}, and its entry says {entry.outcome}")
        store.close()
        self.told["costs in the ledger"] = len(self._billed)
        if not (len(self._billed) <= total.calls <= self._calls and cost <= total.cost):
            self.wrong.append(f"{len(self._billed)} of {self._calls} calls were told, cost {cost}; {total}")

    async def _look_turn(self, http: aiohttp.ClientSession, id_: str) -> None:
        self._check_answer(await self._json(http, "GET", f"responses/{id_}"), self._turns[id_])
        items = (await self._json(http, "GET", f"responses/{id_}/input_items"))["data"]
        if _texts(items) != [self._turns[id_]]:
            raise _WrongError(f"{id_}: its input is another one")

    async def _look_deleted(self, http: aiohttp.ClientSession, id_: str) -> None:
        await self._json(http, "GET", f"responses/{id_}", status=404)

    async def _look_conversation(self, http: aiohttp.ClientSession, id_: str) -> None:
        known, items, after = self._conversations[id_], [], ""
        while True:
            page = await self._json(http, "GET", f"conversations/{id_}/items?order=asc&limit=100{after}")
            items += page["data"]
            if not page["has_more"]:
                break
            after = f"&after={page['last_id']}"
        texts = _texts(items)
        if texts == known.texts + known.unheard:
            known.texts = texts
        known.unheard = []
        if texts != known.texts:
            raise _WrongError(f"{id_}: {len(texts)} items where {len(known.texts)} were told, or others")

    async def _look_background(self, http: aiohttp.ClientSession, id_: str) -> None:
        known = self._background[id_]
        if known.status == "deleted":
            await self._json(http, "GET", f"responses/{id_}", status=404)
            return
        response = await self._json(
            http, "GET", f"responses/{id_}", status=404 if known.asked_to_end else 200
        )
        if response is None:
            known.status = "deleted"
            return
        status = response["status"]
        if status not in _OVER:
            if self._settles_at_once or time.monotonic() - known.since > _SETTLED_AFTER:
                known.status = "lost"
                raise _WrongError(f"{id_} is still {status}")
            return
        if known.status in _OVER and status != known.status:
            raise _WrongError(f"{id_} is {status}, and was {known.status}")
        if status == "completed":
            self._check_answer(response, known.text)
        if status == "failed" and response["error"]["code"] != "server_error":
            raise _WrongError(f"{id_} has failed with {response['error']}")
        if status == "cancelled" and not known.asked_to_end:
            raise _WrongError(f"{id_} was cancelled by nobody")
        if known.status not in _OVER:
            self.told[f"background found {status}"] += 1
        known.status = status
        await self._look_events(http, id_, known, response)

    async def _look_events(
        self, http: aiohttp.ClientSession, id_: str, known: _Background, response: dict[str, Any]
    ) -> None:
        """Resume from where a caller was, as it would; and from the start."""
        events = [event async for event in self._events(http, "GET", f"responses/{id_}?stream=true", None)]
        if [event["sequence_number"] for event in events] != list(range(len(events))):
            raise _WrongError(f"{id_}: its events have gaps")
        if events[-1]["type"] != _OVER[response["status"]] or events[-1]["response"] != response:
            raise _WrongError(f"{id_}: its last event is {events[-1]}")
        seen = known.events
        shared = min(len(seen), len(events) - (response["status"] == "failed"))
        if seen[:shared] != events[:shared]:
            raise _WrongError(f"{id_}: its events are not those that were told")
        if seen and seen[-1]["type"] not in _OVER.values():
            path = f"responses/{id_}?stream=true&starting_after={seen[-1]['sequence_number']}"
            rest = [event async for event in self._events(http, "GET", path, None)]
            if not rest or rest[0]["sequence_number"] != len(seen) or rest[-1]["response"] != response:
                raise _WrongError(f"{id_}: who was told {len(seen)} events is not told the rest")

    # ---- HTTP -------------------------------------------------------------------------------------------

    async def _json(
        self, http: aiohttp.ClientSession, method: str, path: str, body: Any = None, *, status: int = 200
    ) -> Any:
        """Return an answer; None where `status` is 404 and that came."""
        self._count(method, path)
        async with http.request(method, f"/v1/{path}", json=body) as answer:
            told = await answer.json()
            if answer.status == status == 404:
                return None
            if answer.status != 200 or (status == 404 and method == "GET" and told["id"] in self._deleted):
                raise _WrongError(f"{method} {path}: {answer.status} {told}")
            return told

    async def _events(
        self, http: aiohttp.ClientSession, method: str, path: str, body: Any
    ) -> AsyncIterator[dict[str, Any]]:
        done = False
        self._count(method, path)
        async with http.request(method, f"/v1/{path}", json=body) as answer:
            if answer.status != 200:
                raise _WrongError(f"{method} {path}: {answer.status} {await answer.text()}")
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])
                done = done or line == b"data: [DONE]\n"
        if not done:
            raise ConnectionError(f"{path} ended without its end")

    async def _streamed(self, http: aiohttp.ClientSession, body: dict[str, Any]) -> dict[str, Any]:
        """Return the response of a stream that came to its end."""
        response: dict[str, Any] = {}
        async for event in self._events(http, "POST", "responses", body):
            if event["type"] == "response.completed":
                response = event["response"]
        if not response:
            raise _WrongError(f"a stream ended without response.completed: {event}")
        return response

    # ---- saying -----------------------------------------------------------------------------------------

    def _text(self) -> str:
        """Return what nobody has said before."""
        self._texts += 1
        return " ".join([f"t{self._texts}", *("word" for _ in range(self._chance.randint(0, 20)))])

    def _hear(self, id_: str, what: str) -> None:
        self._fresh.add(id_)
        self._tell(what)

    def _tell(self, what: str) -> None:
        self.told[what] += 1
        self._heard.set()

    def _count(self, method: str, path: str) -> None:
        self._calls += (method, path) == ("POST", "responses")

    def _check_answer(self, response: dict[str, Any], text: str) -> None:
        self._billed[response["id"]] = response
        if response["status"] != "completed" or _texts(response["output"]) != [text]:
            raise _WrongError(
                f"{response['id']} is not what was told: {response['status']} {response['output']}"
            )


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _words(text: str) -> int:
    return len(text.split())


def _texts(items: list[dict[str, Any]]) -> list[str]:
    return ["".join(part["text"] for part in item["content"]) for item in items]


# ---- the server -----------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(url: str, *options: str) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    """Run a server in a process group of its own; at the end it is killed, with all that it started."""
    with _server(url, *options) as (address, process):
        timeout, connector = aiohttp.ClientTimeout(total=60), aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(address, timeout=timeout, connector=connector) as http:
            yield http, process


@contextlib.contextmanager
def _server(url: str, *options: str) -> Iterator[tuple[str, int]]:
    # Not asyncio's own: that leaves the pipe open where the server had ended before it was waited for.
    command = [sys.executable, "-m", "dragoman_cli", "serve", "--port", "0", "--log-level", "error"]
    command += ["--store", url, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        try:
            said = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://[^ ]+", said)
            assert found, "the server did not start"
            yield found[0], server.pid
        finally:
            with contextlib.suppress(ProcessLookupError):  # killed already
                os.killpg(server.pid, signal.SIGKILL)


async def kill_under_load(
    callers: Callers, url: str, kills: int, chance: random.Random, *options: str, settle: bool = False
) -> None:
    """Serve a store, kill the server while it is called, look for what was told; and so on.

    Args:
        callers: who call; they keep what is wrong.
        url: of the store.
        kills: how often.
        chance: when.
        options: of ``dragoman serve``.
        settle: whether to wait in the end until all background work is over.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(_CONFIG)
        options = (*options, "--config", str(config))
        for _ in range(kills):
            async with serving(url, *options) as (http, process):
                await callers.look(http)
                asking = asyncio.create_task(callers.ask(http))
                # By what was heard, not by the clock: a slow server would be killed before it said a word.
                heard = asyncio.create_task(callers.hear(chance.randint(20, 150)))
                await asyncio.wait({asking, heard}, return_when=asyncio.FIRST_COMPLETED)
                heard.cancel()
                await asyncio.sleep(chance.uniform(0, 0.05))
                os.killpg(process, signal.SIGKILL)
                await asking
        async with serving(url, *options) as (http, _):
            await callers.look(http, everything=True)
            while settle and callers.unsettled:
                await asyncio.sleep(1)
                await callers.look(http)
            await asyncio.to_thread(callers.look_at_ledger, url)
