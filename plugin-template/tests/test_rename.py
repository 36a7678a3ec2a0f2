"""The template, renamed, is a whole package with one name."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[1]


def render(name: str, into: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TEMPLATE / "rename.py"), name, "--into", str(into)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "module", "title", "variable"),
    [("zenith", "zenith", "Zenith", "ZENITH"), ("my-llm2", "my_llm2", "MyLlm2", "MY_LLM2")],
)
def test_every_name_is_changed(tmp_path: Path, name: str, module: str, title: str, variable: str) -> None:
    assert render(name, tmp_path).returncode == 0
    package = tmp_path / f"dragoman-{name}"
    source = package / "src" / f"dragoman_{module}" / "__init__.py"
    py_compile.compile(str(source), doraise=True, cfile=str(tmp_path / "compiled"))
    project = tomllib.loads((package / "pyproject.toml").read_text())
    assert project["project"]["name"] == f"dragoman-{name}"
    assert project["project"]["entry-points"]["dragoman.providers"] == {module: f"dragoman_{module}"}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [f"src/dragoman_{module}"]
    text = source.read_text()
    for expected in (f'name="{module}"', f"{variable}_API_KEY", f"api.{name}.example", f"{title} reads text"):
        assert expected in text
    files = [path for path in package.rglob("*") if path.is_file()]
    assert [path for path in files if "acme" in f"{path.name}{path.read_text()}".lower()] == []
    assert {"README.md", "CHANGELOG.md", "py.typed", f"test_{module}.py"} <= {path.name for path in files}
    assert "rename.py" not in {path.name for path in files} | {package.joinpath("README.md").read_text()}


def test_the_renamed_tests_pass(tmp_path: Path) -> None:
    assert render("my-llm", tmp_path).returncode == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    ran = subprocess.run(
        command,
        cwd=tmp_path / "dragoman-my-llm",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ["My-Llm", "my_llm", "", "2llm", "a--b", "dragoman-x", "../x"])
def test_bad_names_are_refused(tmp_path: Path, name: str) -> None:
    ran = render(name, tmp_path)
    assert ran.returncode != 0
    assert "lower-case words" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    assert render("x", tmp_path).returncode == 0
    assert render("x", tmp_path).returncode != 0
