"""An emulator of all providers that others wrote, over real sockets: npm's `@copilotkit/aimock`.

Needs node and npm. The package is installed once into a folder, in tests pytest's cache; `DRAGOMAN_AIMOCK`
may name the `dist/cli.js` of one that is installed elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PROVIDERS", "emulator", "install_folder"]

_PACKAGE = "@copilotkit/aimock"
_INSTALL_SECONDS = 120
_START_SECONDS = 30
_FIXTURES = Path(__file__).parent / "aimock"
_KEY = {"api_key": "sk-for-an-emulator"}
# The path at which the emulator has a provider's API, and what a call there needs.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "openai/gpt-5-mini": ("/v1", _KEY),
    "azure/my-deployment": ("", _KEY),
    "azure_ai/my-deployment": ("/v1/chat/completions", _KEY),
    "azure_ai/claude-opus-4-5": ("/v1/messages", _KEY),
    "azure_ai/responses/my-deployment": ("", _KEY),
    "anthropic/claude-sonnet-4-5": ("", _KEY),
    "bedrock/us.amazon.nova-lite-v1:0": (
        "",
        {"aws_region_name": "us-east-1", "aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"},
    ),
    "gemini/gemini-2.5-flash": ("/v1beta", _KEY),
    "vertex_ai/gemini-2.5-flash": (
        "",
        {"vertex_project": "p", "vertex_location": "us-central1", "vertex_access_token": "token"},
    ),
    "openai_compatible/some-model": ("/v1", _KEY),
}


def _installed(folder: Path | None) -> Path:
    """Return the emulator's program, installing it where it is not there yet; skip where that fails."""
    given = os.environ.get("DRAGOMAN_AIMOCK")
    if given:
        return Path(given)
    if folder is None:
        pytest.skip(f"{_PACKAGE} is installed into pytest's cache folder, which is turned off")
    program = folder / "node_modules" / _PACKAGE / "dist" / "cli.js"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{_PACKAGE} needs npm, which is not here")
    try:
        # Beside, and moved when it is whole: the tests of another process may be at the same.
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            command = [npm, "install", "--prefix", beside, "--no-audit", "--no-fund", f"{_PACKAGE}@1"]
            subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS, text=True)
            with suppress(OSError):  # it is there by now
                (Path(beside) / "node_modules").rename(folder / "node_modules")
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {_PACKAGE} within {_INSTALL_SECONDS} s")
    except subprocess.CalledProcessError as problem:
        pytest.skip(f"npm could not install {_PACKAGE}: {problem.stderr.strip()[-300:]}")
    return program


def install_folder(cache: pytest.Cache | None) -> Path | None:
    """Return where tests have it installed; None where pytest keeps nothing."""
    return None if cache is None else cache.mkdir("aimock")


@contextmanager
def emulator(
    folder: Path | None, *, fixtures: Path = _FIXTURES, options: Sequence[str] = ()
) -> Iterator[str]:
    """Run the emulator; yield its address. Skips the test where it cannot be had.

    Args:
        folder: where it is installed, or will be; None: nowhere.
        fixtures: what it answers.
        options: further words of its command line.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip(f"{_PACKAGE} needs node, which is not here")
    program = _installed(folder)
    command = [node, str(program), "--port", "0", "--fixtures", str(fixtures), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        patience = threading.Timer(_START_SECONDS, process.kill)
        patience.start()
        said: list[str] = []
        try:
            for line in process.stdout or ():
                said.append(line)
                if found := re.search(r"listening on (http://\S+)", line):
                    address = found[1]
                    break
            else:
                pytest.fail(f"aimock did not start: {''.join(said)}")
            patience.cancel()
            assert httpx.get(f"{address}/health").status_code == 200
            # It says a line for each request, and stands still where nobody reads them.
            reading = threading.Thread(target=deque, args=(process.stdout, 0))
            reading.start()
            try:
                yield address
            finally:
                process.terminate()
                reading.join()
        finally:
            patience.cancel()
            process.terminate()
