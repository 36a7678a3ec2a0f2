"""Citations: what hosts say of their sources, as annotations of the Responses API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["annotation_for", "cited_sources"]

_FIELDS = frozenset({"url", "title", "start_index", "end_index"})
_MARK = re.compile(r"\[(\d{1,3})\]")


def annotation_for(annotation: Mapping[str, Any], provider: str) -> dict[str, Any] | None:
    """Return an annotation of Chat Completions in the Responses API's form; None for an unknown kind.

    ``{"type": "url_citation", "url_citation": {...}}`` becomes flat. What has more to it (the text that was
    found, a parsed file) is sealed into it whole, so that it can be given back.
    """
    type_ = annotation.get("type")
    details = annotation.get(str(type_))
    details = details if isinstance(details, dict) else annotation
    if type_ == "file":
        flat: dict[str, Any] = {
            "type": "file_citation",
            "file_id": str(details.get("hash") or details.get("file_id") or ""),
            "filename": str(details.get("name") or details.get("filename") or ""),
            "index": 0,
        }
    elif type_ != "url_citation" and not details.get("url"):
        return None
    else:
        flat = {
            "type": "url_citation",
            "url": str(details.get("url") or ""),
            "title": str(details.get("title") or ""),
            "start_index": _place(details.get("start_index")),
            "end_index": _place(details.get("end_index")),
        }
    if type_ != "url_citation" or set(details) - _FIELDS - {"type"}:
        flat["encrypted_content"] = seal(provider, dict(annotation))
    return flat


def cited_sources(said: Mapping[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """Yield annotations for ``citations`` and ``search_results`` beside an answer (Perplexity).

    The text names them by number, ``[1]``: each mark is a place. A source without one spans the text.
    """
    results = said.get("search_results")
    results = [entry for entry in results if isinstance(entry, dict)] if isinstance(results, list) else []
    titles = {str(entry.get("url")): entry.get("title") for entry in results}
    urls = said.get("citations")
    if not isinstance(urls, list) or not urls:
        urls = [entry.get("url") for entry in results]
    places: dict[int, list[tuple[int, int]]] = {}
    for mark in _MARK.finditer(text):
        places.setdefault(int(mark[1]), []).append(mark.span())
    for number, url in enumerate(urls, start=1):
        for start, end in places.get(number, [(0, len(text))]):
            yield {
                "type": "url_citation",
                "url": str(url or ""),
                "title": str(titles.get(str(url)) or ""),
                "start_index": start,
                "end_index": end,
            }


def _place(value: Any) -> int:
    return value if isinstance(value, int) else 0
