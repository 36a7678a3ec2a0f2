"""What is refused, and how it is said: bodies, headers, paths, fields."""

from __future__ import annotations

import socket

import httpx
import pytest

from dragoman_echo import script
from dragoman_server import Deployment

JSON = {"content-type": "application/json"}


def error(answer, status):
    """Return the error of an answer, its shape checked."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-should-retry"] in {"true", "false"}
    return body["error"]


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
def test_every_prefix_means_the_same(http, prefix):
    assert http.post(f"{prefix}/responses", json={"model": "echo/m", "input": "Hi"}).status_code == 200
    assert http.get(f"{prefix}/models").status_code == 200
    assert error(http.get(f"{prefix}/response"), 404)["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"model": NaN}', "invalid_json"),
        (b'{"model": "\xff"}', "invalid_json"),
        (b'{"input": "\\ud800"}', "invalid_json"),
        (b"[]", "invalid_type"),
        (b'{"input": ' + b"[" * 101 + b"]" * 101 + b"}", "json_too_deep"),
        (b'{"input": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "json_too_deep"),
    ],
)
def test_a_body_that_is_no_request(http, content, code):
    assert error(http.post("/v1/responses", content=content, headers=JSON), 400)["code"] == code


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "text/plain"}, {"content-type": "application/json", "content-encoding": "gzip"}],
)
def test_a_body_that_is_not_said_to_be_json(http, headers):
    answer = http.post("/v1/responses", content=b'{"model": "echo/m", "input": "Hi"}', headers=headers)
    assert error(answer, 415)["code"] == "unsupported_media_type"


def test_limits(serve, limits):
    few = limits(body=2000, items=2, tools=1, header=500, header_count=20, body_timeout=0.05)
    with serve(limits=few) as server, httpx.Client(base_url=server.url) as http:
        big = {"model": "echo/m", "input": "x" * 3000}
        assert error(http.post("/responses", json=big), 413)["code"] == "request_too_large"

        def chunks():
            for _ in range(30):
                yield b" " * 100

        answer = http.post("/responses", content=chunks(), headers=JSON)  # its length is not announced
        assert error(answer, 413)["code"] == "request_too_large"
        items = [{"role": "user", "content": "x"}] * 3
        refused = error(http.post("/responses", json={"model": "echo/m", "input": items}), 400)
        assert (refused["code"], refused["param"]) == ("too_many_entries", "input")
        tools = [{"type": "function", "name": name, "parameters": {}} for name in "ab"]
        refused = error(http.post("/responses", json={"model": "echo/m", "input": "x", "tools": tools}), 400)
        assert refused["param"] == "tools"
        assert error(http.get("/models", headers={"x-long": "x" * 600}), 431)["code"] == "headers_too_large"
        many = {f"x-{number}": "x" for number in range(30)}
        assert error(http.get("/models", headers=many), 431)["code"] == "headers_too_large"
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(
                b"POST /responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                b"content-length: 1000\r\nconnection: close\r\n\r\n{"
            )
            answered = connection.makefile("rb").read()  # it may come in two pieces
        assert answered.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request_timeout"' in answered


def test_headers_without_an_end_end_the_connection(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):  # as soon as the server has had enough
            connection.sendall(b"GET /models HTTP/1.1\r\n")
            for number in range(10_000):
                connection.sendall(b"x-%d: %s\r\n" % (number, b"x" * 4096))
        assert number < 9_999


@pytest.mark.parametrize(
    "name",
    [
        "api_base", "api_key", "api_version", "base_url", "extra_body", "extra_headers", "extra_query",
        "headers",
        "http_client", "settings", "timeout", "num_retries", "mock_response", "custom_llm_provider",
        "drop_params", "allowed_openai_params", "unsupported", "stream_recovery", "text_format",
        "litellm_metadata", "aws_region_name",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["responses", "responses/compact", "responses/input_tokens"])
def test_callers_do_not_choose_the_upstream(http, serve, name, path):
    asked = {"model": "echo/m", "input": "Hi", name: "http://evil.example"}
    if name == "aws_region_name":  # a setting of one provider
        asked["model"] = "bedrock/m"
        pytest.importorskip("dragoman_bedrock")
        with serve(Deployment(name="bedrock/*", model="bedrock/*")) as server:
            answer = httpx.post(f"{server.url}/{path}", json=asked)
    else:
        answer = http.post(f"/{path}", json=asked)
    refused = error(answer, 400)
    assert (refused["param"], refused["code"]) == (name, "parameter_not_allowed")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"input": 5}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"invented": 1}, "invented"),
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"previous_response_id": "resp_none"}, "previous_response_id"),
        ({"previous_response_id": "\0"}, "previous_response_id"),
        ({"background": True, "store": False}, "background"),
    ],
)
def test_a_wrong_field_is_named(http, change, param):
    answer = http.post("/v1/responses", json={"model": "echo/m", "input": "Hi", **change})
    assert error(answer, 400)["param"] == param


def test_an_unknown_model_names_the_nearest(serve):
    deployments = (
        Deployment(name="claude", model="echo/claude"),
        Deployment(name="gpt-*", model="echo/gpt-*"),
    )
    with serve(*deployments) as server, httpx.Client(base_url=server.url) as http:
        refused = error(http.post("/responses", json={"model": "claud", "input": "Hi"}), 404)
        assert refused["code"] == "model_not_found"
        assert "'claude'" in refused["message"]
        answer = http.post("/responses", json={"model": "gpt-9", "input": "Hi"}).json()
        assert answer["model"] == "gpt-9"
        assert [model["id"] for model in http.get("/models").json()["data"]] == ["claude"]
        assert http.get("/models/gpt-9").json()["owned_by"] == "echo"
        assert error(http.get("/models/none"), 404)["code"] == "model_not_found"


def test_exact_names_then_the_longest_pattern(serve):
    deployments = [
        Deployment(name=name, model=f"echo/{model}", arguments={"metadata": {"by": by}})
        for name, model, by in [
            ("*", "*", "any"), ("a*", "a*", "short"), ("ab*", "ab*", "long"), ("abc", "abc", "exact"),
        ]
    ]  # fmt: skip
    with serve(*deployments) as server:
        for model, by in [("x", "any"), ("ax", "short"), ("abx", "long"), ("abc", "exact")]:
            answer = httpx.post(f"{server.url}/responses", json={"model": model, "input": "Hi"}).json()
            assert (answer["model"], answer["metadata"]) == (model, {"by": by})
        own = {"model": "abc", "input": "Hi", "metadata": {"by": "caller"}}
        assert httpx.post(f"{server.url}/responses", json=own).json()["metadata"] == {"by": "caller"}


def test_a_caller_names_fallbacks_of_what_is_served_and_nothing_else(serve):
    served = [Deployment(name="a", model="echo/a"), Deployment(name="b", model="echo/b")]
    failing = script({"error": {"status": 400, "message": "not here"}})
    with serve(*served) as server:

        def ask(**more):
            return httpx.post(f"{server.url}/responses", json={"model": "a", "input": failing, **more})

        attempts = error(ask(fallbacks=["b"]), 400)
        assert attempts["message"] == "not here"
        assert error(ask(fallbacks=["echo/c"]), 404)["code"] == "model_not_found"
        refused = error(ask(fallbacks=[{"model": "b", "api_base": "http://evil.example"}]), 400)
        assert (refused["param"], refused["code"]) == ("api_base", "parameter_not_allowed")


def test_a_config_that_is_read_again_serves_the_next_request(serve):
    with serve() as server:
        config = server.app.state.service.config
        asked = {"model": "new", "input": "Hi"}
        assert httpx.post(f"{server.url}/responses", json=asked).status_code == 404
        server.app.state.service.reload(
            type(config)(deployments=(Deployment(name="new", model="echo/new"),), master_key="k")
        )
        assert httpx.post(f"{server.url}/responses", json=asked).status_code == 401
        allowed = {"authorization": "Bearer k"}
        assert httpx.post(f"{server.url}/responses", json=asked, headers=allowed).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/responses", "POST"),
        ("PATCH", "/v1/responses/resp_1", "DELETE, GET, HEAD"),
        ("GET", "/v1/responses", "POST"),
        ("HEAD", "/v1/responses", "POST"),
        ("DELETE", "/v1/conversations/conv_1/items", "GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_names_the_right_ones(http, method, path, allowed):
    answer = http.request(method, path)
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (405, b"")
    else:
        error(answer, 405)
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/health/live", "/v1/models", "/v1/responses/resp_none"])
def test_head_is_get_without_its_body(http, path):
    whole, head = http.get(path), http.head(path)  # over one connection: a body would be read as an answer
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_where_websockets_are_off_an_upgrade_is_answered_with_426(serve):
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    with serve(uvicorn_options={"ws": "none"}) as server:
        answer = httpx.get(f"{server.url}/v1/responses", headers=headers)
        assert error(answer, 426)["code"] == "websocket_off"


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 400), ("limit=101", 400), ("limit=x", 400), ("order=up", 400), ("after=msg_none", 404)],
)
def test_a_wrong_page_is_named(http, query, status):
    made = http.post("/responses", json={"model": "echo/m", "input": "Hi"}).json()
    answer = http.get(f"/responses/{made['id']}/input_items?{query}")
    assert error(answer, status)["param"] == query.partition("=")[0]


@pytest.mark.parametrize("wanted", ["response", "input_items", "items", "item", "new item"])
def test_what_is_to_be_included_is_checked_wherever_it_can_be_asked_for(http, wanted):
    item = {"role": "user", "content": "x"}
    response = http.post("/responses", json={"model": "echo/m", "input": [item]}).json()["id"]
    conversation = http.post("/conversations", json={"items": [item]}).json()["id"]
    items = f"/conversations/{conversation}/items"
    first = http.get(items).json()["data"][0]["id"]
    path = {
        "response": f"/responses/{response}",
        "input_items": f"/responses/{response}/input_items",
        "items": items,
        "item": f"{items}/{first}",
        "new item": items,
    }[wanted]
    known = ["reasoning.encrypted_content", "message.output_text.logprobs"]

    def ask(name, values):
        params = [(name, value) for value in values]
        if wanted == "new item":
            return http.post(path, params=params, json={"items": [item]})
        return http.get(path, params=params)

    for name in ("include", "include[]"):
        assert ask(name, known).status_code == 200
        refused = error(ask(name, [*known, "message.everything"]), 400)
        assert refused["param"] == "include[2]"
        assert "message.everything" in refused["message"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/conversations", {"items": 5}, "items"),
        ("/conversations", {"items": [{"role": "nobody", "content": "x"}]}, "items[0].role"),
        ("/conversations", {"items": [{"role": "user", "content": "x"}] * 21}, "items"),
        ("/conversations", {"metadata": {"a": 1}}, "metadata.a"),
        ("/conversations", {"owner": "root"}, "owner"),
        ("/conversations/conv_1", {}, "metadata"),
        ("/conversations/conv_1/items", {}, "items"),
        ("/responses/compact", {"input": "x"}, "model"),
        ("/responses/compact", {"model": "echo/m", "input": []}, "input"),
        ("/responses/compact", {"model": "echo/m", "input": "x", "tools": []}, "tools"),
    ],
)
def test_a_wrong_field_elsewhere_is_named(http, path, body, param):
    refused = error(http.post(path, json=body), 400)
    assert refused["param"] == param
    assert param in refused["message"]


def test_only_background_responses_are_cancelled_or_streamed_again(http):
    made = http.post("/responses", json={"model": "echo/m", "input": "Hi"}).json()
    for answer in (
        http.post(f"/responses/{made['id']}/cancel"),
        http.get(f"/responses/{made['id']}?stream=true"),
    ):
        assert error(answer, 400)["code"] == "not_a_background_response"


@pytest.mark.parametrize("wrong", ["\0", "../x", "x" * 200, ""])
def test_an_id_that_nothing_can_have_is_not_found(http, wrong):
    asked = {"model": "echo/m", "input": "Hi"}
    answer = http.post("/responses", json={**asked, "previous_response_id": wrong})
    assert error(answer, 400)["code"] == "previous_response_not_found"
    answer = http.post("/responses", json={**asked, "conversation": wrong})
    assert error(answer, 404)["param"] == "conversation"
    if wrong:
        assert http.get(f"/responses/{wrong.replace(chr(0), '%00')}").status_code == 404


def test_a_refused_upstream_key_is_told_from_the_callers_own(http):
    play = '{"echo": [{"error": {"status": 401, "message": "bad x-api-key"}}]}'
    refused = error(http.post("/responses", json={"model": "echo/m", "input": play}), 401)
    assert refused["message"].startswith("echo does not let this server in")
    assert refused["message"].endswith("bad x-api-key")


def test_what_a_client_says_of_itself_goes_nowhere(http):
    asked = {"model": "echo/m", "input": "Hi", "client_metadata": {"who": "codex"}}
    answer = http.post("/responses", json=asked)
    assert answer.status_code == 200
    assert "codex" not in answer.text


def test_headers_tell_who_answered_after_how_many_attempts(serve):
    served = [
        Deployment(id="first", name="a", model="echo/a"),
        Deployment(id="second", name="b", model="echo/b"),
    ]
    refusing = script({"error": {"status": 403, "message": "no"}})
    failing = {"model": "a", "input": refusing, "fallbacks": ["b"]}
    with serve(*served) as server:
        url = f"{server.url}/responses"
        answer = httpx.post(url, json={"model": "a", "input": "Hi"})
        streamed = httpx.post(url, json={"model": "b", "input": "Hi", "stream": True})
        refused = [httpx.post(url, json={**failing, "stream": stream}) for stream in (False, True)]
        wrong = httpx.post(url, json={"model": "a", "input": 1})
        unknown = httpx.post(url, json={"model": "c", "input": "Hi"})
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-dragoman")}
    assert told.pop("x-dragoman-cost", "0") == "0"
    assert told == went("echo/a", "first", "1")
    assert went_by(streamed) == went("echo/b", "second", "1")
    assert [(one.status_code, went_by(one)) for one in refused] == [(403, went("echo/b", "second", "2"))] * 2
    assert (wrong.status_code, unknown.status_code) == (400, 404)
    assert went_by(wrong) == went_by(unknown) == {}


def went(model, deployment, attempts):
    """Return the headers of a call whose last attempt this was."""
    values = {"model": model, "deployment": deployment, "attempts": attempts}
    return {f"x-dragoman-{name}": value for name, value in values.items()}


def went_by(answer):
    return {name: value for name, value in answer.headers.items() if name in went("", "", "")}
