"""A Google of our own: a token service that checks what is asserted, and the models behind it."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import base64
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dragoman_vertex_ai.info import INFO

EMAIL = "robot@my-project.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"  # whatever the token_uri, says google-auth
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Bonjour"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "trafficType": "ON_DEMAND"},
    "modelVersion": "gemini-2.5-flash",
}
CLAUDE = {
    "id": "msg_vrtx_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-8",
    "content": [{"type": "text", "text": "Bonjour"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
CLAUDE_EVENTS = (
    {"type": "message_start", "message": {**CLAUDE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Bonjour"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)


class Google:
    """What the token service was asked and the models were sent, and how the service answers."""

    def __init__(self, url: str, key: rsa.RSAPrivateKey) -> None:
        self.url = url
        self.token_uri = f"{url}/token"
        self.key = key
        self.asked: list[dict[str, str]] = []
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.lifetime = 3600
        self.scope = SCOPE
        self.refusals: deque[tuple[int, dict[str, str]]] = deque()

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if self.refusals:
            return self.refusals.popleft()
        if "assertion" in form:
            self.check(form["assertion"])
        return 200, {"access_token": f"token-{len(self.asked)}", "expires_in": self.lifetime}

    def check(self, assertion: str) -> None:
        """Verify what a service account asserts, as Google does."""
        signed, _, signature = assertion.rpartition(".")
        public = self.key.public_key()
        public.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        header, claims = (json.loads(_decoded(piece)) for piece in signed.split("."))
        assert (header["alg"], header["kid"]) == ("RS256", "key-1")
        assert (claims["iss"], claims["aud"], claims["scope"]) == (EMAIL, AUDIENCE, self.scope)
        assert 0 < claims["exp"] - claims["iat"] <= 3600


def _decoded(piece: str) -> bytes:
    return base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))


class _Handler(BaseHTTPRequestHandler):
    google: Google

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            try:
                form = {name: value[0] for name, value in parse_qs(body.decode()).items()}
                self._answer(*self.google.token(form))
            except Exception as problem:
                self._answer(400, {"error": "invalid_grant", "error_description": repr(problem)})
            return
        if self.path.endswith(":generateAccessToken"):
            lasting = {"accessToken": "token-of-another", "expireTime": "2099-01-01T00:00:00Z"}
            self._answer(200 if self.headers["authorization"] == "Bearer token-1" else 403, lasting)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.google.calls.append((self.path, headers, json.loads(body)))
        claude = "/publishers/anthropic/" in self.path
        if "count-tokens" in self.path:
            self._answer(200, {"input_tokens": 7})
        elif self.path.endswith(":countTokens"):
            self._answer(200, {"totalTokens": 7})
        elif "stream" in self.path:
            self._stream(CLAUDE_EVENTS if claude else (GEMINI,), named=claude)
        else:
            self._answer(200, CLAUDE if claude else GEMINI)

    def _answer(self, status: int, payload: Any) -> None:
        self._send(status, "application/json", json.dumps(payload).encode())

    def _stream(self, events: Any, *, named: bool) -> None:
        lines = (
            (f"event: {event['type']}\r\n" if named else "") + f"data: {json.dumps(event)}\r\n\r\n"
            for event in events
        )
        self._send(200, "text/event-stream", "".join(lines).encode())

    def _send(self, status: int, type_: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", type_)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def google(key):
    """Start the token service and the models; return what they see."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.RequestHandlerClass = type("Handler", (_Handler,), {"google": Google(url, key)})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.RequestHandlerClass.google
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account(google):
    """Return what a service account's file holds; its token service is our own."""
    pem = google.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "robots-project",
        "private_key_id": "key-1",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": google.token_uri,
    }


@pytest.fixture
def account_file(account, tmp_path):
    path = tmp_path / "robot.json"
    path.write_text(json.dumps(account))
    return str(path)


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch, tmp_path):
    """No variable, no file of gcloud's and no machine of Google's tells anything."""
    for setting in INFO.settings:
        for variable in setting.env:
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
