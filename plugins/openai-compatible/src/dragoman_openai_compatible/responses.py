"""From a completion, whole or streamed, to the output. A whole one is a stream of a single delta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman.sealing import seal
from dragoman_openai_compatible.calls import Calls
from dragoman_openai_compatible.citations import annotation_for, cited_sources
from dragoman_openai_compatible.errors import stream_error
from dragoman_openai_compatible.reasoning import Reasoning
from dragoman_openai_compatible.usage import report_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["handle_stream_event", "parse_response"]

_FINISH_REASONS = {
    "stop": "completed",
    "tool_calls": "completed",
    "function_call": "completed",
    "length": "max_output_tokens",
    "model_length": "max_output_tokens",  # Mistral
    "content_filter": "content_filter",
    # Others keep their name.
    "eos": "completed",  # Together
    "end_turn": "completed",
}
_SERVICE_TIERS = {"on_demand": "default", "standard": "default"}


class _Answer:
    """What has to be remembered between the chunks of one answer."""

    def __init__(self, output: Output, provider: str) -> None:
        self.output = output
        self.provider = provider
        self.reasoning = Reasoning(output, provider)
        self.calls = Calls(output, provider)
        self.text: list[str] = []
        self.citations: list[dict[str, Any]] = []  # that wait for the text they belong to
        self.sources: Mapping[str, Any] | None = None
        self.cited = False
        self.finished = False

    # ---- a message, or a part of one ----------------------------------------------------------------

    def take(self, delta: Mapping[str, Any], logprobs: Any, *, whole: bool) -> None:
        """Write what a delta says."""
        self.reasoning.take(delta)
        self._content(delta.get("content"), logprobs)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self.reasoning.end()
            self.output.refusal(refusal)
        for annotation in _objects(delta.get("annotations")):
            self.citations.append(annotation)
        self._cite()
        self._calls(delta, whole=whole)
        for image in _objects(delta.get("images")):
            self._image(image)
        if isinstance(delta.get("audio"), dict):
            self._audio(delta["audio"])

    def _content(self, content: Any, logprobs: Any) -> None:
        if isinstance(content, list):  # Mistral: thoughts, text and references
            for part in content:
                self._part(part)
            return
        if isinstance(content, str) and content:
            self._say(content, logprobs)
        elif logprobs and self.text:
            self.output.text("", logprobs=logprobs)

    def _part(self, part: Any) -> None:
        type_ = part.get("type") if isinstance(part, dict) else None
        if type_ == "text" and isinstance(part.get("text"), str):
            self._say(part["text"], None)
        elif type_ == "thinking":
            thoughts = part.get("thinking")
            pieces = [{"text": thoughts}] if isinstance(thoughts, str) else _objects(thoughts)
            self.reasoning.write("".join(piece.get("text") or "" for piece in pieces), "thinking")
        elif isinstance(part, str):
            self._say(part, None)
        else:
            self.output.warn(f"the answer has a part of the type {type_!r}, which was left out")

    def _say(self, text: str, logprobs: Any) -> None:
        if not text:
            return
        self.reasoning.end()
        self.text.append(text)
        self.output.text(text, logprobs=logprobs or None)

    def _cite(self) -> None:
        if self.citations and self.output.position():
            for citation in self.citations:
                self.output.annotation(annotation_for(citation, self.provider))
            self.citations = []
            self.cited = True

    def _calls(self, delta: Mapping[str, Any], *, whole: bool) -> None:
        entries = delta.get("tool_calls")
        if entries:
            self.reasoning.end()
            if whole:
                self.calls.take_whole(entries)
            else:
                for entry in entries if isinstance(entries, list) else ():
                    self.calls.take(entry)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            self.reasoning.end()
            self.calls.take({"index": "function_call", "function": legacy})

    def _image(self, image: Mapping[str, Any]) -> None:
        url = (image.get("image_url") or {}).get("url") if isinstance(image.get("image_url"), dict) else None
        if not isinstance(url, str):
            self.output.warn("the answer has an image in an unknown form, which was left out")
            return
        self.reasoning.end()
        head, comma, data = url.partition(",")
        media_type = head.removeprefix("data:").partition(";")[0] if comma else ""
        sealed = self._seal({"kind": "image", "media_type": media_type or "image/png"})
        item = {"type": "image_generation_call", "result": data if comma else url}
        if media_type:
            item["output_format"] = media_type.partition("/")[2]
        self.output.item({**item, "encrypted_content": sealed})

    def _audio(self, audio: Mapping[str, Any]) -> None:
        transcript = audio.get("transcript")
        if isinstance(transcript, str):
            self._say(transcript, None)
        if audio.get("data") or audio.get("id"):
            sealed = self._seal({"audio": {"id": audio.get("id")}})
            self.output.item(
                {"type": f"{self.provider}:audio", "audio": dict(audio), "encrypted_content": sealed}
            )

    def _seal(self, state: Any) -> str:
        """Return `state` as only this provider reads it."""
        return seal(self.provider, state)

    # ---- how it ends --------------------------------------------------------------------------------

    def finish(self, reason: str) -> None:
        """Write what only the end shows."""
        if not self.finished:
            self.finished = True
            if self.sources and not self.cited:
                for annotation in cited_sources(self.sources, "".join(self.text)):
                    if self.output.position():
                        self.output.annotation(annotation)
            self.calls.finish()
        self.output.finish(_FINISH_REASONS.get(reason, reason))

    def settle(self) -> None:
        """Write what waited for something that did not come."""
        self.reasoning.end()
        if self.citations:
            self.output.warn("the answer has citations and no text; they were left out")
            self.citations = []


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole completion."""
    answer = _Answer(output, target.provider)
    if _failed(payload, output):
        return
    choices = payload.get("choices") if isinstance(payload, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        output.fail(_not_a_completion(target.provider))
        return
    _about(answer, payload)
    choice = choices[0]
    if len(choices) > 1:
        output.warn("the host gave several choices; the first is the answer")
    message = choice.get("message")
    answer.take(message if isinstance(message, dict) else {}, _logprobs(choice), whole=True)
    reason = choice.get("finish_reason")
    answer.settle()
    answer.finish(reason if isinstance(reason, str) and reason else "stop")


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one chunk of a streamed completion; unknown events mean nothing."""
    data = event.data
    if output.ended or not isinstance(data, dict):
        return
    answer = output.state.get("answer")
    if answer is None:
        answer = output.state["answer"] = _Answer(output, target.provider)
    if _failed(data, output, named_error=event.type == "error"):
        return
    _about(answer, data)
    choices = data.get("choices")
    said = False
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        if choice.get("index"):
            output.warn("the host gave several choices; the first is the answer")
            continue
        said = _choice(answer, choice) or said
    if not said and data.get("usage") and len(answer.calls) and answer.calls.whole and not answer.finished:
        # Some servers end an answer with calls by its usage, and never say why it ended.
        answer.settle()
        answer.finish("tool_calls")


def _choice(answer: _Answer, choice: Mapping[str, Any]) -> bool:
    """Write a choice of a chunk; False where it says nothing."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = choice.get("message")  # servers that answer a stream with one whole completion
    delta = delta if isinstance(delta, dict) else {}
    answer.take(delta, _logprobs(choice), whole=False)
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        answer.settle()
        answer.finish(reason)
        return True
    return any(value for name, value in delta.items() if name != "role")


def _failed(payload: Any, output: Output, *, named_error: bool = False) -> bool:
    """Fail where an answer turns out to be an error, at whatever place that is told."""
    if not isinstance(payload, dict):
        return False
    said: Any = payload if payload.get("error") or named_error or payload.get("object") == "error" else None
    choices = payload.get("choices")
    for choice in choices if isinstance(choices, list) and said is None else ():
        if isinstance(choice, dict) and (choice.get("error") or choice.get("finish_reason") == "error"):
            said = choice if choice.get("error") else {"error": "the host gave up on the answer"}
    if said is None:
        return False
    if "answer" in output.state:
        output.state["answer"].reasoning.end()
    output.fail(stream_error(said))
    return True


def _about(answer: _Answer, payload: Mapping[str, Any]) -> None:
    """Take what is said beside the choices."""
    model = payload.get("model")
    if isinstance(model, str):
        answer.output.model(model)
    tier = payload.get("service_tier")
    if isinstance(tier, str):
        answer.output.service_tier(_SERVICE_TIERS.get(tier, tier))
    groq = payload.get("x_groq")
    usage = payload.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
    if isinstance(usage, dict):
        report_usage(answer.output, usage)
    if payload.get("citations") or payload.get("search_results"):
        answer.sources = payload


def _logprobs(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [
        {**_token(token), "top_logprobs": [_token(other) for other in _objects(token.get("top_logprobs"))]}
        for token in _objects(tokens)
    ]


def _token(token: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "token": token.get("token") or "",
        "bytes": token.get("bytes") or [],
        "logprob": token.get("logprob") or 0,
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _not_a_completion(provider: str) -> ProviderError:
    return ProviderError(
        message=f"{provider} answered with something that is no chat completion: it has no choices",
        status=502,
        code="malformed_response",
    )
