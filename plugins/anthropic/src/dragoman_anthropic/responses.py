"""From a message of Anthropic's, whole or streamed, to the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman_anthropic.blocks import Blocks
from dragoman_anthropic.errors import stream_error

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
    "refusal": "content_filter",
    # Others keep their name. pause_turn: sent back as it is, without a user turn, it goes on.
}
_SERVICE_TIERS = {"standard": "default"}
_TOOL_COUNTS = {"web_search_requests": "web_search", "web_fetch_requests": "web_fetch"}


class _Answer:
    """What has to be remembered between the events of one answer."""

    def __init__(self, output: Output, provider: str) -> None:
        self.output = output
        self.blocks = Blocks(output, provider)
        self.usage: dict[str, Any] = {}
        self.stop_reason: str | None = None
        self.message_id: str | None = None
        self.number = -1
        """How many messages began before this one: the keys of their blocks differ by it."""
        self.container: dict[str, Any] | None = None

    def key(self, index: Any) -> tuple[int, Any]:
        return (self.number, index if isinstance(index, int) else str(index))


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole message."""
    answer = _Answer(output, target.author)
    _begin(answer, payload)
    _conclude(answer)


def parse_token_count(payload: Any) -> int:
    """Return the count of an answer of ``/v1/messages/count_tokens``."""
    count: int = payload["input_tokens"]
    return count


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a streamed message; unknown ones and pings mean nothing."""
    data = event.data
    if output.ended or not isinstance(data, dict):
        return
    handle = _EVENTS.get(data.get("type") or event.type)
    if handle is None:
        return
    answer = output.state.get("answer")
    if answer is None:
        answer = output.state["answer"] = _Answer(output, target.author)
    handle(answer, data)


# ---- the events ----------------------------------------------------------------------------------------


def _message_start(answer: _Answer, data: Mapping[str, Any]) -> None:
    message = data.get("message")
    if not isinstance(message, dict):
        return
    if message.get("id") is not None and message["id"] == answer.message_id:
        return  # said twice
    if not answer.blocks.stop_all():
        # Half a call was written and cannot be taken back; to finish it would make somebody run it.
        answer.output.fail(
            ProviderError(
                message="Anthropic began a second message in the middle of a tool call",
                status=502,
                type="server_error",
                code="malformed_stream",
            )
        )
        return
    _begin(answer, message)


def _begin(answer: _Answer, message: Any) -> None:
    """Write what a message holds: everything, or hardly anything where a stream begins with it."""
    if not isinstance(message, dict):
        return
    answer.number += 1
    answer.message_id = message.get("id")
    answer.output.model(message.get("model"))
    content = message.get("content")
    content = content if isinstance(content, list) else []
    cut_off = message.get("stop_reason") == "max_tokens"
    for index, block in enumerate(content):
        last = index == len(content) - 1
        answer.blocks.whole(("whole", answer.number, index), block, cut=cut_off and last and _is_cut(block))
    _note(answer, message, message.get("usage"))


def _is_cut(block: Any) -> bool:
    """Tell whether a call was cut off: the API then gives it the input ``{}``."""
    return isinstance(block, dict) and block.get("type") == "tool_use" and not block.get("input")


def _content_block_start(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.blocks.start(answer.key(data.get("index")), data.get("content_block"))


def _content_block_delta(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.blocks.delta(answer.key(data.get("index")), data.get("delta"))


def _content_block_stop(answer: _Answer, data: Mapping[str, Any]) -> None:
    answer.blocks.stop(answer.key(data.get("index")))


def _message_delta(answer: _Answer, data: Mapping[str, Any]) -> None:
    delta = data.get("delta")
    _note(answer, delta if isinstance(delta, dict) else {}, data.get("usage"))


def _message_stop(answer: _Answer, data: Mapping[str, Any]) -> None:  # noqa: ARG001
    _conclude(answer)
    answer.output.end()


def _error(answer: _Answer, data: dict[str, Any]) -> None:
    answer.output.fail(stream_error(data))


_EVENTS: dict[str, Callable[[_Answer, dict[str, Any]], None]] = {
    "message_start": _message_start,
    "content_block_start": _content_block_start,
    "content_block_delta": _content_block_delta,
    "content_block_stop": _content_block_stop,
    "message_delta": _message_delta,
    "message_stop": _message_stop,
    "error": _error,
}

# ---- what is said about the answer as a whole ----------------------------------------------------------


def _note(answer: _Answer, said: Mapping[str, Any], usage: Any) -> None:
    """Take stop reason, container and usage, from a message or from a ``message_delta``."""
    reason = said.get("stop_reason")
    if isinstance(reason, str):
        details = said.get("stop_details")
        explanation = details.get("explanation") if isinstance(details, dict) else None
        if reason == "refusal" and isinstance(explanation, str):
            answer.output.refusal(explanation)
        answer.stop_reason = reason
    if isinstance(said.get("container"), dict):
        answer.container = said["container"]
    if isinstance(usage, dict):
        _use(answer, usage)


def _use(answer: _Answer, usage: Mapping[str, Any]) -> None:
    """Report usage: the figures are totals, and the last one that is there counts."""
    answer.usage.update({name: figure for name, figure in usage.items() if figure is not None})
    figures = answer.usage
    cached = _count(figures, "cache_read_input_tokens")
    written = _count(figures, "cache_creation_input_tokens")
    thinking = figures.get("output_tokens_details")
    lifetimes = figures.get("cache_creation")
    # input_tokens is what neither came from a cache nor went into one.
    answer.output.usage(
        input_tokens=_count(figures, "input_tokens") + cached + written,
        output_tokens=_count(figures, "output_tokens"),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=_count(thinking, "thinking_tokens") if isinstance(thinking, dict) else None,
        details={"cache_write_1h_tokens": _count(lifetimes, "ephemeral_1h_input_tokens")}
        if isinstance(lifetimes, dict)
        else None,
    )
    # The fast mode has a price of its own, like a tier; the tier said beside it is then "standard".
    tier = "fast" if figures.get("speed") == "fast" else figures.get("service_tier")
    if isinstance(tier, str):
        answer.output.service_tier(_SERVICE_TIERS.get(tier, tier))
    requests = figures.get("server_tool_use")
    for name, tool in _TOOL_COUNTS.items():
        if isinstance(requests, dict) and isinstance(requests.get(name), int):
            answer.output.tool_usage(**{tool: {"num_requests": requests[name]}})


def _count(figures: Mapping[str, Any], name: str) -> int:
    figure = figures.get(name)
    return figure if isinstance(figure, int) else 0


def _conclude(answer: _Answer) -> None:
    """Write what only the end mark makes true: why it stopped, and the container, which may have to be named.

    A stream that is cut before ``message_stop`` is no answer, though its stop reason was told already.
    """
    if answer.stop_reason is not None:
        answer.output.finish(_FINISH_REASONS.get(answer.stop_reason, answer.stop_reason))
    container = answer.container
    if container is not None and container.get("id") and answer.output.finish_reason == "completed":
        sealed = answer.blocks.seal({"container": container["id"]})
        answer.output.item(
            {"type": "anthropic:container", "container": container, "encrypted_content": sealed}
        )
