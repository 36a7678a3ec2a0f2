"""Turns that are acknowledged per second: ``python -m plugins.sql.benchmarks.commits``.

From the repository's root. Each of 1, 32 or 256 callers keeps turn after turn of a chain through one Keeper,
waiting for each. SQLite's file is in the temporary folder (`TMPDIR` chooses the disk); PostgreSQL is started
by itself where it is installed, with its files synced.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import partial

from plugins.sql.tests.postgres_server import find_programs, running_server

from dragoman.events.brackets import new_id
from dragoman.memory.chains import remember
from dragoman.memory.keeper import Keeper
from dragoman.memory.memory_store import MemoryStore
from dragoman_sql import open_store

CALLERS = (1, 32, 256)
SECONDS = 3.0
TEXT = "Tell me a bedtime story about a unicorn. " * 25  # 1 kB in, 1 kB out


def message(role):
    return {"id": new_id("msg"), "type": "message", "role": role, "content": [{"type": "text", "text": TEXT}]}


async def call(keeper, until):
    request, count = {}, 0
    while time.perf_counter() < until:
        response = {
            "id": new_id("resp"), "object": "response", "created_at": 1700000000, "status": "completed",
            "output": [message("assistant")], "usage": {"input_tokens": 250, "output_tokens": 250},
        }  # fmt: skip
        await keeper.arun(
            partial(
                remember, owner="ann", request=request, response=response, retention=3600.0,
                input_items=[message("user")],
            )
        )  # fmt: skip
        request, count = {"previous_response_id": response["id"]}, count + 1
    return count


async def measure(keeper, callers):
    began = time.perf_counter()
    counts = await asyncio.gather(*(call(keeper, began + SECONDS) for _ in range(callers)))
    return sum(counts) / (time.perf_counter() - began)


def report(name, store):
    keeper = Keeper(store)
    rates = [asyncio.run(measure(keeper, callers)) for callers in CALLERS]
    keeper.close()
    print(f"{name:12}" + "".join(f"{rate:>12,.0f}" for rate in rates))


def main() -> None:
    print(f"{'turns/s':12}" + "".join(f"{callers:>5} callers" for callers in CALLERS))
    report("memory", MemoryStore())
    with tempfile.TemporaryDirectory() as folder:
        report("sqlite", open_store(f"sqlite:///{folder}/memory.db"))
    programs = find_programs()
    if programs is None:
        print("postgresql is not installed here")
        return
    with running_server(programs) as url:
        report("postgresql", open_store(url))


if __name__ == "__main__":
    main()
