"""A server on this machine that tells one story in the wires of all providers, for whoever asks."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dragoman.testing import aws_stream, sse_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["STORY", "everybodys_environment", "story_upstream"]

STORY = "Once upon a time there was a unicorn."


class Wire(NamedTuple):
    """How an API tells the story."""

    whole: dict[str, Any]
    stream: bytes = b""
    stream_type: str = "text/event-stream"


# ---- Responses ------------------------------------------------------------------------------------------

_PART: dict[str, Any] = {"type": "output_text", "text": STORY, "annotations": [], "logprobs": []}
_ITEM: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [_PART],
}
_RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-5.2",
    "output": [_ITEM], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
_ADDRESS: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_RESPONSE_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress", "output": []}},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**_ITEM, "content": [], "status": "in_progress"},
    },
    {"type": "response.content_part.added", **_ADDRESS, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_ADDRESS, "delta": STORY, "logprobs": []},
    {"type": "response.output_text.done", **_ADDRESS, "text": STORY, "logprobs": []},
    {"type": "response.content_part.done", **_ADDRESS, "part": _PART},
    {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
    {"type": "response.completed", "response": _RESPONSE},
]
_RESPONSES = Wire(
    _RESPONSE,
    sse_stream(
        *({**event, "sequence_number": number} for number, event in enumerate(_RESPONSE_EVENTS)),
        named_by="type",
    ),
)

# ---- Messages -------------------------------------------------------------------------------------------

_MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": STORY}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "output_tokens": 8},
}  # fmt: skip
_MESSAGES = Wire(
    _MESSAGE,
    sse_stream(
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": STORY}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 8}},
        {"type": "message_stop"},
        named_by="type",
    ),
)

# ---- the others -----------------------------------------------------------------------------------------

_CONTENT = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": STORY}]}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 8, "totalTokenCount": 18},
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r1",
}
_USAGE = {"inputTokens": 10, "outputTokens": 8, "totalTokens": 18}
_CONVERSE = Wire(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": STORY}]}},
        "stopReason": "end_turn",
        "usage": _USAGE,
        "metrics": {"latencyMs": 1},
    },
    aws_stream(
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": STORY}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 1}}),
    ),
    "application/vnd.amazon.eventstream",
)
_CHUNK = {"id": "chat_1", "object": "chat.completion.chunk", "created": 1, "model": "some-model"}
_CHAT = Wire(
    {
        **_CHUNK,
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": STORY}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 18},
    },
    sse_stream(
        {**_CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": STORY}}]},
        {**_CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        end=b"[DONE]",
    ),
)
_ACME = Wire({"kind": "stop", "stop": "done", "blocks": [{"kind": "text", "text": STORY}]})

_WIRES = {
    "/responses": _RESPONSES,
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": Wire({"input_tokens": 8}),
    ":generateContent": Wire(_CONTENT),
    ":streamGenerateContent": Wire(_CONTENT, sse_stream(_CONTENT)),
    ":rawPredict": _MESSAGES,
    ":streamRawPredict": _MESSAGES,
    "/converse": _CONVERSE,
    "/converse-stream": _CONVERSE,
    "/chat/completions": _CHAT,
    "/v1/generate": _ACME,
    "/token": Wire({"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600}),
}
"""By the end of the path."""
_STREAMED = (":streamGenerateContent", ":streamRawPredict", "/converse-stream")


class _Storyteller(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.partition("?")[0]
        ending = next((ending for ending in _WIRES if path.endswith(ending)), None)
        if ending is None:
            self._answer(404, "application/json", json.dumps({"error": f"no story at {path}"}).encode())
            return
        wire = _WIRES[ending]
        if ending in _STREAMED or (body.startswith(b"{") and json.loads(body).get("stream")):
            self._answer(200, wire.stream_type, wire.stream)
        else:
            self._answer(200, "application/json", json.dumps(wire.whole).encode())

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def story_upstream() -> Iterator[str]:
    """Run the server; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Storyteller)
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
        "client_email": "dragoman@example.test",
        "token_uri": token_uri,
    }
