"""Tools that a provider lacks, made from the one kind that all have: functions.

Custom tools (free text instead of JSON) and namespaces (groups of tools) are sent as plain functions and
come back as what they are; `allowed_tools` becomes a shorter tool list. A provider that has one of them
itself says so in its parameter table ("native"), and its requests are left alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dragoman.types import Item

__all__ = ["ArgumentsUnwrapper", "Tool", "ToolNames", "call_ids", "rewrite_tools"]

_MAX_NAME = 64
_INPUT = "input"
_HIGH_SURROGATES = frozenset({"d8", "d9", "da", "db"})
_STARTS_OF_LOW_SURROGATES = frozenset({"", "d", "dc", "dd", "de", "df"})


class Tool(NamedTuple):
    """What a function name of the wire stands for in the caller's request."""

    name: str
    item_type: str = "function_call"
    namespace: str | None = None
    wrapped: bool = False
    """Whether its free-text input travels as ``{"input": "..."}``."""


@dataclass(slots=True)
class ToolNames:
    """How tools were renamed for one provider, and which of them may be called."""

    tools: dict[str, Tool] = field(default_factory=dict)
    """Function name on the wire -> the caller's tool; absent means: a function of that name."""
    allowed: frozenset[str] | None = None
    """Names on the wire that may be called; None is no limit."""
    known_call_ids: frozenset[str] = frozenset()
    """Call ids that the conversation has used: a new call needs another."""

    def resolve(self, name: str) -> Tool:
        """Return the caller's tool behind a name of the wire."""
        return self.tools.get(name) or Tool(name)

    def allows(self, name: str) -> bool:
        """Tell whether `tool_choice` lets the model call this."""
        return self.allowed is None or name in self.allowed


def rewrite_tools(
    request: dict[str, Any], is_native: Callable[[str], bool]
) -> tuple[dict[str, Any], ToolNames]:
    """Return the request with its tools as the provider can take them, and the way back.

    Args:
        request: a request with canonical input (see ``dragoman.canonical``); not changed.
        is_native: tells for ``tools.custom``, ``tools.namespace``, ``tool_choice.allowed_tools`` whether
            the provider has its own.
    """
    names = ToolNames(known_call_ids=call_ids(request["input"]))
    tools = request.get("tools") or []
    rewritten = _flatten(tools, names, is_native)
    result = {**request, "input": _rewrite_items(request["input"], is_native)}
    if tools:
        result["tools"] = rewritten
    _rewrite_choice(result, names, is_native)
    return result, names


def call_ids(items: Any) -> frozenset[str]:
    """Return the call ids that an input has; what is no list of items has none."""
    if not isinstance(items, list):
        return frozenset()
    found = (item.get("call_id") for item in items if isinstance(item, dict))
    return frozenset(id_ for id_ in found if isinstance(id_, str))


def _flatten(
    tools: Iterable[dict[str, Any]], names: ToolNames, is_native: Callable[[str], bool]
) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    for tool in tools:
        if tool["type"] == "namespace" and not is_native("tools.namespace"):
            namespace = tool["name"]
            flat.extend(_flatten_one(member, namespace, names, is_native) for member in tool.get("tools", ()))
        else:
            flat.append(_flatten_one(tool, None, names, is_native))
    return flat


def _flatten_one(
    tool: dict[str, Any], namespace: str | None, names: ToolNames, is_native: Callable[[str], bool]
) -> dict[str, Any]:
    type_ = tool["type"]
    if type_ not in {"function", "custom"}:
        return tool
    wire_name = _wire_name(namespace, tool["name"])
    if type_ == "custom" and not is_native("tools.custom"):
        names.tools[wire_name] = Tool(tool["name"], "custom_tool_call", namespace, wrapped=True)
        return _as_function(tool, wire_name)
    if namespace is not None or type_ == "custom":
        item_type = "custom_tool_call" if type_ == "custom" else "function_call"
        names.tools[wire_name] = Tool(tool["name"], item_type, namespace)
    return tool if namespace is None else {**tool, "name": wire_name}


def _wire_name(namespace: str | None, name: str) -> str:
    """Return ``namespace__name``, shortened by a hash where it is longer than any provider takes."""
    if namespace is None:
        return name
    joined = f"{namespace}__{name}"
    if len(joined) <= _MAX_NAME:
        return joined
    digest = hashlib.sha256(joined.encode()).hexdigest()[:8]
    return f"{joined[: _MAX_NAME - 9]}_{digest}"


def _as_function(tool: dict[str, Any], name: str) -> dict[str, Any]:
    description = tool.get("description") or ""
    form = tool.get("format") or {}
    if form.get("type") == "grammar":
        syntax, definition = form.get("syntax"), form.get("definition")
        description += f"\n\nThe input must match this {syntax} grammar exactly:\n{definition}"
    return {
        "type": "function",
        "name": name,
        "description": description.strip() or None,
        "strict": None,
        "parameters": {
            "type": "object",
            "properties": {
                _INPUT: {"type": "string", "description": "The tool's whole input, as plain text."}
            },
            "required": [_INPUT],
            "additionalProperties": False,
        },
    }


