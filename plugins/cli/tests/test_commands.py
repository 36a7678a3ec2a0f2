"""Looking around: plugins, params, models, and the commands of other distributions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dragoman.sdk.client import supported_params

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]
    Install = Callable[..., Path]

HELLO = """
from dragoman.errors import RateLimitError
help = "greet somebody, 100%"
def configure(parser):
    parser.add_argument("name")
def run(arguments):
    if arguments.name == "nobody":
        raise RateLimitError("enough\\ngreetings")
    if arguments.name == "bug":
        raise KeyError("oops")
    print("Hello,", arguments.name)
    return 7
"""
LOUD = "import sys; print('imported', file=sys.stderr)\n"


def states(spawn: Run, also: Path, *argv: str) -> dict[str, str]:
    listed = json.loads(spawn("plugins", "--json", *argv, also=also).out)
    return {f"{row['kind']} {row['name']} {row['distribution']}": row["state"] for row in listed}


# ---- the program ------------------------------------------------------------------------------------


def test_help_lists_commands_and_exit_codes(run: Run) -> None:
    outcome = run("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("ask", "batch", "plugins", "params", "models", "exit codes:", "130"):
        assert word in outcome.out


def test_version(run: Run) -> None:
    outcome = run("--version")
    assert outcome.code == 0
    assert outcome.out.startswith("dragoman-cli 0.")
    assert ", dragoman 0." in outcome.out


def test_no_command_shows_the_help(run: Run) -> None:
    outcome = run()
    assert (outcome.code, outcome.out) == (2, "")
    assert "usage: dragoman" in outcome.err


@pytest.mark.parametrize(
    ("argv", "err"),
    [
        (["aks", "x"], "there is no command 'aks'. Did you mean 'ask'? Installed: ask, "),
        (["zzz"], "there is no command 'zzz'. Installed: ask, "),
        (["--bogus", "ask"], "unrecognized arguments: --bogus (see dragoman --help)"),
        (["params"], "the following arguments are required: PROVIDER"),
    ],
)
def test_wrong_usage(run: Run, argv: list[str], err: str) -> None:
    outcome = run(*argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert err in outcome.err


# ---- params and models ------------------------------------------------------------------------------


def test_params_in_three_forms(run: Run) -> None:
    expected = {name: policy._asdict() for name, policy in supported_params("echo").items()}
    assert json.loads(run("params", "echo", "--json").out) == expected
    assert json.loads(run("params", "echo/any-model", "--json").out) == expected
    heading, *lines = run("params", "echo").out.splitlines()
    assert heading.split() == ["parameter", "support", "note"]
    assert len(lines) == len(expected)
    markdown = run("params", "echo", "--markdown").out
    assert "| `temperature` | warned | nothing is drawn at random |" in markdown
    beyond = run("params", "echo", "--markdown", "--beyond", "echo").out
    assert beyond.splitlines() == ["| parameter | support | note |", "|--|--|--|"]


def test_params_side_by_side(run: Run) -> None:
    tables = {name: supported_params(name) for name in ("echo", "openai")}
    compared = json.loads(run("params", "echo", "openai", "--json").out)
    assert {"temperature", "store", "text.format.json_schema", "tools.function"} <= compared.keys()
    for name, supports in compared.items():
        for provider, policies in tables.items():
            assert name not in policies or supports[provider] == policies[name].support, name
    heading, *lines = run("params", "echo", "openai").out.splitlines()
    assert heading.split() == ["parameter", "echo", "openai"]
    assert [line.split()[0] for line in lines] == list(compared)
    markdown = run("params", "echo", "openai", "--markdown").out
    assert "| `temperature` | warned | native |" in markdown


def test_models(run: Run) -> None:
    assert run("models", "echo") == (0, "echo/echo\n", "")
    assert json.loads(run("models", "echo", "--json").out) == [{"id": "echo/echo", "provider": "echo"}]
    assert "echo/echo" in run("models").out.splitlines()


@pytest.mark.parametrize("command", ["params", "models"])
def test_an_unknown_provider(run: Run, command: str) -> None:
    outcome = run(command, "ecko")
    assert (outcome.code, outcome.out) == (6, "")
    assert "Did you mean 'echo'?" in outcome.err


def test_one_broken_provider_hides_no_other(spawn: Run, install: Install) -> None:
    also = install("acme-broken", "dragoman.providers", "broken = acme_broken", acme_broken="1 / 0")
    outcome = spawn("models", also=also)
    assert outcome.code == 0
    assert "echo/echo" in outcome.out
    assert outcome.err.startswith("error: acme-broken 1.2 cannot be loaded: ZeroDivisionError")
    assert spawn("models", "broken", also=also).code == 6
    assert spawn("ask", "x", "-m", "broken/x", also=also).code == 6


# ---- plugins ----------------------------------------------------------------------------------------


def test_plugins_are_listed_and_not_imported(spawn: Run, install: Install) -> None:
    also = install("acme-loud", "dragoman.plugins", "loud = acme_loud:plugin", acme_loud=LOUD)
    install("acme-gone", "dragoman.providers", "gone = acme_gone.inner")
    outcome = spawn("plugins", also=also)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.split(maxsplit=4) for line in outcome.out.splitlines()]
    assert lines[0] == ["name", "kind", "distribution", "version", "state"]
    assert ["loud", "plugin", "acme-loud", "1.2", "ok"] in lines
    assert ["gone", "provider", "acme-gone", "1.2", "missing module"] in lines


def test_strategies_and_stores_are_listed_and_checked(spawn: Run, install: Install) -> None:
    also = install("acme-last", "dragoman.strategies", "last = acme_last:Last", acme_last="class Last: ...")
    install("acme-cellar", "dragoman.stores", "cellar = acme_cellar:open", acme_cellar="1 / 0")
    found = states(spawn, also)
    assert (found["strategy last acme-last"], found["store cellar acme-cellar"]) == ("ok", "ok")
    checked = states(spawn, also, "--check")
    assert checked["strategy last acme-last"] == "ok"
    assert "ZeroDivisionError" in checked["store cellar acme-cellar"]


def test_two_distributions_of_one_name_are_a_conflict(spawn: Run, install: Install) -> None:
    also = install("acme-echo", "dragoman.providers", "echo = acme_echo", acme_echo="")
    install("acme-ask", "dragoman.commands", "ask = acme_ask", acme_ask="")
    found = states(spawn, also)
    assert found["provider echo acme-echo"] == "conflict"
    assert found["provider echo dragoman-echo"] == "conflict"
    assert found["command ask acme-ask"] == "conflict"


def test_check_says_what_is_wrong(spawn: Run, install: Install) -> None:
    also = install("acme-empty", "dragoman.providers", "empty = acme_empty", acme_empty="")
    install("acme-lame", "dragoman.commands", "lame = acme_lame", acme_lame="help = ''")
    install("acme-gone", "dragoman.plugins", "gone = acme_gone")
    install("acme-hello", "dragoman.commands", "hello = acme_hello", acme_hello=HELLO)
    found = states(spawn, also, "--check")
    assert found["provider echo dragoman-echo"] == "ok"
    assert found["command hello acme-hello"] == "ok"
    assert "has no provider_info hook" in found["provider empty acme-empty"]
    assert "lacks configure, run" in found["command lame acme-lame"]
    assert "pip install" in found["plugin gone acme-gone"]
    assert spawn("plugins", "--check", also=also).code == 6
    assert spawn("plugins", also=also).code == 0


# ---- commands of other distributions ----------------------------------------------------------------


def test_a_command_of_another_distribution(spawn: Run, install: Install) -> None:
    also = install("acme-hello", "dragoman.commands", "hello = acme_hello", acme_hello=LOUD + HELLO)
    assert "hello    (from acme-hello 1.2)" in spawn("--help", also=also).out
    assert spawn("--help", also=also).err == ""  # listed, not imported
    assert "greet somebody, 100%" in spawn("hello", "--help", also=also).out
    assert spawn("hello", "you", also=also)[:2] == (7, "Hello, you\n")
    assert spawn("hello", "nobody", also=also) == (4, "", "imported\nerror: enough greetings\n")
    assert spawn("hello", also=also).code == 2
    unexpected = spawn("hello", "bug", also=also)
    assert unexpected.code == 1
    assert unexpected.err == "imported\nerror: unexpected KeyError: 'oops' (--debug shows where)\n"


def test_a_broken_command_names_its_distribution(spawn: Run, install: Install) -> None:
    also = install("acme-hello", "dragoman.commands", "hello = acme_hello", acme_hello="import nowhere")
    outcome = spawn("hello", "you", also=also)
    assert outcome.code == 6
    assert outcome.err.startswith("error: acme-hello 1.2 cannot be loaded: it needs the module 'nowhere'")


def test_a_command_that_is_not_installed_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.discovery.load", lambda group, name: None)  # even where it is installed
    outcome = run("serve")
    assert outcome.code == 2
    assert "pip install dragoman-server" in outcome.err
