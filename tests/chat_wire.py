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
    citations: list[tuple[str, int, int]] = field(default_factory=list)
    """Address, and where the cited text begins and ends."""
    logprobs: list[tuple[str, float]] = field(default_factory=list)
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
    _read_logprobs(said, choice)
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
            _read_logprobs(said, choice)
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
    for note in message.get("annotations") or []:
        cited = note.get("url_citation")
        if cited:
            place = (cited.get("start_index") or 0, cited.get("end_index") or 0)
            said.citations.append((cited["url"], *place))


def _read_logprobs(said: Said, choice: dict[str, Any]) -> None:
    tokens = (choice.get("logprobs") or {}).get("content") or []
    said.logprobs += [(token["token"], token["logprob"]) for token in tokens]
