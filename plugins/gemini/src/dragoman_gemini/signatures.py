"""Thought signatures on stretches of text: what of it was signed, sealed beside it and found again.

In a stream a text arrives in pieces, and the signature belongs to one of them. The pieces are one text to the
caller; where a signed one began and ended is sealed with the signature, and it is sent back as its own part.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Signed", "signed_parts"]


class Signed:
    """A text under way, and which stretches of it carry a signature."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.length = 0
        self.spans: list[list[Any]] = []
        """``[start, end, signature]`` each."""

    def add(self, text: str, signature: Any) -> bool:
        """Add a piece; tell whether it is signed."""
        start = self.length
        self.length += len(text)
        if not signature:
            return False
        self.spans.append([start, self.length, signature])
        return True


def signed_parts(text: str, spans: Any) -> list[dict[str, Any]] | None:
    """Return the text as parts, the signed ones with their signature; None where they don't fit the text."""
    parts: list[dict[str, Any]] = []
    position = 0
    for start, end, signature in spans:
        if not position <= start <= end <= len(text):
            return None
        if position < start:
            parts.append({"text": text[position:start]})
        parts.append({"text": text[start:end], "thoughtSignature": signature})
        position = end
    if position < len(text):
        parts.append({"text": text[position:]})
    return parts
