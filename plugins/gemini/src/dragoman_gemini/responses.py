"""From an answer of generateContent, whole or streamed, to the output.

A chunk of a stream has the form of a whole answer, so both go the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman_gemini.errors import provider_error
from dragoman_gemini.grounding import Grounding
from dragoman_gemini.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["handle_stream_event", "parse_response", "parse_token_count"]

_FINISH_REASONS = {
    "STOP": "completed",
    "MAX_TOKENS": "max_output_tokens",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    # Others keep their name: MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, OTHER, those to come.
}
# The numbers of the first ones, for gateways that write enumerations as numbers.
_NUMBERED = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
_SERVICE_TIERS = {"standard": "default"}
_MODALITIES = {
    "AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video",
    "4": "audio", "2": "image", "5": "image", "3": "video",
}  # fmt: skip
_MODAL_FIELDS = {
    "promptTokensDetails": "input_{}_tokens",
    "toolUsePromptTokensDetails": "input_{}_tokens",
    "cacheTokensDetails": "cache_{}_read_tokens",
    "candidatesTokensDetails": "output_{}_tokens",
}


class _Answer:
    """What has to be remembered between the chunks of one answer."""

    def __init__(self, output: Output, provider: str) -> None:
        self.output = output
        self.parts = Parts(output, provider)
        self.grounding = Grounding(output, self.parts)
        self.usage: dict[str, Any] = {}


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer; a list is a stream that was asked for without SSE."""
    answer = _Answer(output, target.author)
    for chunk in payload if isinstance(payload, list) else [payload]:
        if isinstance(chunk, dict) and not output.ended:
            _write(answer, chunk)
    answer.grounding.write()


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one chunk of a streamed answer. The stream has no end mark: text may follow a finish reason."""
    answer = output.state.get("answer")
    if answer is None:
        answer = output.state["answer"] = _Answer(output, target.author)
    for chunk in event.data if isinstance(event.data, list) else [event.data]:
        if isinstance(chunk, dict) and not output.ended:
            _write(answer, chunk)


def parse_token_count(payload: Any) -> int:
    """Return how many tokens the input has; core refuses what is no number."""
    count: Any = payload.get("totalTokens") if isinstance(payload, dict) else None
    return count  # type: ignore[no-any-return]


def _write(answer: _Answer, chunk: dict[str, Any]) -> None:
    output = answer.output
    error = chunk.get("error")
    if isinstance(error, dict):
        output.fail(provider_error(error))
        return
    version = chunk.get("modelVersion")
    output.model(version if isinstance(version, str) else None)
    candidates = chunk.get("candidates")
    for position, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
        if not isinstance(candidate, dict):
            continue
        if candidate.get("index", position):
            output.warn("Gemini gave several answers; all but the first were left out")
        else:
            _write_candidate(answer, candidate)
    if isinstance(chunk.get("usageMetadata"), dict):
        _use(answer, chunk["usageMetadata"])
    _note_blocked_prompt(output, chunk.get("promptFeedback"))


def _write_candidate(answer: _Answer, candidate: dict[str, Any]) -> None:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else ():
        answer.parts.add(part)
    answer.parts.logprobs(list(_logprobs(candidate.get("logprobsResult"))))
    answer.grounding.add(candidate)
    reason = candidate.get("finishReason")
    if isinstance(reason, int) and 0 <= reason < len(_NUMBERED):
        reason = _NUMBERED[reason]
    if reason and reason != "FINISH_REASON_UNSPECIFIED":
        _finish(answer, str(reason), candidate.get("finishMessage"))
    elif answer.output.finish_reason is not None:
        answer.grounding.write()  # what comes behind a finish


def _finish(answer: _Answer, said: str, message: Any) -> None:
    output = answer.output
    reason = _FINISH_REASONS.get(said, said)
    answer.parts.finish(whole=reason == "completed")
    answer.grounding.write()
    if reason != "completed" and message:
        output.warn(f"Gemini stopped because of {said}: {message}")
    if output.finish_reason in {None, "completed"}:  # what went wrong is not mended by a later STOP
        output.finish(reason)


def _note_blocked_prompt(output: Output, feedback: Any) -> None:
    """Take the verdict on a prompt that was refused: there are no candidates then."""
    if not isinstance(feedback, dict) or not feedback.get("blockReason"):
        return
    said = feedback.get("blockReasonMessage")
    output.warn(
        f"Gemini blocked the prompt because of {feedback['blockReason']}" + (f": {said}" if said else "")
    )
    output.finish("content_filter")


def _use(answer: _Answer, usage: Mapping[str, Any]) -> None:
    """Report usage: the figures are totals, and the last one that is there counts."""
    answer.usage.update({name: figure for name, figure in usage.items() if figure is not None})
    thoughts = _count(answer.usage, "thoughtsTokenCount")
    if any(name.endswith("TokenCount") for name in answer.usage):
        answer.output.usage(
            input_tokens=_count(answer.usage, "promptTokenCount")
            + _count(answer.usage, "toolUsePromptTokenCount"),
            output_tokens=_count(answer.usage, "candidatesTokenCount") + thoughts,
            cached_tokens=_count(answer.usage, "cachedContentTokenCount"),
            reasoning_tokens=thoughts,
            details=_modalities(answer.usage),
        )
    tier = answer.usage.get("serviceTier")
    if isinstance(tier, str):
        answer.output.service_tier(_SERVICE_TIERS.get(tier.lower(), tier.lower()))


def _modalities(usage: Mapping[str, Any]) -> dict[str, int]:
    """Count the tokens that are no text: some models have a price for each kind."""
    counts: dict[str, int] = {}
    for field, kind in _MODAL_FIELDS.items():
        for entry in _objects(usage.get(field)):
            modality = _MODALITIES.get(str(entry.get("modality")))
            if modality:
                name = kind.format(modality)
                counts[name] = counts.get(name, 0) + _count(entry, "tokenCount")
    return counts


def _count(figures: Mapping[str, Any], name: str) -> int:
    figure = figures.get(name)
    return figure if isinstance(figure, int) else 0


def _logprobs(result: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(result, dict):
        return
    alternatives = _objects(result.get("topCandidates"))
    for index, chosen in enumerate(_objects(result.get("chosenCandidates"))):
        others = _objects(alternatives[index].get("candidates")) if index < len(alternatives) else []
        yield {**_token(chosen), "top_logprobs": [_token(other) for other in others]}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _token(candidate: Mapping[str, Any]) -> dict[str, Any]:
    token = str(candidate.get("token") or "")
    return {
        "token": token,
        "bytes": list(token.encode(errors="replace")),
        "logprob": candidate.get("logProbability") or 0.0,
    }
