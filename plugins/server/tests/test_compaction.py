"""Compaction through the server: an upstream's own, verbatim; and what its absence looks like."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest

from dragoman_server import Deployment

OPAQUE = {"id": "cmp_theirs", "type": "compaction", "encrypted_content": "gAAAAB-opaque"}
USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 10,
}


class Upstream(BaseHTTPRequestHandler):
    """OpenAI's two endpoints."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        if not self.path.endswith("/compact"):
            content = [{"type": "output_text", "text": "Ada it is.", "annotations": []}]
            message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                       "content": content}  # fmt: skip
            self.answer(200, {"id": "resp_theirs", "object": "response", "created_at": 1, "model": "gpt-5",
                              "status": "completed", "output": [message], "usage": USAGE})  # fmt: skip
        elif self.server.compacts:
            self.answer(200, {"id": "resp_theirs", "object": "response.compaction", "created_at": 1,
                              "output": [OPAQUE], "usage": USAGE})  # fmt: skip
        else:
            self.answer(404, {"error": {"message": "Invalid URL", "type": "invalid_request_error"}})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def upstream():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.asked, server.compacts = [], True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def client(serve, upstream):
    address = f"http://127.0.0.1:{upstream.server_port}/v1"
    deployment = Deployment(
        name="gpt",
        model="openai/gpt-5",
        arguments={
            "settings": {"api_key": "sk-upstream-key", "api_base": address},
            "temperature": 1,
        },
    )
    with (
        serve(deployment) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made,
    ):
        yield made


def test_an_upstreams_window_comes_back_as_it_gave_it_and_is_taken_back(client, upstream):
    first = client.responses.create(model="gpt", input="My name is Ada.")
    window = client.responses.compact(
        model="gpt", previous_response_id=first.id, input="Remember it.", prompt_cache_key="k"
    )
    path, body = upstream.asked[-1]
    assert path == "/v1/responses/compact"
    assert {name: body[name] for name in sorted(body) if name != "input"} == {
        "model": "gpt-5",
        "prompt_cache_key": "k",
    }
    assert [item["role"] for item in body["input"]] == ["user", "assistant", "user"]
    assert [item.to_dict() for item in window.output] == [OPAQUE]
    assert window.usage.total_tokens == 10
    client.responses.create(model="gpt", input=[OPAQUE, {"role": "user", "content": "Who am I?"}])
    assert upstream.asked[-1][1]["input"][0] == OPAQUE


def test_an_upstream_without_the_endpoint_is_asked_for_a_summary(client, upstream):
    upstream.compacts = False
    window = client.responses.compact(model="gpt", input="My name is Ada.")
    assert [path for path, _ in upstream.asked] == ["/v1/responses/compact", "/v1/responses"]
    client.responses.create(model="gpt", input=[item.to_dict() for item in window.output])
    (told,) = upstream.asked[-1][1]["input"]
    assert "Ada it is." in told["content"][0]["text"]
