"""The wire of generateContent, read independently of the plugin: folded, compared, found in a Response.

Written from the wire's semantics, so that it can judge a translator: nothing here knows how the plugin works,
but that sealed state (``dragoman.sealing``) may hold what the Responses API has no field for.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from dragoman.sealing import is_sealed, sealed_by, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.recordings import Recording

__all__ = ["Answer", "camel", "chunks_of", "first_finish", "lost", "plain_parts", "turns"]

Part = dict[str, Any]

_SNAKE = re.compile(r"_([a-z])")
# What is the caller's own, or the model's: the keys inside are data, not names of the wire.
_DATA = frozenset({"args", "response", "parametersJsonSchema"})


def camel(value: Any) -> Any:
    """Return JSON with the wire's names in one spelling: Google takes ``mime_type`` for ``mimeType``."""
    if isinstance(value, list):
        return [camel(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    renamed = {_SNAKE.sub(lambda found: found[1].upper(), name): inner for name, inner in value.items()}
    return {name: inner if name in _DATA else camel(inner) for name, inner in renamed.items()}


def chunks_of(recording: Recording) -> list[dict[str, Any]]:
    """Return the chunks of an answer; a whole one is one chunk."""
    if not recording.streamed:
        body = recording.body
        return body if isinstance(body, list) else [body]
    return [json.loads(data) for data in _events(recording.wire.decode())]


def _events(raw: str) -> Iterator[str]:
    lines: list[str] = []
    for line in [*raw.replace("\r\n", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            lines.append(line.removeprefix("data:"))
        elif line and not line.startswith(":"):
            lines.append(line)  # an error is told in bare JSON
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


def first_finish(wire: bytes) -> int | None:
    """Return the offset of the line that tells a finish first; None where no line does."""
    offset = 0
    for line in wire.splitlines(keepends=True):
        if re.search(rb'"(finishReason|blockReason)": ?["\d]', line):
            return offset
        offset += len(line)
    return None


class Answer:
    """What an answer amounts to."""

    def __init__(self, chunks: list[dict[str, Any]]) -> None:
        self.parts: list[Part] = []
        self.finish: str | int | None = None
        self.usage: dict[str, Any] = {}
        self.model: str | None = None
        self.candidates: list[dict[str, Any]] = []
        self.blocked = False
        raw: list[Part] = []
        for chunk in chunks:
            self.usage.update(chunk.get("usageMetadata") or {})
            self.model = chunk.get("modelVersion") or self.model
            self.blocked = self.blocked or bool((chunk.get("promptFeedback") or {}).get("blockReason"))
            for candidate in (chunk.get("candidates") or [])[:1]:
                self.candidates.append(candidate)
                self.finish = candidate.get("finishReason") or self.finish
                raw += (candidate.get("content") or {}).get("parts") or []
        self.parts = plain_parts(raw)

    def texts(self, *, thought: bool) -> str:
        return "".join(p["text"] for p in self.parts if "text" in p and bool(p.get("thought")) == thought)

    @property
    def calls(self) -> list[tuple[str, Any]]:
        return [
            (part["functionCall"]["name"], part["functionCall"]["args"])
            for part in self.parts
            if "functionCall" in part
        ]

    def metadata(self, name: str) -> list[dict[str, Any]]:
        return [candidate[name] for candidate in self.candidates if candidate.get(name)]


def plain_parts(parts: list[Part]) -> list[Part]:
    """Return parts in one spelling: neighbouring unsigned texts are one, empty unsigned ones nothing."""
    found: list[Part] = []
    streamed: dict[str, Any] | None = None
    for given in parts:
        part = {name: value for name, value in camel(given).items() if value is not None}
        if part.get("thought") is False:
            del part["thought"]
        if part in ({}, {"text": ""}, {"text": "", "thought": True}):
            continue
        call = part.get("functionCall")
        if call is not None:
            if "name" not in call:
                if streamed is not None:
                    _add_pieces(streamed["args"], call.get("partialArgs") or [])
                continue
            kept = {name: call[name] for name in call if name not in {"partialArgs", "willContinue"}}
            streamed = {**kept, "args": kept.get("args") or {}}
            _add_pieces(streamed["args"], call.get("partialArgs") or [])
            found.append({**part, "functionCall": streamed})
            continue
        before = found[-1] if found else {}
        mergeable = {"text", "thought"}
        texts = "text" in part and "text" in before and set(part) | set(before) <= mergeable
        if texts and before.get("thought") == part.get("thought"):
            found[-1] = {**before, "text": before["text"] + part["text"]}
            continue
        found.append(part)
    return found


def _add_pieces(arguments: dict[str, Any], pieces: list[dict[str, Any]]) -> None:
    for piece in pieces:
        steps = [a or int(b) for a, b in re.findall(r"([A-Za-z_]\w*)|\[(\d+)\]", piece["jsonPath"])]
        place: Any = arguments
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if isinstance(step, int):
                place.extend([None] * (step + 1 - len(place)))
            old = place[step] if isinstance(step, int) else place.get(step)
            if following is None:
                value = next((piece[n] for n in piece if n.endswith("Value")), None)
                joined = isinstance(old, str) and isinstance(value, str)
                place[step] = old + value if joined else value
            elif old is None:
                place[step] = [] if isinstance(following, int) else {}
            place = place[step]


def turns(contents: Any) -> list[tuple[str, list[Part]]]:
    """Return contents as (role, parts), neighbours of one role being one turn."""
    if isinstance(contents, str):
        contents = {"parts": [{"text": contents}]}
    found: list[tuple[str, list[Part]]] = []
    for content in contents if isinstance(contents, list) else [contents]:
        role = "model" if content.get("role") == "model" else "user"
        parts = content.get("parts") or []
        parts = [camel(part) for part in (parts if isinstance(parts, list) else [parts])]
        if found and found[-1][0] == role:
            found[-1][1].extend(parts)
        else:
            found.append((role, parts))
    return [turn for turn in found if turn[1]]


# ---- an answer, found again in a Response ---------------------------------------------------------------


def scalars(value: Any) -> Iterator[Any]:
    """Yield every string and number inside a value, also inside what is sealed."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif is_sealed(value):
        yield from scalars(unseal(sealed_by(value) or "", value, param="output"))
    elif isinstance(value, str):
        yield value
        if value[:1] in {"{", "["}:
            with contextlib.suppress(ValueError):
                yield from scalars(json.loads(value))
    elif value is not None and not isinstance(value, bool):
        yield value


def lost(answer: Answer, response: dict[str, Any]) -> Iterator[str]:
    """Yield what of an answer is not in the Response."""
    output = response["output"]
    messages = [item for item in output if item["type"] == "message"]
    written = [part for item in messages for part in item["content"] if part["type"] == "output_text"]
    text = "".join(part["text"] for part in written)
    if text != answer.texts(thought=False):
        yield f"text is {text[:80]!r}, not {answer.texts(thought=False)[:80]!r}"
    summaries = "".join(p["text"] for item in output if item["type"] == "reasoning" for p in item["summary"])
    if summaries != answer.texts(thought=True):
        yield f"thoughts are {summaries[:80]!r}, not {answer.texts(thought=True)[:80]!r}"
    calls = [(i["name"], json.loads(i["arguments"])) for i in output if i["type"] == "function_call"]
    if calls != answer.calls:
        yield f"calls are {calls}, not {answer.calls}"
    everything = set(scalars(output))
    for part in answer.parts:
        kept = {name: value for name, value in part.items() if name != "text"}
        for scalar in scalars(kept):
            if scalar not in everything and "mimeType" not in str(part)[:40]:
                yield f"{str(scalar)[:80]!r} of {sorted(part)} is nowhere"
    yield from _lost_order(answer, output)
    yield from _lost_grounding(answer, output, written)
    said = {t["token"] for m in answer.metadata("logprobsResult") for t in m.get("chosenCandidates") or []}
    if said != {entry["token"] for part in written for entry in part.get("logprobs") or []}:
        yield "log probabilities are lost"


_HOMES = {
    "functionCall": "function_call",
    "executableCode": "code_interpreter_call",
    "inlineData": "image_generation_call",
}


def _lost_order(answer: Answer, output: list[dict[str, Any]]) -> Iterator[str]:
    kinds = [_HOMES[name] for part in answer.parts for name in part if name in _HOMES]
    found = [item["type"] for item in output if item["type"] in _HOMES.values()]
    images = sum(item["type"].endswith(":inlineData") for item in output)
    if len(kinds) - images != len(found) or (not images and kinds != found):
        yield f"the order is {found}, not {kinds}"


def _lost_grounding(
    answer: Answer, output: list[dict[str, Any]], written: list[dict[str, Any]]
) -> Iterator[str]:
    everything = set(scalars(output))
    annotations = [(note, part["text"]) for part in written for note in part["annotations"]]
    for grounding in answer.metadata("groundingMetadata"):
        for query in grounding.get("webSearchQueries") or []:
            if query and query not in everything:
                yield f"the query {query!r} is lost"
        shown = (grounding.get("searchEntryPoint") or {}).get("renderedContent")
        if shown and shown not in everything:
            yield "what Google wants shown of its search is lost"
        pages = grounding.get("groundingChunks") or []
        for page in (chunk.get("web") or {} for chunk in pages):
            if page.get("uri") and page["uri"] not in everything:
                yield f"the source {page['uri']} is lost"
        for support in grounding.get("groundingSupports") or []:
            segment = support["segment"]
            for index in support.get("groundingChunkIndices") or []:
                chunk = pages[index] if index < len(pages) else {}  # some supports name what is not there
                page = chunk.get("web") or chunk.get("maps")
                if not page:
                    continue
                spans = [
                    text[note["start_index"] : note["end_index"]]
                    for note, text in annotations
                    if note.get("url") == page["uri"]
                ]
                if segment.get("text", "") not in spans:
                    yield f"the citation of {segment.get('text', '')[:60]!r} is lost among {spans[:3]}"
    for metadata in answer.metadata("urlContextMetadata"):
        for page in metadata.get("urlMetadata") or []:
            if page.get("retrievedUrl") and page["retrievedUrl"] not in everything:
                yield f"the page {page['retrievedUrl']} is lost"
    for metadata in answer.metadata("citationMetadata"):
        for source in metadata.get("citationSources") or metadata.get("citations") or []:
            if source.get("uri") and source["uri"] not in everything:
                yield f"the citation of {source['uri']} is lost"
    for note, text in annotations:
        start, end = note.get("start_index", 0), note.get("end_index", 0)
        if not 0 <= start <= end <= len(text):
            yield f"an annotation spans {start} to {end} of {len(text)} characters"
