"""Kill writers; count what they had acknowledged and is gone: ``python -m plugins.sql.benchmarks.kills``.

From the repository's root; `--kills 200` by default, `--url` for another database than a fresh SQLite file.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time

from plugins.sql.tests.killing import lost_after_kill


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--url", help="a database; a fresh SQLite file by default")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    began, acknowledged, wrong = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{folder}/memory.db"
        for _ in range(arguments.kills):
            count, problems = lost_after_kill(url, chance)
            acknowledged += count
            wrong += problems
            for problem in problems:
                print(problem, file=sys.stderr)
    print(
        f"{arguments.kills} kills in {time.monotonic() - began:.0f} s: "
        f"{acknowledged} turns acknowledged, {len(wrong)} problems"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
