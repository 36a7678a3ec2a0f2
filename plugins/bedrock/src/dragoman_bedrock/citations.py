"""Citations: Bedrock's locations as annotations of the Responses API, and back, word for word.

The whole citation is sealed into its annotation, with the number of the block that it stood in: 0 is the
block of the text itself, others are blocks behind it that hold citations alone (Nova's grounding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["annotation_for", "citations_in"]

_PLACES = ("documentChar", "documentPage", "documentChunk")


def annotation_for(citation: Mapping[str, Any], end: int, block: int, provider: str) -> dict[str, Any]:
    """Return the annotation for one citation of a text that has `end` characters.

    Bedrock cites for whole blocks, so a `url_citation` spans the text. Places in documents become
    `file_citation`.
    """
    given = citation.get("location")
    location = given if isinstance(given, dict) else {}
    title = str(citation.get("title") or "")
    sealed = seal(provider, {"citation": citation, "block": block})
    web = location.get("web")
    address = web.get("url") if isinstance(web, dict) else None
    if address or "searchResultLocation" in location:
        domain = web.get("domain") if isinstance(web, dict) else None
        return {
            "type": "url_citation",
            "url": str(address or citation.get("source") or ""),
            "title": title or str(domain or ""),
            "start_index": 0,
            "end_index": end,
            "encrypted_content": sealed,
        }
    place: dict[str, Any] = next(
        (location[name] for name in _PLACES if isinstance(location.get(name), dict)), {}
    )
    index = place.get("documentIndex")
    return {
        "type": "file_citation",
        "file_id": title,
        "filename": title,
        "index": index if isinstance(index, int) else 0,
        "encrypted_content": sealed,
    }


def citations_in(
    annotations: Sequence[Mapping[str, Any]], provider: str, param: str
) -> dict[int, list[dict[str, Any]]]:
    """Return the citations that this provider sealed into annotations, by block; others say nothing here."""
    found: dict[int, list[dict[str, Any]]] = {}
    for index, annotation in enumerate(annotations):
        sealed = annotation.get("encrypted_content")
        state = unseal(provider, sealed, param=f"{param}[{index}].encrypted_content")
        if isinstance(state, dict) and "citation" in state:
            found.setdefault(int(state.get("block") or 0), []).append(state["citation"])
    return found
