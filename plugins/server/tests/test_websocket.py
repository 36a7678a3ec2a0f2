"""``/responses`` as a WebSocket, over real sockets: turns, chains, lanes, and how it all ends."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from dragoman.testing.legality import check_events
from dragoman_echo import script
from dragoman_server import Deployment
from dragoman_server.authentication import Keyring

LAST = {"response.completed", "response.failed", "response.incomplete", "error", "response.steer.failed"}
ECHO = {"type": "response.create", "model": "echo/m"}
TOY = {"type": "response.create", "model": "toy"}
EVERY_ECHO = Deployment(name="echo/*", model="echo/*")
GONE = "previous_response_not_found"


class Caller:
    """One connection."""

    def __init__(self, connection):
        self.connection = connection
        self.held = {}

    def send(self, *frames):
        for frame in frames:
            self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def frame(self):
        text = self.connection.recv(20)
        assert isinstance(text, str)
        return json.loads(text)

    def answer(self, lane=None):
        """Return the frames of a lane's next answer; those of others are kept for their turn."""
        while True:
            frames = self.held.setdefault(lane, [])
            for place, frame in enumerate(frames):
                if frame["type"] in LAST:
                    self.held[lane] = frames[place + 1 :]
                    return frames[: place + 1]
            frame = self.frame()
            self.held.setdefault(frame.get("stream_id"), []).append(frame)

    def ask(self, **asked):
        """Carry out a turn; return its frames."""
        self.send({**ECHO, **asked})
        return self.answer(asked.get("stream_id"))

    def done(self, **asked):
        """Carry out a turn; return its response."""
        *_, last = self.ask(**asked)
        assert last["type"] == "response.completed", last
        return last["response"]

    def refused(self, **asked):
        """Carry out a turn that is refused; return the error."""
        return refusal(self.ask(**asked))

    def closed(self):
        """Return the frames until the server closes, and the code and reason it gives."""
        frames = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                frames.append(self.frame())
        return frames, closed.value.rcvd.code, closed.value.rcvd.reason


def refusal(frames):
    """Return the error of a refused turn: one frame, with the error in each form that clients read."""
    (frame,) = frames
    error = frame["error"]
    assert frame["type"] == "error"
    assert isinstance(frame["status"], int)
    assert {name: frame[name] for name in ("code", "message", "param")}.items() <= error.items()
    return {**error, "status": frame["status"]}


def said(response):
    return "".join(part["text"] for item in response["output"] for part in item["content"])


def heard(response):
    """Return how many words echo was given, history and all."""
    return response["usage"]["input_tokens"]


@pytest.fixture
def dial():
    """Connect to a server."""
    with ExitStack() as open_connections:

        def dialled(server, path="/v1/responses", **options):
            url = server.url.replace("http", "ws", 1) + path
            return Caller(open_connections.enter_context(connect(url, proxy=None, **options)))

        yield dialled


@pytest.fixture
def caller(dial, server):
    """A caller of the shared server."""
    return dial(server)


# ---- turns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai/v1"])
def test_a_turn_is_a_stream_in_frames(dial, server, prefix, events_of):
    caller = dial(server, f"{prefix}/responses")
    assert caller.connection.response.headers["x-request-id"].startswith("req_")
    frames = caller.ask(input="One two", reasoning={"effort": "low"})
    check_events(frames)
    body = {"model": "echo/m", "input": "One two", "reasoning": {"effort": "low"}, "stream": True}
    streamed = events_of(httpx.post(f"{server.url}/responses", json=body).content)
    assert [frame["type"] for frame in frames] == [event["type"] for event in streamed]
    kept = httpx.get(f"{server.url}/responses/{frames[-1]['response']['id']}").json()
    assert kept == frames[-1]["response"]


def test_what_only_http_has_is_tolerated(caller):
    response = caller.done(
        input="Hi", stream=True, stream_options={"include_obfuscation": False}, background=True
    )
    assert (said(response), response["background"]) == ("Hi", False)


