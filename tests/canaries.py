"""Secrets in every place that a call or a config has for them, and an upstream that tells all it was sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

__all__ = ["MODELS", "Gossip", "assert_hidden", "options_of"]

MODELS = ["openai/m", "anthropic/m", "gemini/m", "azure/m", "openai_compatible/m"]
HEADERS = {"x-gateway-token": "canary-header-1", "x-team": "canary-header-2", "cookie": "a=canary-header-3"}
SECRETS = {
    "api_key": "canary-key-1",
    "extra_headers": HEADERS,
    "extra_query": {"sig": "canary/query+1"},
    "extra_body": {"user_token": "canary-body-1", "deeper": [{"secret": "canary-body-2"}]},
}
TOOL = {
    "type": "mcp",
    "server_label": "files",
    "server_url": "https://files.example/mcp",
    "authorization": "canary-tool-1",
    "headers": {"x-files": "canary-tool-2"},
}
CANARY = "canary"


class Gossip:
    """Refuses, and tells everything; or breaks off in the middle of telling."""

    def __init__(self):
        self.heard = ""
        self.breaks = False
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                told = f"{unquote(self.path)} {self.path} {dict(self.headers)} {body}"
                upstream.heard += told
                error = {"error": {"message": told, "type": told, "code": told, "param": told}}
                answer = json.dumps(error).encode()
                if upstream.breaks:
                    self.send_response(200)
                    self.send_header("content-type", "text/event-stream")
                    self.end_headers()
                    self.wfile.write(b"event: error\ndata: " + answer + b"\n\n")
                    return
                self.send_response(400)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.send_header("x-request-id", "req_1")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def options_of(model, port, *, stream):
    """Return the arguments of a call with a canary in all that is secret."""
    provider = model.partition("/")[0]
    options = {**SECRETS, "model": model, "input": "Hi", "stream": stream}
    if provider in {"openai", "azure"}:
        options["tools"] = [TOOL]
    if provider == "azure":
        options["api_version"] = "v1"
    return {**options, "api_base": f"http://canary-user:canary-password@127.0.0.1:{port}/v1"}


def assert_hidden(upstream, texts, *, heard=("canary-header-2", "canary-body-2")):
    assert all(secret in upstream.heard for secret in heard)
    for text in texts:
        place = text.find(CANARY)
        assert place < 0, text[max(0, place - 100) : place + 60]
