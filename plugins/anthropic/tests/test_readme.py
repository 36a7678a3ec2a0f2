"""The README says what the policy table says."""

from __future__ import annotations

from pathlib import Path

from dragoman.parameters import policies
from dragoman_anthropic.info import INFO

README = Path(__file__).parent.parent / "README.md"


def parameter_table() -> str:
    """Return the policy table as Markdown: what is native in one line, a row for everything else."""
    everywhere = policies()
    own = {name: policy for name, policy in INFO.parameters.items() if everywhere.get(name) != policy}
    native = ", ".join(f"`{name}`" for name, policy in own.items() if policy.support == "native")
    lines = [f"Native: {native}.", "", "| parameter | | |", "|--|--|--|"]
    lines += [
        f"| `{name}` | {policy.support} | {policy.note} |"
        for name, policy in own.items()
        if policy.support != "native"
    ]
    return "\n".join(lines)


def test_the_parameters_are_those_of_the_policy():
    assert parameter_table() in README.read_text()
