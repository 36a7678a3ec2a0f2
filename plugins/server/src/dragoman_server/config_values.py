"""Values of a config: what ``os.environ/NAME`` stands for, and whether a value is of the right type."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman_server.config_findings import Findings, Level
    from dragoman_server.yaml_lines import Node

__all__ = ["Unset", "expand", "typed"]

_REFERENCE = "os.environ/"
_ELSEWHERE = re.compile(
    r"\$\{\{?\s*(?:env[.:])?(\w+)[^}]*\}\}?|os\.environ(?:\.|\[['\"])(\w+)(?:['\"]\])?|env/(\w+)"
)
_FLAGS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Unset(NamedTuple):
    """Stands where a variable should, that is not set."""

    name: str
    misspelt: str = ""
    """What is wrong with how the variable is named; an error wherever the value is used."""


def expand(node: Node, environment: Mapping[str, str], findings: Findings) -> Node:
    """Return the value with every ``os.environ/NAME`` in it replaced; an ``Unset`` where there is none."""
    if isinstance(node.value, dict):
        return replace(
            node, value={key: expand(inner, environment, findings) for key, inner in node.value.items()}
        )
    if isinstance(node.value, list):
        return replace(node, value=[expand(inner, environment, findings) for inner in node.value])
    if not isinstance(node.value, str):
        return node
    if node.value.startswith(_REFERENCE):
        name = node.value.removeprefix(_REFERENCE).strip()
        found = environment.get(name, "").strip()
        if found:
            findings.hide(found)
        return replace(node, value=found or Unset(name), from_environment=bool(found))
    other = _ELSEWHERE.fullmatch(node.value.strip())
    if other:
        name = next(group for group in other.groups() if group)
        wrong = f"variables of the environment are written {_REFERENCE}{name}"
        return replace(node, value=Unset(name, wrong))
    if _REFERENCE in node.value:
        return replace(node, value=Unset("", f"{_REFERENCE}NAME must be the whole value"))
    return node


def typed(node: Node, kind: str, name: str, findings: Findings, *, needed: bool = False) -> Any:
    """Return the plain value if it is of that kind.

    Args:
        node: after ``expand``.
        kind: a name in the table below.
        name: of the key, for messages.
        findings: hears what is wrong.
        needed: whether a variable that is not set is an error; else a warning.

    Returns:
        None where nothing is given, or nothing that can be used.
    """
    node = _without_unset(node, name, findings, "error" if needed else "warning")
    value = node.value
    if value is None:
        return None
    accepts, expected = _KINDS[kind]
    if node.from_environment:
        value = _meant(value, kind)
    if not accepts(value):
        findings.error(node.place, f"{name} must be {expected}, not {_described(value)}")
        return None
    return node.plain() if isinstance(value, dict | list) else value


def _without_unset(node: Node, name: str, findings: Findings, level: Level) -> Node:
    if isinstance(node.value, dict):
        inner = {
            key: _without_unset(value, f"{name}.{key}", findings, level) for key, value in node.value.items()
        }
        return replace(node, value={key: value for key, value in inner.items() if _kept(node.value[key])})
    if isinstance(node.value, list):
        items = [_without_unset(value, name, findings, level) for value in node.value if _kept(value)]
        for value in node.value:
            if not _kept(value):
                _without_unset(value, name, findings, level)
        return replace(node, value=items)
    if not isinstance(node.value, Unset):
        return node
    if node.value.misspelt:
        findings.error(node.place, f"{name}: {node.value.misspelt}")
        return replace(node, value=None)
    consequence = "" if level == "error" else ", so it is left out"
    findings.add(
        level, node.place, f"{name}: the environment variable {node.value.name} is not set{consequence}"
    )
    return replace(node, value=None)


def _kept(node: Node) -> bool:
    return not isinstance(node.value, Unset)


def _meant(text: str, kind: str) -> Any:
    """Return what a variable's text means where a number, or yes or no, is expected."""
    if kind == "flag":
        return _FLAGS.get(text.lower(), text)
    if kind in {"number", "whole", "positive", "count", "days", "port"}:
        try:
            return int(text) if text.lstrip("+-").isdigit() else float(text)
        except ValueError:
            return text
    return text


def _described(value: Any) -> str:
    """Return what a value is; never the value itself, which may be a secret in the wrong place."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "true or false (if it is a word, quote it)"),
        (int, "a number"),
        (float, "a number"),
        (str, "text"),
        (list, "a list"),
        (dict, "a mapping"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "this")


def _number(value: Any, least: float = 0) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= least
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "any": (lambda _: True, ""),
    "text": (
        lambda value: isinstance(value, str) and bool(value.strip()),
        "text that is not empty (quote it)",
    ),
    "number": (_number, "a number, 0 or more"),
    "positive": (lambda value: _number(value) and value > 0, "a number greater than 0"),
    "whole": (_whole, "a whole number, 0 or more"),
    "count": (lambda value: _whole(value) and value > 0, "a whole number, 1 or more"),
    "port": (lambda value: _whole(value) and value < 65536, "a port: 0 to 65535"),
    "days": (lambda value: value == "forever" or (_number(value) and value > 0), 'days, or "forever"'),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "texts": (
        lambda value: isinstance(value, list) and all(isinstance(node.value, str) for node in value),
        "a list of texts",
    ),
    "mapping": (lambda value: isinstance(value, dict), "a mapping"),
    "text map": (
        lambda value: isinstance(value, dict) and all(isinstance(node.value, str) for node in value.values()),
        "a mapping of texts (quote numbers)",
    ),
    "setting": (
        lambda value: isinstance(value, dict) or (isinstance(value, str) and bool(value.strip())),
        "text that is not empty (quote it)",
    ),
}
