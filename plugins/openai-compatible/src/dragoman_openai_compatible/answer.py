"""One answer, from delta to delta: what has to be remembered between the chunks of a stream."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal
from dragoman_openai_compatible.calls import Calls
from dragoman_openai_compatible.citations import annotation_for, cited_sources
from dragoman_openai_compatible.reasoning import Reasoning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.output import Output

__all__ = ["Answer"]

_FINISH_REASONS = {
    "stop": "completed",
    "tool_calls": "completed",
    "function_call": "completed",
    "stop_sequence": "completed",
    "end_turn": "completed",
    "eos": "completed",  # Together
    "eos_token": "completed",  # Hugging Face
    "length": "max_output_tokens",
    "model_length": "max_output_tokens",  # Mistral
    "max_tokens": "max_output_tokens",
    "content_filter": "content_filter",
    "sensitive": "content_filter",  # Z.ai
}
"""Others keep their name, and make the answer incomplete."""


class Answer:
    """Writes an answer to an output."""

    def __init__(self, output: Output, provider: str) -> None:
        """Write to `output`; what must come back verbatim is sealed for `provider`."""
        self.output = output
        self.provider = provider
        self.reasoning = Reasoning(output, provider)
        self.calls = Calls(output, provider)
        self.sources: Mapping[str, Any] | None = None
        """What stands beside the choices and lists sources (Perplexity); the last counts."""
        self._text: list[str] = []
        self._early_logprobs: list[dict[str, Any]] = []  # of marks in front of the text
        self._citations: list[dict[str, Any]] = []  # that wait for the text they belong to
        self._cited = False
        self._audio: dict[str, Any] = {}
        self._audio_data: list[str] = []
        self._executed: dict[int, dict[str, Any]] = {}
        self._finished = False

    def take(self, delta: Mapping[str, Any], logprobs: list[dict[str, Any]], *, whole: bool) -> None:
        """Write a message, or a delta of one."""
        self.reasoning.take(delta, whole=whole)
        self._take_content(delta.get("content"), logprobs)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self.reasoning.end()
            self.output.refusal(refusal)
        self._citations += _objects(delta.get("annotations"))
        self._cite()
        self._take_calls(delta, whole=whole)
        for image in _objects(delta.get("images")):
            self._take_image(image)
        if isinstance(delta.get("audio"), dict):
            self._take_audio(delta["audio"])
        for place, tool in enumerate(_objects(delta.get("executed_tools"))):  # Groq's own
            index = tool.get("index")
            known = self._executed.setdefault(index if isinstance(index, int) else place, {})
            known.update({name: value for name, value in tool.items() if value is not None})

    def is_whole(self, *, beside_usage: bool) -> bool:
        """Tell whether an answer without a finish reason is over, once its usage was told.

        Args:
            beside_usage: whether a choice stands beside that usage: text may then still go on.
        """
        if self._finished or not self.calls.whole:
            return False
        return bool(self.calls) or bool(self._text and not beside_usage)

    def finish(self, reason: str) -> None:
        """Say why the model stopped, and write what only the end shows; what follows may still correct it."""
        self.reasoning.end()
        self._finish_audio()
        for tool in self._executed.values():
            # Told for the reader alone: the host wants none of it back.
            sealed = seal(self.provider, {"kind": "executed_tool"})
            self.output.item(
                {"type": f"{self.provider}:executed_tool", "tool": tool, "encrypted_content": sealed}
            )
        self._executed = {}
        if self.sources and not self._cited:
            self._cited = True
            for annotation in cited_sources(self.sources, "".join(self._text)):
                self._annotate(annotation)
        if self._citations:
            self.output.warn("the answer has citations apart from its text; they were left out")
            self._citations = []
        self.calls.finish()
        self._finished = True
        self.output.finish(_FINISH_REASONS.get(reason.lower(), reason))

    # ---- text and what belongs to it ----------------------------------------------------------------

    def _take_content(self, content: Any, logprobs: list[dict[str, Any]]) -> None:
        if isinstance(content, list):  # Mistral: thoughts, text and references
            for part in content:
                self._take_part(part)
        elif isinstance(content, str) and content:
            self._say(content, [*self._early_logprobs, *logprobs])
            self._early_logprobs = []
        elif logprobs and self.output.position():
            self.output.text("", logprobs=logprobs)
        else:
            self._early_logprobs += logprobs

    def _take_part(self, part: Any) -> None:
        type_ = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            self._say(part)
        elif type_ == "text" and isinstance(part.get("text"), str):
            self._say(part["text"])
        elif type_ == "thinking":
            thoughts = part.get("thinking")
            pieces = [{"text": thoughts}] if isinstance(thoughts, str) else _objects(thoughts)
            self.reasoning.write("".join(piece.get("text") or "" for piece in pieces), "thinking")
        else:
            self.output.warn(f"the answer has a part of the type {type_!r}, which was left out")

    def _say(self, text: str, logprobs: list[dict[str, Any]] | None = None) -> None:
        if text:
            self.reasoning.end()
            self._text.append(text)
            self.output.text(text, logprobs=logprobs)

    def _cite(self) -> None:
        if self._citations and self.output.position():
            for citation in self._citations:
                annotation = annotation_for(citation, self.provider)
                if annotation is not None:
                    self._annotate(annotation)
            self._citations = []
            self._cited = True

    def _annotate(self, annotation: dict[str, Any]) -> None:
        """Attach an annotation to the text; the host counts from the start of all of it, we of its part."""
        earlier = sum(map(len, self._text)) - self.output.position()
        places = ("start_index", "end_index")
        moved = {name: max(0, annotation[name] - earlier) for name in places if name in annotation}
        self.output.annotation({**annotation, **moved})

    # ---- calls, images, audio -----------------------------------------------------------------------

    def _take_calls(self, delta: Mapping[str, Any], *, whole: bool) -> None:
        entries = delta.get("tool_calls")
        legacy = delta.get("function_call")
        if entries or isinstance(legacy, dict):
            self.reasoning.end()
        for entry in entries if isinstance(entries, list) else ():
            self.calls.take(entry, whole=whole)
        if isinstance(legacy, dict):
            self.calls.take({"index": "function_call", "function": legacy}, whole=whole)

    def _take_image(self, image: Mapping[str, Any]) -> None:
        """Write an image as what OpenAI's own tool gives: the data alone, or else the address."""
        address = image.get("image_url")
        url = address.get("url") if isinstance(address, dict) else address
        if not isinstance(url, str):
            self.output.warn("the answer has an image in an unknown form, which was left out")
            return
        self.reasoning.end()
        item = {"type": "image_generation_call", "result": url}
        state = {"kind": "image"}
        if url.startswith("data:"):
            head, _, item["result"] = url.partition(",")
            state["prefix"] = f"{head},"
            item["output_format"] = head.partition(";")[0].partition("/")[2]
        self.output.item({**item, "encrypted_content": seal(self.provider, state)})

    def _take_audio(self, audio: Mapping[str, Any]) -> None:
        """Keep a voice, which streams in pieces; its transcript is the answer's text."""
        transcript, data = audio.get("transcript"), audio.get("data")
        if isinstance(transcript, str):
            self._say(transcript)
            self._audio["transcript"] = self._audio.get("transcript", "") + transcript
        if isinstance(data, str):
            self._audio_data.append(data)
        self._audio |= {name: audio[name] for name in ("id", "expires_at") if audio.get(name) is not None}

    def _finish_audio(self) -> None:
        if self._audio_data or self._audio.get("id"):
            audio = {**self._audio, "data": _joined(self._audio_data)}
            sealed = seal(self.provider, {"audio": {"id": audio.get("id")}})
            self.output.item({"type": f"{self.provider}:audio", "audio": audio, "encrypted_content": sealed})
        self._audio, self._audio_data = {}, []


def _joined(pieces: list[str]) -> str:
    """Return base64 that came in pieces, each of them whole, as one."""
    if len(pieces) < 2:
        return "".join(pieces)
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode()
    except binascii.Error:
        return "".join(pieces)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
