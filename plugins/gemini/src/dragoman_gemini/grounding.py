"""Grounding: what was searched and read, and which text rests on what, as items and annotations.

Google reports it beside the text, in a stream mostly with the last chunk, and counts bytes of UTF-8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman_gemini.hosted import open_page, search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.output import Output
    from dragoman_gemini.parts import Parts, TextRun

__all__ = ["Grounding"]

Fields = dict[str, Any]

_NAMELESS = "Gemini cited a source without naming it; the citation was left out"


class Grounding:
    """What one answer rests on, collected and written when the model has stopped."""

    def __init__(self, output: Output, parts: Parts) -> None:
        """Cite in the messages of `parts`."""
        self._output = output
        self._parts = parts
        self._chunks: list[Any] = []
        self._supports: list[Fields] = []
        self._sources: list[Fields] = []
        self._queries: list[str] = []
        self._pages: list[Fields] = []
        self._entry_point: Any = None
        self._searched = False
        self._seen: set[str] = set()

    def add(self, candidate: Fields) -> None:
        """Collect what a candidate says; a stream may say it again."""
        metadata = _object(candidate.get("groundingMetadata"))
        if metadata.get("groundingChunks"):
            self._chunks = _list(metadata["groundingChunks"])
        self._entry_point = metadata.get("searchEntryPoint") or self._entry_point
        queries = [*_list(metadata.get("webSearchQueries")), *_list(metadata.get("imageSearchQueries"))]
        self._queries += [
            query for query in queries if query and isinstance(query, str) and self._is_new("query", query)
        ]
        for support in _list(metadata.get("groundingSupports")):
            if isinstance(support, dict) and self._is_new("support", support):
                self._supports.append(support)
        for page in _list(_object(candidate.get("urlContextMetadata")).get("urlMetadata")):
            if isinstance(page, dict) and self._is_new("page", page):
                self._pages.append(page)
        cited = _object(candidate.get("citationMetadata"))
        for source in _list(cited.get("citationSources")) or _list(cited.get("citations")):
            if isinstance(source, dict) and self._is_new("source", source):
                self._sources.append(source)

    def write(self) -> None:
        """Write what was collected since the last time."""
        for support in self._supports:
            for annotation in self._annotations(support):
                self._cite(_object(support.get("segment")), annotation)
        for source in self._sources:
            if _address(source):
                self._cite(source, _web(source))
            else:
                self._output.warn(_NAMELESS)
        self._write_items()
        self._supports, self._sources, self._queries, self._pages = [], [], [], []

    def _is_new(self, kind: str, value: Any) -> bool:
        mark = f"{kind} {json.dumps(value, sort_keys=True)}"
        known = mark in self._seen
        self._seen.add(mark)
        return not known

    # ---- items ----------------------------------------------------------------------------------------

    def _write_items(self) -> None:
        # A model that shows its calls has told of them already; only their results stand here.
        told = "web_search_call" in self._parts.called
        if self._parts.searches and (self._chunks or self._entry_point):
            # Which search found what is not said: the last one lists it.
            *earlier, (last, queries) = self._parts.searches
            for writer, _ in earlier:
                writer.close()
            last.close(**self._found(queries))
            self._parts.searches.clear()
        elif self._queries and not told:
            self._write_item(self._found(self._queries))
        for page in self._pages:
            if not told and page.get("retrievedUrl"):
                good = str(page.get("urlRetrievalStatus", "SUCCESS")).endswith("SUCCESS")
                self._write_item(open_page(str(page["retrievedUrl"])), "completed" if good else "failed")

    def _found(self, queries: list[str]) -> Fields:
        urls = [_address(_page(chunk)) for chunk in self._chunks]
        fields = search(queries, [url for url in urls if url])
        if self._entry_point:  # Google's terms want it shown
            fields["search_entry_point"] = self._entry_point
        return fields

    def _write_item(self, fields: Fields, status: str = "completed") -> None:
        self._parts.end_runs()
        # No part of the answer stands for it: given back, it is nothing.
        sealed = self._parts.seal({"parts": []})
        writer = self._output.open_item({"type": "web_search_call", **fields, "encrypted_content": sealed})
        writer.announce("searching")
        writer.close(status=status)

    # ---- citations ------------------------------------------------------------------------------------

    def _annotations(self, support: Fields) -> Iterator[Fields]:
        for index in _list(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(self._chunks):
                chunk = _object(self._chunks[index])
                context = chunk.get("retrievedContext")
                if isinstance(context, dict):
                    yield _file(context, index)
                elif _address(_page(chunk)):
                    yield _web(_page(chunk))
                else:
                    self._output.warn(_NAMELESS)

    def _cite(self, segment: Fields, annotation: Fields) -> None:
        place = _find(segment, self._parts.texts)
        if place is None:
            self._output.warn("Gemini cited a source for text that is not there; the citation was left out")
            return
        run, start, end = place
        if annotation["type"] == "url_citation":
            annotation = {**annotation, "start_index": start, "end_index": end}
        else:
            annotation = {**annotation, "index": end}
        if run.open:
            self._output.annotation(annotation, run.key)
        else:
            self._output.warn("a citation came when its text was over; it was left out")


def _find(segment: Fields, texts: list[TextRun]) -> tuple[TextRun, int, int] | None:
    """Return where a segment stands, in characters.

    Its bytes count from the beginning of a part or of the whole answer: its text tells which is meant.
    """
    wanted = segment.get("text")
    first, last = (_number(segment.get(name)) for name in ("startIndex", "endIndex"))
    before = 0
    everything = []
    for run in texts:
        text = "".join(run.pieces)
        everything.append((run, text, before))
        before += len(text.encode(errors="replace"))
    for run, text, offset in everything:
        for shift in (0, offset):
            start, end = _characters(text, first - shift), _characters(text, last - shift)
            if start < end and (not wanted or text[start:end] == wanted):
                return run, start, end
    for run, text, _ in everything:
        if wanted and (start := text.find(wanted)) >= 0:
            return run, start, start + len(wanted)
    if not everything:
        return None
    run, text, _ = everything[-1]
    if last <= first:
        return run, 0, len(text)  # no place is named: the whole text
    end = _characters(text, last)  # a place that fits nothing: as near as it comes
    return run, min(_characters(text, first), end), end


def _characters(text: str, position: int) -> int:
    """Return how many characters the first `position` bytes of a text are."""
    return len(text.encode(errors="replace")[: max(position, 0)].decode(errors="ignore"))


def _page(chunk: Any) -> Fields:
    """Return the page that a chunk is: of the web, of Google Maps, or of a kind to come."""
    kinds = [value for value in _object(chunk).values() if isinstance(value, dict)]
    return kinds[0] if kinds else {}


def _address(page: Fields) -> str:
    return str(page.get("uri") or page.get("sourceUri") or "")


def _web(page: Fields) -> Fields:
    return {
        "type": "url_citation",
        "url": _address(page),
        "title": str(page.get("title") or ""),
    }


def _file(context: Fields, index: int) -> Fields:
    name = str(context.get("title") or context.get("documentName") or "")
    file_id = context.get("documentName") or context.get("uri") or context.get("fileSearchStore") or name
    quoted = {"text": context["text"]} if context.get("text") else {}
    return {
        "type": "file_citation",
        "file_id": str(file_id),
        "filename": name,
        "index": index,
        **quoted,
    }


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _object(value: Any) -> Fields:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
