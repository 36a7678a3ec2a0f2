"""Keys that were handed out: what each opens, what it may do, and when it stops."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import websockets.sync.client
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.memory.memory_store import MemoryStore
from dragoman.routing import RoutingSettings
from dragoman_server import Deployment
from dragoman_server.key_limits import KeyLimitError, KeyLimits
from dragoman_server.key_lookup import FRESH, STALE, KeyLookup
from dragoman_server.keys import Key, key_id, new_key, revoke_key

MASTER = {"authorization": "Bearer the-master-key-of-this"}
HELLO = {"model": "echo/m", "input": "Hi"}


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def served(serve):
    """A server with a master key."""
    deployments = [
        Deployment(name=name, model=model)
        for name, model in [("echo/*", "echo/*"), ("other", "echo/o"), ("alike", "echo/a")]
    ]
    with serve(*deployments, master_key="the-master-key-of-this") as running:
        yield running


@pytest.fixture(scope="module")
def admin(served):
    with httpx.Client(base_url=f"{served.url}/v1", headers=MASTER, timeout=20) as client:
        yield client


@pytest.fixture
def made(served, admin):
    """Make a key with these terms; return a client that shows it."""
    clients = []

    def make(**terms):
        answer = admin.post("/keys", json=terms)
        assert answer.status_code == 200, answer.text
        key = answer.json()
        client = httpx.Client(base_url=f"{served.url}/v1", headers=bearer(key["key"]), timeout=20)
        client.key = key
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


# ---- the keys themselves --------------------------------------------------------------------------------


def test_a_key_is_told_once_and_kept_as_a_digest(served, admin, made):
    client = made(name="Ada", models=["echo/*"], rpm=5, metadata={"team": "x"}, expires_in="30d")
    key = client.key
    assert re.fullmatch(r"sk-dragoman-[A-Za-z0-9_-]{43}", key["key"])
    assert client.post("/responses", json=HELLO).status_code == 200
    listed = next(one for one in admin.get("/keys").json()["data"] if one["id"] == key["id"])
    assert listed == {name: value for name, value in key.items() if name != "key"}
    assert listed["expires_at"] - listed["created_at"] in {30 * 86400, 30 * 86400 + 1}
    with served.app.state.service.keeper.store.transaction() as transaction:
        stored = transaction.get_key(key["id"])
    assert key["key"].removeprefix("sk-dragoman-") not in repr(stored)
    assert key_id(key["key"]) == key["id"]


def test_a_revoked_key_opens_nothing(admin, made):
    client = made()
    assert client.get("/models").status_code == 200
    revoked = admin.delete(f"/keys/{client.key['id']}")
    assert revoked.json()["revoked_at"] >= client.key["created_at"]
    refused = client.get("/models")
    assert refused.status_code == 401
    assert "revoked" in refused.json()["error"]["message"]
    assert admin.delete(f"/keys/{client.key['id']}").json() == revoked.json()
    for nobody in ("key_" + "0" * 32, "key_none", client.key["key"]):
        assert admin.delete(f"/keys/{nobody}").status_code == 404


def test_a_key_ends_when_it_was_said_to(made):
    assert made(expires_at=int(time.time()) - 1).get("/models").status_code == 401
    assert made(expires_at=int(time.time()) + 1000).get("/models").status_code == 200


def test_only_the_operator_sees_and_makes_keys(made):
    client = made()
    routes = [
        ("POST", "/keys"),
        ("GET", "/keys"),
        ("DELETE", f"/keys/{client.key['id']}"),
        ("GET", "/metrics"),
    ]
    for method, path in routes:
        refused = client.request(method, path, json={} if method == "POST" else None)
        assert refused.status_code == 403, path
        assert refused.json()["error"]["code"] == "master_key_needed"


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({"rpm": 0}, "rpm"), ({"rpm": "5"}, "rpm"), ({"tpm": 1.5}, "tpm"), ({"tpm": True}, "tpm"),
        ({"models": "a"}, "models"), ({"models": ["a*b*"]}, "models[0]"), ({"models": [""]}, "models[0]"),
        ({"budget": 5}, "budget"), ({"budget": {}}, "budget.amount"),
        ({"budget": {"amount": -1}}, "budget.amount"), ({"budget": {"amount": "1e3"}}, "budget.amount"),
        ({"budget": {"amount": 1, "period": "2y"}}, "budget.period"),
        ({"expires_in": "soon"}, "expires_in"), ({"expires_at": -1}, "expires_at"),
        ({"expires_at": 1, "expires_in": "1d"}, "expires_in"), ({"max_budget": 5}, "max_budget"),
        ({"metadata": {"a": 1}}, "metadata.a"), ({"name": ""}, "name"),
    ],
)  # fmt: skip
def test_a_wrong_term_is_named(admin, terms, param):
    refused = admin.post("/keys", json=terms)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


def test_what_one_key_makes_no_other_key_sees(made):
    mine, theirs = made(name="same"), made(name="same")
    asked = {**HELLO, "background": True}
    response, conversation = (
        mine.post("/responses", json=asked).json(),
        mine.post("/conversations", json={}).json(),
    )
    for path in (f"/responses/{response['id']}", f"/conversations/{conversation['id']}"):
        assert mine.get(path).status_code == 200
        assert theirs.get(path).status_code == 404
        assert theirs.delete(path).status_code == 404
        assert mine.get(path).status_code == 200
    again = {**HELLO, "previous_response_id": response["id"]}
    assert theirs.post("/responses", json=again).json()["error"]["code"] == "previous_response_not_found"
    assert mine.post("/responses", json=again).status_code == 200


# ---- models ---------------------------------------------------------------------------------------------


def test_a_key_asks_its_models_alone(made):
    client = made(models=["other", "echo/a*"])
    for name, status in [
        ("other", 200),
        ("echo/ab", 200),
        ("echo/m", 403),
        ("alike", 403),
        ("nobody's", 403),
    ]:
        for path in ("/responses", "/responses/input_tokens", "/responses/compact"):
            answer = client.post(path, json={"model": name, "input": "Hi"})
            assert answer.status_code == status, (name, path, answer.text)
            if status == 403:
                error = answer.json()["error"]
                assert (error["code"], error["param"]) == ("model_not_found", "model")
                assert "other, echo/a*" in error["message"]
    assert [model["id"] for model in client.get("/models").json()["data"]] == ["other"]
    assert client.get("/models/other").status_code == 200
    assert client.get("/models/alike").status_code == 403
    refused = client.post("/responses", json={**HELLO, "model": "other", "fallbacks": ["alike"]})
    assert refused.status_code == 403
    assert refused.json()["error"]["param"] == "fallbacks[0]"


def test_fallbacks_do_not_lead_around_the_list(serve, upstream):
    settings_ = RoutingSettings(fallbacks={"first": ("second", "third")}, num_retries=0)
    nowhere = {"settings": {"api_base": "http://127.0.0.1:9"}}
    deployments = [
        Deployment(name="first", model="toy/m", arguments=nowhere),
        Deployment(name="second", model="echo/second"),
        Deployment(name="third", model="echo/third"),
    ]
    with serve(*deployments, routing=settings_, master_key="the-master-key-of-this") as running:
        url = f"{running.url}/v1"
        answers = []
        for models in (None, ["first", "third"], ["first"]):
            key = httpx.post(f"{url}/keys", json={"models": models}, headers=MASTER).json()["key"]
            body = {"model": "first", "input": "Hi"}
            answer = httpx.post(f"{url}/responses", json=body, headers=bearer(key)).json()
            answers.append(answer.get("model") or answer["error"]["code"])
    assert answers == ["second", "third", "connection_error"]


# ---- limits ---------------------------------------------------------------------------------------------


def test_requests_a_minute(made):
    client = made(rpm=3)
    for left in (2, 1):
        answer = client.post("/responses", json=HELLO)
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        assert re.fullmatch(r"(\d+m)?\d+s", answer.headers["x-ratelimit-reset-requests"])
        assert "x-ratelimit-limit-tokens" not in answer.headers
    streamed = client.post("/responses", json={**HELLO, "stream": True})
    assert streamed.headers["x-ratelimit-remaining-requests"] == "0"
    for path, body in [
        ("/responses", HELLO), ("/responses", {**HELLO, "stream": True}),
        ("/responses", {**HELLO, "background": True}), ("/responses/compact", HELLO),
        ("/responses/input_tokens", HELLO),
    ]:  # fmt: skip
        refused = client.post(path, json=body)
        assert refused.status_code == 429, path
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert refused.headers["x-should-retry"] == "true"
        assert 0 < int(refused.headers["retry-after"]) <= 61
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert client.get("/models").status_code == 200


def test_turns_of_a_websocket_count_too(served, made):
    client = made(rpm=2)
    url = f"ws://127.0.0.1:{served.port}/v1/responses"
    with websockets.sync.client.connect(url, additional_headers=bearer(client.key["key"])) as socket:

        def turn():
            socket.send(json.dumps({"type": "response.create", **HELLO}))
            while True:
                event = json.loads(socket.recv(timeout=10))
                if event["type"] in {"response.completed", "error"}:
                    return event

        assert [turn()["type"], turn()["type"]] == ["response.completed"] * 2
        refused = turn()
    assert refused["status"] == 429
    assert refused["code"] == "rate_limit_exceeded"
    assert refused["error"]["headers"]["x-ratelimit-limit-requests"] == "2"
    assert int(refused["error"]["headers"]["retry-after"]) > 0


def test_a_websocket_of_a_key_that_was_revoked_answers_no_more(served, admin, made):
    client = made()
    url = f"ws://127.0.0.1:{served.port}/v1/responses"
    with websockets.sync.client.connect(url, additional_headers=bearer(client.key["key"])) as socket:
        admin.delete(f"/keys/{client.key['id']}")
        socket.send(json.dumps({"type": "response.create", **HELLO}))
        assert json.loads(socket.recv(timeout=10))["status"] == 401


def test_tokens_a_minute(made):
    client = made(tpm=1000)
    assert client.post("/responses", json=HELLO).headers["x-ratelimit-limit-tokens"] == "1000"
    too_long = client.post("/responses", json={**HELLO, "max_output_tokens": 1001})
    assert too_long.status_code == 429
    assert too_long.headers["x-should-retry"] == "false"
    assert "retry-after" not in too_long.headers
    # What it was thought to take is given back when it took less.
    for _ in range(3):
        assert client.post("/responses", json={**HELLO, "max_output_tokens": 900}).status_code == 200
    for _ in range(2):
        answer = client.post("/responses", json={"model": "echo/m", "input": "word " * 200})
    refused = client.post("/responses", json={**HELLO, "max_output_tokens": 900})
    assert (answer.status_code, refused.status_code) == (200, 429)
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize("body", [{}, {"stream": True}, {"background": True}])
def test_so_many_at_once(serve, upstream, body):
    with serve(upstream.deployment, master_key="the-master-key-of-this") as running:
        terms = {"max_parallel_requests": 1}
        key = httpx.post(f"{running.url}/v1/keys", json=terms, headers=MASTER).json()["key"]
        late, whole = ({"model": "toy", "input": text} for text in ("late", "whole"))
        with (
            httpx.Client(base_url=f"{running.url}/v1", headers=bearer(key), timeout=20) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            first = pool.submit(client.post, "/responses", json={**late, **body})
            assert upstream.asked.wait(10)
            refused = client.post("/responses", json=whole)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            upstream.go()
            made = first.result(20)
            assert made.status_code == 200
            if "background" in body:
                client.get(f"/responses/{made.json()['id']}?stream=true")
            assert client.post("/responses", json=whole).status_code == 200


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def a_key(**terms):
    return Key.read(new_key(terms)[1])


@settings(deadline=None)
@given(
    rpm=st.integers(1, 5),
    tpm=st.integers(1, 50),
    steps=st.lists(
        st.tuples(st.floats(0, 30), st.integers(0, 60), st.integers(0, 80), st.booleans()), max_size=40
    ),
)
def test_no_minute_has_more_than_a_key_may_and_retry_after_is_true(rpm, tpm, steps):
    """In any 60 seconds; whoever comes back when it was told to is let in, if nobody else came."""
    clock = Clock()
    limits, key = KeyLimits(clock), a_key(rpm=rpm, tpm=tpm)
    let_in = []
    for wait, tokens, took, comes_back in steps:
        clock.now += wait
        try:
            place = limits.enter(key, tokens)
        except KeyLimitError as refused:
            refusal = refused
        else:
            refusal = None
        if refusal is not None:
            assert refusal.retryable is (tokens <= tpm)
            if not comes_back or refusal.retry_after is None:
                continue
            clock.now += refusal.retry_after
            place = limits.enter(key, tokens)
        place.leave(took)
        place.leave(took)  # means nothing
        let_in.append(clock.now)
        assert sum(clock.now - 60 < moment for moment in let_in) <= rpm


# ---- when the store is down -----------------------------------------------------------------------------


class Keeper:
    """A keeper whose store can be down, and that counts who asks."""

    def __init__(self):
        self.store = MemoryStore()
        self.asked = 0
        self.down = False

    async def arun(self, operation, **_):
        from dragoman.errors import ServiceUnavailableError

        self.asked += 1
        if self.down:
            raise ServiceUnavailableError("down", code="store_unavailable")
        with self.store.transaction() as transaction:
            return operation(transaction)


def test_a_key_is_looked_up_seldom_and_believed_while_the_store_is_down():
    import asyncio

    from dragoman.errors import ServiceUnavailableError

    async def main():
        keeper, clock = Keeper(), Clock()
        lookup = KeyLookup(lambda: keeper, clock)
        key, stored = new_key({})
        other, _ = new_key({})
        with keeper.store.transaction() as transaction:
            transaction.put_key(stored)
        found = await asyncio.gather(*(lookup.find(key) for _ in range(50)))
        assert {one.id for one in found} == {stored.id}
        assert keeper.asked == 1
        assert [await lookup.find(other) for _ in range(50)] == [None] * 50
        assert keeper.asked == 2
        for shown in ("", "sk-other", "sk-dragoman-" + "x" * 1000, "sk-dragoman-\udcff"):
            assert await lookup.find(shown) is None
        assert keeper.asked == 3
        # A new look after a while, and what is revoked is over.
        with keeper.store.transaction() as transaction:
            revoke_key(transaction, stored.id)
        assert (await lookup.find(key)).revoked_at is None
        clock.now += FRESH
        assert (await lookup.find(key)).revoked_at is not None
        with keeper.store.transaction() as transaction:
            transaction.put_key(stored)
        clock.now += FRESH
        assert (await lookup.find(key)).revoked_at is None
        # Nobody answers: who is known goes on, for a while; of others nothing is said.
        keeper.down = True
        clock.now += FRESH
        asked = keeper.asked
        assert [(await lookup.find(key)).id for _ in range(20)] == [stored.id] * 20
        assert keeper.asked == asked + 1
        for unknown in (other, new_key({})[0]):
            with pytest.raises(ServiceUnavailableError):
                await lookup.find(unknown)
        clock.now += STALE
        with pytest.raises(ServiceUnavailableError):
            await lookup.find(key)
        keeper.down = False
        clock.now += 1
        assert (await lookup.find(key)).id == stored.id

    asyncio.run(main())