def test_turns_are_answered_one_after_the_other(caller):
    texts = [f"Turn {number}" for number in range(10)]
    caller.send(*({**ECHO, "input": text} for text in texts))
    for text in texts:
        frames = caller.answer()
        check_events(frames)
        assert said(frames[-1]["response"]) == text


@pytest.mark.parametrize(
    ("sent", "status", "code", "param"),
    [
        ("{", 400, "invalid_json", None),
        ("[]", 400, "invalid_type", None),
        (b"{}", 400, "invalid_frame", None),
        ('{"input":' + "[" * 101 + "]" * 101 + "}", 400, "json_too_deep", None),
        ({}, 400, "invalid_value", "type"),
        ({"type": "session.update"}, 400, "invalid_value", "type"),
        ({"type": ["response.create"]}, 400, "invalid_value", "type"),
        ({**ECHO, "input": "Hi", "temperature": 3}, 400, None, "temperature"),
        ({**ECHO, "input": "Hi", "model": "nobody/m"}, 404, None, "model"),
        ({**ECHO, "input": "Hi", "api_base": "http://localhost"}, 400, None, "api_base"),
        ({**ECHO, "input": "Hi", "generate": "no"}, 400, "invalid_type", "generate"),
        ({**ECHO, "input": "Hi", "stream_id": ""}, 400, "invalid_value", "stream_id"),
        ({**ECHO, "input": "Hi", "stream_id": "x" * 129}, 400, "invalid_value", "stream_id"),
        ({**ECHO, "input": script({"error": {"status": 429, "message": "m"}})}, 429, None, None),
        ({**ECHO, "input": "Hi", "previous_response_id": "resp_0"}, 400, GONE, "previous_response_id"),
        ({**ECHO, "input": "Hi", "previous_response_id": "no/id"}, 400, GONE, "previous_response_id"),
        ({**ECHO, "input": "Hi", "conversation": "conv_0"}, 404, None, "conversation"),
    ],
)
def test_a_turn_that_is_refused_is_one_frame_and_the_next_goes_on(caller, sent, status, code, param):
    caller.send({**ECHO, "input": "Before"}, sent, {**ECHO, "input": "After"})
    assert said(caller.answer()[-1]["response"]) == "Before"
    error = refusal(caller.answer())
    assert (error["status"], error["param"]) == (status, param)
    assert error["code"]
    assert code in {None, error["code"]}
    assert said(caller.answer()[-1]["response"]) == "After"


def test_a_refusal_says_when_to_come_back(caller):
    busy = script({"error": {"status": 429, "message": "Busy", "retry_after": 0.25}})
    headers = caller.refused(input=busy)["headers"]
    assert headers == {"x-should-retry": "true", "retry-after": "1", "retry-after-ms": "250"}


@pytest.mark.usefixtures("hurried")
def test_a_failure_in_the_middle_has_one_last_frame_too(caller, http):
    broken = script({"text": "Half of"}, {"error": {"status": 500, "message": "Broken"}})
    for store in (True, False):
        frames = caller.ask(input=broken, store=store)
        assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
        assert [frame["type"] for frame in frames if frame["type"] in LAST] == ["response.failed"]
        response = frames[-1]["response"]
        assert (said(response), response["status"]) == ("Half of", "failed")
        assert response["error"]["message"] == "Broken"
        assert http.get(f"/responses/{response['id']}").status_code == (200 if store else 404)
    assert said(caller.done(input="Next")) == "Next"


def test_what_is_steered_comes_back(caller):
    user = [{"role": "user", "content": "Louder"}]
    caller.send({"type": "response.steer", "previous_response_id": "resp_1", "input": user})
    (frame,) = caller.answer()
    assert frame["type"] == "response.steer.failed"
    assert frame["error"]["code"] == "steering_not_supported"
    assert frame["steer"] == {"input": user, "previous_response_id": "resp_1"}


