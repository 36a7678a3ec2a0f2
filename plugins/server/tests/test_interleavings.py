"""Whatever several callers do in whatever order: each sees its own things alone, and the model its own past.

Steps drawn by chance (seeded) are taken over HTTP, with an account of what has to be there. The model behind
the server writes down what it is sent, and waits in the middle of an answer where it is told to.
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from plugins.sql.tests.databases import postgresql_server, postgresql_url, sqlite_url

from dragoman.hookspecs import HTTPRequest, LocalAnswer, ProviderInfo, hookimpl
from dragoman.parameters import policies
from dragoman.providers import register_provider
from dragoman_server import Deployment
from dragoman_server.authentication import Keyring

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url"]

KEYS = ("key of ann", "key of bob")
_MANNERS = ("whole", "stream", "background")
_NONE = 6  # the place of nothing
_SOON = 20.0  # seconds

Said = tuple[str, str]  # role and text


class Ear:
    """A model that writes down what it is sent and says "half ... whole", pausing between where it has to."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Said]] = {}
        self.gates: dict[str, threading.Event] = {}

    @hookimpl
    def provider_info(self):
        return ProviderInfo(name="ear", spec_version=1, wire="ear", parameters=policies(native="temperature"))

    @hookimpl
    def translate_request(self, request, target):
        said = [(item["role"], item["content"][0]["text"]) for item in request["input"]]
        return HTTPRequest(url="local:", json={"said": said})

    @hookimpl
    def answer_locally(self, http, target):
        said = [(role, text) for role, text in http.json["said"]]
        text = said[-1][1]
        self.heard[text] = said
        headers = {"content-type": "text/event-stream"}
        return LocalAnswer(headers=headers, chunks=self._chunks(text, self.gates.get(text)))

    def _chunks(self, text: str, gate: threading.Event | None) -> Iterator[bytes | float]:
        yield b"data: %b\n\n" % json.dumps({"text": f"half {text}"}).encode()
        while gate is not None and not gate.is_set():
            yield 0.005
        yield b"data: %b\n\n" % json.dumps({"text": " whole"}).encode()
        yield b'data: {"end": true}\n\n'

    @hookimpl
    def parse_response(self, payload, output, target):
        raise AssertionError("it always streams")

    @hookimpl
    def handle_stream_event(self, event, output, target):
        if "text" in event.data:
            output.text(event.data["text"])
        else:
            output.finish("completed")
            output.ended = True


@dataclass
class Made:
    """A response, as it has to be."""

    id: str
    owner: int
    asked: str
    previous: Made | None = None
    talk: Talk | None = None
    background: bool = False
    status: str = "completed"
    deleted: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    """Of a background response that is over."""

    @property
    def answered(self) -> list[Said]:
        """What its output says."""
        whole = self.status in {"completed", "failed"}  # it fails where what is whole cannot be kept
        return [("assistant", f"half {self.asked}{' whole' if whole else ''}")]

    @property
    def finished(self) -> bool:
        return self.status != "in_progress"


@dataclass
class Talk:
    """A conversation, as it has to be."""

    id: str
    owner: int
    said: list[tuple[str, Said]] = field(default_factory=list)  # whose part it is, and what
    deleted: bool = False


