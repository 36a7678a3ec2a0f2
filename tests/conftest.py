"""What the tests across packages share: tallies of laws, printed at the end; Python as a reader runs it."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.emulator import emulator, install_folder
from tests.serving import serving
from tests.story_upstream import everybodys_environment, story_upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_LAW = "law"
_SHOWN = 12


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: some tests wait."""
    return (os.cpu_count() or 1) + 1


class Tally:
    """How often a law held over many recorded cases, and what became of the others."""

    def __init__(self, law: str, test: pytest.Item) -> None:
        self.law = law
        self.held = 0
        self.broken: dict[str, str] = {}
        self.notes: Counter[str] = Counter()
        """Named normalisations and the like: why, and how often."""
        self._test = test

    @property
    def cases(self) -> int:
        return self.held + len(self.broken)

    @contextlib.contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Count one case: broken where the block raises, whatever it raises."""
        try:
            yield
        except (Exception, pytest.fail.Exception) as problem:
            self.broken[name] = f"{type(problem).__name__}: {problem}"
        else:
            self.held += 1

    def require(self, share: float = 1.0, *, exceptions: Mapping[str, str] | None = None) -> None:
        """Fail where the law held less often than `share`.

        `exceptions` are cases that may break it, with the reason of each: at most 1 % of all.
        """
        excused = {name: why for name, why in (exceptions or {}).items() if name in self.broken}
        unexplained = {name: why for name, why in self.broken.items() if name not in excused}
        report = f"{self.law}: {self.held}/{self.cases}"
        if excused:
            report += f", {len(excused)} excused"
        if self.notes:
            report += "; " + ", ".join(f"{why}: {count}" for why, count in self.notes.most_common())
        if not self.cases:
            pytest.skip(f"{self.law}: the recordings have no case of it")
        self._test.user_properties.append((_LAW, report))  # goes with the test's report, from any process
        details = [f"{name}: {why}"[:600] for name, why in list(unexplained.items())[:_SHOWN]]
        assert len(excused) <= max(1, self.cases // 100), f"{report}: too many exceptions"
        assert self.cases - len(unexplained) >= share * self.cases, "\n".join([report, *details])


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[str], Tally]:
    """Open the tally of a law: ``tally("Every recorded answer comes out whole")``."""
    return lambda law: Tally(law, request.node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = itertools.chain.from_iterable(terminalreporter.stats.values())
    properties = [
        each
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for each in report.user_properties
    ]
    lines = sorted(str(line) for name, line in properties if name == _LAW)
    if lines:
        terminalreporter.section("laws over recorded traffic")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of somebody who has every key; what they lead to is one server on this machine."""
    with story_upstream() as address:
        yield {**os.environ, **everybodys_environment(address, tmp_path_factory.mktemp("keys"))}


@pytest.fixture(scope="session")
def served(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that somebody who has every key has started with ``dragoman serve``."""
    with serving(environment, tmp_path_factory.mktemp("served")) as address:
        yield address


@pytest.fixture
def run_python(environment: dict[str, str], tmp_path: Path) -> Callable[[str], str]:
    """Run code in a process of its own, as a reader would; return what it prints."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def aimock(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an emulator of all providers."""
    with emulator(install_folder(getattr(request.config, "cache", None))) as address:
        yield address
