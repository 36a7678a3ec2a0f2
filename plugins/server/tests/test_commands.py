"""``dragoman serve`` and ``dragoman check`` as processes: what they print, how they stop and reload."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from dragoman import discovery

COMMAND = [sys.executable, "-W", "error", "-m", "dragoman_cli"]
KEY = "sk-0123456789abcdef0123"
ECHO = "model_list:\n  - {model_name: %s, litellm_params: {model: echo/x}}\n"
PATIENCE = 20.0  # seconds
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.fixture
def environment(tmp_path):
    """An environment without credentials."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def config(tmp_path):
    """Write config.yaml and return its path; a second time replaces it as editors do."""

    def write(text):
        path, draft = tmp_path / "config.yaml", tmp_path / "draft"
        draft.write_text(text)
        draft.chmod(0o600)
        draft.replace(path)
        return path

    return write


@pytest.fixture
def run(environment):
    """Run a command to its end: exit code, stdout, stderr."""

    def run(*argv, **variables):
        done = subprocess.run(
            [*COMMAND, *map(str, argv)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**environment, **variables},
        )
        return done.returncode, done.stdout, done.stderr

    return run


class Server:
    """A ``dragoman serve`` that runs."""

    def __init__(self, argv, environment):
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *map(str, argv)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self._said = queue.Queue()
        self._so_far = ""
        self._reader = threading.Thread(target=self._read_errors)
        self._reader.start()
        self.ready = self.process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)", self.ready)
        self.port = int(found[1]) if found else None
        self.url = f"http://127.0.0.1:{self.port}"

    def _read_errors(self):
        for line in self.process.stderr:
            self._said.put(line)

    def hear(self, words):
        """Wait until it says that on stderr."""
        while words not in self._so_far:
            self._so_far += self._said.get(timeout=PATIENCE)

    def models(self, **headers):
        return {model["id"] for model in httpx.get(f"{self.url}/v1/models", headers=headers).json()["data"]}

    def end(self, number=signal.SIGTERM):
        """Stop it; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def ended(self):
        """Wait until it ends; return its exit code."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()
            self.process.stderr.close()


@pytest.fixture
def serve(environment):
    """Start ``dragoman serve``."""
    started = []

    def serve(*argv, **variables):
        started.append(Server(argv, {**environment, **variables}))
        return started[-1]

    yield serve
    for server in started:
        server.end(signal.SIGKILL)