class Callers:
    """Two callers of a server, and what each of them has to find."""

    def __init__(self, url: str, ear: Ear, chance: random.Random) -> None:
        self._ear = ear
        self._chance = chance
        self._made: list[Made] = []
        self._talks: list[Talk] = []
        self._texts = 0
        self._clients = [
            httpx.Client(base_url=f"{url}/v1", headers={"authorization": f"Bearer {key}"}, timeout=_SOON)
            for key in KEYS
        ]

    def close(self) -> None:
        for one in self._made:
            if not one.finished and not one.deleted:
                self._ear.gates[one.asked].set()
        for client in self._clients:
            client.close()

    def step(self) -> None:
        """Do one thing."""
        (name,) = self._chance.choices(list(_STEPS), list(_STEPS.values()))
        getattr(self, name)()

    # ---- who has what

    def _text(self) -> str:
        self._texts += 1
        return f"text {self._texts}"

    def _place(self) -> int:
        """Return how far from the newest something is; the near ones are likelier."""
        return min(int(self._chance.expovariate(0.5)), _NONE)

    def _response(self, place: int) -> Made | None:
        return self._made[-1 - place] if place < min(_NONE, len(self._made)) else None

    def _talk(self, place: int) -> Talk | None:
        return self._talks[-1 - place] if place < min(_NONE, len(self._talks)) else None

    def _key(self, one: Made | Talk | None) -> int:
        """Return who asks for something: mostly whose it is."""
        owner = 0 if one is None else one.owner
        return 1 - owner if self._chance.random() < 0.2 else owner

    def _find(self) -> tuple[int, str, Made | None]:
        """Return who asks for a response, by which path, and the response if they can see it."""
        one = self._response(self._place())
        key = self._key(one)
        seen = one if one is not None and key == one.owner and not one.deleted else None
        return key, f"/responses/{self._id(one)}", seen

    def _find_talk(self) -> tuple[int, str, Talk | None]:
        """Return the same for a conversation."""
        talk = self._talk(self._place())
        key = self._key(talk)
        seen = talk if talk is not None and key == talk.owner and not talk.deleted else None
        return key, f"/conversations/{self._id(talk, 'conv')}", seen

    def _id(self, one: Made | Talk | None, prefix: str = "resp") -> str:
        return one.id if one is not None else f"{prefix}_{'0' * 32}"

    def _call(self, key: int, method: str, path: str, **options: Any) -> httpx.Response:
        return self._clients[key].request(method, path, **options)

    # ---- asking

    def ask(self) -> None:
        self._ask(self._chance.randrange(len(KEYS)), [])

    def go_on(self) -> None:
        one = self._response(self._place())
        key = self._key(one)
        mine = one if one is not None and one.owner == key and one.finished else None
        past = None if mine is None else _context(mine)
        self._ask(key, past, refused=400, before=mine, previous_response_id=self._id(one))

    def talk_on(self) -> None:
        talk = self._talk(self._place())
        key = self._key(talk)
        mine = talk if talk is not None and talk.owner == key and not talk.deleted else None
        past = None if mine is None else [said for _, said in mine.said]
        self._ask(key, past, refused=404, talk=mine, conversation=self._id(talk, "conv"))

    def _ask(
        self,
        key: int,
        past: list[Said] | None,
        *,
        refused: int = 0,
        before: Made | None = None,
        talk: Talk | None = None,
        **options: Any,
    ) -> None:
        """Ask; `past` is what the model has to be sent before it, None where that is refused."""
        text, manner = self._text(), self._chance.choice(_MANNERS)
        background = manner == "background"
        body = {
            "model": "ear/m",
            "input": text,
            "background": background,
            "stream": manner == "stream",
            **options,
        }
        if background:
            self._ear.gates[text] = threading.Event()
        answer = self._call(key, "POST", "/responses", json=body)
        if past is None:
            assert answer.status_code == refused, answer.text
            assert text not in self._ear.heard
            return
        assert answer.status_code == 200, answer.text
        one = Made("", key, text, before, talk, background)
        self._made.append(one)
        if background:
            one.id, one.status = answer.json()["id"], "in_progress"
            self._follow(one, -1, until="response.output_text.delta")
        elif manner == "stream":
            events = _events(answer.text)
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            one.id = events[-1]["response"]["id"]
            self._check(one, events[-1]["response"])
        else:
            one.id = answer.json()["id"]
            self._check(one, answer.json())
        assert self._ear.heard[text] == [*past, ("user", text)]
        if one.finished:
            _add_to_talk(one)

    def let_end(self) -> None:
        waiting = [one for one in self._made if not one.finished and not one.deleted]
        if not waiting:
            return
        one = self._chance.choice(waiting)
        self._ear.gates[one.asked].set()
        one.events = self._follow(one, -1)
        one.status = "failed" if one.talk is not None and one.talk.deleted else "completed"
        assert [event["sequence_number"] for event in one.events] == list(range(len(one.events)))
        self._check(one, one.events[-1]["response"])
        _add_to_talk(one)

    # ---- looking, ending, deleting

    def look(self) -> None:
        key, path, one = self._find()
        told, items = self._call(key, "GET", path), self._call(key, "GET", f"{path}/input_items")
        if one is None:
            assert (told.status_code, items.status_code) == (404, 404)
            return
        self._check(one, told.json())
        assert [item["content"][0]["text"] for item in items.json()["data"]] == [one.asked]

    def resume(self) -> None:
        (key, path, one), after = self._find(), self._chance.randint(-1, 9)
        if one is not None and one.background and not one.finished:
            missed = self._follow(one, -1, until="response.output_text.delta")
            if after < len(missed) - 1:
                resumed = self._follow(one, after, until="response.output_text.delta")
                assert resumed == missed[after + 1 :]
            return
        query = "?stream=true" if after < 0 else f"?stream=true&starting_after={after}"
        answer = self._call(key, "GET", f"{path}{query}")
        if one is None or not one.background:
            assert answer.status_code == (404 if one is None else 400)
            return
        expected = one.events[after + 1 :]
        if one.status == "failed" and after >= len(one.events):
            expected = [{**one.events[-1], "sequence_number": after + 1}]
        assert _events(answer.text) == expected

    def cancel(self) -> None:
        key, path, one = self._find()
        told = self._call(key, "POST", f"{path}/cancel")
        if one is None or not one.background:
            assert told.status_code == (404 if one is None else 400)
            return
        if not one.finished:
            one.status = "cancelled"
            one.events = self._follow(one, -1)
            assert one.events[-1]["response"] == told.json()
        self._check(one, told.json())

    def delete(self) -> None:
        key, path, one = self._find()
        told = self._call(key, "DELETE", path)
        assert told.status_code == (404 if one is None else 200)
        if one is not None:
            one.deleted = True

    # ---- conversations

    def begin_talk(self) -> None:
        key, texts = (
            self._chance.randrange(len(KEYS)),
            [self._text() for _ in range(self._chance.randint(0, 3))],
        )
        told = self._call(key, "POST", "/conversations", json={"items": [_user(text) for text in texts]})
        talk = Talk(told.json()["id"], key, [("", ("user", text)) for text in texts])
        self._talks.append(talk)

    def say(self) -> None:
        (key, path, talk), text = self._find_talk(), self._text()
        told = self._call(key, "POST", f"{path}/items", json={"items": [_user(text)]})
        assert told.status_code == (404 if talk is None else 200)
        if talk is not None:
            talk.said.append(("", ("user", text)))

    def listen(self) -> None:
        """Read a conversation, and take an item out of it."""
        key, path, talk = self._find_talk()
        told, listed = (
            self._call(key, "GET", path),
            self._call(key, "GET", f"{path}/items?order=asc&limit=100"),
        )
        if talk is None:
            assert (told.status_code, listed.status_code) == (404, 404)
            return
        items = listed.json()["data"]
        said = [(item["role"], item["content"][0]["text"]) for item in items]
        assert said == [said for _, said in talk.said]
        forget = self._chance.randint(0, 9)
        if forget < len(items):
            stranger = self._call(1 - key, "DELETE", f"{path}/items/{items[forget]['id']}")
            assert stranger.status_code == 404
            assert self._call(key, "DELETE", f"{path}/items/{items[forget]['id']}").status_code == 200
            del talk.said[forget]

    def end_talk(self) -> None:
        key, path, talk = self._find_talk()
        told = self._call(key, "DELETE", path)
        assert told.status_code == (404 if talk is None else 200)
        if talk is not None:
            talk.deleted = True

    # ---- reading

    def _follow(self, one: Made, after: int, until: str | None = None) -> list[dict[str, Any]]:
        """Return the events behind a number, to the end or to one of a type."""
        path = f"/responses/{one.id}?stream=true{f'&starting_after={after}' if after >= 0 else ''}"
        events: list[dict[str, Any]] = []
        with self._clients[one.owner].stream("GET", path) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    events.append(json.loads(line[6:]))
                    if events[-1]["type"] == until:
                        return events
        assert until is None
        return events

    def _check(self, one: Made, response: dict[str, Any]) -> None:
        assert response["id"] == one.id
        if not one.finished:
            assert response["status"] in {"queued", "in_progress"}
            return
        assert response["status"] == one.status
        said = [("assistant", item["content"][0]["text"]) for item in response["output"]]
        assert said == one.answered
        assert (response["previous_response_id"] or None) == (one.previous.id if one.previous else None)


