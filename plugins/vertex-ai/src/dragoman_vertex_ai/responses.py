"""From an answer to the output: each family's translator, chosen by the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman_anthropic import responses as anthropic
from dragoman_gemini import responses as google
from dragoman_vertex_ai.gemini import traffic_tier
from dragoman_vertex_ai.models import ANTHROPIC, model_named

if TYPE_CHECKING:
    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["handle_stream_event", "parse_response", "parse_token_count"]


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    if model_named(target.model).publisher == ANTHROPIC:
        anthropic.parse_response(payload, output, target)
        return
    google.parse_response(payload, output, target)
    _tell_tier(payload, output)


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a streamed answer."""
    if model_named(target.model).publisher == ANTHROPIC:
        anthropic.handle_stream_event(event, output, target)
        return
    google.handle_stream_event(event, output, target)
    _tell_tier(event.data, output)


def _tell_tier(payload: Any, output: Output) -> None:
    if tier := traffic_tier(payload):
        output.service_tier(tier)


def parse_token_count(payload: Any, target: Target) -> int:
    """Return how many tokens the input has; core refuses what is no number."""
    name = "input_tokens" if model_named(target.model).publisher == ANTHROPIC else "totalTokens"
    count: Any = payload.get(name) if isinstance(payload, dict) else None
    return count  # type: ignore[no-any-return]
