"""YAML in which every value knows its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from dragoman_server.config_findings import Place

if TYPE_CHECKING:
    from pathlib import Path

    from dragoman_server.config_findings import Findings

__all__ = ["Node", "read_yaml"]

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file."""

    value: Any = field(repr=False)
    """A scalar, a list of nodes, or a dict of nodes."""
    place: Place
    """Where its key stands; in a list, where it begins itself."""
    from_environment: bool = False
    """Whether a variable of the environment gave it: then it is text, whatever is meant."""

    def emptied(self, depth: int = 0) -> Node:
        """Return the same without what is in the lists and mappings that lie so deep."""
        if isinstance(self.value, dict):
            inner = {key: node.emptied(depth - 1) for key, node in self.value.items()} if depth else {}
            return replace(self, value=inner)
        if isinstance(self.value, list):
            return replace(self, value=[node.emptied(depth - 1) for node in self.value] if depth else [])
        return self

    def plain(self) -> Any:
        """Return the value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class _Loader(yaml.SafeLoader):
    """YAML as LiteLLM reads it, but for dates, which are text (``api_version: 2024-10-21``), and 3e-06."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path, findings: Findings) -> Node | None:
    """Return what a file holds; None where it is empty, or cannot be read: then `findings` says why."""
    start = Place(str(path), 1)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        findings.error(start, "the file is not UTF-8")
        return None
    except OSError as problem:
        findings.error(start, f"the file cannot be read: {problem.strerror}")
        return None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as problem:
        # Not the text around it, which may be a key.
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark else 1
        hint = ' Quote what begins with a star: "*".' if _begins_with_star(text, line) else ""
        findings.error(Place(str(path), line), f"this is not valid YAML: {problem.problem}.{hint}")
        return None
    except yaml.YAMLError:
        findings.error(start, "this is not valid YAML: it has characters that YAML does not allow")
        return None
    if root is None:
        return None
    return _Reader(str(path), loader, findings).read(root, start, 0)


def _begins_with_star(text: str, line: int) -> bool:
    lines = text.splitlines()
    return line <= len(lines) and re.search(r"[:\-\[,]\s+\*", lines[line - 1]) is not None


class _Reader:
    def __init__(self, file: str, loader: _Loader, findings: Findings) -> None:
        self._file = file
        self._loader = loader
        self._findings = findings

    def read(self, node: yaml.Node, place: Place, depth: int) -> Node:
        if depth > _DEEPEST:
            self._findings.error(place, "this is nested too deep, or contains itself")
            return Node(None, place)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN:
            self._findings.error(place, f"the tag {node.tag} is not understood here")
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, depth), place)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.read(inner, self._place(inner), depth + 1) for inner in node.value], place)
        try:
            return Node(self._loader.construct_object(node), place)
        except (yaml.YAMLError, ValueError):
            self._findings.error(
                place, f"the tag {node.tag} is not understood here, or does not fit its value"
            )
            return Node(None, place)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key, value in node.value:
            place = self._place(key)
            if key.tag == _MERGE:
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in reversed(sources):
                    found = self.read(source, place, depth + 1)
                    if isinstance(found.value, dict):
                        merged |= found.value
                    else:
                        self._findings.error(place, "<< needs a mapping")
            elif not isinstance(key, yaml.ScalarNode):
                self._findings.error(place, "a key must be a word")
            elif key.value in own:
                first = own[key.value].place.line
                self._findings.error(place, f"{key.value!r} stands here a second time; first in line {first}")
            else:
                own[key.value] = self.read(value, place, depth + 1)
        return {**merged, **own}

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1)