def _rewrite_items(items: Iterable[Item], is_native: Callable[[str], bool]) -> list[Item]:
    wrap_custom = not is_native("tools.custom")
    flatten = not is_native("tools.namespace")
    result = []
    for item in items:
        type_ = item["type"]
        if type_ in {"function_call", "custom_tool_call"}:
            namespace = item.get("namespace") if flatten else None
            if type_ == "custom_tool_call" and wrap_custom:
                arguments = json.dumps({_INPUT: item.get("input", "")}, ensure_ascii=False)
                item = {**item, "type": "function_call", "arguments": arguments}  # noqa: PLW2901
            if namespace is not None:
                item = {**item, "name": _wire_name(namespace, item["name"])}  # noqa: PLW2901
        elif type_ == "custom_tool_call_output" and wrap_custom:
            item = {**item, "type": "function_call_output"}  # noqa: PLW2901
        result.append(item)
    return result


def _rewrite_choice(request: dict[str, Any], names: ToolNames, is_native: Callable[[str], bool]) -> None:
    choice = request.get("tool_choice")
    if choice == "none":
        names.allowed = frozenset()
    if not isinstance(choice, dict):
        return
    if choice["type"] in {"function", "custom"}:
        kind = choice["type"] if is_native("tools.custom") else "function"
        request["tool_choice"] = {**choice, "type": kind, "name": _chosen_name(request, choice, names)}
    elif choice["type"] == "allowed_tools" and not is_native("tool_choice.allowed_tools"):
        wanted = {(tool.get("type"), tool.get("name")) for tool in choice.get("tools", ())}
        kept = [tool for tool in request.get("tools", ()) if _caller_identity(tool, names) & wanted]
        request["tools"] = kept
        request["tool_choice"] = choice.get("mode", "auto")
        names.allowed = frozenset(tool["name"] for tool in kept if "name" in tool)


def _chosen_name(request: dict[str, Any], choice: dict[str, Any], names: ToolNames) -> str:
    """Return the name on the wire of the tool that a `tool_choice` names; it may stand in a namespace."""
    wanted = (choice["type"], choice["name"])
    for tool in request.get("tools", ()):
        if tool["type"] in {"function", "custom"} and wanted in _caller_identity(tool, names):
            return str(tool["name"])
    return str(choice["name"])


def _caller_identity(tool: dict[str, Any], names: ToolNames) -> set[tuple[Any, Any]]:
    """Return the (type, name) pairs by which a caller may mean this tool of the wire."""
    if tool["type"] not in {"function", "custom"}:
        return {(tool["type"], tool.get("name")), (tool["type"], None)}
    original = names.resolve(tool["name"])
    kind = "custom" if original.item_type == "custom_tool_call" else "function"
    identity: set[tuple[Any, Any]] = {(kind, original.name)}
    if original.namespace is not None:
        identity.add(("namespace", original.namespace))
    return identity


class ArgumentsUnwrapper:
    """Takes the text out of ``{"input": "..."}`` while the JSON is still arriving."""

    __slots__ = ("_pending", "_raw", "_state")

    def __init__(self) -> None:
        self._raw: list[str] = []
        self._pending = ""
        self._state = "before"  # before the string, inside it, after it

    def feed(self, delta: str) -> str:
        """Return the text that these characters of JSON complete."""
        self._raw.append(delta)
        self._pending += delta
        if self._state == "before":
            self._enter()
        return self._decode() if self._state == "inside" else ""

    def close(self) -> str:
        """Return what is left: all of it where the JSON did not have the expected shape."""
        if self._state != "before":
            return ""
        raw = "".join(self._raw)
        try:
            value = json.loads(raw)
        except ValueError:
            return raw
        if isinstance(value, dict) and len(value) == 1:
            (value,) = value.values()
        return value if isinstance(value, str) else raw

    def _enter(self) -> None:
        head, separator, rest = self._pending.partition(":")
        if not separator or head.strip().removeprefix("{").strip() != f'"{_INPUT}"':
            return
        rest = rest.lstrip()
        if rest.startswith('"'):
            self._state = "inside"
            self._pending = rest[1:]

    def _decode(self) -> str:
        pending, position, pieces = self._pending, 0, []
        while position < len(pending):
            character = pending[position]
            if character == '"':
                self._state = "after"
                position = len(pending)
            elif character != "\\":
                end = min(
                    (found for mark in '"\\' if (found := pending.find(mark, position)) >= 0),
                    default=len(pending),
                )
                pieces.append(pending[position:end])
                position = end
            else:
                length = self._escape_length(pending, position)
                if length == 0:
                    break  # the rest of this escape has not arrived
                pieces.append(_unescaped(pending[position : position + length]))
                position += length
        self._pending = pending[position:]
        return "".join(pieces)

    @staticmethod
    def _escape_length(text: str, position: int) -> int:
        """Return how many characters the escape at `position` has; 0 while it is not whole."""
        kind = text[position + 1 : position + 2]
        if kind != "u":
            return 2 if kind else 0
        if len(text) < position + 6:
            return 0
        if text[position + 2 : position + 4].lower() not in _HIGH_SURROGATES:
            return 6
        # A surrogate pair is one character; one half alone stands for itself.
        second = text[position + 6 : position + 10].lower()
        if second[:2] == "\\u"[: len(second)] and second[2:] in _STARTS_OF_LOW_SURROGATES:
            return 12 if len(text) >= position + 12 else 0
        return 6


def _unescaped(escape: str) -> str:
    """Return the character that an escape of JSON means; the escape itself where there is no such one."""
    try:
        return str(json.loads(f'"{escape}"'))
    except ValueError:
        return escape