# ---- chains ---------------------------------------------------------------------------------------------


def test_what_is_not_stored_goes_on_in_its_connection_and_nowhere_else(caller, dial, server, http):
    first = caller.done(input="One two", store=False)
    second = caller.done(input="three", store=False, previous_response_id=first["id"])
    third = caller.done(input="four", store=False, previous_response_id=second["id"])
    assert [heard(response) for response in (first, second, third)] == [2, 5, 7]
    assert third["previous_response_id"] == second["id"]
    body = {"model": "echo/m", "input": "Hi", "previous_response_id": third["id"]}
    assert http.post("/responses", json=body).json()["error"]["code"] == GONE
    assert http.get(f"/responses/{third['id']}").status_code == 404
    assert dial(server).refused(input="Hi", previous_response_id=third["id"])["code"] == GONE
    assert caller.refused(input="Hi", previous_response_id=second["id"])["code"] == GONE  # not the newest
    assert heard(caller.done(input="five", store=False, previous_response_id=third["id"])) == 9


def test_chains_of_stored_turns_and_others_are_whole_for_everyone(caller, dial, server, http):
    stored = caller.done(input="One two")
    loose = caller.done(input="three", store=False, previous_response_id=stored["id"])
    looser = caller.done(input="four", store=False, previous_response_id=loose["id"])
    again = caller.done(input="five", previous_response_id=looser["id"])
    assert [heard(response) for response in (loose, looser, again)] == [5, 7, 9]
    assert http.get(f"/responses/{again['id']}").json() == again
    assert heard(dial(server).done(input="six", previous_response_id=again["id"])) == 11
    assert caller.refused(input="Hi", previous_response_id=looser["id"])["code"] == GONE
    listed = http.get(f"/responses/{again['id']}/input_items?order=asc").json()["data"]
    assert [item["content"][0]["text"] for item in listed] == ["three", "three", "four", "four", "five"]
    assert http.delete(f"/responses/{stored['id']}").status_code == 200
    assert caller.refused(input="Hi", previous_response_id=again["id"])["code"] == GONE


def test_a_loose_turn_loses_what_it_went_on_from(caller, http):
    stored = caller.done(input="One two")
    loose = caller.done(input="three", store=False, previous_response_id=stored["id"])
    http.delete(f"/responses/{stored['id']}")
    assert caller.refused(input="Hi", previous_response_id=loose["id"])["code"] == GONE


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 3},
        {"model": "nobody/m"},
        {"input": [{"type": "function_call_output", "call_id": "call_0", "output": "x"}]},
        {"input": script({"error": {"status": 500, "message": "m"}})},
        {"input": script({"text": "Half"}, {"error": {"status": 500, "message": "m"}})},
        {"input": script({"text": "Half"}, {"cut": True})},
    ],
)
@pytest.mark.usefixtures("hurried")
def test_a_continuation_that_fails_evicts_what_it_continued(caller, wrong):
    first = caller.done(input="One", store=False)
    *_, last = caller.ask(**{"input": "Hi", "store": False, "previous_response_id": first["id"], **wrong})
    assert last["type"] in {"error", "response.failed"}
    assert caller.refused(input="Hi", previous_response_id=first["id"])["code"] == GONE


def test_what_is_stored_or_not_continued_is_not_evicted(caller):
    stored, loose = caller.done(input="One"), caller.done(input="One two", store=False)
    assert caller.refused(input="Hi", temperature=3)
    assert caller.refused(input="Hi", temperature=3, previous_response_id=stored["id"])
    assert heard(caller.done(input="two", store=False, previous_response_id=loose["id"])) == 5
    assert heard(caller.done(input="two", previous_response_id=stored["id"])) == 3


