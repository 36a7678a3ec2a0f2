"""``dragoman batch``: lines in, lines out, and what is left of them after a stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from dragoman_cli.progress import money
from dragoman_echo import script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., Any]

COMMAND = [sys.executable, "-W", "error", "-m", "dragoman_cli", "batch"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals, locks and terminals as POSIX has them")
PRICES = """
from decimal import Decimal
import dragoman
@dragoman.hookimpl(wrapper=True)  # whatever other plugins know
def price(use):
    yield
    return None if use.model == "odd" else dragoman.Cost(total=Decimal("0.0011") * use.usage["output_tokens"])
"""


def request(custom_id: str, text: Any = "hello", model: str | None = "echo/echo", **fields: Any) -> Any:
    body = {"input": text, **({"model": model} if model else {})}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": body, **fields}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def answers(path: Path) -> dict[str, Any]:
    """Return the answers by custom_id; each is there once, and every line is whole."""
    text = path.read_text()
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    found = {line["custom_id"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def said(line: dict[str, Any]) -> str:
    text: str = line["response"]["body"]["output"][0]["content"][0]["text"]
    return text


class Upstream(ThreadingHTTPServer):
    """Answers ``POST /responses``; from some request on only once it is let go."""

    daemon_threads = True

    def __init__(self, answered: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.let_go = threading.Event()
        self.changed = threading.Condition()
        self.in_flight = self.most_in_flight = 0
        self.answered = answered

    def wait_until_asked(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= number, timeout=60)

    @property
    def environment(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.server_port}/v1"
        return {**os.environ, "OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none"}


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        upstream = self.server
        with upstream.changed:
            upstream.asked.append(body["input"])
            upstream.in_flight += 1
            upstream.most_in_flight = max(upstream.most_in_flight, upstream.in_flight)
            held = len(upstream.asked) > upstream.answered
            upstream.changed.notify_all()
        if held:
            upstream.let_go.wait(60)
        part = {"type": "output_text", "text": body["input"], "annotations": []}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        answer = {
            "id": f"resp_{body['input']}", "object": "response", "created_at": 1, "status": "completed",
            "model": body["model"], "output": [{**message, "content": [part]}],
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        }  # fmt: skip
        data = json.dumps(answer).encode()
        with upstream.changed:
            upstream.in_flight -= 1
        try:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("x-request-id", f"req_of_{body['input']}")
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # whoever asked was killed
            pass

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(answered=5) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.let_go.set()
        server.shutdown()
        thread.join()


# ---- lines in, lines out ----------------------------------------------------------------------------


def test_every_line_gets_its_answer_in_openais_format(spawn: Run, tmp_path: Path) -> None:
    lines = [request(f"r{number}", f"žluť {number}\u2028") for number in range(30)]
    source = write(tmp_path / "q.jsonl", *lines[:9], "", *lines[9:])
    outcome = spawn("batch", str(source), "--json")
    assert outcome.code == 0
    report = json.loads(outcome.out)
    assert {"total": 30, "done": 30, "failed": 0, "kept": 0}.items() <= report.items()
    assert report["output"] == str(tmp_path / "q.out.jsonl")
    assert outcome.err.splitlines()[-1].startswith("30 of 30 done, 0 failed")
    assert len(outcome.err.splitlines()) == 10  # each tenth
    found = answers(tmp_path / "q.out.jsonl")
    assert {name: said(line) for name, line in found.items()} == {
        line["custom_id"]: line["body"]["input"] for line in lines
    }
    for line in found.values():
        assert line.keys() == {"id", "custom_id", "response", "error"}
        assert line["response"].keys() == {"status_code", "request_id", "body"}
        assert (line["response"]["status_code"], line["error"]) == (200, None)
        assert line["response"]["body"]["object"] == "response"
    assert len({line["id"] for line in found.values()}) == 30


def test_failures_are_lines_and_stop_no_other(run: Run, tmp_path: Path) -> None:
    refused = {"status": 429, "message": "slow down", "code": "busy"}
    source = write(
        tmp_path / "q.jsonl",
        request("refused", script({"error": refused})),
        request("wrong", "x", url="/v1/responses", body={"model": "echo/echo", "input": 7}),
        request("slow", script({"pause": 60})),
        request("well"),
    )
    argv = ("batch", str(source), "--retries", "0", "--timeout", "0.3", "-o", str(tmp_path / "out"))
    outcome = run(*argv)
    assert outcome.code == 1
    found = answers(tmp_path / "out")
    assert found["refused"]["response"]["status_code"] == 429
    told = {"message": "slow down", "code": "busy", "type": "rate_limit_error", "param": None}
    assert found["refused"]["response"]["body"] == {"error": told}
    assert found["wrong"]["response"]["status_code"] == 400
    assert found["wrong"]["response"]["body"]["error"]["param"] == "input"
    assert found["slow"]["response"] is None
    assert found["slow"]["error"].keys() == {"code", "message"}
    assert "timeout.attempt" in found["slow"]["error"]["message"]
    assert said(found["well"]) == "hello"
    before = (tmp_path / "out").read_bytes()
    outcome = run(*argv)  # what has failed is not asked again, and not forgotten
    assert (outcome.code, (tmp_path / "out").read_bytes()) == (1, before)
    assert outcome.err.startswith("1 of 4 done, 3 failed")


@pytest.mark.parametrize(("statuses", "code"), [([429, 429], 4), ([401, 403], 3), ([429, 401], 1), ([], 0)])
def test_the_exit_code_is_that_of_the_failures_if_they_are_alike(
    run: Run, tmp_path: Path, statuses: list[int], code: int
) -> None:
    failures = [script({"error": {"status": status, "message": "no"}}) for status in statuses]
    lines = [request(str(number), text) for number, text in enumerate(["well", *failures])]
    assert run("batch", str(write(tmp_path / "q.jsonl", *lines)), "--retries", "0").code == code


def test_the_model_of_the_command_line_wins_and_that_of_the_environment_is_last(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "q.jsonl", request("a", model=None), request("b", model="echo/b"))
    monkeypatch.setenv("DRAGOMAN_MODEL", "echo/environment")

    def models(*argv: str) -> list[str]:
        (tmp_path / "q.out.jsonl").unlink(missing_ok=True)
        assert run("batch", str(source), *argv).code == 0
        found = answers(tmp_path / "q.out.jsonl")
        return [found[name]["response"]["body"]["model"] for name in "ab"]

    assert models() == ["environment", "b"]
    assert models("-m", "echo/mine") == ["mine", "mine"]


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("{oops", 2, "it is not JSON: Expecting property name"),
        ("[1]", 2, "it is not a JSON object"),
        ('{"a": NaN}', 2, "NaN is not a JSON value"),
        ("[" * 100_000, 2, "nested too deep"),
        (request(""), 2, "custom_id must be a string"),
        (request("a"), 2, "custom_id 'a' is that of line 1 too"),
        (request("b", method="GET"), 2, 'method must be "POST", not "GET"'),
        (request("b", url="/v1/chat/completions"), 2, 'not "/v1/chat/completions"'),
        (request("b", body="x"), 2, "body must be an object"),
        (request("b", boddy={}), 2, "boddy is not a field of a line"),
        (request("b", model=None), 2, 'body.model must be a string "provider/model"'),
        (request("b", body={"model": "echo/echo", "api_base": "http://evil"}), 2, "body.api_base is not"),
        (request("b", body={"model": "echo/echo", "stream": True}), 2, "body.stream must be left out"),
        (request("b", model="gpt-5.2"), 6, "names no provider"),
        (request("b", model="openai/gpt-5.2"), 3, "OPENAI_API_KEY"),
        (request("b", model="nobody/x"), 6, "no installed plugin serves 'nobody'"),
    ],
)
def test_a_wrong_line_is_told_before_anybody_is_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Any, code: int, err: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    source = write(tmp_path / "q.jsonl", request("a"), "", line, request("c"))
    outcome = run("batch", str(source))
    assert (outcome.code, outcome.out) == (code, "")
    first, last = outcome.err.splitlines()
    assert first.startswith(f"error: {source}, line 3: ")
    assert err in first
    assert last == f"error: nobody was asked: 1 line of {source} cannot be sent"
    assert not (tmp_path / "q.out.jsonl").exists()


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "q.jsonl", request("a"))
    notes = write(tmp_path / "notes.txt", "keep me")
    unfinished = tmp_path / "unfinished.txt"
    unfinished.write_text("keep me")
    for argv, err in [
        ([str(tmp_path / "none")], "cannot read"),
        ([str(write(tmp_path / "empty.jsonl", "", " "))], "there is nothing to ask"),
        ([str(source), "--parallel", "0"], "--parallel must be 1 or more"),
        ([str(source), "--timeout", "nan"], "--timeout must be more than 0"),
        ([str(source), "--retries", "-1"], "--retries must be 0 or more"),
        ([str(source), "-o", str(tmp_path / "no" / "folder")], "cannot write"),
        ([str(source), "-o", os.devnull], "it must be a file"),
        ([str(source), "-o", str(source)], "line 1: it is not an answer of a batch; choose another -o"),
        ([str(source), "-o", str(notes)], "line 1: it is not JSON"),
        ([str(source), "-o", str(unfinished)], "line 1: it is not JSON"),
    ]:
        outcome = run("batch", *argv)
        assert (outcome.code, outcome.out) == (2, "")
        assert err in outcome.err
    assert notes.read_text() == "keep me\n"
    assert unfinished.read_text() == "keep me"


# ---- stopped, and gone on ---------------------------------------------------------------------------


def test_wherever_the_output_ends_it_goes_on_with_what_is_not_whole(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "q.jsonl", *(request(name, f"é {name}") for name in "abc"))
    output = tmp_path / "q.out.jsonl"
    assert run("batch", str(source), "--parallel", "1").code == 0
    whole = output.read_bytes()
    breaks = [position for position, byte in enumerate(whole) if byte == ord("\n")]
    near = {position + distance for position in breaks for distance in (-1, 0, 1)}
    cuts = sorted({*range(25), *range(0, len(whole), 101), *near, len(whole)})
    for cut in cuts:
        output.write_bytes(whole[:cut])
        assert run("batch", str(source)).code == 0
        # An object without its line break is whole too: nothing can follow it.
        kept = max((position for position in breaks if position <= cut), default=-1) + 1
        assert output.read_bytes()[:kept] == whole[:kept]
        assert answers(output).keys() == {"a", "b", "c"}


@POSIX
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_after_a_stop_nothing_is_asked_twice_that_has_its_answer(
    upstream: Upstream, tmp_path: Path, signal_number: int
) -> None:
    names = [f"r{number:02}" for number in range(20)]
    source = write(tmp_path / "q.jsonl", *(request(name, name, "openai/m") for name in names))
    output = tmp_path / "q.out.jsonl"
    argv = [*COMMAND, str(source), "--parallel", "3", "--retries", "0"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": upstream.environment}
    with subprocess.Popen(argv, text=True, **pipes) as process:
        upstream.wait_until_asked(5 + 3)  # who asks the eighth has kept the fifth answer, by then
        second = subprocess.run(argv, text=True, timeout=60, check=False, **pipes)
        process.send_signal(signal_number)
        _, err = process.communicate(timeout=60)
    assert second.returncode == 2
    assert "another dragoman batch is writing" in second.stderr
    if signal_number == signal.SIGINT:
        assert process.returncode == 130
        assert err.splitlines()[-1].startswith("stopped: 5 of 20 done, 0 failed")
        assert "Traceback" not in err
    kept = output.read_bytes()
    assert len(answers(output)) == 5
    output.write_bytes(kept + b'{"id": "batch_req_0", "custom_id": "r05", "resp')
    first = list(upstream.asked)
    assert sorted(first) == names[:8]

    upstream.let_go.set()
    done = subprocess.run([*argv, "--json"], text=True, timeout=60, check=False, **pipes)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == 5
    assert output.read_bytes().startswith(kept)
    found = answers(output)
    assert {name: said(line) for name, line in found.items()} == {name: name for name in names}
    told = {name: line["response"]["request_id"] for name, line in found.items()}
    assert told == {name: f"req_of_{name}" for name in names}  # the upstream's own
    again = upstream.asked[len(first) :]
    assert sorted(again) == sorted(set(names) - {json.loads(line)["custom_id"] for line in kept.splitlines()})


@POSIX
def test_no_more_are_asked_at_a_time_than_is_said(upstream: Upstream, tmp_path: Path) -> None:
    source = write(tmp_path / "q.jsonl", *(request(str(n), str(n), "openai/m") for n in range(40)))
    argv = [*COMMAND, str(source), "--parallel", "4"]
    with subprocess.Popen(argv, env=upstream.environment, stderr=subprocess.PIPE) as process:
        upstream.wait_until_asked(5 + 4)  # the last four are held: as many as there can be
        assert upstream.in_flight == 4
        upstream.let_go.set()
        process.communicate(timeout=60)
    assert (process.returncode, upstream.most_in_flight, len(upstream.asked)) == (0, 4, 40)


@POSIX
def test_a_full_disk_ends_it_and_loses_nothing_that_was_written(tmp_path: Path) -> None:
    import resource

    source = write(tmp_path / "q.jsonl", *(request(name) for name in "abcdef"))
    limit = 5000  # bytes that a file may have: a few answers, and a part of one
    full = subprocess.run(
        [*COMMAND, str(source), "--parallel", "2"], capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert full.returncode == 2
    assert full.stderr.splitlines()[-1].startswith(f"error: cannot write {tmp_path / 'q.out.jsonl'}: ")
    written = (tmp_path / "q.out.jsonl").read_bytes()
    kept = written[: written.rindex(b"\n") + 1]
    assert kept != written
    assert (
        subprocess.run([*COMMAND, str(source)], capture_output=True, timeout=60, check=False).returncode == 0
    )
    assert (tmp_path / "q.out.jsonl").read_bytes().startswith(kept)
    assert len(answers(tmp_path / "q.out.jsonl")) == 6


# ---- what it costs, and how far it is ---------------------------------------------------------------


def test_costs_are_summed_over_stops(spawn: Run, install: Callable[..., Path], tmp_path: Path) -> None:
    also = install("acme-prices", "dragoman.plugins", "acme = acme_prices", acme_prices=PRICES)
    lines = [request("a", "one two"), request("b", "one two three"), request("c", model="echo/odd")]
    source = write(tmp_path / "q.jsonl", *lines[:1])
    assert "1 of 1 done, 0 failed, $0.0022 in" in spawn("batch", str(source), also=also).err
    write(source, *lines)
    outcome = spawn("batch", str(source), "--json", also=also)
    report = json.loads(outcome.out)
    assert Decimal(report["cost"]["USD"]) == Decimal("0.0011") * 5
    assert (report["kept"], report["unpriced"]) == (1, 1)
    assert "3 of 3 done, 0 failed, $0.0055 and 1 of unknown cost in" in outcome.err


def read(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:  # nobody writes there any more
        return ""


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0.00000123", "$0.0000012"),
        ("0.0123456", "$0.0123"),
        ("12.3456", "$12.35"),
        ("0.5", "$0.5000"),
    ],
)
def test_money_is_shown_with_as_many_digits_as_it_needs(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


@POSIX
def test_a_terminal_shows_a_bar(tmp_path: Path) -> None:
    import pty

    source = write(tmp_path / "q.jsonl", *(request(str(number)) for number in range(7)))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*COMMAND, str(source)], stderr=theirs, stdout=subprocess.PIPE, env=environment
    ) as run:
        os.close(theirs)
        shown = "".join(iter(lambda: read(ours), ""))
        out, _ = run.communicate(timeout=60)
    os.close(ours)
    assert (run.returncode, out) == (0, b"")
    assert "━" in shown
    assert "100%" in shown
    assert shown.count("7 of 7 done, 0 failed") >= 2  # beside the bar, and at the end
