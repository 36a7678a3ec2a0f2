"""A process that keeps turns until it is killed, and what must be there afterwards.

Run as a program it is the one that is killed: it tells each turn on stdout when its Keeper says that it is
kept.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.events.brackets import new_id
from dragoman.memory.chains import remember
from dragoman.memory.conversations import create_conversation
from dragoman.memory.keeper import Keeper
from dragoman_sql import open_store

if TYPE_CHECKING:
    import random

    from dragoman.state import Transaction

__all__ = ["lost_after_kill"]

_WRITERS = 16
_OWNER = "ann"


# ---- the one that is killed -----------------------------------------------------------------------------


def _message(id_: str, role: str) -> dict[str, Any]:
    return {"id": id_, "type": "message", "role": role, "content": [{"type": "input_text", "text": id_ * 9}]}


async def _write(keeper: Keeper, *, in_conversation: bool) -> None:
    """Keep turn after turn, of one chain or of one conversation; tell each one, with how many there are."""
    request: dict[str, Any] = {}
    if in_conversation:
        begin = partial(create_conversation, owner=_OWNER)
        request["conversation"] = (await keeper.arun(begin))["id"]
    count = 0
    while True:
        id_ = new_id("resp")
        output = [_message(f"out_{id_}", "assistant")]
        response = {"id": id_, "created_at": 1700000000, "status": "completed", "output": output}
        keep = partial(
            remember,
            owner=_OWNER, request=dict(request), response=response, retention=None,
            input_items=[_message(f"in_{id_}", "user")],
        )  # fmt: skip
        await keeper.arun(keep)
        count += 1
        os.write(1, f"{id_} {count} {request.get('conversation', '-')}\n".encode())
        if not in_conversation:
            request["previous_response_id"] = id_


async def _write_for_ever(url: str) -> None:
    keeper = Keeper(open_store(url))
    await asyncio.gather(*(_write(keeper, in_conversation=number % 2 == 1) for number in range(_WRITERS)))


# ---- the one that kills ---------------------------------------------------------------------------------


def lost_after_kill(url: str, chance: random.Random) -> tuple[int, list[str]]:
    """Let a process write, kill it at some moment, open the store again.

    Returns:
        How many turns had been acknowledged, and what is wrong with the store.
    """
    writer = subprocess.Popen([sys.executable, Path(__file__), url], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    until = chance.randint(1, 400)
    told = [line for line, _ in zip(writer.stdout, range(until), strict=False)]
    writer.send_signal(signal.SIGKILL)
    told += writer.stdout.readlines()
    writer.stdout.close()
    writer.wait()
    acknowledged = [tuple(line.decode().split()) for line in told if line.endswith(b"\n")]
    assert len(acknowledged) >= until, "the writer ended by itself"
    store = open_store(url)
    try:
        with store.transaction() as transaction:
            wrong = [problem for one in acknowledged for problem in _missing(transaction, *one)]
            for conversation in {one[2] for one in acknowledged} - {"-"}:
                wrong += _halves(transaction, conversation)
    finally:
        store.close()
    return len(acknowledged), wrong


def _missing(transaction: Transaction, id_: str, count: str, conversation: str) -> list[str]:
    """Say what is not there of a turn that was acknowledged."""
    chain = transaction.get_chain(_OWNER, id_)
    expected = int(count) if conversation == "-" else 1
    if len(chain) != expected or chain[0].previous_response_id is not None:
        return [f"{id_}: {len(chain)} turns of {expected}"]
    if chain[-1].response["output"] != [_message(f"out_{id_}", "assistant")]:
        return [f"{id_}: its output is another one"]
    if conversation != "-":
        items = {item["id"] for item in transaction.get_items(conversation)}
        return [
            f"{item} is not in {conversation}" for item in (f"in_{id_}", f"out_{id_}") if item not in items
        ]
    return []


def _halves(transaction: Transaction, conversation: str) -> list[str]:
    """Say which turns of a conversation are there in part."""
    ids = [item["id"] for item in transaction.get_items(conversation)]
    turns = {id_.partition("_")[2] for id_ in ids}
    whole = [part for id_ in ids if id_.startswith("in_") for part in (id_, f"out_{id_.partition('_')[2]}")]
    wrong = [] if ids == whole else [f"{conversation}: {ids}"]
    return wrong + [id_ for id_ in turns if transaction.get_response(_OWNER, id_) is None]


if __name__ == "__main__":
    asyncio.run(_write_for_ever(sys.argv[1]))
