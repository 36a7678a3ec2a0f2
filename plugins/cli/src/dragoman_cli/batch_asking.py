"""Asking many requests, a few at a time; the failure of one is its answer and hinders no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman import AsyncDragoman
from dragoman_cli.batch_lines import answered, failed
from dragoman_cli.exits import OK, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dragoman_cli.batch_lines import Request

__all__ = ["Answer", "ask_all"]


class Answer(NamedTuple):
    """What came of one request."""

    line: dict[str, Any]
    """As it is written."""
    code: int
    """The exit code of a command that had asked this alone."""


async def ask_all(
    requests: Collection[Request],
    keep: Callable[[Answer], None],
    *,
    parallel: int,
    num_retries: int,
    timeout: float | None,
) -> None:
    """Ask each request, at most `parallel` of them at a time.

    Args:
        requests: what to ask; they begin in this order.
        keep: gets each answer when it is there; what it raises ends all.
        parallel: how many.
        num_retries: how often a failure that may pass is tried again.
        timeout: seconds for one attempt.
    """
    waiting = iter(requests)
    # Nothing is remembered here: a history is the upstream's own, and so are ids where it gives any.
    async with AsyncDragoman(store=False, num_retries=num_retries, timeout=timeout) as client:

        async def work() -> None:
            for request in waiting:
                keep(await _ask(client, request))

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(parallel, len(requests))):
                    workers.create_task(work())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None


async def _ask(client: AsyncDragoman, request: Request) -> Answer:
    try:
        response = await client.responses.create(**request.parameters())
        return Answer(answered(request.custom_id, response), OK)
    except Exception as problem:  # whatever a plugin raises is the answer
        return Answer(failed(request.custom_id, problem), exit_code(problem))
