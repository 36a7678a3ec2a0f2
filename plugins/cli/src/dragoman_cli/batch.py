"""``dragoman batch``: ask the lines of a file, several at a time; every answer is a line of another file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dragoman_cli.exits import FAILED, OK, USAGE, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from dragoman_cli.batch_lines import Problem

__all__ = ["configure", "help", "run"]

help = "ask the lines of a file in OpenAI's batch format, several at a time"  # noqa: A001 - of Command

_SHOWN_PROBLEMS = 10


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        'A line of FILE: {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {...}}. '
        "Answers are added to OUT as they come, in OpenAI's format too. After a stop of any kind the same "
        "command goes on: a custom_id that is in OUT is not asked again."
    )
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="what to ask, one JSON object a line")
    add("-o", "--output", metavar="OUT", type=Path, help="where answers go; else FILE, ending in .out.jsonl")
    add(
        "-m",
        "--model",
        help="provider/model in place of the lines' own; $DRAGOMAN_MODEL where a line has none",
    )
    add("--parallel", type=int, default=8, metavar="N", help="how many to ask at a time (%(default)s)")
    add("--retries", type=int, default=2, metavar="N", help="how often to try one again (%(default)s)")
    add("--timeout", type=float, metavar="SECONDS", help="the longest wait for a whole answer")
    add("--json", action="store_true", help="print counts and cost as JSON at the end")


def run(arguments: Namespace) -> int:
    """Ask what has no answer yet; return 0 if then every line is answered.

    Raises:
        UsageError: an argument is wrong, or a file cannot be used; nobody has been asked.
    """
    # Imported here: `dragoman --help` reads this module too, and these lead to httpx and pydantic.
    import asyncio  # noqa: PLC0415

    from dragoman_cli.batch_asking import Answer, ask_all  # noqa: PLC0415
    from dragoman_cli.batch_lines import read_requests  # noqa: PLC0415
    from dragoman_cli.batch_output import Output  # noqa: PLC0415
    from dragoman_cli.progress import Tally, progress  # noqa: PLC0415
    from dragoman_cli.terminal import as_json, note, remark, say  # noqa: PLC0415

    for name, least in (("parallel", 1), ("retries", 0)):
        if getattr(arguments, name) < least:
            raise UsageError(f"--{name} must be {least} or more")
    if arguments.timeout is not None and not arguments.timeout > 0:
        raise UsageError("--timeout must be more than 0 seconds")
    requests, problems = read_requests(arguments.file, arguments.model)
    if problems:
        return _refuse(arguments.file, problems)
    path = arguments.output or arguments.file.with_suffix(".out.jsonl")
    tally = Tally(total=len(requests))
    codes: set[int] = set()
    with Output(path) as output:
        for line in output.lines():
            if requests.pop(line["custom_id"], None) is not None:
                tally.add(line)
        tally.kept = tally.over
        if tally.failed:
            codes.add(FAILED)
        try:
            with progress(tally) as show:

                def keep(answer: Answer) -> None:
                    output.append(answer.line)
                    tally.add(answer.line)
                    codes.add(answer.code)
                    show()

                asking = ask_all(
                    requests.values(),
                    keep,
                    parallel=arguments.parallel,
                    num_retries=arguments.retries,
                    timeout=arguments.timeout,
                )
                asyncio.run(asking)
        except KeyboardInterrupt:
            note("stopped", f"{tally} in {path}; the same command goes on from there")
            raise
    remark(f"{tally} in {path}")
    if arguments.json:
        say(as_json({"output": str(path), **tally.as_json()}, indent=2))
    failures = codes - {OK}
    return failures.pop() if len(failures) == 1 else FAILED if failures else OK


def _refuse(path: Path, problems: list[Problem]) -> int:
    from dragoman_cli.terminal import note  # noqa: PLC0415

    for problem in problems[:_SHOWN_PROBLEMS]:
        note("error", f"{path}, line {problem.number}: {problem.message}")
    lines = "1 line" if len(problems) == 1 else f"{len(problems)} lines"
    note("error", f"nobody was asked: {lines} of {path} cannot be sent")
    codes = {problem.code for problem in problems}
    return codes.pop() if len(codes) == 1 else USAGE
