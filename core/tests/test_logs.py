"""The log of calls: one line of JSON each, only where it is wanted, without content and secrets."""

import contextlib
import json
import logging
import os
import subprocess
import sys
from datetime import datetime

import pytest

import dragoman
from dragoman import APIError, Dragoman
from dragoman.records.record import Record

pytest_plugins = ["core.tests.toys"]

FIELDS = {name for name in Record.__dataclass_fields__ if name not in {"chunks", "request", "response"}}
ANSWER = (["text", "An answer"], ["usage", {"input_tokens": 2, "output_tokens": 1}], ["finish"])
REFUSED = (["fail", "too much", 429],)


def ask(**options):
    with Dragoman() as client, contextlib.suppress(APIError):
        client.responses.create(model="toy/m", input="A question", **options)
    assert dragoman.flush_records()


@pytest.mark.parametrize("answer", [ANSWER, REFUSED])
def test_a_call_is_one_line(toy, caplog, answer):
    toy(toy.whole(*answer))
    assert dragoman.flush_records()  # of calls that came before
    end = dragoman.log_calls()
    ask(metadata={"team": "blue\nred"})
    end()
    (line,) = [one for one in caplog.records if one.name == "dragoman.calls"]
    assert "\n" not in line.getMessage()
    told = json.loads(line.getMessage())
    assert set(told) == {"time", *FIELDS}
    assert datetime.fromisoformat(told["time"]).timestamp() == pytest.approx(told["started_at"], abs=0.001)
    assert (told["asked"], told["metadata"]) == ("toy/m", {"team": "blue\nred"})
    if answer is ANSWER:
        assert (line.levelno, told["outcome"], told["usage"]["total_tokens"]) == (
            logging.INFO,
            "completed",
            3,
        )
    else:
        assert (line.levelno, told["outcome"], told["error"]["status"]) == (logging.WARNING, "failed", 429)
    assert "A question" not in line.getMessage()
    assert "An answer" not in line.getMessage()


def test_content_is_there_on_request_without_credentials(toy, caplog):
    toy(toy.whole(*ANSWER), native="input instructions tools.*")
    end = dragoman.log_calls(content=True)
    ask(
        instructions="Be brief",
        tools=[{"type": "mcp", "server_label": "s", "server_url": "http://s", "authorization": "canary-1"}],
    )
    end()
    told = json.loads(caplog.messages[-1])
    assert (told["input"], told["instructions"]) == ("A question", "Be brief")
    assert told["output"][0]["content"][0]["text"] == "An answer"
    assert "canary" not in caplog.text


@pytest.mark.parametrize(("value", "lines"), [("", 0), ("0", 0), ("1", 1), ("content", 1)])
def test_the_environment_switches_it_on(value, lines):
    code = "import dragoman; dragoman.responses(model='echo/echo', input='A question')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DRAGOMAN_LOG_CALLS": value},
        check=True,
        capture_output=True,
        text=True,
    )
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [one["provider"] for one in told] == ["echo"] * lines
    assert ("A question" in done.stderr) == (value == "content")
