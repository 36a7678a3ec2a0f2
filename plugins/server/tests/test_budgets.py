"""Budgets hold: whoever calls at once, in however many processes, and whatever process is killed."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from decimal import Decimal

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins.server.tests.killing import serving
from plugins.server.tests.test_operation import Failing
from plugins.sql.tests.databases import postgresql_server, postgresql_url, sqlite_url

from dragoman.memory.stores import open_store
from dragoman.routing.meters import Meter
from dragoman_server import Deployment, service
from dragoman_server.budgets import LEASE, free_holds
from dragoman_server.keys import Budget
from dragoman_server.periods import window_at
from dragoman_server.shared_counts import SharedCounts

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url"]

MASTER = {"authorization": "Bearer the-master-key-of-this"}
CONFIG = """
model_list:
  - model_name: metered
    litellm_params:
      model: echo/m
      input_cost_per_token: 0
      output_cost_per_token: 0
      input_cost_per_query: 0.01
general_settings: {master_key: the-master-key-of-this}
"""
SLOW = json.dumps({"echo": [{"pause": 0.05}, {"text": "done"}]})
PER_TOKEN = {"input_cost_per_token": 0, "output_cost_per_token": "0.01"}
METERED = Deployment(name="metered", model="echo/m", prices=PER_TOKEN)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return str(file)


async def new_key(http, **terms):
    async with http.post("/v1/keys", json=terms, headers=MASTER) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def standing(http, key):
    async with http.get("/v1/keys", headers=MASTER) as answer:
        listed = (await answer.json())["data"]
    return next(one for one in listed if one["id"] == key["id"])["budget"]


async def spent(http, key):
    async with http.get("/v1/spend", params={"by": "key"}, headers=MASTER) as answer:
        rows = (await answer.json())["data"]
    return sum(Decimal(row["cost"]) for row in rows if row["key"] == key["id"])


async def ask(http, key, text=SLOW, **more):
    body = {"model": "metered", "input": text, **more}
    headers = {**bearer(key["key"]), "connection": "close"}  # any of the workers may answer
    async with http.post("/v1/responses", json=body, headers=headers) as answer:
        told = await answer.read()
        return answer.status, answer.headers, told


# ---- as many as there is money for ----------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="several workers need processes that fork")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_two_hundred_at_once_as_many_are_let_in_as_there_is_money_for(database, request, config):
    url = request.getfixturevalue(f"{database}_url")

    async def main():
        async with serving(url, "--config", config, "--workers", "2") as (http, _):
            key = await new_key(http, budget={"amount": "0.5"})
            modes = ({}, {"stream": True}, {"background": True}, {"store": False})
            answers = await asyncio.gather(*(ask(http, key, **modes[turn % 4]) for turn in range(200)))
            refused = [(headers, json.loads(told)) for status, headers, told in answers if status == 429]
            assert [status for status, _, _ in answers].count(200) == 50
            assert len(refused) == 150
            for headers, told in refused:
                assert told["error"]["code"] == told["error"]["type"] == "insufficient_quota"
                assert headers["x-should-retry"] == "false"
                assert "retry-after" not in headers
            async with asyncio.timeout(20):  # until the background ones have ended
                while (await standing(http, key))["reserved"] != "0":  # noqa: ASYNC110 - of other processes
                    await asyncio.sleep(0.05)
            assert (await standing(http, key))["spent"] == "0.5"
            assert await spent(http, key) == Decimal("0.5")
            status, _, told = await ask(http, key)
            assert status == 429
            message = json.loads(told)["error"]["message"]
            assert "$0.5: $0.5 are spent, and this call may cost $0.01, less with a smaller" in message
            assert message.endswith("It does not begin anew.")

    asyncio.run(main())


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_server_has_spent_what_its_ledger_says_and_holds_nothing(database, request, config):
    url = request.getfixturevalue(f"{database}_url")
    told = set()

    async def calls(http, key, text):
        try:
            while True:
                status, _, answer = await ask(http, key, text)
                assert status == 200
                told.add(json.loads(answer)["id"])
        except (aiohttp.ClientError, OSError):
            return  # the server is gone

    async def main():
        async with serving(url, "--config", config) as (http, process):
            key = await new_key(http, budget={"amount": 100, "period": "month"})
            texts = [SLOW] * 19 + [json.dumps({"echo": [{"pause": 600}]})]  # one is under way to the end
            callers = [asyncio.create_task(calls(http, key, text)) for text in texts]
            async with asyncio.timeout(30):
                while Decimal((await standing(http, key))["reserved"]) == 0 or len(told) < 40:
                    pass
            os.killpg(process, signal.SIGKILL)
            await asyncio.gather(*callers)
        if database == "postgresql":  # nobody can tell who else has it open: the lease has to run out
            store = open_store(url)
            with store.transaction() as transaction:
                assert free_holds(transaction, time.time() + LEASE) > 0
            store.close()
        async with serving(url, "--config", config) as (http, _):
            stands = await standing(http, key)
            assert stands["reserved"] == "0"
            assert Decimal(stands["spent"]) == await spent(http, key)
            # What was entered, but not told any more: at most the calls that were under way.
            assert 0 <= Decimal(stands["spent"]) / Decimal("0.01") - len(told) <= 20
            store = open_store(url)
            with store.transaction() as transaction:
                assert all(transaction.get_entry(id_) is not None for id_ in told)
            store.close()

    asyncio.run(main())


@pytest.mark.skipif(os.name != "posix", reason="several workers need processes that fork")
def test_workers_count_what_a_key_does_together(sqlite_url, config):
    """Also where one is killed: what it had under way counts no more, what it has let in does."""

    async def main():
        async with serving(sqlite_url, "--config", config, "--workers", "3") as (http, _):
            key = await new_key(http, rpm=40)
            answers = await asyncio.gather(*(ask(http, key) for _ in range(60)))
            assert [status for status, _, _ in answers].count(200) == 40
            left = [int(headers["x-ratelimit-remaining-requests"]) for _, headers, _ in answers]
            assert sorted(left) == [0] * 20 + list(range(40))
            key = await new_key(http, max_parallel_requests=4)
            endless = json.dumps({"echo": [{"pause": 600}]})

            async def wait():
                while (await ask(http, key, endless))[0] == 429:  # the question below came first
                    pass

            waiting = [asyncio.create_task(wait()) for _ in range(4)]
            async with asyncio.timeout(20):
                while (await ask(http, key, "Hi"))[0] == 200:
                    pass
            for task in waiting:
                task.cancel()
            async with asyncio.timeout(20):
                while (await ask(http, key, "Hi"))[0] == 429:
                    pass

    asyncio.run(main())


@pytest.mark.skipif(os.name != "posix", reason="needs processes that fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_calls_of_a_process_that_is_gone_are_under_way_no_more():
    counts = SharedCounts(slots=8)
    counts.join()
    key = "key_" + "a" * 32

    def work(ends):
        counts.join()
        with counts.locked():
            counts.slot(key, 1000.0).begin()
            counts.slot(key, 1000.0).requests.add(1000.0, 1)
        if not ends:
            os.kill(os.getpid(), signal.SIGKILL)

    fork = multiprocessing.get_context("fork")
    for count, taken in ((1, 1), (2, 1)):  # the second takes the place of the first
        process = fork.Process(target=work, args=(False,))
        process.start()
        process.join(20)
        slot = counts.slot(key, 1000.0)
        assert (slot.requests.read(1000.0), slot.parallel) == (count, taken)


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "correct"]), st.integers(0, 25), st.integers(-5, 9)), max_size=60
    )
)
def test_a_shared_meter_counts_as_that_of_one_process_does(steps):
    mine, shared = Meter(), SharedCounts(slots=1, shared=False).slot("key_" + "0" * 32, 0.0).requests
    now, added = 1000.0, [1000.0]
    for what, wait, amount in steps:
        now += wait / 3
        if what == "add":
            mine.add(now, abs(amount))
            shared.add(now, abs(amount))
            added.append(now)
        else:
            mine.correct(added[-1], now, amount)
            shared.correct(added[-1], now, amount)
        assert shared.read(now) == mine.read(now)
        for needed in (0, 3, 20):
            assert shared.room_at(now, 20, needed) == mine.room_at(now, 20, needed)


# ---- what is held, and what is settled ------------------------------------------------------------------


@pytest.fixture
def metered(serve):
    """A server whose answers cost a cent a word; how its keys stand, and clients for them."""
    with serve(
        METERED,
        Deployment(name="unpriced", model="openai/nobody-knows"),
        master_key=MASTER["authorization"].split()[1],
    ) as server:
        yield Metered(server)


class Metered:
    def __init__(self, server):
        self.server = server
        self.url = f"{server.url}/v1"

    def client(self, **budget):
        made = httpx.post(f"{self.url}/keys", json={"budget": budget}, headers=MASTER).json()
        client = httpx.Client(base_url=self.url, headers=bearer(made["key"]), timeout=20)
        client.id = made["id"]
        return client

    def stands(self, client):
        listed = httpx.get(f"{self.url}/keys", headers=MASTER).json()["data"]
        budget = next(one for one in listed if one["id"] == client.id)["budget"]
        return budget["spent"], budget["reserved"]


def test_what_a_call_did_not_take_is_given_back(metered):
    with metered.client(amount=1) as client:
        body = {"model": "metered", "input": "one two three", "max_output_tokens": 90}
        for count in range(1, 5):
            assert client.post("/responses", json=body).status_code == 200
            assert metered.stands(client) == (f"{count * 3 / 100:g}", "0")
        assert client.post("/responses", json=body).status_code == 429
        # Without max_output_tokens an answer may get as long as is said.
        assert "may cost $40.96" in client.post("/responses", json={**body, "max_output_tokens": None}).text


def test_a_call_that_is_refused_costs_nothing(metered):
    with metered.client(amount=1) as client:
        failing = json.dumps({"echo": [{"error": {"status": 400, "message": "no"}}]})
        for body in (
            {"input": failing}, {"input": "x", "previous_response_id": "resp_none"},
            {"input": "x", "temperature": 99}, {"input": "x", "background": True, "store": False},
        ):  # fmt: skip
            for stream in (False, True):
                answer = client.post(
                    "/responses", json={"model": "metered", "max_output_tokens": 9, "stream": stream, **body}
                )
                assert answer.status_code == 400
        assert metered.stands(client) == ("0", "0")


def test_who_leaves_pays_what_was_held_where_nobody_knows_what_it_took(serve, upstream):
    deployment = replace(upstream.deployment, prices=PER_TOKEN)
    with serve(deployment, master_key="the-master-key-of-this") as server:
        metered = Metered(server)
        with metered.client(amount=50) as client:
            body = {"model": "toy", "input": "half", "stream": True}
            with client.stream("POST", "/responses", json=body) as answer:
                lines = answer.iter_lines()
                assert any("output_text.delta" in line for line in lines)
                assert metered.stands(client) == ("0", "40.96")
            assert upstream.left.wait(10)
            deadline = time.monotonic() + 20
            while metered.stands(client)[1] != "0":
                assert time.monotonic() < deadline
            assert metered.stands(client) == ("40.96", "0")


def test_compaction_costs_and_counting_does_not(metered):
    with metered.client(amount=100) as client:
        body = {"model": "metered", "input": "one two three"}
        assert client.post("/responses/input_tokens", json=body).status_code == 200
        assert metered.stands(client) == ("0", "0")
        window = client.post("/responses/compact", json=body).json()
        cost = Decimal(window["usage"]["output_tokens"]) / 100
        assert metered.stands(client) == (f"{cost.normalize():f}", "0")
        spend = httpx.get(f"{metered.url}/spend?by=key", headers=MASTER).json()["data"]
        assert [Decimal(row["cost"]) for row in spend if row["key"] == client.id] == [cost]


def test_a_model_without_a_price_has_no_place_in_a_budget(metered, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    with metered.client(amount=1) as client:
        refused = client.post("/responses", json={"model": "unpriced", "input": "Hi"})
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "budget_unknown_price"
        assert "input_cost_per_token" in refused.json()["error"]["message"]


def test_all_calls_together_have_a_budget_too(serve):
    budget = Budget(amount=5 * 10**10)  # five cents
    with serve(METERED, budget=budget, master_key="the-master-key-of-this") as server:
        url = f"{server.url}/v1"
        key = httpx.post(f"{url}/keys", json={"budget": {"amount": 1}}, headers=MASTER).json()["key"]
        body = {"model": "metered", "input": "one two", "max_output_tokens": 2}
        statuses = [
            httpx.post(f"{url}/responses", json=body, headers=headers).status_code
            for headers in (MASTER, bearer(key), MASTER)
        ]
        assert statuses == [200, 200, 429]
        refused = httpx.post(f"{url}/responses", json=body, headers=bearer(key))
        assert "This server has a budget of $0.05" in refused.text
        listed = httpx.get(f"{url}/keys", headers=MASTER).json()["data"][0]["budget"]
        assert (listed["spent"], listed["reserved"]) == ("0.02", "0")


@pytest.mark.parametrize("open_", [False, True])
def test_while_the_store_is_down_a_budget_lets_nobody_in_unless_the_operator_says_so(
    serve, monkeypatch, open_
):
    store = Failing()
    monkeypatch.setattr(service, "open_store", lambda url: store)
    options = {"master_key": "the-master-key-of-this", "unstored_without_store": open_}
    with serve(METERED, store="broken://", **options) as server:
        metered = Metered(server)
        body = {"model": "metered", "input": "Hi", "max_output_tokens": 5, "store": False}
        with metered.client(amount=1) as client, metered.client(amount=1) as unseen:
            assert client.post("/responses", json=body).status_code == 200
            assert metered.stands(client) == ("0.01", "0")
            store.broken = True
            short = {"model": "metered", "input": "Hi"}
            answers = [client.post("/responses", json=body), client.post("/responses/compact", json=short)]
            refused = unseen.post("/responses", json=body)
            store.broken = False
            assert metered.stands(client) == ("0.01", "0")
        assert answers[0].status_code == (200 if open_ else 503)
        for answer in [refused] if open_ else [refused, *answers]:
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "store_unavailable"
            assert answer.headers["x-should-retry"] == "true"


# ---- periods --------------------------------------------------------------------------------------------


@given(
    period=st.sampled_from(["month", "1d", "7d", "30d", "90m", "2w"]),
    since=st.integers(0, 2 * 10**9),
    after=st.integers(0, 10**9),
)
def test_every_moment_is_in_one_window_of_its_period(period, since, after):
    now = float(since + after)
    window = window_at(period, float(since), now)
    assert window.start <= now < window.end
    assert window_at(period, float(since), window.start) == window
    assert window_at(period, float(since), window.end).start == window.end