@pytest.mark.parametrize("store", [True, False])
def test_a_warm_up_asks_nobody_and_is_gone_on_from(caller, http, store):
    asked = script({"error": {"status": 500, "message": "it was asked"}})
    frames = caller.ask(input=[{"role": "user", "content": asked}], generate=False, store=store)
    check_events(frames)
    assert [frame["type"] for frame in frames] == ["response.created", "response.completed"]
    warm = frames[-1]["response"]
    assert (warm["status"], warm["output"], warm["store"]) == ("completed", [], store)
    assert http.get(f"/responses/{warm['id']}").status_code == (200 if store else 404)
    response = caller.done(input="Hi", previous_response_id=warm["id"], generate=True, store=store)
    assert (said(response), heard(response)) == ("Hi", len(asked.split()) + 1)


# ---- lanes ----------------------------------------------------------------------------------------------


def test_lanes_run_at_once_and_each_in_its_order(upstream, serve, dial):
    with serve(upstream.deployment, EVERY_ECHO) as server:
        caller = dial(server)
        caller.send(
            {**TOY, "input": "late", "stream_id": "a"},
            {**ECHO, "input": "After", "stream_id": "a"},
            {**ECHO, "input": "Fast", "stream_id": "b"},
            {**ECHO, "input": "Plain"},
        )
        assert said(caller.answer("b")[-1]["response"]) == "Fast"
        assert said(caller.answer()[-1]["response"]) == "Plain"
        upstream.go()
        frames = caller.answer("a")
        assert {frame["stream_id"] for frame in frames} == {"a"}
        check_events(frames)
        assert said(frames[-1]["response"]) == "One two"
        assert said(caller.answer("a")[-1]["response"]) == "After"


def test_each_lane_has_a_newest_turn(caller):
    ids = {}
    for lane in (None, "a", "b"):
        lane_of = {} if lane is None else {"stream_id": lane}
        ids[lane] = caller.done(input="One two", store=False, **lane_of)["id"]
    for lane in (None, "a", "b"):  # a lane may go on from another's
        response = caller.done(input="x", store=False, stream_id="c", previous_response_id=ids[lane])
        assert heard(response) == 5
    assert caller.refused(input="x", temperature=3, stream_id="c", previous_response_id=ids["a"])
    assert caller.refused(input="x", previous_response_id=ids["a"])["code"] == GONE
    assert heard(caller.done(input="x", stream_id="b", previous_response_id=ids["b"])) == 5


def test_the_lane_that_is_idle_longest_makes_room(upstream, serve, limits, dial):
    with serve(upstream.deployment, EVERY_ECHO, limits=limits(lanes=2, grace=60)) as server:
        caller = dial(server)
        oldest = caller.done(input="One", store=False, stream_id="a")
        newer = caller.done(input="One", store=False, stream_id="b")
        caller.send({**TOY, "input": "late", "stream_id": "c"})
        assert upstream.asked.wait(10)
        assert caller.refused(input="x", stream_id="b", previous_response_id=oldest["id"])["code"] == GONE
        assert caller.done(input="x", store=False, stream_id="b", previous_response_id=newer["id"])
        caller.send({**TOY, "input": "late", "stream_id": "b"}, {**ECHO, "input": "x", "stream_id": "d"})
        error = refusal(caller.answer("d"))
        assert (error["status"], error["code"], error["param"]) == (429, "too_many_lanes", "stream_id")
        upstream.go()
        assert said(caller.answer("b")[-1]["response"]) == said(caller.answer("c")[-1]["response"])


# ---- limits ---------------------------------------------------------------------------------------------


