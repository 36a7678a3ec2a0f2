"""What an operator sees: health, the description, what is left behind and found again."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest
from websockets.sync.client import connect

from dragoman.memory.memory_store import MemoryStore
from dragoman.state import StoredResponse
from dragoman.types import TERMINAL_EVENTS
from dragoman_server import Deployment, service
from dragoman_server.openapi import document
from dragoman_server.routes import PATHS


class Failing(MemoryStore):
    """A store whose disk can go away."""

    blocking = True  # as one on a disk is
    broken = False

    def transaction(self):
        if self.broken:
            raise OSError("the disk is gone")
        return super().transaction()


@pytest.fixture
def store(monkeypatch):
    """The store of the servers that are made in this test."""
    made = Failing()
    monkeypatch.setattr(service, "open_store", lambda url: made)
    return made


def test_the_description_has_every_route(http):
    described = http.get("/openapi.json").json()
    assert described == document(locked=False)
    told = {
        (path.replace(":path", ""), method.lower())
        for path, methods in PATHS.items()
        for method in methods
        if (path, method) != ("/responses", "GET")  # is a WebSocket's
    }
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == told
    names = described["components"]["schemas"]
    assert {"Request", "Response", "Error"} < set(names)
    for reference in set(_references(described)):
        assert reference.removeprefix("#/components/schemas/") in names


def _references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_without_its_store_a_server_does_what_needs_none(serve, store):
    with serve(store="broken://") as server, httpx.Client(base_url=server.url) as http:
        asked = {"model": "echo/m", "input": "Hi"}
        assert http.get("/health/ready").status_code == 200
        kept = http.post("/responses", json=asked).json()["id"]
        store.broken = True
        assert http.post("/responses", json={**asked, "store": False}).status_code == 200
        for answer in (
            http.post("/responses", json=asked),
            http.post("/responses", json={**asked, "previous_response_id": kept}),
            http.get(f"/responses/{kept}"),
            http.post("/conversations", json={}),
        ):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "store_unavailable"
            assert answer.headers["x-should-retry"] == "true"
        streamed = http.post("/responses", json={**asked, "stream": True}).text
        assert '"type":"response.failed"' in streamed
        assert '"type":"response.completed"' not in streamed  # it is not kept, so it is not told
        assert http.get("/health/live").status_code == 200
        deadline = time.monotonic() + 10
        while http.get("/health/ready").status_code != 503:
            assert time.monotonic() < deadline
        store.broken = False
        assert http.get(f"/responses/{kept}").status_code == 200


def test_a_server_may_answer_unstored_while_its_store_is_down(serve, store, events_of):
    with (
        serve(store="broken://", unstored_without_store=True) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        asked = {"model": "echo/m", "input": "Hi"}
        kept = http.post("/responses", json=asked).json()
        conversation = http.post("/conversations", json={}).json()["id"]
        assert kept["store"] is True
        assert kept["dragoman"]["warnings"] == []
        store.broken = True
        whole = http.post("/responses", json=asked).json()
        events = events_of(http.post("/responses", json={**asked, "stream": True}).content)
        for answer in (whole, events[-1]["response"]):
            assert (answer["status"], answer["store"]) == ("completed", False)
            (warning,) = answer["dragoman"]["warnings"]
            assert warning["param"] == "store"
            assert "was not stored" in warning["message"]
        for history in (
            {"previous_response_id": kept["id"]},
            {"conversation": conversation},
            {"input": [{"type": "item_reference", "id": kept["output"][0]["id"]}]},
            {"background": True},
        ):
            answer = http.post("/responses", json={**asked, **history})
            assert answer.status_code == 503, history
            assert answer.json()["error"]["code"] == "store_unavailable"
        store.broken = False
        assert http.get(f"/responses/{whole['id']}").status_code == 404
        assert http.get(f"/responses/{kept['id']}").json() == kept


def test_a_websocket_without_its_store_goes_on_with_what_needs_none(serve, store):
    with serve(store="broken://") as server:
        url = server.url.replace("http", "ws", 1)
        with connect(f"{url}/responses", proxy=None) as connection:

            def ask(**more):
                connection.send(
                    json.dumps({"type": "response.create", "model": "echo/m", "input": "Hi", **more})
                )
                while (frame := json.loads(connection.recv(10)))["type"] not in {*TERMINAL_EVENTS, "error"}:
                    pass
                return frame

            kept = ask()["response"]["id"]
            store.broken = True
            loose = ask(store=False)["response"]["id"]
            again = ask(store=False, previous_response_id=loose)["response"]
            assert (again["status"], again["usage"]["input_tokens"]) == ("completed", 3)
            assert ask(previous_response_id=kept, store=False)["code"] == "store_unavailable"
            assert ask()["type"] == "response.failed"  # it is not kept, so it is not completed
            store.broken = False
            assert ask(previous_response_id=kept)["response"]["usage"]["input_tokens"] == 3


def test_what_a_dead_process_left_is_failed_at_the_start(serve, store):
    now = time.time()
    for name, lease in [("dead", now - 1), ("alive", now + 100)]:
        response = {"id": f"resp_{name}", "status": "in_progress", "background": True, "output": []}
        store.put_response(
            StoredResponse(
                id=f"resp_{name}", owner="", created_at=now, input=[], response=response, lease_until=lease
            )
        )
    with serve(store="left://") as server:
        dead = httpx.get(f"{server.url}/responses/resp_dead").json()
        assert (dead["status"], dead["error"]["code"]) == ("failed", "server_error")
        assert httpx.get(f"{server.url}/responses/resp_alive").json()["status"] == "in_progress"


def test_a_restarted_server_goes_on(serve, store):
    with serve(store="kept://") as server:
        asked = {"model": "echo/m", "input": "One two"}
        first = httpx.post(f"{server.url}/responses", json=asked).json()
        background = {**asked, "input": '{"echo": [{"text": "a"}, {"pause": 60}]}', "background": True}
        running = httpx.post(f"{server.url}/responses", json=background).json()
    with serve(store="kept://") as server:
        asked = {"model": "echo/m", "input": "Three", "previous_response_id": first["id"]}
        second = httpx.post(f"{server.url}/responses", json=asked).json()
        assert second["usage"]["input_tokens"] == 5
        ended = httpx.get(f"{server.url}/responses/{running['id']}").json()
        assert ended["status"] == "failed"


def test_what_has_expired_is_deleted(serve, store):
    with serve(store="brief://", retention=-1.0) as server:
        made = httpx.post(f"{server.url}/responses", json={"model": "echo/m", "input": "Hi"}).json()
    with serve(store="brief://") as server:
        assert httpx.get(f"{server.url}/responses/{made['id']}").status_code == 404


def test_requests_are_not_mixed_up(server):
    async def ask(client, number):
        text = f'{{"echo": [{{"text": "{number}"}}, {{"pause": 0.01}}, {{"text": " {number}"}}]}}'
        answer = await client.post("/responses", json={"model": "echo/m", "input": text})
        return answer.json()["output"][0]["content"][0]["text"]

    async def ask_all():
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(100)))

    assert asyncio.run(ask_all()) == [f"{number} {number}" for number in range(100)]


def test_no_answer_shows_a_secret_of_the_config(serve, caplog):
    settings = {"api_key": "canary-upstream", "api_base": "http://127.0.0.1:9"}  # where nobody answers
    paid = Deployment(name="paid", model="openai/m", arguments={"settings": settings})
    with serve(paid, master_key="canary-master") as server:
        keyed = {"authorization": "Bearer canary-master"}
        with httpx.Client(base_url=server.url) as http:
            answers = [
                http.request(method, path, headers=headers, json={"model": "paid", "input": "Hi"})
                for headers in ({}, keyed)
                for method, path in [
                    ("POST", "/responses"), ("POST", "/responses/compact"),
                    ("POST", "/responses/input_tokens"),
                    ("GET", "/models"), ("GET", "/models/paid"),
                    ("GET", "/openapi.json"), ("GET", "/none"),
                ]
            ]  # fmt: skip
    assert {answer.status_code for answer in answers} >= {200, 401, 404, 502}
    said = "".join(f"{answer.headers}{answer.text}" for answer in answers) + caplog.text
    assert "canary" not in said
