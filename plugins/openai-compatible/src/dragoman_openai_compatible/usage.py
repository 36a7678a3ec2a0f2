"""Usage: the figures of many hosts, as inclusive totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.output import Output

__all__ = ["report_usage"]


def report_usage(output: Output, usage: Mapping[str, Any]) -> None:
    """Report an answer's tokens; the figures are totals, and the last that come count.

    Input that came from a cache is in ``prompt_tokens``, reasoning in ``completion_tokens``; where the total
    shows that a host leaves something out of both (xAI and Gemini reasoning, Mistral audio), it is added.
    """
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    of_prompt, of_completion = _details(usage, "prompt"), _details(usage, "completion")
    reasoning = _first(of_completion, usage, "reasoning_tokens")
    gap = (_count(usage, "total_tokens") or 0) - (prompt or 0) - (completion or 0)
    if gap > 0 and prompt is not None and completion is not None:
        if gap == _count(of_prompt, "audio_tokens") and gap != reasoning:
            prompt += gap
        else:
            completion += gap
    cached = _first(of_prompt, usage, "cached_tokens")
    if cached is None:
        cached = _first(usage, usage, "prompt_cache_hit_tokens", "num_cached_tokens")
    output.usage(
        input_tokens=prompt,
        output_tokens=completion,
        cached_tokens=cached,
        cache_write_tokens=_count(of_prompt, "cache_write_tokens"),
        reasoning_tokens=reasoning,
        # Sound has a price of its own.
        details={
            "input_audio_tokens": _count(of_prompt, "audio_tokens") or 0,
            "output_audio_tokens": _count(of_completion, "audio_tokens") or 0,
        },
    )
    tools = usage.get("server_tool_use_details") or usage.get("server_tool_use")
    searches = _count(tools, "web_search_requests") if isinstance(tools, dict) else None
    searches = searches or _count(usage, "num_search_queries")
    if searches:
        output.tool_usage(web_search={"num_requests": searches})


def _details(usage: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    details = usage.get(f"{kind}_tokens_details")
    return details if isinstance(details, dict) else {}


def _first(first: Mapping[str, Any], second: Mapping[str, Any], *names: str) -> int | None:
    found = (_count(figures, name) for figures in (first, second) for name in names)
    return next((figure for figure in found if figure is not None), None)


def _count(figures: Mapping[str, Any], name: str) -> int | None:
    figure = figures.get(name)
    return figure if isinstance(figure, int) and figure >= 0 else None
