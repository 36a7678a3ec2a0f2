"""``POST /responses/compact``: a conversation's window, made short by a summary of the same model.

The summary travels in a compaction item, sealed in dragoman's own name, so that every provider can go on
from it: core puts it back as a message where the item comes in again. The model is shown the conversation as
a transcript, not as items: so no call lacks its tools or its output, whoever made it. What the operator of
the conversation said (system and developer messages) is kept word for word.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.brackets import new_id
from dragoman.canonical import canonical_input
from dragoman.chains import recall
from dragoman.compaction import compaction_item, summary_of
from dragoman.errors import BadRequestError, InternalServerError
from dragoman.models import validate_request
from dragoman_server.bodies import check_fields
from dragoman_server.responses import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dragoman.types import Item
    from dragoman_server.exchange import Exchange

__all__ = ["compact", "transcript"]

_FIELDS = frozenset(
    {
        "model",
        "input",
        "previous_response_id",
        "instructions",
        "service_tier",
        # What OpenAI takes beside these says nothing to a summary:
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "image",
    }
)
_KEPT_ROLES = frozenset({"system", "developer"})
_ORDER = """\
You condense conversations. The user's message is the transcript of a conversation between a user and an
assistant, its tools included. Write what the assistant needs to know to go on with it as if nothing had been
left out: what the user wants and has decided, facts, names, numbers, code and file paths, what was done and
what came of it, what is still open. Keep the language of the conversation. Write the summary alone."""
_NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


async def compact(exchange: Exchange) -> None:
    """``POST /responses/compact``."""
    body = await exchange.body()
    service = exchange.service
    service.call({**body, "input": []})  # a wrong model, or what is the operator's, is said first
    check_fields(body, _FIELDS)
    request = validate_request(body)
    history: Sequence[Item] = ()
    if "previous_response_id" in request:
        history = await service.operate(partial(recall, owner=exchange.owner.name, request=request))
    items = [*history, *canonical_input(request.get("input") or [])]
    if not items:
        raise BadRequestError("There is nothing to compact: input is empty.", param="input")
    asked = {
        "model": body["model"],
        "instructions": _ORDER,
        "input": [{"role": "user", "content": transcript(items, request.get("instructions"))}],
        "store": False,
    }
    if "service_tier" in request:
        asked["service_tier"] = request["service_tier"]
    response = await whole(exchange, service.turn(service.call(asked), exchange.owner))
    summary = _text_of(response["output"])
    if not summary or response["status"] != "completed":
        raise InternalServerError(
            f"The model did not write a summary; its answer is {response['status']}.",
            code="compaction_failed",
        )
    kept = [_as_output(item) for item in items if item.get("role") in _KEPT_ROLES]
    await exchange.answer(
        {
            "id": new_id("resp"),
            "object": "response.compaction",
            "created_at": int(time.time()),
            "output": [*kept, compaction_item(summary)],
            "usage": response["usage"] or _NO_USAGE,
        }
    )


def transcript(items: Sequence[Item], instructions: str | None = None) -> str:
    """Return a conversation as text, a paragraph for each item in full form.

    Raises:
        BadRequestError: an item that only its author can read stands for a part of the conversation.
    """
    paragraphs = [f"[instructions]\n{instructions}"] if instructions else []
    for index, item in enumerate(items):
        write = _WRITERS.get(item["type"], _other)
        text = write({**item, "_param": f"input[{index}]"})
        if text:
            paragraphs.append(text)
    return "\n\n".join(paragraphs)


def _message(item: Item) -> str:
    return f"[{item['role']}]\n{_parts(item['content'])}"


def _output(item: Item) -> str:
    return f"[result of {item.get('call_id')}]\n{_parts(item['output'])}"


def _call(item: Item) -> str:
    said = item.get("arguments", item.get("input"))
    return f"[call {item.get('call_id')}]\n{item['name']} {said}"


def _compaction(item: Item) -> str:
    summary = summary_of(item, item["_param"])
    if summary is None:
        raise BadRequestError(
            f"{item['_param']} is a compaction that only its provider can read: "
            "send the messages themselves.",
            param=item["_param"],
            code="foreign_compaction",
        )
    return f"[summary of what came before]\n{summary}"


def _other(item: Item) -> str:
    shown = {name: value for name, value in item.items() if name not in {"_param", "encrypted_content", "id"}}
    return f"[{item['type']}]\n{json.dumps(shown, ensure_ascii=False)}"


_WRITERS: dict[str, Callable[[Item], str]] = {
    "message": _message,
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": lambda _: "",  # was on the way to what stands beside it
    "compaction": _compaction,
}


def _parts(content: Any) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        text = part.get("text", part.get("refusal"))
        texts.append(text if text is not None else f"({part.get('filename') or part.get('type')}, not shown)")
    return "\n".join(texts)


def _text_of(output: Sequence[Item]) -> str:
    return "".join(
        part["text"]
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )


def _as_output(item: Item) -> Item:
    """Return an input message as an item of an answer: with an id and a status."""
    return {"id": new_id("msg"), "status": "completed", **item}
