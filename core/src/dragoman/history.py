"""History that another provider wrote: what of a conversation's input the next provider can read.

Messages and the caller's own tools mean the same everywhere. Reasoning and hosted tools' calls carry state
that only their author can read: they are left out for anybody else, with a warning that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.compaction import summary_of, unfolded
from dragoman.errors import BadRequestError, UnsupportedParameterError
from dragoman.sealing import is_sealed, sealed_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.types import Item

__all__ = ["History", "readable_history"]

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
_SEAL = "encrypted_content"


class History(NamedTuple):
    """What of a conversation a provider can read."""

    items: list[Item]
    places: list[int]
    """Where each of the items stood in the caller's input, so that an error can name that place."""
    warnings: list[dict[str, Any]]
    """One for each item that was left out."""


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
        if type_ == "compaction" and (summary := summary_of(item, f"input[{index}]")) is not None:
            history.items.append(unfolded(summary))
            history.places.append(index)
            continue
        if type_ == "item_reference" and not native:
            raise BadRequestError(
                f"{item.get('id')!r} is a reference, and there is no store of items to find it in: send the "
                "item",
                param=f"input[{index}]",
            )
        seal = item.get(_SEAL)
        author = sealed_by(seal)
        universal = type_ in _UNIVERSAL
        own = author == provider or (author is None and (native or _is_own(type_, seal, provider)))
        if universal or own:
            history.items.append(_unsealed(item) if universal and native else item)
            history.places.append(index)
        elif type_ == "compaction":
            raise UnsupportedParameterError(
                f"input[{index}] is a compaction made by {author or 'another provider'}, which {provider} "
                "cannot read: continue on that provider, or send the messages themselves",
                param=f"input[{index}]",
                code="foreign_compaction",
                provider=provider,
            )
        else:
            who = author or "another provider"
            message = f"{provider} cannot read this {type_} item of {who}; it was left out"
            history.warnings.append({"message": message, "param": f"input[{index}]"})
    return history


def _is_own(type_: str, seal: object, provider: str) -> bool:
    """Tell whether an item without a seal of ours may still be meant for a translated wire.

    Inputs that callers write (an `additional_tools` item, a shell's output) are; what OpenAI encrypted and
    the calls of its hosted tools are not. Readable reasoning is left to the translator.
    """
    if type_ == "reasoning":
        return not seal
    if ":" in type_:
        return type_.partition(":")[0] == provider
    return not type_.endswith("_call") and type_ not in {"mcp_list_tools", "compaction", "tool_search_output"}


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
