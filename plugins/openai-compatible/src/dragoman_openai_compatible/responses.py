"""From a completion, whole or streamed, to the output. A whole one is a stream of a single delta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman_openai_compatible.answer import Answer
from dragoman_openai_compatible.errors import read_error, stream_error
from dragoman_openai_compatible.usage import report_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["handle_stream_event", "parse_response"]

_SERVICE_TIERS = {"on_demand": "default", "standard": "default"}
_FAILURES = ("error", "network_error")
"""Finish reasons of OpenRouter and Mistral, and of Z.ai."""


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole completion."""
    said = payload if isinstance(payload, dict) else {}
    choices = _objects(said.get("choices"))
    failure = _failure(said)
    if not choices and failure is None:
        output.fail(read_error(said, 502) or _not_a_completion(target.provider))
        return
    answer = Answer(output, target.author)
    _about(answer, said)
    if len(choices) > 1:
        output.warn("the host gave several choices; the first is the answer")
    for choice in choices[:1]:
        message = choice.get("message")
        answer.take(message if isinstance(message, dict) else {}, _logprobs(choice), whole=True)
        answer.finish(_reason(choice) or "stop")
    if failure is not None:
        output.fail(failure)


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one chunk of a streamed completion; unknown events mean nothing."""
    chunk = event.data
    if output.ended or not isinstance(chunk, dict):
        return
    answer = output.state.get("answer")
    if answer is None:
        answer = output.state["answer"] = Answer(output, target.author)
    _about(answer, chunk)
    choices = _objects(chunk.get("choices"))
    said = [_take_choice(answer, choice) for choice in choices]
    failure = _failure(chunk, named_error=event.type == "error")
    if failure is not None:
        answer.reasoning.end()
        output.fail(failure)
    elif chunk.get("usage") and not any(said) and answer.is_whole(beside_usage=bool(choices)):
        # Some servers never say why an answer ended. Usage in a chunk of its own is the last thing that a
        # stream which is not cut has to say; beside a choice it means that only where calls are finished.
        answer.finish("stop")


def _take_choice(answer: Answer, choice: Mapping[str, Any]) -> bool:
    """Write a choice of a chunk; False where it says nothing."""
    if choice.get("index"):
        answer.output.warn("the host gave several choices; the first is the answer")
        return False
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = choice.get("message")  # servers that answer a stream with one whole completion
    delta = delta if isinstance(delta, dict) else {}
    answer.take(delta, _logprobs(choice), whole=False)
    reason = _reason(choice)
    if reason:
        answer.finish(reason)
    return bool(reason) or any(value for name, value in delta.items() if name != "role")


def _reason(choice: Mapping[str, Any]) -> str:
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason not in _FAILURES else ""


def _failure(payload: Mapping[str, Any], *, named_error: bool = False) -> ProviderError | None:
    """Return why an answer turns out to have failed, at whatever place that is told."""
    if payload.get("error") or named_error or payload.get("object") == "error":
        return stream_error(payload)
    for choice in _objects(payload.get("choices")):
        if choice.get("error"):
            return stream_error(choice)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason in _FAILURES:
            return stream_error({"error": "the host gave up on the answer"})
    return None


def _about(answer: Answer, payload: Mapping[str, Any]) -> None:
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
    if not isinstance(logprobs, dict):
        return []
    tokens = logprobs.get("content")
    if tokens is None and isinstance(logprobs.get("tokens"), list):  # Together, as completions once had them
        numbers = logprobs.get("token_logprobs") or ()
        tokens = [
            {"token": text, "logprob": number}
            for text, number in zip(logprobs["tokens"], numbers, strict=False)
        ]
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