def test_frames_have_a_size(serve, limits, dial):
    with serve(limits=limits(body=1000, items=2)) as server:
        caller = dial(server)
        error = caller.refused(input="x" * 1000)
        assert (error["status"], error["code"]) == (413, "request_too_large")
        error = caller.refused(input=[{"role": "user", "content": "x"}] * 3)
        assert (error["code"], error["param"]) == ("too_many_entries", "input")
        assert said(caller.done(input="Hi")) == "Hi"
        caller.send("x" * 2001)
        assert caller.closed()[:2] == ([], 1009)
        caller = dial(server)
        with pytest.raises(ConnectionClosed) as closed:  # in pieces that are small each
            # The last one is too many: had there been more unread, a reset could overtake the server's words.
            caller.connection.send("x" * 100 for _ in range(21))
            caller.frame()
        assert closed.value.rcvd.code == 1009


def test_nothing_is_compressed(dial, server):
    caller = dial(server, compression="deflate")
    assert "sec-websocket-extensions" in caller.connection.request.headers
    assert "sec-websocket-extensions" not in caller.connection.response.headers
    assert said(caller.done(input="Hi")) == "Hi"


def test_too_many_frames_that_wait_end_the_connection(upstream, serve, limits, dial):
    with serve(upstream.deployment, limits=limits(waiting=3)) as server:
        caller = dial(server)
        caller.send({**TOY, "input": "silent"})
        assert upstream.asked.wait(10)
        caller.send(*[{**TOY, "input": "x"}] * 4)
        frames, code, reason = caller.closed()
        assert (code, reason) == (1008, "too_many_waiting_frames")
        assert {refusal([frame])["code"] for frame in frames} == {"too_many_waiting_frames"}
        assert upstream.left.wait(10)


def test_a_connection_that_is_too_old_ends_when_its_turns_have(upstream, serve, limits, dial):
    with serve(upstream.deployment, EVERY_ECHO, limits=limits(connection=0.2)) as server:
        caller = dial(server)
        caller.send({**TOY, "input": "late"})
        deadline = time.monotonic() + 10
        while (last := caller.ask(input="x", stream_id="b")[-1])["type"] == "response.completed":
            assert time.monotonic() < deadline
        assert refusal([last])["code"] == "websocket_connection_limit_reached"
        upstream.go()
        assert said(caller.answer()[-1]["response"]) == "One two"
        (frame,), code, _ = caller.closed()
        assert (refusal([frame])["code"], frame["status"], code) == (
            "websocket_connection_limit_reached",
            400,
            1000,
        )


# ---- ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["closed", "cut"])
@pytest.mark.parametrize("mode", ["silent", "half"])
def test_a_caller_that_leaves_ends_the_call_upstream(upstream, serve, dial, mode, how):
    with serve(upstream.deployment) as server:
        caller = dial(server)
        caller.send({**TOY, "input": mode}, {**TOY, "input": "never begun"})
        assert upstream.asked.wait(10)
        response_id = None
        if mode == "half":
            while (frame := caller.frame())["type"] != "response.output_text.delta":
                response_id = response_id or frame["response"]["id"] if "response" in frame else response_id
        upstream.asked.clear()
        assert not upstream.left.is_set()
        if how == "closed":
            caller.connection.close()
        else:
            caller.connection.socket.shutdown(socket.SHUT_RDWR)
        assert upstream.left.wait(10)
        if response_id is not None:
            deadline = time.monotonic() + 10
            while (kept := httpx.get(f"{server.url}/responses/{response_id}")).status_code == 404:
                assert time.monotonic() < deadline
            assert (kept.json()["status"], said(kept.json())) == ("failed", "One ")
            assert "caller left" in kept.json()["error"]["message"]
    assert not upstream.asked.is_set()


def test_a_caller_that_reads_no_more_is_given_up(serve, limits, dial):
    impatient = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.1}
    with serve(limits=limits(shutdown=60), uvicorn_options=impatient) as server:
        caller = dial(server, max_queue=1, close_timeout=0.1)
        caller.send({**ECHO, "input": "word " * 200_000})
    # The server has stopped, long before it would have cut a turn.


