"""``dragoman ask``: one question, one answer, as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.errors import APIError
from dragoman_cli.exits import OK

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["configure", "help", "run"]

help = "ask a model; the text of the answer comes on stdout"  # noqa: A001 - the name that Command has


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        "Text on stdin is put after PROMPT. Warnings, refusals and calls of functions come on stderr. "
        "Keys are taken from the provider's usual environment variables."
    )
    add = parser.add_argument
    add("prompt", nargs="?", metavar="PROMPT", help="what to ask; - takes it from stdin alone")
    add("-m", "--model", help="provider/model; else $DRAGOMAN_MODEL, else echo/echo")
    add("--system", metavar="TEXT", help="instructions for the model")
    add(
        "-a",
        "--attach",
        action="append",
        default=[],
        metavar="PATH",
        help="an image, PDF, text or other file to send along; repeatable",
    )
    add("--schema", metavar="FILE|JSON", help="a JSON schema that the answer must have")
    add("--effort", metavar="LEVEL", help="how much to reason: none, minimal, low, medium, high ...")
    add("--reasoning", action="store_true", help="show summaries of the reasoning on stderr")
    add("--max-tokens", type=int, metavar="N", help="the longest answer, reasoning included")
    add("--timeout", type=float, metavar="SECONDS", help="the longest wait for the whole answer")
    add(
        "--unsupported",
        choices=("warn", "error"),
        help="leave out, or refuse, what the provider does not support",
    )
    add(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other parameter of a call; VALUE is JSON or else a string, a dotted KEY nests "
        "(text.verbosity=low); repeatable",
    )
    add("-v", "--verbose", action="store_true", help="tell the cost and the tokens on stderr")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the whole response as JSON")
    form.add_argument("--events", action="store_true", help="print the stream's events, one JSON a line")


def run(arguments: Namespace) -> int:
    """Ask, and print the answer.

    Raises:
        UsageError: an argument or a file is wrong.
        APIError: the call failed; what had arrived has been printed.
    """
    # Imported here: `dragoman --help` reads this module too, and these lead to httpx and pydantic.
    from dragoman import Dragoman  # noqa: PLC0415
    from dragoman_cli import answers, questions  # noqa: PLC0415

    options = questions.call_options(arguments)
    with Dragoman() as client:
        try:
            if arguments.json:
                response = answers.print_whole(client, options)
            elif arguments.events:
                response = answers.print_events(client, options)
            else:
                response = answers.print_text(client, options, reasoning=arguments.reasoning)
        except APIError as error:
            if error.response is not None:
                answers.note_warnings(error.response)
                if arguments.verbose:
                    answers.note_cost(error.response)
            raise
    answers.note_warnings(response)
    if arguments.verbose:
        answers.note_cost(response)
    return OK
