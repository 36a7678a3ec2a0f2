"""Who may come in, and what they see: keys, owners, names of hosts."""

from __future__ import annotations

import httpx
import pytest

from dragoman_server.authentication import Keyring
from dragoman_server.routes import PATHS

OPEN = {"/health/live", "/health/ready"}
ROUTES = [
    (method, path.replace("{model:path}", "echo/m").replace("{", "").replace("}", ""))
    for path, methods in PATHS.items()
    for method in methods
]


def bearer(key):
    return {"authorization": f"Bearer {key}"}


REFUSED = [
    {},
    bearer("wrong"),
    bearer("first keyfirst key"),
    bearer("x" * 10_000),
    {"authorization": "Bearer"},
    {"authorization": "Basic first key"},
    {"authorization": "first key"},
    {"api-key": "wrong"},
    {"x-api-key": "' OR 1=1 --"},
]


@pytest.fixture(scope="module")
def locked(serve):
    """A server with two keys."""
    with serve(keyring=Keyring(["first key", "second key"])) as server:
        yield server


@pytest.fixture(scope="module")
def http(locked):
    """A client of it that shows no key by itself."""
    with httpx.Client(base_url=locked.url) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_opens_without_the_key(http, method, path, prefix):
    answers = [http.request(method, f"{prefix}{path}", headers=headers) for headers in REFUSED]
    if path in OPEN and not prefix:
        assert {answer.status_code for answer in answers} == {200}
        return
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["error"]["code"] == "invalid_api_key"
    known = http.request(method, f"{prefix}{path}", headers=bearer("first key"))
    assert known.status_code != 401


@pytest.mark.parametrize(
    "path",
    [
        "//v1/responses", "/v1//models", "/%76%31/models", "/health/live/../../v1/models", "/health/live/",
        "/v1/health/live", "/health/live%2f..%2fmodels", "/health%2flive/models", "/V1/models",
        "/models?key=first key",
    ],
)  # fmt: skip
def test_no_writing_of_a_path_gets_around_the_key(locked, path):
    import http.client

    for host in ("localhost", "evil.example", "127.0.0.1/health/live"):
        connection = http.client.HTTPConnection("127.0.0.1", locked.port)
        connection.putrequest("GET", path.replace(" ", "%20"), skip_host=True)
        connection.putheader("Host", host)
        connection.putheader("X-Original-URL", "/health/live")
        connection.putheader("X-HTTP-Method-Override", "OPTIONS")
        connection.endheaders()
        assert connection.getresponse().status == 401
        connection.close()


@pytest.mark.parametrize("name", ["api-key", "x-api-key"])
def test_other_headers_hold_the_key_too(http, name):
    assert http.get("/models", headers={name: "first key"}).status_code == 200


def test_a_server_without_keys_is_not_called_by_name(server):
    """A web page could make a browser call it under a name of its own."""
    for host, status in [
        ("localhost", 200),
        ("127.0.0.1:4000", 200),
        ("[::1]:80", 200),
        ("evil.example", 403),
    ]:
        assert httpx.get(f"{server.url}/models", headers={"host": host}).status_code == status


def test_what_one_owner_stores_is_not_there_for_another(locked):
    mine = httpx.Client(base_url=locked.url, headers=bearer("first key"))
    theirs = httpx.Client(base_url=locked.url, headers=bearer("second key"))
    with mine, theirs:
        conversation = mine.post("/conversations", json={"items": [{"role": "user", "content": "x"}]}).json()[
            "id"
        ]
        item = mine.get(f"/conversations/{conversation}/items").json()["data"][0]["id"]
        asked = {"model": "echo/m", "input": "Hi", "background": True}
        response = mine.post("/responses", json=asked).json()["id"]
        routes = [
            ("GET", f"/responses/{response}"), ("GET", f"/responses/{response}?stream=true"),
            ("GET", f"/responses/{response}/input_items"), ("POST", f"/responses/{response}/cancel"),
            ("DELETE", f"/responses/{response}"), ("GET", f"/conversations/{conversation}"),
            ("POST", f"/conversations/{conversation}"), ("GET", f"/conversations/{conversation}/items"),
            ("POST", f"/conversations/{conversation}/items"),
            ("GET", f"/conversations/{conversation}/items/{item}"),
            ("DELETE", f"/conversations/{conversation}/items/{item}"),
            ("DELETE", f"/conversations/{conversation}"),
        ]  # fmt: skip
        body = {"metadata": {}, "items": []}
        for method, path in routes:
            named = {
                name: value
                for name, value in body.items()
                if method == "POST"
                and path.startswith("/conv")
                and (name == "items") == path.endswith("items")
            }
            foreign = theirs.request(method, path, json=named or None)
            never = (
                path.replace(response, "resp_none")
                .replace(conversation, "conv_none")
                .replace(item, "msg_none")
            )
            unknown = theirs.request(method, never, json=named or None)
            assert foreign.status_code == unknown.status_code == 404, path
            assert foreign.json()["error"]["code"] == unknown.json()["error"]["code"]
        for change in ({"previous_response_id": response}, {"conversation": conversation}):
            for path in ("/responses", "/responses/input_tokens"):
                refused = theirs.post(path, json={"model": "echo/m", "input": "Go on", **change})
                assert refused.status_code in {400, 404}
        assert (
            theirs.post(
                "/responses/compact", json={"model": "echo/m", "previous_response_id": response}
            ).status_code
            == 400
        )
        for method, path in routes:  # and it is all still there
            if method == "GET":
                assert mine.get(path).status_code == 200, path
