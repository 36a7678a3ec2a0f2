"""A PostgreSQL server of our own: made in a temporary folder, reached by a Unix socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_programs", "running_server"]


def find_programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`: Debian's newest, or from the PATH; None: not here."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(versions, key=lambda program: float(program.parent.parent.name))
    on_path = shutil.which("initdb")
    program = newest[-1] if newest else Path(on_path).resolve() if on_path else None
    return program.parent if program is not None and (program.parent / "postgres").exists() else None


@contextmanager
def running_server(programs: Path, *, durable: bool = True) -> Iterator[str]:
    """Run a server; give the URL of its database `postgres`.

    Args:
        programs: where its programs are.
        durable: whether it syncs its files, which tests of other things need not wait for.
    """
    user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="dragoman-pg-") as folder:
        place = Path(folder)
        if user is not None:
            os.chown(place, user, -1)
        setup: list[str | Path] = [
            programs / "initdb",
            "-D",
            place / "data",
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        setup += ["--no-sync", "--locale=C"]
        subprocess.run(setup, check=True, stdout=subprocess.DEVNULL, user=user, cwd=place)
        command: list[str | Path] = [
            programs / "postgres",
            "-D",
            place / "data",
            "-k",
            place,
            "-c",
            "listen_addresses=",
        ]
        command += ["-c", f"fsync={'on' if durable else 'off'}"]
        with (place / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=place)
        try:
            _wait_until_ready(programs, place, server)
            yield f"postgresql://tester@/postgres?host={place}"
        finally:
            server.send_signal(signal.SIGINT)  # a "fast" shutdown: it waits for no client
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _unprivileged() -> int | None:
    """Return whom to run the server as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _wait_until_ready(programs: Path, place: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        asked = subprocess.run([programs / "pg_isready", "-q", "-h", place], check=False)
        if asked.returncode == 0:
            return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {(place / 'log').read_text()}")
