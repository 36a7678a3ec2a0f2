"""Running the command, in this process and as one of its own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

import dragoman_cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stdin that somebody could type into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """Tests may run behind a shell that ignores it, and processes pass that on to their own."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRAGOMAN_MODEL", raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``main``; `stdin` None is a terminal."""

    def run(*argv: str, stdin: str | None = None) -> Outcome:
        monkeypatch.setattr(sys, "stdin", Terminal() if stdin is None else io.StringIO(stdin))
        code = dragoman_cli.main(list(argv))
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def spawn() -> Callable[..., Outcome]:
    """Run ``python -m dragoman_cli``; `also` is a folder of further installed distributions."""

    def spawn(*argv: str, stdin: str = "", also: Path | None = None, **environment: str) -> Outcome:
        places = [str(also)] if also else []
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "dragoman_cli", *argv],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(places),
                "PYTHONIOENCODING": "utf-8",
                **environment,
            },
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return spawn


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """Put a distribution into a folder, as an installer would: its metadata and its modules."""

    def install(name: str, group: str, entry: str, **modules: str) -> Path:
        metadata = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        for module, source in modules.items():
            (tmp_path / f"{module}.py").write_text(source)
        return tmp_path

    return install
