"""The command as a process: pipes, signals, encodings, and what it loads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dragoman_echo import script

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = [sys.executable, "-W", "error", "-m", "dragoman_cli"]
ECHO = ("-m", "echo/echo")
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as POSIX has them")


def test_stdin_and_stdout_are_pipes(spawn: Callable[..., Any]) -> None:
    assert spawn("ask", *ECHO, "Repeat:", stdin="žluť\n") == (0, "Repeat:\n\nžluť\n", "")


def test_an_output_without_unicode_is_no_crash(spawn: Callable[..., Any]) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert spawn("ask", *ECHO, "na\u00efve", **ascii_only)[:2] == (0, "na?ve\n")
    assert '"na\\u00efve"' in spawn("ask", *ECHO, "na\u00efve", "--json", **ascii_only).out


@POSIX
@pytest.mark.parametrize("argv", [["ask", *ECHO, "word " * 20_000], ["params", "echo"]])
def test_a_reader_that_leaves_ends_it_quietly(argv: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # gone before the first byte
    try:
        done = subprocess.run(
            [*COMMAND, *argv], stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE,
            timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (130, b"")


@POSIX
def test_ctrl_c_ends_it_quietly_and_text_has_come_before() -> None:
    question = script({"text": "so far"}, {"pause": 60}, {"text": "never"})
    with subprocess.Popen(
        [*COMMAND, "ask", *ECHO, question],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.read(len("so far")) == b"so far"  # at once, not at the end
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"\n", b"")


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--version"],
        ["ask", "--help"],
        ["batch", "--help"],
        ["plugins"],
        ["plugins", "--json"],
        ["nobody"],
    ],
)
def test_looking_around_loads_no_provider_and_no_client(argv: list[str]) -> None:
    code = (
        "import sys, dragoman_cli\n"
        f"dragoman_cli.main({argv!r})\n"
        "heavy = {'httpx', 'pydantic', 'pluggy', 'rich', 'dragoman_echo', 'dragoman_openai'}\n"
        "sys.exit(f'loaded: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
