"""The file of a batch's answers: only ever added to, a whole line at a time, by one process."""

from __future__ import annotations

import json
import os
from stat import S_ISREG
from types import NoneType
from typing import TYPE_CHECKING, Any, Self

from dragoman_cli.batch_lines import parse_object
from dragoman_cli.exits import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["Output"]

_BEGINNING = b'{"id": "batch_req_'


class Output:
    """The answers that are there, and room for more.

    A line is whole if its break is there, or if it is an object without one. What a stop has left of a
    last line is cut off; anything else that is no answer is somebody's, and nothing is written then.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            UsageError: it cannot be written, or another process is writing it.
        """
        self._path = path
        try:
            # Unbuffered: what could not be written must not be tried again when the file is closed.
            self._file = path.open("ab", buffering=0)
        except OSError as problem:
            raise self._unusable(problem) from problem
        if not S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.close()
            raise UsageError(f"cannot write {path}: it must be a file, whose end can be read and cut off")
        if not _lock(self._file.fileno()):
            self._file.close()
            raise UsageError(f"another dragoman batch is writing {path}: wait for it, or choose another -o")

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the answers that are there, and make the file ready for more.

        Raises:
            UsageError: a line is not the answer to a line of a batch.
        """
        whole, ended = 0, True
        with self._path.open("rb") as file:
            for number, text in enumerate(file, 1):
                ended = text.endswith(b"\n")
                try:
                    line = parse_object(text)
                    if not _is_answer(line):
                        raise ValueError("it is not an answer of a batch")
                except ValueError as problem:
                    if not ended and (number > 1 or _BEGINNING.startswith(text[: len(_BEGINNING)])):
                        ended = True
                        break  # what a stop has left
                    raise UsageError(f"{self._path}, line {number}: {problem}; choose another -o") from None
                whole += len(text)
                yield line
        self._file.truncate(whole)
        if not ended:
            self._write(b"\n")

    def append(self, line: dict[str, Any]) -> None:
        """Add an answer; when this returns it is the system's, and outlives this process.

        Raises:
            UsageError: it cannot be written.
        """
        self._write(json.dumps(line).encode() + b"\n")  # escaped: not every reader breaks lines at \n alone

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as problem:
            raise self._unusable(problem) from problem

    def _unusable(self, problem: OSError) -> UsageError:
        return UsageError(f"cannot write {self._path}: {problem.strerror or problem}")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()


def _is_answer(line: dict[str, Any]) -> bool:
    return (
        isinstance(line.get("custom_id"), str)
        and {"response", "error"} <= line.keys()
        and isinstance(line["response"], (dict, NoneType))
    )


def _lock(descriptor: int) -> bool:
    """Take the file for this process, as long as it lives; where the system cannot, take it for granted."""
    try:
        import fcntl  # noqa: PLC0415 - POSIX alone has it
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
