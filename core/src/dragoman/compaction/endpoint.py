"""``POST /responses/compact``: a conversation's window, made short.

Where the upstream has such an endpoint its own answer is returned, opaque items and all. Elsewhere the same
model writes a summary, which travels in a compaction item of dragoman's own, so that every provider can go
on from it (see ``dragoman.compaction.items``).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dragoman.attempts.history import continued_by, readable_context
from dragoman.canonical import canonical_input
from dragoman.compaction.items import compaction_item
from dragoman.compaction.summaries import is_kept, summary_call, summary_in
from dragoman.errors import APIError, BadRequestError
from dragoman.events.brackets import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.attempts.call import Call
    from dragoman.hookspecs import Compacted
    from dragoman.memory.chains import Recalled
    from dragoman.network.drivers import Driver
    from dragoman.turns.errands import Errand
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


async def compact(errand: Errand, driver: Driver) -> dict[str, Any]:
    """Return the window of a conversation, made short, as ``POST /responses/compact`` answers.

    Args:
        errand: its request says what is compacted, in the fields of ``COMPACTION_FIELDS``.
        driver: how to wait.

    Raises:
        BadRequestError: there is nothing to compact, or it refers to what is not there.
        APIError: the model was not reached, refused, or wrote no summary.
    """
    memory = errand.memory
    recalled = await errand.recall(driver, foreign_items=memory is not None and memory.foreign_ids)
    if not recalled.history and not recalled.input:
        raise BadRequestError("There is nothing to compact: input is empty.", param="input")
    call = (await errand.leg(driver)).call
    compacted = await _native(call, recalled if memory is not None else None, errand, driver)
    if compacted is None:
        output, answer = await _summarised(call, recalled, errand, driver)
    else:
        output, answer = compacted.output, {"usage": compacted.usage}
    window = {
        "id": errand.response_id,
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": output,
        "usage": answer["usage"] or _NO_USAGE,
        "dragoman": errand.paid(answer),
    }
    errand.response = window
    await errand.enter(driver)
    return window


async def _native(call: Call, recalled: Recalled | None, errand: Errand, driver: Driver) -> Compacted | None:
    """Return the upstream's own compaction; None where it has none."""
    if not call.provider.compacts:
        return None
    attempt = call.compaction(recalled)
    try:
        await errand.ask(attempt, driver)
    except APIError as refusal:
        if refusal.code == "no_compaction" or (attempt.refused and refusal.status_code in _NOT_THERE):
            return None
        raise
    return attempt.compacted


async def _summarised(
    call: Call, recalled: Recalled, errand: Errand, driver: Driver
) -> tuple[list[Item], dict[str, Any]]:
    """Return a window with a summary, and the response that the summary is."""
    info = call.provider.info_for(call.target)
    own = canonical_input(recalled.input or [])
    parts = readable_context(
        recalled.history, own, call.target.author, native=info.native, continued=continued_by(call.request)
    )
    items = [item for part in parts for item in part.items]
    asked = summary_call(call, items, call.request.get("instructions"))
    session = asked.session()
    await errand.ask(session, driver)
    if session.error is not None:
        raise session.error
    kept = [_as_output(item) for item in items if is_kept(item)]
    return [*kept, compaction_item(summary_in(session.response))], session.response


def _as_output(item: Item) -> Item:
    """Return an input message as an item of an answer: with an id and a status."""
    return {"id": new_id("msg"), "status": "completed", **item}
