"""The documentation is true: every Python snippet of every README runs, every link leads somewhere.

Snippets run as a reader would run them, each in a process of its own; what they call is a server on this
machine that answers as OpenAI's and Anthropic's do.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dragoman.parameters import as_markdown
from dragoman.providers import load_provider

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in ROOT.glob("**/README.md")
    if not any(part.startswith(".") or part == "node_modules" for part in page.relative_to(ROOT).parts)
)
PROVIDER_PAGES = [page for page in PAGES if any(page.parent.glob("src/*/info.py"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
STORY = "Once upon a time there was a unicorn."

MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": STORY}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "output_tokens": 8},
}  # fmt: skip
MESSAGE_EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": STORY}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 8}},
    {"type": "message_stop"},
]
PART: dict[str, Any] = {"type": "output_text", "text": STORY, "annotations": [], "logprobs": []}
ITEM: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [PART],
}
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-5.2",
    "output": [ITEM], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
ADDRESS: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSE_EVENTS = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**ITEM, "content": [], "status": "in_progress"},
    },
    {"type": "response.content_part.added", **ADDRESS, "part": {**PART, "text": ""}},
    {"type": "response.output_text.delta", **ADDRESS, "delta": STORY, "logprobs": []},
    {"type": "response.output_text.done", **ADDRESS, "text": STORY, "logprobs": []},
    {"type": "response.content_part.done", **ADDRESS, "part": PART},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
    {"type": "response.completed", "response": RESPONSE},
]

ACME = {"kind": "stop", "stop": "done", "blocks": [{"kind": "text", "text": STORY}]}
WIRES: dict[str, Any] = {
    "/v1/messages/count_tokens": ({"input_tokens": 8}, []),
    "/v1/messages": (MESSAGE, MESSAGE_EVENTS),
    "/v1/responses": (RESPONSE, RESPONSE_EVENTS),
    "/openai/v1/responses": (RESPONSE, RESPONSE_EVENTS),
    "/v1/generate": (ACME, []),
}


class Upstream(BaseHTTPRequestHandler):
    """Tells a story, in the wire that its path names."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        whole, events = WIRES[self.path]
        if body.get("stream"):
            content_type = "text/event-stream"
            numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
            answer = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in numbered)
        else:
            content_type, answer = "application/json", json.dumps(whole)
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def environment():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield {
        **os.environ,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_API_BASE": address,
        "ACME_API_KEY": "acme-test",
        "ACME_API_BASE": address,
        "AZURE_API_KEY": "azure-test",
        "AZURE_API_BASE": address,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{address}/v1",
        "NO_PROXY": "127.0.0.1",
    }
    server.shutdown()
    thread.join()
    server.server_close()


def run(code: str, environment: dict[str, str], tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def snippets() -> list[object]:
    return [
        pytest.param(match[2], id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, match in enumerate(FENCE.finditer(page.read_text()))
        if match[1] == "python"
    ]


@pytest.mark.parametrize("code", snippets())
def test_snippet_runs(code, environment, tmp_path):
    run(code, environment, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PROVIDER_PAGES, ids=lambda page: page.parent.name)
def test_a_providers_readme_has_its_parameter_table(page):
    name = page.parent.name.replace("-", "_")
    _, _, rest = page.read_text().partition("<!-- parameters -->\n")
    written, end, _ = rest.partition("\n<!-- /parameters -->")
    assert end, f"{page} lacks the marks around its table"
    assert written == as_markdown(load_provider(name).info.parameters), (
        f"write the output of `dragoman params {name} --markdown` between the marks"
    )


@pytest.mark.parametrize("model", ["openai/o1-pro", "anthropic/claude-3-5-sonnet-20240620"])
def test_code_written_for_litellm_runs_by_changing_the_import(model, environment, tmp_path):
    whole = run(
        f'import dragoman as litellm\nresponse = litellm.responses(model="{model}", input="A story.", '
        "max_output_tokens=100)\nprint(response)",
        environment,
        tmp_path,
    )
    assert STORY in whole
    streamed = run(
        f'import dragoman as litellm\nresponse = litellm.responses(model="{model}", input="A story.", '
        "stream=True)\nfor event in response:\n    print(event)",
        environment,
        tmp_path,
    )
    assert STORY in streamed
    assert "response.completed" in streamed
