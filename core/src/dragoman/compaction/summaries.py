"""Summaries of conversations, written by the model that is to go on with them.

The model is shown the conversation as a transcript, not as items: so no call lacks its tools or its output,
whoever made it.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.attempts.history import OPERATORS
from dragoman.errors import InternalServerError
from dragoman.models import validate_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dragoman.attempts.call import Call
    from dragoman.network.drivers import Driver
    from dragoman.network.timeouts import Timeout
    from dragoman.types import Item

__all__ = ["is_kept", "summary_call", "summary_in", "transcript", "whole_response"]

_SAME = ("model", "service_tier", "safety_identifier", "user")
_ORDER = """\
You condense conversations. The user's message is the transcript of a conversation between a user and an
assistant, its tools included. Write what the assistant needs to know to go on with it as if nothing had been
left out: what the user wants and has decided, facts, names, numbers, code and file paths, what was done and
what came of it, what is still open. Keep the language of the conversation. Write the summary alone."""


def is_kept(item: Item) -> bool:
    """Tell whether an item stays word for word: what the operator of the conversation said."""
    return item.get("role") in OPERATORS


def summary_call(call: Call, items: Sequence[Item], instructions: str | None = None) -> Call:
    """Return the call that asks a call's model for a summary.

    Args:
        call: whose model, settings and limits of time are meant.
        items: canonical, and readable for the model's provider.
        instructions: those of the conversation.
    """
    asked = {name: call.request[name] for name in _SAME if call.request.get(name) is not None}
    asked |= {
        "instructions": _ORDER,
        "input": [{"role": "user", "content": transcript(items, instructions)}],
        "store": False,
    }
    return replace(call, request=validate_request(asked), text_format=None)


async def whole_response(call: Call, driver: Driver, timeout: Timeout) -> dict[str, Any]:
    """Return the response to a call that nobody remembers, asked once.

    Raises:
        APIError: it was refused, or failed.
    """
    session = call.session()
    async with aclosing(driver.batches(session, timeout)) as batches:
        async for _ in batches:
            pass
    if session.error is not None:
        raise session.error
    return session.response


def summary_in(response: Mapping[str, Any]) -> str:
    """Return the summary that a response is.

    Raises:
        InternalServerError: the model wrote none, or not all of it.
    """
    summary = "".join(_texts(response["output"]))
    if not summary or response["status"] != "completed":
        raise InternalServerError(
            f"The model did not write a summary; its answer is {response['status']}.",
            code="compaction_failed",
        )
    return summary


def transcript(items: Iterable[Item], instructions: str | None = None) -> str:
    """Return a conversation as text, a paragraph for each item."""
    paragraphs = [f"[instructions]\n{instructions}"] if instructions else []
    paragraphs += [_WRITERS.get(item["type"], _other)(item) for item in items]
    return "\n\n".join(filter(None, paragraphs))


def _message(item: Item) -> str:
    return f"[{item['role']}]\n{_parts(item['content'])}"


def _output(item: Item) -> str:
    return f"[result of {item.get('call_id')}]\n{_parts(item['output'])}"


def _call(item: Item) -> str:
    said = item.get("arguments", item.get("input"))
    return f"[call {item.get('call_id')}]\n{item['name']} {said}"


def _other(item: Item) -> str:
    shown = {name: value for name, value in item.items() if name not in {"encrypted_content", "id"}}
    return f"[{item['type']}]\n{json.dumps(shown, ensure_ascii=False)}"


_WRITERS: dict[str, Callable[[Item], str]] = {
    "message": _message,
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": lambda _: "",  # was on the way to what stands beside it
}


def _parts(content: Any) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        text = part.get("text", part.get("refusal"))
        texts.append(text if text is not None else f"({part.get('filename') or part.get('type')}, not shown)")
    return "\n".join(texts)


def _texts(output: Iterable[Item]) -> Iterable[str]:
    for item in output:
        if item["type"] == "message":
            yield from (part["text"] for part in item["content"] if part["type"] == "output_text")
