"""``dragoman serve`` as somebody types it: a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["serving"]


@contextmanager
def serving(environment: Mapping[str, str], folder: Path, *arguments: str) -> Iterator[str]:
    """Run ``dragoman serve`` in a folder, on a free port; yield its address. It must end well."""
    command = [sys.executable, "-m", "dragoman_cli", "serve", *arguments, "--port", "0"]
    with subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"listens on (http://\S+) ", said)
            assert found, f"it did not start: {said}"
            yield found[1]
        finally:
            process.terminate()
    assert process.returncode == 0
