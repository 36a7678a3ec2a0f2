"""Scripts: what echo is told to do, step by step.

A script is the text of a user message: a JSON object with the single key "echo" and a list of steps. A step
is an object with one verb; the table at the end of this module has them all. What echo answers without a
script is a script too, which it writes itself (see ``dragoman_echo.upstream``).

Reading a step gives blocks, the unit of echo's wire: ``{"type": ..., ...}``. Four types are stage directions
that never leave the upstream: `pause`, and the endings `error`, `cut` and `malformed`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman_echo.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BadScriptError", "Block", "find_script", "read_steps", "reasoning_state"]

Block = dict[str, Any]

_USAGE = frozenset(
    {"input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"}
)
_ERROR = frozenset({"status", "message", "type", "code", "param", "retry_after"})
# Items that have a verb of their own, which streams them as a provider would.
_VERB_FOR_ITEM = {"message": "text", "reasoning": "reasoning", "function_call": "call"}
_LONGEST_PAUSE = 3600


class BadScriptError(ValueError):
    """A step cannot be carried out; the message names it."""


def find_script(text: str) -> list[Any] | None:
    """Return the steps in a user message; None where it is just a message.

    Raises:
        BadScriptError: the steps are not a list.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or set(value) != {"echo"}:
        return None
    steps = value["echo"]
    if isinstance(steps, dict):
        raise BadScriptError('a script is a list of steps: {"echo": [{"text": "..."}]}')
    return steps if isinstance(steps, list) else None


def read_steps(steps: list[Any], tools: Mapping[str, Any]) -> list[Block]:
    """Return the blocks that the steps stand for.

    Args:
        steps: a script.
        tools: the parameters' schemas of the functions that may be called, by name.

    Raises:
        BadScriptError: names the first step that cannot be carried out.
    """
    blocks: list[Block] = []
    for number, step in enumerate(steps, 1):
        try:
            read = _read_step(step, tools)
            if read[0]["type"] == "annotation" and not _follows_text(blocks):
                raise BadScriptError("an annotation must follow the text that it belongs to")
        except ValueError as error:
            shown = json.dumps(step, ensure_ascii=False)
            raise BadScriptError(f"step {number} of the script, {shown}: {error}") from None
        blocks += read
    return blocks


def reasoning_state(text: str) -> dict[str, str]:
    """Return what must come back with a piece of reasoning: it tells whether anybody changed it."""
    return {"text": text, "check": hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]}


def _read_step(step: Any, tools: Mapping[str, Any]) -> list[Block]:
    if not isinstance(step, dict):
        raise BadScriptError("a step is an object with one verb")
    names = [name for name in step if name in _VERBS]
    if len(names) != 1:
        raise BadScriptError(f"a step has one verb of {', '.join(_VERBS)}")
    (name,) = names
    verb = _VERBS[name]
    _allow_only(set(step), verb.options | {name})
    value = step[name]
    if not isinstance(value, verb.takes) or (isinstance(value, bool) and bool not in verb.takes):
        raise BadScriptError(f"{name} takes {verb.what}")
    return verb.read(value, step, tools)


def _allow_only(names: set[str], known: frozenset[str]) -> None:
    unknown = sorted(names - known)
    if unknown:
        raise BadScriptError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")


def _follows_text(blocks: list[Block]) -> bool:
    last = next((block for block in reversed(blocks) if block["type"] not in {"annotation", "pause"}), None)
    return last is not None and last["type"] == "text" and bool(last["text"])


def _reasoning(text: str, *_: Any) -> list[Block]:
    return [{"type": "reasoning", "text": text}, {"type": "reasoning_state", "state": reasoning_state(text)}]


def _annotation(annotation: dict[str, Any], *_: Any) -> list[Block]:
    if not isinstance(annotation.get("type"), str):
        raise BadScriptError("an annotation needs a type, such as url_citation")
    return [{"type": "annotation", "annotation": annotation}]


def _call(name: str, step: dict[str, Any], tools: Mapping[str, Any]) -> list[Block]:
    if "input" in step:  # a custom tool's free text, which travels as a function's only argument
        arguments: Any = {"input": step["input"]}
    elif "arguments" in step:
        arguments = step["arguments"]
    else:
        arguments = sample(tools[name]) if tools.get(name) else {}
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return [{"type": "call", "id": step.get("call_id"), "name": name}, {"type": "arguments", "text": text}]


def _item(item: dict[str, Any], *_: Any) -> list[Block]:
    type_ = item.get("type")
    if not isinstance(type_, str):
        raise BadScriptError("an item needs a type")
    if type_ in _VERB_FOR_ITEM:
        raise BadScriptError(f"a {type_} is written with the verb {_VERB_FOR_ITEM[type_]!r}")
    return [{"type": "item", "item": item}]


def _pause(seconds: float, *_: Any) -> list[Block]:
    if not 0 <= seconds <= _LONGEST_PAUSE:
        raise BadScriptError(f"a pause lasts from 0 to {_LONGEST_PAUSE} seconds")
    return [{"type": "pause", "seconds": float(seconds)}]


def _error(error: dict[str, Any], *_: Any) -> list[Block]:
    _allow_only(set(error), _ERROR)
    status = error.get("status", 500)
    if type(status) is not int or not 400 <= status <= 599:
        raise BadScriptError("the status of an error is from 400 to 599")
    for name in ("message", "type", "code", "param"):
        if not isinstance(error.get(name, ""), str):
            raise BadScriptError(f"{name} is a string")
    wait = error.get("retry_after", 0)
    if not isinstance(wait, (int, float)) or wait < 0:
        raise BadScriptError("retry_after is a number of seconds")
    return [{"type": "error", "error": {"message": "a scripted error", **error, "status": status}}]


def _usage(usage: dict[str, Any], *_: Any) -> list[Block]:
    _allow_only(set(usage), _USAGE)
    if any(type(figure) is not int or figure < 0 for figure in usage.values()):
        raise BadScriptError("usage counts tokens")
    return [{"type": "usage", "usage": usage}]


class _Verb(NamedTuple):
    """One thing that a step can say."""

    what: str
    """What it takes, in words."""
    takes: tuple[type, ...]
    read: Callable[[Any, dict[str, Any], Mapping[str, Any]], list[Block]]
    options: frozenset[str] = frozenset()
    """What may stand beside it."""


_VERBS: dict[str, _Verb] = {
    "text": _Verb("a string", (str,), lambda text, *_: [{"type": "text", "text": text}]),
    "refusal": _Verb("a string", (str,), lambda text, *_: [{"type": "refusal", "text": text}]),
    "reasoning": _Verb("a string", (str,), _reasoning),
    "annotation": _Verb("an object", (dict,), _annotation),
    "call": _Verb("a function's name", (str,), _call, frozenset({"arguments", "input", "call_id"})),
    "item": _Verb("an object", (dict,), _item),
    "pause": _Verb("seconds", (int, float), _pause),
    "error": _Verb("an object", (dict,), _error),
    "cut": _Verb("true", (bool,), lambda *_: [{"type": "cut"}]),
    "malformed": _Verb("true", (bool,), lambda *_: [{"type": "malformed"}]),
    "finish": _Verb("a reason", (str,), lambda reason, *_: [{"type": "finish", "reason": reason}]),
    "usage": _Verb("an object", (dict,), _usage),
}
