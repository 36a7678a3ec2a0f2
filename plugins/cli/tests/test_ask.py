"""``dragoman ask``, as a user sees it: what comes on stdout and stderr, and the exit code."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from dragoman_echo import script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ECHO = ("-m", "echo/echo")
SCHEMA = '{"title": "A person!", "type": "object", "properties": {"age": {"type": "integer", "minimum": 3}}}'
STATUS = {"status": 429, "message": "slow down"}


def refused(status: int) -> str:
    return script({"error": {"status": status, "message": "said the upstream"}})


@pytest.mark.parametrize(
    ("argv", "stdin", "out"),
    [
        (["hello"], None, "hello\n"),
        (["hello"], "", "hello\n"),
        (["hello"], "and more\n", "hello\n\nand more\n"),
        ([], "only stdin\n", "only stdin\n"),
        (["-"], "only stdin", "only stdin\n"),
        (["--", "-5 + 3?"], None, "-5 + 3?\n"),
        (["ends with a break\n"], None, "ends with a break\n"),
        (["žluťoučký 🐎"], None, "žluťoučký 🐎\n"),
        (["a b c", "--schema", SCHEMA], None, '{"age": 3}\n'),
        (["-o", 'input=[{"role": "user", "content": "as an item"}]'], "not read", "as an item\n"),
        ([script({"text": "one"}, {"reasoning": "hm"}, {"text": "two"})], None, "one\ntwo\n"),
        (["x", "--system", "Be brief.", "--effort", "low", "--timeout", "30"], None, "x\n"),
    ],
)
def test_text_comes_on_stdout_and_nothing_on_stderr(
    run: Callable[..., Any], argv: list[str], stdin: str | None, out: str
) -> None:
    assert run("ask", *ECHO, *argv, stdin=stdin) == (0, out, "")


@pytest.mark.parametrize(
    ("argv", "out", "err"),
    [
        (["a b c", "--max-tokens", "2"], "a b\n", "warning: the answer is incomplete: max_output_tokens\n"),
        (["x", "-o", "temperature=0.5"], "x\n", "does not support 'temperature'"),
        (["x", "-o", "moderation={}", "--unsupported", "warn"], "x\n", "warning: echo does not support"),
        (
            [script({"text": "a"}, {"call": "f", "arguments": '{"q":  "b  c"}'})],
            "a\n",
            'call f({"q":  "b  c"})\n',
        ),
        ([script({"refusal": "I'd rather not."})], "", "refused: I'd rather not.\n"),
        (
            [script({"reasoning": "First."}, {"text": "a"}, {"reasoning": "Then."}), "--reasoning"],
            "a\n",
            "First.\nThen.\n",
        ),
        (
            [script({"item": {"type": "image_generation_call", "status": "completed", "result": "R0lG"}})],
            "",
            "warning: the answer has no text, only image_generation_call; --json shows it\n",
        ),
    ],
)
def test_the_rest_comes_on_stderr(run: Callable[..., Any], argv: list[str], out: str, err: str) -> None:
    outcome = run("ask", *ECHO, *argv)
    assert (outcome.code, outcome.out) == (0, out)
    assert err in outcome.err


@pytest.mark.parametrize(
    ("argv", "code", "out", "err"),
    [
        ([refused(400)], 1, "", "said the upstream"),
        ([refused(401)], 3, "", "said the upstream"),
        ([refused(403)], 3, "", "said the upstream"),
        ([refused(404)], 1, "", "said the upstream"),
        ([refused(408)], 5, "", "said the upstream"),
        ([refused(429)], 4, "", "said the upstream"),
        ([refused(500)], 1, "", "said the upstream"),
        ([refused(429), "--json"], 4, "", "said the upstream"),
        ([script({"text": "so far"}, {"error": STATUS})], 4, "so far\n", "slow down"),
        ([script({"text": "so far"}, {"cut": True})], 5, "so far\n", "end mark"),
        ([script({"text": "so far"}, {"malformed": True})], 1, "so far\n", "not JSON"),
        ([script({"pause": 30}), "--timeout", "0.1"], 5, "", "timeout.attempt"),
        (["x", "-o", "conversation=c"], 1, "", "Conversation with id 'c' not found"),
        (["x", "-o", "temperature=1", "--unsupported", "error"], 2, "", "'temperature'"),
        (["x", "-m", "nobody/x"], 6, "", "no installed plugin serves 'nobody'"),
        (["x", "-m", "echo"], 6, "", "names no provider"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(
    run: Callable[..., Any], argv: list[str], code: int, out: str, err: str
) -> None:
    outcome = run("ask", *ECHO, *argv)
    assert (outcome.code, outcome.out) == (code, out)
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert err in line


@pytest.mark.parametrize(
    ("argv", "err"),
    [
        ([], "nothing to ask"),
        (["x", "--bogus"], "unrecognized arguments: --bogus (see dragoman ask --help)"),
        (["x", "--max-tokens", "many"], "--max-tokens: invalid int value: 'many'"),
        (["x", "--json", "--events"], "not allowed with argument"),
        (["x", "-o", "temperature"], "--option 'temperature' is not KEY=VALUE"),
        (["x", "-o", "a..b=1"], "is not KEY=VALUE"),
        (["x", "-o", "reasoning=1", "-o", "reasoning.effort=low"], "reasoning is not an object"),
        (["x", "-o", "stream=true"], "use --json or --events"),
        (["x", "-o", "input=y"], "given twice"),
        (["x", "-a", "/there/is/none"], "cannot read /there/is/none: No such file or directory"),
        (["x", "--schema", "/there/is/none"], "cannot read /there/is/none"),
        (["x", "--schema", "{oops"], "--schema is not JSON"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_asked(
    run: Callable[..., Any], argv: list[str], err: str
) -> None:
    outcome = run("ask", *ECHO, *argv)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert err in line


def test_json_prints_the_whole_response(run: Callable[..., Any]) -> None:
    outcome = run("ask", *ECHO, "naïve", "--json")
    response = json.loads(outcome.out)
    assert response["object"] == "response"
    assert response["output"][0]["content"][0]["text"] == "naïve"
    assert response["dragoman"]["provider"] == "echo"
    assert "naïve" in outcome.out


def test_events_are_one_json_a_line_and_failures_among_them(run: Callable[..., Any]) -> None:
    outcome = run("ask", *ECHO, script({"text": "so far"}, {"error": STATUS}), "--events")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events][:1] == ["response.created"]
    assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
    assert (outcome.code, outcome.err) == (4, "error: echo/echo: slow down\n")


def test_verbose_tells_cost_and_tokens(run: Callable[..., Any]) -> None:
    usage = {"usage": {"input_tokens": 7, "output_tokens": 5}}
    outcome = run("ask", *ECHO, script({"text": "x"}, usage), "-v")
    assert (outcome.code, outcome.out) == (0, "x\n")
    assert re.fullmatch(r"cost: (\$0\.00|not known), 7 tokens in, 5 out\n", outcome.err)  # known with prices
    broken = run("ask", *ECHO, script({"text": "so far"}, {"error": STATUS}), "-v")
    assert [line.partition(":")[0] for line in broken.err.splitlines()] == ["cost", "error"]


def sent(run: Callable[..., Any], *argv: str) -> dict[str, Any]:
    """Return the response, which repeats what was asked for."""
    response: dict[str, Any] = json.loads(run("ask", *ECHO, "x", "--json", *argv).out)
    return response


def test_options_reach_the_request(run: Callable[..., Any]) -> None:
    response = sent(
        run,
        *("--effort", "low", "--reasoning", "--system", "Be brief.", "--max-tokens", "9"),
        *("-o", "metadata.team=7a", "-o", 'metadata={"a.b": "c"}', "-o", "reasoning.summary=detailed"),
        *(
            "-o",
            'tools=[{"type": "function", "name": "f", "parameters": {}}]',
            "-o",
            "parallel_tool_calls=false",
        ),
    )
    assert response["instructions"] == "Be brief."
    assert response["max_output_tokens"] == 9
    assert response["metadata"] == {"team": "7a", "a.b": "c"}
    assert {"effort": "low", "summary": "detailed"}.items() <= response["reasoning"].items()
    assert response["tools"][0]["name"] == "f"
    assert response["parallel_tool_calls"] is False


def test_a_schema_is_read_from_a_file_and_sent_strict(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "person.json").write_text(SCHEMA)
    form = sent(run, "--schema", str(tmp_path / "person.json"))["text"]["format"]
    assert form["type"] == "json_schema"
    assert (form["name"], form["strict"]) == ("A_person", True)
    assert form["schema"] == json.loads(SCHEMA)


@pytest.mark.parametrize(
    ("name", "data", "answer"),
    [
        ("dot.png", b"\x89PNG\0", "[image image/png, 5 bytes]"),
        ("a.pdf", b"%PDF-1.7 all of it is ASCII", "[file a.pdf, application/pdf, 27 bytes]"),
        ("no-suffix", b"%PDF-1.7\0", "[file no-suffix, application/pdf, 9 bytes]"),
        ("data.bin", b"\xff\0\x01", "[file data.bin, application/octet-stream, 3 bytes]"),
        ("notes.md", "\ufeffnaïve".encode(), "notes.md:\n\nnaïve"),
        ("film.ts", b"const a = 1", "film.ts:\n\nconst a = 1"),
        ("drawing.svg", b"<svg/>", "drawing.svg:\n\n<svg/>"),
        ("empty.txt", b"", "empty.txt:\n\n"),
    ],
)
def test_a_file_is_sent_as_what_it_is(
    run: Callable[..., Any], tmp_path: Path, name: str, data: bytes, answer: str
) -> None:
    (tmp_path / name).write_bytes(data)
    outcome = run("ask", *ECHO, "What?", "-a", str(tmp_path / name))
    assert outcome.code == 0
    assert outcome.err == ""
    assert answer in outcome.out
    assert outcome.out.endswith("What?\n")


def test_files_come_in_order_and_need_no_prompt(run: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(f"inside {name}")
    outcome = run("ask", *ECHO, "-a", str(tmp_path / "b.txt"), "-a", str(tmp_path / "a.txt"))
    assert outcome.code == 0
    assert outcome.out.index("inside b.txt") < outcome.out.index("inside a.txt")


def test_a_file_comes_out_byte_for_byte(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    data = bytes(range(256))
    (tmp_path / "x.bin").write_bytes(data)

    def translate(request: dict[str, Any], target: Any) -> Any:
        seen.append(request["input"][0]["content"])
        return original(request, target)

    from dragoman_echo import requests

    original = requests.translate_request
    monkeypatch.setattr(requests, "translate_request", translate)
    run("ask", *ECHO, "q", "-a", str(tmp_path / "x.bin"))
    ((file, text),) = seen
    head, _, encoded = file["file_data"].partition(",")
    assert (head, base64.b64decode(encoded)) == ("data:application/octet-stream;base64", data)
    assert (file["filename"], text["text"]) == ("x.bin", "q")


def test_the_model_comes_from_the_environment(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_MODEL", "echo/mine")
    assert json.loads(run("ask", "x", "--json").out)["model"] == "mine"
    assert json.loads(run("ask", "x", "--json", "-m", "echo/yours").out)["model"] == "yours"


def test_without_a_model_echo_answers_and_says_so(run: Callable[..., Any]) -> None:
    outcome = run("ask", "x")
    assert (outcome.code, outcome.out) == (0, "x\n")
    assert outcome.err.startswith("warning: no model is named")


def test_debug_shows_where_an_error_comes_from(run: Callable[..., Any]) -> None:
    assert "Traceback" not in run("ask", *ECHO, refused(500)).err
    for argv in (["--debug", "ask"], ["ask", "--debug"]):
        outcome = run(*argv, *ECHO, refused(500))
        assert outcome.code == 1
        assert "Traceback" in outcome.err
        assert "\nerror: " in outcome.err
