"""Citations: Anthropic's locations as annotations of the Responses API, and back, word for word.

The whole citation is sealed into its annotation: some of it (``encrypted_index``) only Anthropic can read,
and all of it must come back unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["annotation_for", "citations_in"]


def annotation_for(citation: Mapping[str, Any], end: int, provider: str) -> dict[str, Any]:
    """Return the annotation for one citation of a text block that has `end` characters.

    Anthropic cites for whole blocks, so a `url_citation` spans the block. Places in documents
    (``char_location``, ``page_location``, ``content_block_location``) become `file_citation`.
    """
    if citation.get("type") in _CITED_BY_ADDRESS:
        annotation: dict[str, Any] = {
            "type": "url_citation",
            "url": citation.get("url") or citation.get("source") or "",
            "title": citation.get("title") or "",
            "start_index": 0,
            "end_index": end,
        }
    else:
        title = citation.get("document_title") or citation.get("title") or ""
        annotation = {
            "type": "file_citation",
            "file_id": citation.get("file_id") or title,
            "filename": title,
            "index": citation.get("document_index") or 0,
        }
    return {**annotation, "encrypted_content": seal(provider, citation)}


_CITED_BY_ADDRESS = frozenset({"web_search_result_location", "search_result_location"})


def citations_in(annotations: Sequence[Mapping[str, Any]], provider: str, param: str) -> list[Any]:
    """Return the citations that this provider sealed into annotations; others have no counterpart."""
    citations = []
    for index, annotation in enumerate(annotations):
        sealed = annotation.get("encrypted_content")
        citation = unseal(provider, sealed, param=f"{param}[{index}].encrypted_content")
        if citation is not None:
            citations.append(citation)
    return citations
