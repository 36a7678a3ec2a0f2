"""A server on this machine that is every provider: one storyteller behind all their wires."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.storyteller import chat, converse, generate_content, messages, responses
from tests.storyteller.model import STORY, WAIT, RefusedError, Wire, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["FAULTS", "STORY", "everybodys_environment", "story_upstream"]

_JSON = "application/json"


class _Method(NamedTuple):
    """What a path stands for."""

    wire: Wire
    streamed: bool | None = None
    """None: where the body says ``stream``."""
    counted: Callable[[int], dict[str, Any]] | None = None
    """Given for a counter of tokens: its answer."""
    inside: str = ""
    """Where a counter's body holds the request, by the names of the fields."""


# By the end of the path; the first that fits.
_METHODS = {
    "/responses": _Method(responses.WIRE),
    "/responses/input_tokens": _Method(
        responses.WIRE, counted=lambda count: {"object": "response.input_tokens", "input_tokens": count}
    ),
    "/v1/messages": _Method(messages.WIRE),
    "/v1/messages/count_tokens": _Method(messages.WIRE, counted=lambda count: {"input_tokens": count}),
    "/count-tokens:rawPredict": _Method(messages.WIRE, counted=lambda count: {"input_tokens": count}),
    ":rawPredict": _Method(messages.WIRE, False),
    ":streamRawPredict": _Method(messages.WIRE, True),
    ":generateContent": _Method(generate_content.WIRE, False),
    ":streamGenerateContent": _Method(generate_content.WIRE, True),
    ":countTokens": _Method(
        generate_content.WIRE,
        counted=lambda count: {"totalTokens": count},
        inside="generateContentRequest",
    ),
    "/converse": _Method(converse.WIRE, False),
    "/converse-stream": _Method(converse.WIRE, True),
    "/count-tokens": _Method(
        converse.WIRE, counted=lambda count: {"inputTokens": count}, inside="input converse"
    ),
    "/chat/completions": _Method(chat.WIRE),
}
# Known by the whole path, and the same for every question.
_FIXED = {
    "/v1/generate": {"kind": "stop", "stop": "done", "blocks": [{"kind": "text", "text": STORY}]},
    "/token": {"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600},
}


FAULTS: dict[str, int | None] = {"refusing": 400, "overloaded": 503, "breaking": None, "hanging": None}
"""Part of a model's name -> with which status it refuses; None: its story ends, or stays, in the middle."""
_SECOND_HALF = STORY[len(STORY) // 2 :].encode()


class _Storyteller(BaseHTTPRequestHandler):
    timeout = 30  # of whoever neither speaks nor leaves
    _fault = _asked = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.partition("?")[0]
        if path in _FIXED:
            self._answer(200, _JSON, _FIXED[path])
            return
        method = next((method for end, method in _METHODS.items() if path.endswith(end)), None)
        if method is None:
            self._answer(404, _JSON, {"error": f"no story at {path}"})
            return
        try:
            self._tell(json.loads(body), method)
        except (RefusedError, KeyError) as problem:
            self._answer(400, _JSON, method.wire.refusal(str(problem)))

    def _tell(self, body: dict[str, Any], method: _Method) -> None:
        asked = f"{self.path} {body.get('model')}"
        self._fault = next((name for name in FAULTS if name in asked), "")
        if status := FAULTS.get(self._fault):
            self._answer(status, _JSON, method.wire.refusal("Not today."))
            return
        for name in method.inside.split():
            body = body.get(name, body)
        heard = method.wire.hear(body)
        self._asked = heard.turns[-1].text
        told = answer(heard)
        if method.counted:
            self._answer(200, _JSON, method.counted(told.input_tokens))
        elif heard.turns[-1].text == WAIT:
            self.connection.recv(1)  # until they leave
            self.close_connection = True
        elif method.streamed or (method.streamed is None and body.get("stream")):
            self._answer(200, method.wire.stream_type, method.wire.stream(told))
        else:
            self._answer(200, _JSON, method.wire.whole(told))

    def _answer(self, status: int, content_type: str, body: Any) -> None:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        if FAULTS.get(self._fault, status) is None:
            self.wfile.write(sent[: sent.find(_SECOND_HALF)])
            if self._fault == "hanging":
                self.wfile.flush()
                self.server.hanging(self._asked)  # type: ignore[attr-defined]
                self.connection.recv(1)  # until they leave
            self.close_connection = True
        else:
            self.wfile.write(sent)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def story_upstream(hanging: Callable[[str], object] = str) -> Iterator[str]:
    """Run the server; yield its address.

    Args:
        hanging: called with the question that is not answered further before they leave (see ``FAULTS``).
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Storyteller)
    server.hanging = hanging  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def everybodys_environment(address: str, folder: Path) -> dict[str, str]:
    """Return the variables of somebody who has a key for every provider, all of which are one server.

    Args:
        address: the server's.
        folder: takes the files that some keys stand in.
    """
    account = folder / "service-account.json"
    account.write_text(json.dumps(_service_account(f"{address}/token")))
    return {
        "ACME_API_BASE": address,
        "ACME_API_KEY": "acme-test",
        "ANTHROPIC_API_BASE": address,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_BEDROCK_RUNTIME_ENDPOINT": address,
        "AWS_REGION": "us-west-2",
        "AWS_SECRET_ACCESS_KEY": "aws-test",
        "AZURE_AI_API_BASE": address,
        "AZURE_AI_API_KEY": "azure-test",
        "AZURE_API_BASE": address,
        "AZURE_API_KEY": "azure-test",
        "GEMINI_API_BASE": f"{address}/v1beta",
        "GEMINI_API_KEY": "gemini-test",
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "GROQ_API_BASE": f"{address}/v1",
        "GROQ_API_KEY": "gsk-test",
        "NO_PROXY": "127.0.0.1",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{address}/v1",
        "OPENAI_COMPATIBLE_API_BASE": f"{address}/v1",
        "VERTEXAI_API_BASE": address,
        "VERTEXAI_LOCATION": "us-central1",
        "VERTEXAI_PROJECT": "a-project",
    }


def _service_account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "project-of-the-account",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "dragoman.example.test",
        "token_uri": token_uri,
    }