class Upstream(ThreadingHTTPServer):
    """A model server that says one word, and the second when it is let."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Upstream)
        self.go_on = threading.Event()
        threading.Thread(target=self.serve_forever).start()

    @property
    def config(self):
        """Lead to it."""
        return (
            "model_list:\n  - model_name: slow\n    litellm_params:\n"
            f"      {{model: openai_compatible/x, api_base: 'http://127.0.0.1:{self.server_port}/v1'}}\n"
        )


class _Upstream(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self._say({"delta": {"role": "assistant", "content": "one "}, "finish_reason": None})
        self.server.go_on.wait()
        try:
            self._say({"delta": {"content": "two"}, "finish_reason": None})
            self._say({"delta": {}, "finish_reason": "stop"})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass  # whoever asked has gone

    def _say(self, choice):
        chunk = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
        self.wfile.write(b"data: %b\n\n" % json.dumps(chunk).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()


class Stream:
    """A stream that a caller reads, event by event."""

    def __init__(self, server, model):
        body = {"model": model, "input": "hi", "stream": True}
        self._context = httpx.stream("POST", f"{server.url}/v1/responses", json=body, timeout=PATIENCE)
        self.lines = self._context.__enter__().iter_lines()

    def until(self, kind):
        for line in self.lines:
            if line.startswith("data: {"):
                event = json.loads(line.removeprefix("data: "))
                if event["type"] == kind:
                    return event
        raise AssertionError(f"the stream ended without {kind}")

    def rest(self):
        """The lines that are left; the end closes it."""
        rest = [line for line in self.lines if line]
        self._context.__exit__(None, None, None)
        return rest


def eventually(holds):
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def ask(server, model, **headers):
    body = {"model": model, "input": "Hello there"}
    return httpx.post(f"{server.url}/v1/responses", json=body, headers=headers, timeout=PATIENCE)


# ---- serve ------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_config_it_serves_echo_and_ends_when_asked(serve, number):
    server = serve()
    assert server.ready == f"dragoman listens on {server.url} for echo/*; responses are kept in memory\n"
    answer = ask(server, "echo/echo")
    assert answer.status_code == 200
    assert answer.json()["output"][0]["content"][0]["text"] == "Hello there"
    assert "server" not in answer.headers
    assert server.end(number) == 0


def test_a_config_is_served(serve, config):
    server = serve("--config", config(ECHO % "mine"))
    assert " for mine; " in server.ready
    assert server.models() == {"mine"}
    assert ask(server, "mine").json()["output"][0]["content"][0]["text"] == "Hello there"
    assert ask(server, "other").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_other_machines_are_not_served_without_a_key(run, host):
    code, out, err = run("serve", "--host", host, "--port", 0)
    assert (code, out) == (2, "")
    assert "general_settings.master_key" in err
    assert "DRAGOMAN_MASTER_KEY" in err


def test_other_machines_are_served_with_a_key(serve):
    server = serve("--host", "0.0.0.0", DRAGOMAN_MASTER_KEY=KEY)
    assert server.ready.startswith("dragoman listens on http://0.0.0.0:")
    assert ask(server, "echo/echo").status_code == 401
    assert ask(server, "echo/echo", authorization=f"Bearer {KEY}").status_code == 200


def test_what_cannot_be_served_starts_nothing(run, config):
    path = config("general_settings: {master_kye: x}\nmodel_list: [{model_name: m}]\n")
    code, out, err = run("serve", "--config", path)
    assert (code, out) == (2, "")
    assert f"{path}:1: unknown key 'master_kye'" in err
    assert f"{path}:2: model_list[0] lacks litellm_params" in err
    assert "nothing installed opens a store at nosql://" in run("serve", "--store", "nosql://x")[2]
    assert "cannot be read" in run("serve", "--config", path.parent / "nowhere.yaml")[2]


def test_a_port_that_is_taken(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("serve", "--port", port)
    assert code == 2
    assert err.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")


needs_sqlite = pytest.mark.skipif(
    "sqlite" not in discovery.names(discovery.STORES), reason="dragoman-sql is not installed"
)


@needs_sqlite
def test_a_store_that_cannot_be_opened(run):
    code, out, err = run("serve", "--port", 0, "--store", "sqlite:////nowhere/at/all/x.db")
    assert (code, out) == (1, "")
    assert "/nowhere/at/all" in err
    assert "Traceback" not in err


@needs_sqlite
def test_a_conversation_goes_on_after_a_restart(serve, config, tmp_path):
    path = config(f"{ECHO % 'mine'}dragoman_settings: {{store: 'sqlite:///{tmp_path}/kept.db'}}\n")
    server = serve("--config", path)
    assert server.ready.endswith("responses are kept in the store\n")
    first = ask(server, "mine").json()
    assert server.end() == 0
    server = serve("--config", path)
    body = {"model": "mine", "input": "And now?", "previous_response_id": first["id"]}
    second = httpx.post(f"{server.url}/v1/responses", json=body, timeout=PATIENCE)
    assert second.status_code == 200
    assert second.json()["previous_response_id"] == first["id"]
    body["previous_response_id"] = "resp_unknown"
    assert httpx.post(f"{server.url}/v1/responses", json=body, timeout=PATIENCE).status_code >= 400


# ---- reloading --------------------------------------------------------------------------------------


@POSIX
def test_sighup_reloads_while_a_stream_goes_on(serve, config, upstream):
    server = serve("--config", config(upstream.config))
    stream = Stream(server, "slow")
    assert stream.until("response.output_text.delta")["delta"] == "one "
    config(ECHO % "new")
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.models() == {"new"})
    assert ask(server, "new").status_code == 200
    assert ask(server, "slow").status_code == 404
    upstream.go_on.set()
    completed = stream.until("response.completed")
    assert completed["response"]["output"][0]["content"][0]["text"] == "one two"
    assert stream.rest() == ["data: [DONE]"]


def test_a_file_that_changes_is_reloaded(serve, config):
    server = serve("--config", config(ECHO % "before"))
    assert server.models() == {"before"}
    config(ECHO % "after")
    eventually(lambda: server.models() == {"after"})


@POSIX
def test_a_config_that_is_wrong_leaves_the_one_before(serve, config):
    path = config(ECHO % "good")
    server = serve("--config", path)
    config("modellist: []\n")
    server.hear(f"{path}:1: unknown key 'modellist'")
    server.hear("the config was not reloaded")
    assert server.models() == {"good"}
    config(ECHO % "better")
    eventually(lambda: server.models() == {"better"})


@POSIX
def test_a_server_for_other_machines_never_loses_its_key(serve, config):
    server = serve(
        "--host", "0.0.0.0", "--config", config(f"{ECHO % 'm'}general_settings: {{master_key: {KEY}}}\n")
    )
    config(ECHO % "open")
    server.hear("no key is set")
    assert ask(server, "open").status_code == 401
    assert server.models(authorization=f"Bearer {KEY}") == {"m"}


# ---- the end ----------------------------------------------------------------------------------------


@POSIX
def test_sigterm_lets_a_stream_end(serve, config, upstream):
    server = serve("--config", config(upstream.config))
    stream = Stream(server, "slow")
    stream.until("response.output_text.delta")
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: not _listens(server.port))
    upstream.go_on.set()
    stream.until("response.completed")
    assert stream.rest() == ["data: [DONE]"]
    assert server.ended() == 0


@POSIX
def test_sigterm_loses_no_request_that_is_on_its_way(serve):
    server = serve()
    request = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with contextlib.ExitStack() as opened:
        idle, new, half = (
            opened.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
            for _ in range(3)
        )
        idle.sendall(request)
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        half.sendall(request[:20])
        server.process.send_signal(signal.SIGTERM)
        while idle.recv(65536):
            pass
        new.sendall(request)
        half.sendall(request[20:])
        for connection in (new, half):
            answer = b"".join(iter(lambda of=connection: of.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close\r\n" in answer
            assert b"echo" in answer
    assert server.ended() == 0


@POSIX
def test_sigterm_ends_a_stream_that_does_not_end_itself(serve, config, upstream):
    server = serve("--config", config(f"{upstream.config}dragoman_settings: {{limits: {{shutdown: 1}}}}\n"))
    stream = Stream(server, "slow")
    stream.until("response.output_text.delta")
    server.process.send_signal(signal.SIGTERM)
    stream.until("error")
    failed = stream.until("response.failed")["response"]
    assert failed["status"] == "failed"
    assert failed["output"][0]["content"][0]["text"] == "one "
    assert stream.rest() == ["data: [DONE]"]
    assert server.ended() == 0


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ---- check ------------------------------------------------------------------------------------------


def test_check_says_all_of_it(run, config):
    path = config(f"""
