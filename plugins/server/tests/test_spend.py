"""What calls have cost: in the ledger whatever became of them, told by the server and by the command."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from plugins.sql.tests.databases import postgresql_server, postgresql_url, sqlite_url, url
from websockets.sync.client import connect

from dragoman.memory.stores import open_store
from dragoman.state import LedgerEntry
from dragoman_server import Deployment, service
from dragoman_server.authentication import Keyring, Owner

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url", "url"]

PRICES = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
ECHO = (
    Deployment(name="priced", model="echo/e", prices=PRICES),
    Deployment(name="free of a price", model="echo/e", prices={"output_cost_per_token": 2e-06}),
)
ASKED = {"model": "priced", "input": "one two three", "user": "eve", "metadata": {"tags": "a,b"}}


@pytest.fixture
def noon(monkeypatch):
    """Stop the clock far from midnight, which would divide what a test asks about between two days."""
    noon = datetime.now(UTC).replace(hour=12)
    monkeypatch.setattr(time, "time", noon.timestamp)
    return noon


def wait_for(condition, seconds=10.0):
    """Wait until something is so that nobody tells."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_every_way_of_asking_is_in_the_ledger_once(serve, prefix, url):
    with serve(*ECHO, store=url) as server, httpx.Client(base_url=f"{server.url}{prefix}") as http:
        responses = [
            http.post("/responses", json=ASKED).json(),
            http.post("/responses", json={**ASKED, "store": False}).json(),
        ]
        for stored in (True, False):
            body = {**ASKED, "stream": True, "store": stored}
            told = http.post("/responses", json=body).text.split("data: ")
            responses.append(json.loads(told[-2])["response"])
        queued = http.post("/responses", json={**ASKED, "background": True}).json()
        responses.append(
            wait_for(
                lambda: (
                    (made := http.get(f"/responses/{queued['id']}").json())["status"] == "completed" and made
                )
            )
        )
        with connect(f"ws://127.0.0.1:{server.port}{prefix}/responses") as socket:
            socket.send(json.dumps({"type": "response.create", "generate": False, **ASKED}))  # costs nothing
            for frame in ({}, {"store": False}):
                socket.send(json.dumps({"type": "response.create", **ASKED, **frame}))
            ends = (json.loads(frame) for frame in socket)
            done = (frame["response"] for frame in ends if frame["type"] == "response.completed")
            assert next(done)["usage"] is None
            responses += [next(done), next(done)]
        costs = [Decimal(response["dragoman"]["cost"]["total"]) for response in responses]
        assert min(costs) > 0
        told = http.get("/spend", params={"by": "asked"}).json()
        (row,) = told["data"]
        assert row == {"asked": "priced", **told["total"]}
        assert (row["calls"], row["failed_calls"], row["unpriced_calls"]) == (7, 0, 0)
        assert Decimal(row["cost"]) == sum(costs)
        assert row["output_tokens"] == sum(response["usage"]["output_tokens"] for response in responses)


