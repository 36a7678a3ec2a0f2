"""The documentation is true: every Python snippet of every README runs, every link leads somewhere.

Snippets run as a reader would run them, each in a process of its own; what they call is a server on this
machine that answers in all their wires.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from openai import OpenAI
from tests.serving import serving
from tests.story_upstream import STORY
from tests.storyteller.model import Turn, recited

import dragoman_cli
from dragoman.parameters import as_markdown
from dragoman.providers import described

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in ROOT.glob("**/README.md")
    if not any(part.startswith(".") or part == "node_modules" for part in page.relative_to(ROOT).parts)
)
PROVIDER_PAGES = [page for page in PAGES if any(page.parent.glob("src/*/info.py"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Of another model than the provider's usual one, or only what is different from another's.
TABLE = re.compile(
    r"<!-- parameters(?: (\S+))?(?: beyond (\S+))? -->\n(.*?)\n<!-- /parameters -->", re.DOTALL
)
SERVED = "http://127.0.0.1:4000"
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def snippets() -> list[object]:
    return [
        pytest.param(match[2], id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, match in enumerate(FENCE.finditer(page.read_text()))
        if match[1] == "python"
    ]


@pytest.mark.parametrize("code", snippets())
def test_snippet_runs(code, run_python, request):
    if SERVED in code:
        code = code.replace(SERVED, request.getfixturevalue("served"))
    run_python(code)


def test_a_newcomers_conversation_survives_a_restart(environment, tmp_path, run_python):
    page = (ROOT / "README.md").read_text()
    command = shlex.split(re.search(r"^dragoman serve .*--store .*$", page, re.MULTILINE)[0])
    (code,) = (match[2] for match in FENCE.finditer(page) if SERVED in match[2])
    with serving(environment, tmp_path, *command[2:]) as address:
        said, first = run_python(code.replace(SERVED, address)).rsplit(maxsplit=1)
    spend = shlex.split(re.search(r"^dragoman spend .*$", page, re.MULTILINE)[0])
    told = subprocess.run(
        [sys.executable, "-m", "dragoman_cli", *spend[1:]],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    heading, *rows = (line.split() for line in told.stdout.splitlines())
    assert heading[:3] == ["day", "model", "calls"]
    assert [row[1:3] for row in rows[:-1]] == [["echo", "1"]]
    with (
        serving(environment, tmp_path, *command[2:]) as address,
        OpenAI(base_url=f"{address}/v1", api_key="none") as client,
    ):
        asked = {"input": "Who am I?", "previous_response_id": first}
        second = client.responses.create(model="anthropic/claude-sonnet-4-5", **asked)
    history = [Turn("user", "My name is Ada."), Turn("assistant", said), Turn("user", "Who am I?")]
    assert second.output_text == recited(history)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PROVIDER_PAGES, ids=lambda page: page.parent.name)
def test_a_providers_readme_has_its_parameter_tables(page):
    tables = TABLE.findall(page.read_text())
    assert tables, f"{page} has no table between <!-- parameters --> and <!-- /parameters -->"
    for model, beyond, written in tables:
        name = model or page.parent.name.replace("-", "_")
        known = described(beyond).parameters if beyond else None
        command = f"dragoman params {name} --markdown" + (f" --beyond {beyond}" if beyond else "")
        assert written == as_markdown(described(name).parameters, beyond=known), (
            f"write the output of `{command}` between the marks"
        )


def test_the_providers_parameters_stand_side_by_side(capsys):
    page = (ROOT / "plugins" / "README.md").read_text()
    names, written = re.search(
        r"<!-- comparison (.*?) -->\n(.*?)\n<!-- /comparison -->", page, re.DOTALL
    ).groups()
    assert dragoman_cli.main(["params", *names.split(), "--markdown"]) == 0
    assert written == capsys.readouterr().out.rstrip("\n"), (
        f"write the output of `dragoman params {names} --markdown` between the marks"
    )


# ---- the page that people come from ---------------------------------------------------------------------

# What LiteLLM's page on /responses sets before each call, and the model that it calls.
SEED = {
    "openai/o1-pro": {},
    "anthropic/claude-3-5-sonnet-20240620": {"ANTHROPIC_API_KEY": "your-anthropic-api-key"},
    "vertex_ai/gemini-1.5-pro": {
        "VERTEXAI_PROJECT": "your-gcp-project-id",
        "VERTEXAI_LOCATION": "us-central1",
    },
    "bedrock/anthropic.claude-3-sonnet-20240229-v1:0": {
        "AWS_ACCESS_KEY_ID": "your-access-key-id",
        "AWS_SECRET_ACCESS_KEY": "your-secret-access-key",
        "AWS_REGION_NAME": "us-west-2",
    },
    "gemini/gemini-1.5-flash": {"GEMINI_API_KEY": "your-gemini-api-key"},
}


@pytest.mark.parametrize("model", SEED)
def test_code_written_for_litellm_runs_by_changing_the_import(model, run_python):
    begin = f"import os\nimport dragoman as litellm\nos.environ.update({SEED[model]!r})\n"
    call = f'response = litellm.responses(model="{model}", input="A story.", '
    whole = run_python(f"{begin}{call}max_output_tokens=100)\nprint(response)")
    assert STORY in whole
    streamed = run_python(f"{begin}{call}stream=True)\nfor event in response:\n    print(event)")
    assert STORY in streamed
    assert "response.completed" in streamed
