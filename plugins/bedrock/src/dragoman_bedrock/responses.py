"""From an answer of Converse, or the events of ConverseStream, to the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman_bedrock.blocks import Blocks
from dragoman_bedrock.endpoints import family_name, maker_of
from dragoman_bedrock.errors import stream_error
from dragoman_bedrock.models import model_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["handle_stream_event", "parse_response", "parse_token_count"]

_FINISH_REASONS = {
    "end_turn": "completed",
    "stop_sequence": "completed",
    "tool_use": "completed",
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    # Others keep their name: malformed_model_output, malformed_tool_use.
}


class _Answer:
    """What has to be remembered between the events of one answer."""

    def __init__(self, output: Output, target: Target) -> None:
        self.output = output
        raw = model_named(family_name(target)).raw_reasoning
        self.blocks = Blocks(output, target.author, maker_of(target), raw_reasoning=raw)
        self.counted = False
        """Whether ``metadata`` has come; it may come before ``messageStop``, or never."""


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    answer = _Answer(output, target)
    payload = payload if isinstance(payload, dict) else {}
    outer = payload.get("output")
    message = outer.get("message") if isinstance(outer, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    content = content if isinstance(content, list) else []
    cut_off = payload.get("stopReason") == "max_tokens"
    for index, block in enumerate(content):
        last = index == len(content) - 1
        answer.blocks.whole(index, block, cut=cut_off and last and _is_cut(block))
    _message_stop(answer, payload)
    _metadata(answer, payload)


def parse_token_count(payload: Any) -> int:
    """Return what CountTokens says."""
    return int(payload["inputTokens"])


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a stream; unknown ones mean nothing."""
    if output.ended:
        return
    if event.is_exception or event.type.endswith("Exception"):
        output.fail(stream_error(event.type, event.data))
        return
    handle = _EVENTS.get(event.type)
    if handle is None or not isinstance(event.data, dict):
        return
    answer = output.state.get("answer")
    if answer is None:
        answer = output.state["answer"] = _Answer(output, target)
    handle(answer, event.data)
    if answer.counted and output.finish_reason is not None:
        output.end()


def _is_cut(block: Any) -> bool:
    """Tell whether a call was cut off: it then has no input."""
    use = block.get("toolUse") if isinstance(block, dict) else None
    return isinstance(use, dict) and not use.get("input")


# ---- the events -------------------------------------------------------------------------------------


def _content_block_start(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.blocks.start(_key(data), data.get("start"))


def _content_block_delta(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.blocks.delta(_key(data), data.get("delta"))


def _content_block_stop(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.blocks.stop(_key(data))


def _key(data: Mapping[str, Any]) -> int | str:
    index = data.get("contentBlockIndex")
    return index if isinstance(index, int) else str(index)


def _message_stop(answer: _Answer, data: Mapping[str, Any]) -> None:
    reason = data.get("stopReason")
    answer.blocks.stop_all(cut=_FINISH_REASONS.get(str(reason)) != "completed")
    _tell(answer, "additional_model_response_fields", data.get("additionalModelResponseFields"))
    if isinstance(reason, str):
        answer.output.finish(_FINISH_REASONS.get(reason, reason))


def _metadata(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.counted = True
    usage = data.get("usage")
    if isinstance(usage, dict) and usage:
        _use(answer.output, usage)
    tier = data.get("serviceTier")
    if isinstance(tier, dict) and isinstance(tier.get("type"), str):
        answer.output.service_tier(tier["type"])
    trace = data.get("trace")
    router = trace.get("promptRouter") if isinstance(trace, dict) else None
    if isinstance(router, dict) and isinstance(router.get("invokedModelId"), str):
        answer.output.model(router["invokedModelId"])
    _tell(answer, "trace", trace)
    _tell(answer, "performance_config", data.get("performanceConfig"))


_EVENTS: dict[str, Callable[[_Answer, Mapping[str, Any]], None]] = {
    "contentBlockStart": _content_block_start,
    "contentBlockDelta": _content_block_delta,
    "contentBlockStop": _content_block_stop,
    "messageStop": _message_stop,
    "metadata": _metadata,
}


def _tell(answer: _Answer, name: str, value: Any) -> None:
    """Write what the caller asked to be told about the answer, which is no part of it."""
    if value:
        sealed = answer.blocks.seal({"about": name})
        answer.output.item({"type": f"bedrock:{name}", name: value, "encrypted_content": sealed})


def _use(output: Output, usage: Mapping[str, Any]) -> None:
    cached = _count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = _count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    # inputTokens is what neither came from a cache nor went into one.
    output.usage(
        input_tokens=_count(usage, "inputTokens") + cached + written,
        output_tokens=_count(usage, "outputTokens"),
        cached_tokens=cached,
        cache_write_tokens=written,
        details=_lifetimes(usage.get("cacheDetails")),
    )


def _lifetimes(said: Any) -> dict[str, int]:
    """Return what was written to the cache for an hour: it costs more than for five minutes."""
    entries = [entry for entry in said if isinstance(entry, dict)] if isinstance(said, list) else []
    written = sum(_count(entry, "inputTokens") for entry in entries if entry.get("ttl") == "1h")
    return {"cache_write_1h_tokens": written}


def _count(usage: Mapping[str, Any], *names: str) -> int:
    """Return the first counter that is there: some come under two names."""
    return next((usage[name] for name in names if isinstance(usage.get(name), int)), 0)
