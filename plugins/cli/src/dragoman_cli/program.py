"""The program: finds the subcommand, runs it, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from dragoman.errors import DragomanError
from dragoman_cli.commands import load_command, summaries
from dragoman_cli.exits import INTERRUPTED, MEANINGS, OK, USAGE, UsageError, exit_code
from dragoman_cli.terminal import abandon_broken_streams, note, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["main"]

_DEBUG = "--debug"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; the codes are those that ``--help`` lists.

    Args:
        argv: the arguments after the program's name; None: those of this process.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        code = _outcome(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        abandon_broken_streams()
        return INTERRUPTED
    return code


def _outcome(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except SystemExit as leaving:  # argparse, once it has shown the help
        return leaving.code if isinstance(leaving.code, int) else OK
    except BrokenPipeError:
        raise
    except Exception as problem:
        if _DEBUG in arguments:
            traceback.print_exc()
        expected = isinstance(problem, (DragomanError, UsageError))
        unexpected = f"unexpected {type(problem).__name__}: {problem} ({_DEBUG} shows where)"
        note("error", problem if expected else unexpected)
        return exit_code(problem)


def _run(arguments: list[str]) -> int:
    # What stands before the first word that is no option is ours, what follows it is the command's. A
    # parser for every command at once would have to import them all.
    words = (position for position, word in enumerate(arguments) if not word.startswith("-"))
    position = next(words, len(arguments))
    parser = _ProgramParser()
    if parser.parse_args(arguments[:position]).version:
        say(_versions())
        return OK
    if position == len(arguments):
        parser.print_help(sys.stderr)
        return USAGE
    name = arguments[position]
    command = load_command(name)
    command_parser = _Parser(prog=f"dragoman {name}", description=command.help)
    command.configure(command_parser)
    return command.run(command_parser.parse_args(arguments[position + 1 :]))


class _Parser(argparse.ArgumentParser):
    """argparse, but for errors: those are raised."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.add_argument(_DEBUG, action="store_true", help="show where an error comes from")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


class _ProgramParser(_Parser):
    """The options before a command, and the help that lists the commands."""

    def __init__(self) -> None:
        super().__init__("dragoman", "One API, OpenAI's Responses API, for every model provider.")
        self.usage = "dragoman COMMAND ...   (dragoman COMMAND --help tells more)"
        self.add_argument("--version", action="store_true", help="show the versions and exit")

    def format_help(self) -> str:
        self.epilog = f"commands:\n{_lines(summaries())}\n\nexit codes:\n{_lines(MEANINGS)}"
        return super().format_help()


def _lines(entries: Mapping[str, str] | Mapping[int, str]) -> str:
    width = max(len(str(name)) for name in entries)
    return "\n".join(f"  {name!s:<{width}}  {text}" for name, text in sorted(entries.items()))


def _versions() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - for this option alone

    return f"dragoman-cli {version('dragoman-cli')}, dragoman {version('dragoman')}"
