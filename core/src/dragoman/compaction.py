"""Compaction items of dragoman's own: a summary of the conversation so far, which every provider can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.brackets import new_id
from dragoman.errors import BadRequestError
from dragoman.sealing import seal, unseal

if TYPE_CHECKING:
    from dragoman.types import Item

__all__ = ["SEALER", "compaction_item", "summary_of", "unfolded"]

SEALER = "dragoman"
"""The name in the envelope, where a provider's would stand."""


def compaction_item(summary: str) -> Item:
    """Return the item that callers send back in place of what it sums up."""
    return {
        "id": new_id("cmp"),
        "type": "compaction",
        "encrypted_content": seal(SEALER, {"summary": summary}),
    }


def summary_of(item: Item, param: str) -> str | None:
    """Return the summary in a compaction item; None where another provider sealed it.

    Raises:
        BadRequestError: it was changed; `param` says where it stands.
    """
    state = unseal(SEALER, item.get("encrypted_content"), param=f"{param}.encrypted_content")
    if state is None:
        return None
    summary = state.get("summary") if isinstance(state, dict) else None
    if not isinstance(summary, str):
        raise BadRequestError(
            f"{param} holds no summary; send it back exactly as it came",
            param=f"{param}.encrypted_content",
            code="invalid_encrypted_content",
        )
    return summary


def unfolded(summary: str) -> Item:
    """Return what a provider is given in its place: a message, which every one of them reads."""
    text = f"Summary of our conversation so far:\n\n{summary}"
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