def test_a_stopping_server_lets_turns_end(upstream, serve, dial):
    with serve(upstream.deployment, EVERY_ECHO) as server:
        caller, idle = dial(server), dial(server)
        assert said(idle.done(input="Hi")) == "Hi"
        caller.send({**TOY, "input": "late"}, {**TOY, "input": "never begun"})
        assert upstream.asked.wait(10)
        server.begin_to_stop()
        assert idle.closed() == ([], 1012, "server_stopping")
        upstream.go()
        assert said(caller.answer()[-1]["response"]) == "One two"
        (frame,), code, reason = caller.closed()
        assert (refusal([frame])["status"], frame["code"]) == (503, "server_stopping")
        assert (code, reason) == (1012, "server_stopping")


@pytest.mark.parametrize("mode", ["silent", "half"])
def test_a_server_that_has_waited_long_enough_cuts_turns(upstream, serve, limits, dial, mode):
    with serve(upstream.deployment, limits=limits(shutdown=1)) as server:
        caller = dial(server)
        caller.send({**TOY, "input": mode})
        assert upstream.asked.wait(10)
        frames = []
        while mode == "half" and "One " not in str(frames):
            frames.append(caller.frame())
        server.begin_to_stop()
        rest, code, _ = caller.closed()
        assert code == 1012
        if mode == "silent":
            assert refusal(rest)["code"] == "server_stopping"
        else:
            check_events([*frames, *rest])
            assert "stopping" in rest[-1]["response"]["error"]["message"]
        assert upstream.left.wait(10)


# ---- who may come in ------------------------------------------------------------------------------------


def refused_handshake(dial, server, path="/v1/responses", **options):
    with pytest.raises(InvalidStatus) as refused:
        dial(server, path, **options)
    answer = refused.value.response
    assert answer.headers["x-request-id"].startswith("req_")
    return answer.status_code, json.loads(answer.body)["error"]["code"]


def test_keys(serve, dial):
    with serve(keyring=Keyring(["first-key", "second-key"])) as server:
        bearer = {"Authorization": "Bearer first-key"}
        for wrong in (
            {},
            {"additional_headers": {"Authorization": "Bearer wrong"}},
            {"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]},
            # A header is what counts, where there is one.
            {
                "additional_headers": {"x-api-key": "wrong"},
                "subprotocols": ["openai-insecure-api-key.first-key"],
            },
        ):
            assert refused_handshake(dial, server, **wrong) == (401, "invalid_api_key")
        mine = dial(server, additional_headers=bearer)
        kept = mine.done(input="One")
        loose = mine.done(input="One", store=False)
        assert mine.connection.subprotocol is None
        browser = dial(server, subprotocols=["realtime", "openai-insecure-api-key.first-key"])
        assert browser.connection.subprotocol == "realtime"  # the answer does not repeat the key
        assert heard(browser.done(input="two", previous_response_id=kept["id"])) == 3
        other = dial(server, subprotocols=["openai-insecure-api-key.second-key"])
        for mine_only in (kept, loose):
            assert other.refused(input="two", previous_response_id=mine_only["id"])["code"] == GONE


def test_no_web_page_opens_a_server_without_keys(dial, server):
    for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"):
        assert said(dial(server, origin=origin).done(input="Hi")) == "Hi"
    for origin in (
        "https://example.com",
        "http://localhost.example.com",
        "null",
        "http://127.0.0.1.example.com",
    ):
        assert refused_handshake(dial, server, origin=origin) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/responses/", "/v1/responses/resp_1", "/v1/models", "/v1/realtime"]
)
def test_nothing_else_is_a_websocket(dial, server, path):
    assert refused_handshake(dial, server, path) == (404, "unknown_url")


def test_pings_are_answered_while_a_turn_runs(upstream, serve, dial):
    with serve(upstream.deployment) as server:
        caller = dial(server)
        caller.send({**TOY, "input": "late"})
        assert upstream.asked.wait(10)
        assert caller.connection.ping().wait(10)
        upstream.go()
        assert said(caller.answer()[-1]["response"]) == "One two"
