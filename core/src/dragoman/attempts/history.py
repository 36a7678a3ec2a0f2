"""History that another provider wrote: what of a conversation's input the next provider can read.

Messages and the caller's own tools mean the same everywhere. Reasoning and hosted tools' calls carry state
that only their author can read: they are left out for anybody else, with a warning that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.compaction.items import window_of
from dragoman.errors import BadRequestError, UnsupportedParameterError
from dragoman.sealing import is_sealed, sealed_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.types import Item

__all__ = [
    "OPERATORS",
    "History",
    "begins_anew",
    "continued_by",
    "from_an_answer",
    "is_bound",
    "readable_context",
    "readable_history",
]

_UNIVERSAL = frozenset(
    {
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "item_reference",
    }
)
OPERATORS = frozenset({"system", "developer"})
"""The roles whose words stay as they are, whatever becomes of a conversation."""
_SEAL = "encrypted_content"
_MADE = "dragoman:made"  # on a compaction that an answer of the history brought; never leaves this house


class History(NamedTuple):
    """What of a conversation a provider can read."""

    items: list[Item]
    places: list[int]
    """Where each of the items stood in the caller's input, so that an error can name that place."""
    warnings: list[dict[str, Any]]
    """One for each item that was left out."""
    whole: bool = False
    """Whether it begins with what stands for all that came before it."""


def from_an_answer(item: Item) -> Item:
    """Return an output item as it stands in a history.

    A compaction among them stands for what is before it in that same history: whoever can read it needs
    nothing of that, and whoever cannot has the items themselves.
    """
    return {**item, _MADE: True} if item["type"] == "compaction" else item


def begins_anew(output: Sequence[Item]) -> bool:
    """Tell whether an answer stands for all that came before it, whichever provider reads it."""
    if not output or output[0]["type"] != "compaction":
        return False
    window = window_of(output[0], "output[0]")
    return window is not None and window.whole


def continued_by(request: Mapping[str, Any]) -> str:
    """Return the parameter that names a request's history."""
    return "conversation" if request.get("conversation") else "previous_response_id"


def readable_context(
    history: Sequence[Item], own: Sequence[Item], provider: str, *, native: bool, continued: str
) -> tuple[History, History]:
    """Return what `provider` can read of a history and of what follows it.

    Of the history warnings and errors name `continued`, the parameter that it came by; else see
    ``readable_history``.
    """
    after = readable_history(own, provider, native=native)
    try:
        before = readable_history(() if after.whole else history, provider, native=native)
    except BadRequestError as error:
        error.message = error.message.replace(error.param or "", continued)
        error.args, error.param = (error.message,), continued
        raise
    warnings = [{**warning, "param": continued} for warning in before.warnings]
    return before._replace(warnings=warnings), after


def is_bound(item: Item) -> bool:
    """Tell whether an item is reasoning that only the account can read that made it."""
    return item.get("type") == "reasoning" and bool(item.get(_SEAL)) and sealed_by(item[_SEAL]) is None


def readable_history(items: Sequence[Item], provider: str, *, native: bool) -> History:
    """Return the items that `provider` can read.

    Args:
        items: input items (in whatever form; items without `type` are messages).
        provider: who is asked next.
        native: whether it speaks the Responses API: then everything that no other provider sealed is its.

    Raises:
        BadRequestError: a reference to an item, for a wire that has no store of them.
        UnsupportedParameterError: a compaction item of another provider: it stands for the conversation so
            far, so the answer would not know its history.
    """
    history = History([], [], [])
    for index, item in enumerate(items):
        type_ = item.get("type", "message")
        if type_ == "compaction":
            history = _with_compaction(history, item, index, provider, native=native)
            continue
        if type_ == "item_reference" and not native:
            raise BadRequestError(
                f"{item.get('id')!r} is a reference, and nothing is kept here to find it in: send the item",
                param=f"input[{index}]",
            )
        seal = item.get(_SEAL)
        author = sealed_by(seal)
        universal = type_ in _UNIVERSAL
        own = author == provider or (author is None and (native or _is_own(type_, seal, provider)))
        if universal or own:
            history.items.append(_unsealed(item) if universal and native else item)
            history.places.append(index)
        else:
            history.warnings.append(_left_out(type_, author, provider, index))
    return history


def _with_compaction(history: History, item: Item, index: int, provider: str, *, native: bool) -> History:
    """Return the history with a compaction, or with what it stands for."""
    param, author = f"input[{index}]", sealed_by(item.get(_SEAL))
    window = window_of(item, param)
    made = _MADE in item
    if window is not None:
        read = readable_history(window.items, provider, native=native)
        if window.whole:
            history = History([], [], [], whole=True)
        history.items.extend(read.items)
        history.places.extend([index] * len(read.items))
        history.warnings.extend({**warning, "param": param} for warning in read.warnings)
        return history
    if author == provider or (author is None and native):
        if made and native:  # another wire's upstream sees to that itself, and wants its messages whole
            history = _operators(history)
        history.items.append({name: value for name, value in item.items() if name != _MADE})
        history.places.append(index)
        return history
    if made:
        history.warnings.append(_left_out("compaction", author, provider, index))
        return history
    raise UnsupportedParameterError(
        f"{param} is a compaction made by {author or 'another provider'}, which {provider} "
        "cannot read: continue on that provider, or send the messages themselves",
        param=param,
        code="foreign_compaction",
        provider=provider,
    )


def _operators(history: History) -> History:
    """Return of a history what the operator of the conversation said."""
    kept = [place for place, item in enumerate(history.items) if item.get("role") in OPERATORS]
    items = [history.items[place] for place in kept]
    return History(items, [history.places[place] for place in kept], [], whole=True)


def _left_out(type_: str, author: str | None, provider: str, index: int) -> dict[str, Any]:
    who = author or "another provider"
    message = f"{provider} cannot read this {type_} item of {who}; it was left out"
    return {"message": message, "param": f"input[{index}]"}


def _is_own(type_: str, seal: object, provider: str) -> bool:
    """Tell whether an item without a seal of ours may still be meant for a translated wire.

    Inputs that callers write (an `additional_tools` item, a shell's output) are; what OpenAI encrypted and
    the calls of its hosted tools are not. Readable reasoning is left to the translator.
    """
    if type_ == "reasoning":
        return not seal
    if ":" in type_:
        return type_.partition(":")[0] == provider
    return not type_.endswith("_call") and type_ not in {"mcp_list_tools", "tool_search_output"}


def _unsealed(value: Any) -> Any:
    """Return an item, part or annotation without the seals, which a native upstream refuses as unknown."""
    if isinstance(value, list):
        return [_unsealed(inner) for inner in value]
    if isinstance(value, dict):
        return {
            name: _unsealed(inner)
            for name, inner in value.items()
            if not (name == _SEAL and is_sealed(inner))
        }
    return value
