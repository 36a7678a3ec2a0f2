"""``POST /responses/compact``: a conversation's window, made short.

Where the upstream has such an endpoint its own answer is returned, opaque items and all. Elsewhere the same
model writes a summary, which travels in a compaction item of dragoman's own, so that every provider can go
on from it (see ``dragoman.compaction``).
"""

from __future__ import annotations

import time
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.brackets import new_id
from dragoman.canonical import canonical_input
from dragoman.chains import Recalled, recall
from dragoman.compaction import compaction_item
from dragoman.errors import APIError, BadRequestError
from dragoman.history import continued_by, readable_context
from dragoman.hookspecs import Compacted
from dragoman.summaries import is_kept, summary_call, summary_in, whole_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.call import Call
    from dragoman.drivers import Driver
    from dragoman.timeouts import Timeout
    from dragoman.turns import Memory
    from dragoman.types import Item

__all__ = ["compact"]

_NOT_THERE = frozenset({404, 405})  # of a path; of a model too, which the summary will hear again
_NO_USAGE: Mapping[str, Any] = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


async def compact(call: Call, driver: Driver, memory: Memory | None, timeout: Timeout) -> dict[str, Any]:
    """Return the window of a conversation, made short, as ``POST /responses/compact`` answers.

    Args:
        call: its request says what is compacted, in the fields of ``COMPACTION_FIELDS``.
        driver: how to wait.
        memory: where a previous_response_id is found; None: nowhere.
        timeout: limits of each attempt.

    Raises:
        BadRequestError: there is nothing to compact, or it refers to what is not there.
        APIError: the model was not reached, refused, or wrote no summary.
    """
    recalled = Recalled([], call.request.get("input"))
    if memory is not None:
        find = partial(recall, owner=memory.owner, request=call.request, foreign_items=memory.foreign_ids)
        recalled = await driver.operate(memory.keeper, find)
    if not recalled.history and not recalled.input:
        raise BadRequestError("There is nothing to compact: input is empty.", param="input")
    compacted = await _native(call, recalled if memory is not None else None, driver, timeout)
    if compacted is None:
        compacted = await _summarised(call, recalled, driver, timeout)
    return {
        "id": new_id("resp"),
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": compacted.output,
        "usage": compacted.usage or _NO_USAGE,
    }


async def _native(
    call: Call, recalled: Recalled | None, driver: Driver, timeout: Timeout
) -> Compacted | None:
    """Return the upstream's own compaction; None where it has none."""
    if not call.provider.compacts:
        return None
    attempt = call.compaction(recalled)
    try:
        async with aclosing(driver.batches(attempt, timeout)) as batches:
            async for _ in batches:
                pass  # a window has no events
    except APIError as refusal:
        if refusal.code == "no_compaction" or (attempt.refused and refusal.status_code in _NOT_THERE):
            return None
        raise
    return attempt.compacted


async def _summarised(call: Call, recalled: Recalled, driver: Driver, timeout: Timeout) -> Compacted:
    info = call.provider.info_for(call.target)
    own = canonical_input(recalled.input or [])
    parts = readable_context(
        recalled.history, own, call.target.author, native=info.native, continued=continued_by(call.request)
    )
    items = [item for part in parts for item in part.items]
    asked = summary_call(call, items, call.request.get("instructions"))
    response = await whole_response(asked, driver, timeout)
    kept = [_as_output(item) for item in items if is_kept(item)]
    return Compacted(output=[*kept, compaction_item(summary_in(response))], usage=response["usage"])


def _as_output(item: Item) -> Item:
    """Return an input message as an item of an answer: with an id and a status."""
    return {"id": new_id("msg"), "status": "completed", **item}
