"""The files of a config: the one that is named, and those that it includes."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dragoman_server.config_values import Unset, expand, typed
from dragoman_server.yaml_lines import Node, read_yaml

if TYPE_CHECKING:
    from dragoman_server.config_findings import Findings

__all__ = ["FileState", "check_readers", "read_environment", "read_with_included", "state_of"]

_MOST_INCLUDED = 100  # files


FileState: TypeAlias = "tuple[int, int, int] | None"
"""What changes when a file does; None: it is not there."""


def state_of(file: Path) -> FileState:
    """Return a file's state, to be compared with a later one."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_with_included(path: Path, findings: Findings, files: dict[Path, FileState]) -> dict[str, Node]:
    """Return the top of a file and of those that it includes: lists joined, else the including one wins."""
    files[path] = state_of(path)  # before it is read: a change in between is seen later
    root = read_yaml(path, findings)
    if root is None:
        return {}
    if not isinstance(root.value, dict):
        findings.error(root.place, "the file must be a mapping: model_list: ...")
        return {}
    found: dict[str, Node] = dict(root.value)
    include = found.pop("include", None)
    names = typed(include, "texts", "include", findings) if include else None
    for name in names or ():
        included = path.parent / name
        if included in files or len(files) >= _MOST_INCLUDED:
            findings.error(
                include.place if include else None, f"include: {name} is included twice, or in a circle"
            )
            continue
        for key, node in read_with_included(included, findings, files).items():
            found[key] = _joined(found[key], node) if key in found else node
    return found


def _joined(own: Node, included: Node) -> Node:
    if isinstance(own.value, list) and isinstance(included.value, list):
        return replace(own, value=[*own.value, *included.value])
    if isinstance(own.value, dict) and isinstance(included.value, dict):
        return replace(own, value={**included.value, **own.value})
    return own


def check_readers(findings: Findings) -> None:
    """Warn of files with secrets that others can read."""
    for file, place in findings.files_with_secrets.items():
        if os.name == "posix" and stat.S_IMODE(Path(file).stat().st_mode) & stat.S_IROTH:
            findings.warn(
                place, f"a secret stands here, and everyone on this machine can read it: chmod 600 {file}"
            )


def read_environment(node: Node | None, findings: Findings) -> dict[str, str]:
    """Return the environment_variables of a config."""
    if node is None or not isinstance(node.value, dict):
        return {}
    found: dict[str, str] = {}
    for name, inner in node.value.items():
        full = f"environment_variables.{name}"
        expanded = expand(inner, os.environ, findings)
        if isinstance(expanded.value, dict | list):
            findings.error(inner.place, f"{full} must be text")
            continue
        if isinstance(expanded.value, Unset):
            typed(expanded, "text", full, findings)
            continue
        if expanded.value is None:
            continue
        value = expanded.value
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
        findings.hide(found[name])
    return found