def test_what_failed_or_has_no_price_is_told_as_that(serve, noon):
    today = noon.date().isoformat()
    with serve(*ECHO) as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/spend").json()["total"]["cost"] == "0"
        script = json.dumps({"echo": [{"error": {"status": 500, "message": "broken"}}]})
        asked = [ASKED, {**ASKED, "model": "free of a price", "user": "ann"}, {**ASKED, "input": script}]
        answers = [http.post("/responses", json=body).json() for body in asked]
        assert http.post("/responses", json={"model": "nobody's", "input": "Hi"}).status_code == 404
        assert http.post("/responses", json={**ASKED, "previous_response_id": "resp_0"}).status_code == 400
        told = http.get("/spend?by=user,asked&by=day").json()
        assert told["by"] == ["user", "asked", "day"]
        rows = {(row["user"], row["asked"], row["day"]): row for row in told["data"]}
        assert list(rows) == [("ann", "free of a price", today), ("eve", "priced", today)]
        unpriced, priced = rows.values()
        assert (unpriced["calls"], unpriced["unpriced_calls"], unpriced["cost"]) == (1, 1, None)
        assert (priced["calls"], priced["failed_calls"], priced["unpriced_calls"]) == (2, 1, 0)
        assert priced["cost"] == answers[0]["dragoman"]["cost"]["total"]
        for chosen, calls in (
            ({"tag": "a"}, 3),
            ({"tag": "c"}, 0),
            ({"user": "eve"}, 2),
            ({"provider": "echo", "asked": "priced"}, 2),
            ({"since": "1d", "until": "0d"}, 3),
            ({"until": "1d"}, 0),
            ({"since": today, "until": today}, 3),
        ):
            assert http.get("/spend", params=chosen).json()["total"]["calls"] == calls, chosen
        assert [row["tag"] for row in http.get("/spend?by=tag").json()["data"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("by=color", "by"),
        ("since=yesterday", "since"),
        ("until=2026-02-30", "until"),
        ("since=20260101", "since"),
    ],
)
def test_what_cannot_be_asked_says_so(http, query, param):
    answer = http.get(f"/spend?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_others_spending_is_for_the_master_key(serve):
    class Visitors(Keyring):
        def authenticate(self, headers):
            return Owner("visitor") if b"x-visitor" in headers else super().authenticate(headers)

    with serve(keyring=Visitors(["master"])) as server, httpx.Client(base_url=server.url) as http:
        refused = http.get("/spend", headers={"x-visitor": "1"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "master_key_needed")
        assert http.get("/spend", headers={"x-api-key": "master"}).status_code == 200


def test_a_server_rolls_up_what_is_old(serve, url, noon, monkeypatch):
    monkeypatch.setattr(service, "_ROLLED_UP", 7)
    now = noon.timestamp()
    entries = [
        LedgerEntry(
            id=f"resp_{number}", at=now - number * 86400 / 4, asked="m", provider="p", model="m",
            outcome="completed", cost=10**12 + number, owner=f"key {number % 2}",
        )
        for number in range(40)
    ]  # fmt: skip
    store = open_store(url)
    with store.transaction() as transaction:
        for entry in entries:
            transaction.add_entry(entry)
        before = transaction.get_spend(by=["day", "owner"])
    with serve(store=url, ledger=3 * 86400.0) as server, httpx.Client(base_url=server.url) as http:
        told = http.get("/spend?by=day&by=key").json()["data"]
    with store.transaction() as transaction:
        assert transaction.get_spend(by=["day", "owner"]) == before
        left = [entry for entry in entries if transaction.get_entry(entry.id)]
    first_day = (now - 3 * 86400) // 86400 * 86400
    assert left == [entry for entry in entries if entry.at >= first_day]
    assert [(row["day"], row["key"], row["calls"]) for row in told] == [
        (row.of["day"], row.of["owner"], row.calls) for row in before
    ]
    store.close()


def run(*arguments):
    """Run ``dragoman spend``."""
    command = [sys.executable, "-m", "dragoman_cli", "spend", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_tells_what_the_server_does(serve, url, tmp_path):
    with serve(*ECHO, store=url) as server, httpx.Client(base_url=server.url) as http:
        http.post("/responses", json=ASKED)
        http.post("/responses", json={**ASKED, "model": "free of a price", "user": "a\nb"})
        told = http.get("/spend?by=user&by=asked&since=7d").json()
    config = tmp_path / "config.yaml"
    config.write_text(f"model_list: []\ndragoman_settings: {{store: '{url}'}}\n")
    asked = ["--by", "user,asked", "--since", "7d"]
    for where in (["--store", url], ["--config", str(config)]):
        assert json.loads(run(*asked, "--json", *where).stdout) == told
    headings, odd, eve, total = run(*asked, "--store", url).stdout.splitlines()
    assert headings.split()[:3] == ["user", "asked", "calls"]
    assert "'a\\nb'" in odd
    assert "unknown" in odd
    cost = next(row["cost"] for row in told["data"] if row["user"] == "eve")
    assert eve.split()[-2:] == [cost, "0"]
    assert total.split()[-2:] == [cost, "1"]


def test_the_command_says_what_it_needs(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("model_list: []\n")
    for arguments, words in (
        ([], "--store URL"),
        (["--config", str(config)], "GET /spend"),
        (["--store", "sqlite://", "--by", "color"], "by must be of key"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert words in done.stderr
