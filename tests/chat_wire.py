"""Chat Completions as it is written down, read without dragoman: what answers and streams say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Said", "chunks", "read_stream", "read_whole"]


@dataclass
class Said:
    """What one answer says, however it came."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Name and arguments, in order."""
    signatures: list[str] = field(default_factory=list)
    """Whatever must be given back verbatim."""
    urls: list[str] = field(default_factory=list)
    finish: str | None = None
    usage: dict[str, Any] | None = None
    model: str = ""
    failed: str | None = None
    """The message of an error inside the answer."""


def read_whole(body: dict[str, Any]) -> Said:
    """Read a completion (its first choice)."""
    said = Said(model=body.get("model") or "", usage=body.get("usage"))
    choice = body["choices"][0]
    said.finish = choice.get("finish_reason")
    _read(said, choice.get("message") or {})
    for call in (choice.get("message") or {}).get("tool_calls") or []:
        said.calls.append((call["function"]["name"], call["function"].get("arguments") or ""))
    legacy = (choice.get("message") or {}).get("function_call")
    if legacy:
        said.calls.append((legacy["name"], legacy["arguments"]))
    return said


def chunks(wire: bytes) -> list[dict[str, Any]]:
    """Return the payloads of a stream, one for each ``data:`` line with JSON."""
    lines = wire.decode().replace("\r\n", "\n").split("\n")
    found = [line.strip()[5:].strip() for line in lines if line.strip().startswith("data:")]
    return [json.loads(data) for data in found if data and data != "[DONE]"]


def read_stream(wire: bytes) -> Said:
    """Fold a stream (the choice with index 0)."""
    said = Said()
    calls: dict[int, list[str]] = {}
    for chunk in chunks(wire):
        if chunk.get("error"):
            said.failed = chunk["error"]["message"]
        said.model = chunk.get("model") or said.model
        said.usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or said.usage
        for choice in chunk.get("choices") or []:
            if choice.get("index"):
                continue
            said.finish = choice.get("finish_reason") or said.finish
            delta = choice.get("delta") or {}
            _read(said, delta)
            for call in delta.get("tool_calls") or []:
                known = calls.setdefault(call["index"], ["", ""])
                known[0] = known[0] or (call.get("function") or {}).get("name") or ""
                known[1] += (call.get("function") or {}).get("arguments") or ""
    said.calls = [(name, arguments) for _, (name, arguments) in sorted(calls.items())]
    return said


def _read(said: Said, message: dict[str, Any]) -> None:
    said.text += message.get("content") or (message.get("audio") or {}).get("transcript") or ""
    said.refusal += message.get("refusal") or ""
    details = message.get("reasoning_details") or []
    shown = "".join(detail.get("text") or detail.get("summary") or "" for detail in details)
    said.reasoning += shown or message.get("reasoning") or message.get("reasoning_content") or ""
    for detail in details:
        said.signatures += [detail[name] for name in ("signature", "data") if detail.get(name)]
    said.urls += [
        note["url_citation"]["url"] for note in message.get("annotations") or [] if "url_citation" in note
    ]
