"""The names of documents, which Bedrock restricts, and the text that it demands beside them."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["DocumentNames", "with_text_beside_documents"]

Block = dict[str, Any]

# Letters, digits, single spaces, hyphens, parentheses and square brackets: anything else is a 400.
_FORBIDDEN = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_SPACES = re.compile(r"\s+")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_LONGEST = 200


class DocumentNames:
    """The names of one conversation's documents: no two are the same."""

    def __init__(self) -> None:
        """Start with none."""
        self._taken: set[str] = set()

    def name_for(self, filename: Any) -> str:
        """Return the name for a document of this file name: what Bedrock allows of it, without its ending."""
        plain = _ENDING.sub("", filename) if isinstance(filename, str) else ""
        name = _SPACES.sub(" ", _FORBIDDEN.sub("-", plain)).strip(" -")[: _LONGEST - 4] or "Document"
        number, unique = 1, name
        while unique.lower() in self._taken:
            number += 1
            unique = f"{name} {number}"
        self._taken.add(unique.lower())
        return unique


def with_text_beside_documents(blocks: list[Block]) -> list[Block]:
    """Return a user's turn with text in it where a document has none beside it, which Bedrock refuses.

    The text is the documents' names: words that are the caller's own.
    """
    names = [str(block["document"]["name"]) for block in blocks if "document" in block]
    if not names or any("text" in block for block in blocks):
        return blocks
    place = next(index for index, block in enumerate(blocks) if "document" in block)
    return [*blocks[:place], {"text": ", ".join(names)}, *blocks[place:]]