def _context(one: Made) -> list[Said] | None:
    """Return what stands behind whoever goes on from this response; None where that is gone."""
    before: list[Said] | None = []
    if one.deleted:
        return None
    if one.previous is not None:
        before = _context(one.previous)
    elif one.talk is not None:
        places = [place for place, (part, _) in enumerate(one.talk.said) if part == one.id]
        before = [said for _, said in one.talk.said[: places[0]]] if places and not one.talk.deleted else None
    return None if before is None else [*before, ("user", one.asked), *one.answered]


def _add_to_talk(one: Made) -> None:
    if one.talk is not None and one.status == "completed":
        one.talk.said += [(one.id, said) for said in (("user", one.asked), *one.answered)]


def _events(body: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


_STEPS = {
    "ask": 2, "go_on": 6, "talk_on": 4, "let_end": 3, "look": 3, "resume": 3, "cancel": 1, "delete": 1,
    "begin_talk": 1, "say": 1, "listen": 2, "end_talk": 1,
}  # fmt: skip
"""What callers do, and how often."""


@pytest.mark.parametrize(("store", "steps"), [(None, 1200), ("sqlite", 500), ("postgresql", 400)])
def test_any_interleaving_keeps_isolation_and_history(store, steps, request, serve):
    ear = Ear()
    register_provider(ear)
    url = None if store is None else request.getfixturevalue(f"{store}_url")
    with serve(Deployment(name="ear/*", model="ear/*"), keyring=Keyring(KEYS), store=url) as server:
        callers = Callers(server.url, ear, random.Random(steps))
        for _ in range(steps):
            callers.step()
        callers.close()
    assert max(map(len, ear.heard.values())) > 6  # there were long pasts
