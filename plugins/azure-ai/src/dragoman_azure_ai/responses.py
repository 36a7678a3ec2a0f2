"""From an answer to the output: each wire's translator, chosen by the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman_anthropic import responses as messages
from dragoman_azure_ai.deployments import MESSAGES, deployment_of
from dragoman_openai_compatible import responses as chat

if TYPE_CHECKING:
    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["handle_stream_event", "parse_response", "parse_token_count"]

_WIRE = "azure_ai.wire"


def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    translator = messages if deployment_of(target).wire == MESSAGES else chat
    translator.parse_response(payload, output, target)


def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a streamed answer."""
    translator = output.state.get(_WIRE)
    if translator is None:
        translator = messages if deployment_of(target).wire == MESSAGES else chat
        output.state[_WIRE] = translator
    translator.handle_stream_event(event, output, target)


def parse_token_count(payload: Any) -> int:
    """Return how many tokens the input has; core refuses what is no number."""
    count: Any = payload.get("input_tokens") if isinstance(payload, dict) else None
    return count  # type: ignore[no-any-return]
