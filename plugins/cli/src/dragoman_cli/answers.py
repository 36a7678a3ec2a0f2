"""Printing an answer: its text as it comes, its events, or the whole response.

The answer goes to stdout; what is said about it goes to stderr.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIError
from dragoman_cli.progress import money
from dragoman_cli.terminal import Flow, as_json, note, remark, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from dragoman import Dragoman, Response

__all__ = ["note_cost", "note_warnings", "print_events", "print_text", "print_whole", "wire"]


def print_text(client: Dragoman, options: dict[str, Any], *, reasoning: bool) -> Response:
    """Print the text as it comes, each message on lines of its own; then note refusals and calls.

    Args:
        client: whom to ask.
        options: what to ask.
        reasoning: whether to show the reasoning on stderr, summarised or whole.
    """
    text, thoughts = Flow(sys.stdout), Flow(sys.stderr)
    try:
        with client.responses.stream(**options) as stream:
            for event in stream:
                match event.type:
                    case "response.output_text.delta":
                        thoughts.end_line()
                        text.write(event.delta, block=event.output_index)
                    case "response.reasoning_summary_text.delta" if reasoning:
                        text.end_line()
                        thoughts.write(event.delta, block=(event.output_index, event.summary_index))
                    case "response.reasoning_text.delta" if reasoning:
                        text.end_line()
                        thoughts.write(event.delta, block=(event.output_index, "text", event.content_index))
            response = stream.get_final_response()
        if not text.used:  # an upstream that streams no deltas
            text.write(response.output_text, block=None)
    finally:
        thoughts.end_line()
        text.end_line()
    _note_what_is_not_text(response)
    return response


def print_events(client: Dragoman, options: dict[str, Any]) -> Response:
    """Print every event, one JSON object a line, as it comes."""
    with client.responses.stream(**options) as stream:
        for event in stream:
            say(as_json({"type": event.type, **wire(event)}))
        return stream.get_final_response()


def print_whole(client: Dragoman, options: dict[str, Any]) -> Response:
    """Print the response as JSON; of one that failed after it began, what had arrived."""
    try:
        response: Response = client.responses.create(**options)
    except APIError as error:
        if error.response is not None:
            say(as_json(wire(error.response), indent=2))
        raise
    say(as_json(wire(response), indent=2))
    return response


def note_warnings(response: Response) -> None:
    """Write to stderr what could not be done as asked, and whether the answer is incomplete."""
    for warning in response.dragoman.warnings if response.dragoman else ():
        note("warning", warning.message)
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        note("warning", f"the answer is incomplete: {reason or 'no reason given'}")


def note_cost(response: Response) -> None:
    """Write to stderr what the answer has cost, and its tokens, as far as they are known."""
    told = response.dragoman.cost if response.dragoman else None
    parts = [money(Decimal(told["total"]), told["currency"]) if told else "not known"]
    if usage := response.usage:
        parts.append(f"{usage.input_tokens} tokens in, {usage.output_tokens} out")
    note("cost", ", ".join(parts))


def wire(model: BaseModel) -> dict[str, Any]:
    """Return the JSON that came: without the fields that only the class has."""
    return model.model_dump(mode="json", exclude_unset=True, warnings=False)


def _note_what_is_not_text(response: Response) -> None:
    spoken = bool(response.output_text)
    for line in _spoken_otherwise(response):
        remark(line)
        spoken = True
    if not spoken and response.output:
        held = ", ".join(dict.fromkeys(item.type for item in response.output))
        note("warning", f"the answer has no text, only {held}; --json shows it")


def _spoken_otherwise(response: Response) -> Iterator[str]:
    for item in map(wire, response.output):
        match item:
            case {"type": "message", "content": [*parts]}:
                yield from (f"refused: {part['refusal']}" for part in parts if part.get("type") == "refusal")
            case {"type": "function_call", "name": name, "arguments": arguments}:
                yield f"call {name}({arguments})"
            case {"type": "custom_tool_call", "name": name, "input": written}:
                yield f"call {name}({written})"
