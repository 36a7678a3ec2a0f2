"""Kill a server under load, again and again; count what was told and is gone.

    python -m plugins.server.benchmarks.kills [--kills 200] [--postgresql] [--workers 2]

From the repository's root. The store is a fresh SQLite file, or a PostgreSQL server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack

from plugins.server.tests.killing import Callers, kill_under_load
from plugins.sql.tests.postgres_server import find_programs, running_server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance, began = random.Random(arguments.seed), time.monotonic()
    callers = Callers(chance, settles_at_once=not arguments.postgresql, workers=arguments.workers)
    options = () if arguments.workers == 1 else ("--workers", str(arguments.workers))
    with ExitStack() as stack:
        if arguments.postgresql:
            programs = find_programs()
            if programs is None:
                sys.exit("PostgreSQL is not installed")
            url = stack.enter_context(running_server(programs))
        else:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/memory.db"
        asyncio.run(kill_under_load(callers, url, arguments.kills, chance, *options, settle=True))
    print(f"{arguments.kills} kills in {time.monotonic() - began:.0f} s; callers were told of")
    for what, count in sorted(callers.told.items()):
        print(f"  {what:28}{count:9,}")
    print(f"{len(callers.wrong)} of that were wrong afterwards")
    for wrong in callers.wrong[:20]:
        print(" ", wrong)
    return 1 if callers.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