model_list:
  - {{model_name: claude, litellm_params: {{model: anthropic/x, api_key: {KEY}, rpm: 3}}}}
  - {{model_name: gpt, litellm_params: {{model: openai/x, api_key: os.environ/NOT_SET}}}}
  - {{model_name: "bedrock/*", litellm_params: {{model: bedrock/*}}}}
litellm_settings: {{callbacks: [otel]}}
""")
    code, out, err = run("check", path, AWS_PROFILE="work")
    assert (code, err) == (0, "")
    assert KEY not in out
    assert f"warning: {path}:4: model_list[1].litellm_params.api_key: the environment variable NOT_SET" in out
    assert f"warning: {path}:6: litellm_settings.callbacks: 'otel' is not loaded" in out
    rows = [line.split(maxsplit=2) for line in out.splitlines()]
    assert ["claude", "anthropic/x", "found: api_key in the config"] in rows
    (missing,) = [row[2] for row in rows if row[0] == "gpt"]
    assert missing.startswith("MISSING: ")
    assert "OPENAI_API_KEY" in missing
    (chain,) = [row[2] for row in rows if row[0] == "bedrock/*"]
    assert "AWS_PROFILE leads to them" in chain
    assert rows[-1] == ["ok"]


def test_check_of_a_config_that_is_wrong(run, config):
    path = config(f"{ECHO % 'm'}litellm_settings: {{drop_parms: true}}\n")
    code, out, _ = run("check", path)
    assert code == 2
    assert (
        f"error: {path}:3: unknown key 'drop_parms' in litellm_settings. Did you mean 'drop_params'?" in out
    )
    assert out.endswith("1 error: it cannot be served\n")


def test_check_says_nothing_but_why_of_a_file_that_cannot_be_read(run, tmp_path):
    path = tmp_path / "none.yaml"
    code, out, _ = run("check", path)
    assert code == 2
    assert out.splitlines() == [
        f"error: {path}:1: the file cannot be read: No such file or directory",
        "1 error: it cannot be served",
    ]


def test_check_without_a_config_says_what_would_be_served(run):
    code, out, _ = run("check", OPENAI_API_KEY=KEY)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["echo/*", "openai/*"]
    assert "OPENAI_API_KEY in the environment" in out
