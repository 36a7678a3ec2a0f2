"""Compaction items of dragoman's own: a summary of the conversation so far, which every provider can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.canonical import canonical_input
from dragoman.errors import BadRequestError
from dragoman.events.brackets import new_id
from dragoman.models.shapes import INPUT, ShapeError
from dragoman.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.types import Item

__all__ = ["SEALER", "Window", "compaction_item", "window_of"]

SEALER = "dragoman"
"""The name in the envelope, where a provider's would stand."""


class Window(NamedTuple):
    """What a compaction item stands for, as every provider can read it."""

    items: list[Item]
    whole: bool
    """Whether these are the conversation so far: what stands before the item is in it."""


def compaction_item(
    summary: str, *, before: Sequence[Item] | None = None, after: Sequence[Item] = ()
) -> Item:
    """Return the item that stands for a part of a conversation.

    Args:
        summary: of that part.
        before: what is kept word for word in front of the summary. None: the item stands for what callers
            replace by it, and for nothing that they send beside it.
        after: what is kept behind it.
    """
    state: dict[str, Any] = {"summary": summary}
    if before is not None:
        state |= {"before": list(before), "after": list(after)}
    return {"id": new_id("cmp"), "type": "compaction", "encrypted_content": seal(SEALER, state)}


def window_of(item: Item, param: str) -> Window | None:
    """Return what a compaction item stands for; None where another provider sealed it.

    Raises:
        BadRequestError: it was changed; `param` says where it stands.
    """
    state = unseal(SEALER, item.get("encrypted_content"), param=f"{param}.encrypted_content")
    if state is None:
        return None
    summary = state.get("summary") if isinstance(state, dict) else None
    if not isinstance(summary, str):
        raise _changed(param, "no summary")
    if "before" not in state:
        return Window([_told(summary)], whole=False)
    try:
        for part in ("before", "after"):
            INPUT(state.get(part))
        around = [canonical_input(state[part]) for part in ("before", "after")]
    except (ShapeError, KeyError) as problem:
        raise _changed(param, f"no window ({problem})") from None
    return Window([*around[0], _told(summary), *around[1]], whole=True)


def _told(summary: str) -> Item:
    """Return the message that providers are given for a summary."""
    text = f"Summary of our conversation so far:\n\n{summary}"
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _changed(param: str, lack: str) -> BadRequestError:
    return BadRequestError(
        f"{param} holds {lack}; send it back exactly as it came",
        param=f"{param}.encrypted_content",
        code="invalid_encrypted_content",
    )
