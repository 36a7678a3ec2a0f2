"""``context_management``, where the upstream has nothing like it: a context that is too long is made short.

Before the call the same model sums up what is past; what it is to answer now stays word for word, and so does
what the operator said. The answer then begins with a compaction item that stands for all of it, so that the
next turn goes on from there, by `previous_response_id` as well as by items that are sent back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.attempts.history import continued_by, readable_context
from dragoman.attempts.session import Session
from dragoman.attempts.token_counts import estimate_tokens
from dragoman.canonical import canonical_input
from dragoman.compaction.items import compaction_item
from dragoman.compaction.summaries import is_kept, summary_call, summary_in
from dragoman.errors import UnsupportedParameterError
from dragoman.output import Output
from dragoman.parameters import policy_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from dragoman.attempts.call import Call
    from dragoman.events.batches import Batch
    from dragoman.memory.chains import Recalled
    from dragoman.types import Item

__all__ = ["Shortened", "ShortenedSession", "shorten"]

_THRESHOLD = 100_000  # tokens, where the caller names none
_WORTH = 4  # what can be summed up has to be this part of the threshold: else the call would gain nothing


class Shortened(NamedTuple):
    """A context that was made short."""

    item: Item
    """The compaction item that stands for all of it."""
    summary: dict[str, Any]
    """The response that the summary is: part of what the call takes and costs."""


async def shorten(
    call: Call, recalled: Recalled, ask: Callable[[Call], Awaitable[dict[str, Any]]]
) -> Shortened | None:
    """Make a context short, where the request wants that and it is needed; None where not.

    Args:
        call: whose context it is.
        recalled: its history and input.
        ask: carries a call out, and returns its response.

    Raises:
        APIError: the request is wrong, or the model wrote no summary.
    """
    threshold = _threshold(call)
    if threshold is None:
        return None
    own = canonical_input(recalled.input or [])
    parts = readable_context(
        recalled.history, own, call.target.author, native=False, continued=continued_by(call.request)
    )
    items = [item for part in parts for item in part.items]
    request = call.request
    around = [request.get(name) for name in ("instructions", "tools", "text")]
    if estimate_tokens(items, around) <= threshold:
        return None
    begin = _unanswered(items)
    past, now = items[:begin], items[begin:]
    said = [item for item in past if not is_kept(item)]
    if estimate_tokens(said) * _WORTH < threshold:
        return None
    response = await ask(summary_call(call, past, request.get("instructions")))
    kept = [item for item in past if is_kept(item)]
    return Shortened(compaction_item(summary_in(response), before=kept, after=now), response)


def _threshold(call: Call) -> int | None:
    """Return how many tokens are too many; None where that is not dragoman's to see to."""
    entries = call.request.get("context_management")
    info = call.provider.info_for(call.target)
    if not entries or info.native:
        return None
    if policy_for("context_management", info.parameters, native=False).support != "emulated":
        return None
    for index, entry in enumerate(entries):
        if entry.get("type") != "compaction":
            raise UnsupportedParameterError(
                f"{call.provider.name} does not support context_management {entry.get('type')!r}: dragoman "
                "does compaction alone. Leave it out.",
                param=f"context_management[{index}].type",
                code="unsupported_parameter",
                type="invalid_request_error",
                provider=call.provider.name,
            )
    return min(entry.get("compact_threshold") or _THRESHOLD for entry in entries)


def _unanswered(items: Sequence[Item]) -> int:
    """Return where that begins which the model is to answer now.

    It is what was said last to the model: messages, or outputs of tools with the calls that they belong to
    and the reasoning before those, which providers want to see together.
    """
    place = len(items)
    while place and _is_said_to_the_model(items[place - 1]):
        place -= 1
    wanted = {item.get("call_id") for item in items[place:] if _is_output(item)}
    while place and (wanted or _leads_to_a_call(items[place - 1])):
        if wanted and items[place - 1].get("role") == "user":
            break  # the calls are not there
        place -= 1
        change = wanted.add if _is_output(items[place]) else wanted.discard
        change(items[place].get("call_id"))
    return place


def _is_said_to_the_model(item: Item) -> bool:
    return item.get("role") in {"user", "system", "developer"} or _is_output(item)


def _leads_to_a_call(item: Item) -> bool:
    return str(item["type"]).endswith(("reasoning", "_call"))


def _is_output(item: Item) -> bool:
    return str(item["type"]).endswith("_output")


class ShortenedSession(Session):
    """An attempt with a context that was made short: the answer says so first."""

    def __init__(self, *arguments: Any, shortened: Shortened, **more: Any) -> None:
        """See ``Session``."""
        super().__init__(*arguments, **more)
        self._shortened = shortened

    def accept(self, status: int, headers: Mapping[str, str]) -> Batch:
        """Open the response (see ``Session.accept``), with the compaction item."""
        events = super().accept(status, headers)
        answer = self._answer
        if isinstance(answer, Output):
            item = answer.open_item(self._shortened.item)
            item.announce("compacting")
            item.close()
            events = [*events, *answer.take_events()]
        return events
