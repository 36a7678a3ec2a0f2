"""Sections of a config: every key known, every value of its type, and a word on what is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman_server.config_findings import nearest
from dragoman_server.config_keys import MISPLACED, SECTIONS, TOP
from dragoman_server.config_values import typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dragoman_server.config_findings import Findings
    from dragoman_server.config_keys import Key
    from dragoman_server.yaml_lines import Node

__all__ = ["read_key", "read_section", "unknown_key"]


def read_section(
    node: Node, keys: Mapping[str, Key], where: str, findings: Findings, *, needed: bool = False
) -> dict[str, Any]:
    """Return the plain values of the keys that are used and given.

    Args:
        node: the section.
        keys: what it may have.
        where: its name, for messages.
        findings: hears of unknown keys, wrong types, and what is not used.
        needed: whether a variable that is not set is an error.
    """
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        typed(node, "mapping", where or "the file", findings)
        return {}
    found: dict[str, Any] = {}
    for name, inner in node.value.items():
        if name not in keys:
            unknown_key(name, inner, where, keys, findings)
            continue
        value = read_key(name, inner, keys[name], where, findings, needed=needed)
        if value is not None and keys[name].level is None:
            found[name] = value
    return found


def read_key(name: str, node: Node, key: Key, where: str, findings: Findings, *, needed: bool = False) -> Any:
    """Return the plain value of one known key, None where nothing can be used; say what becomes of it."""
    full = f"{where}.{name}" if where else name
    if key.level is not None and node.value is not None:
        findings.add(key.level, node.place, f"{full} {key.says}")
    if key.inner is not None and isinstance(node.value, dict):
        quiet = key.inner if key.level is None else {n: k._replace(level=None) for n, k in key.inner.items()}
        return read_section(node, quiet, full, findings, needed=needed)
    if key.level is not None and key.kind == "any":
        return None
    return typed(node, key.kind, full, findings, needed=needed)


def unknown_key(name: str, node: Node, where: str, known: Iterable[str], findings: Findings) -> None:
    """Report a key that is not known there, and what was probably meant."""
    if name in MISPLACED:
        hint = f" {MISPLACED[name]}."
    elif home := next(
        (section for section, keys in SECTIONS.items() if name in keys and section != where), ""
    ):
        hint = f" It belongs into {home}."
    elif name in TOP:
        hint = " It belongs to the top of the file."
    else:
        hint = nearest(name, known) or _anywhere(name)
    findings.error(node.place, f"unknown key {name!r} in {where or 'the file'}.{hint}")


def _anywhere(name: str) -> str:
    for section, keys in SECTIONS.items():
        if hint := nearest(name, keys):
            return f"{hint[:-1]} in {section}?"
    return nearest(name, TOP)
