"""500 slow streams on one worker, for a minute: what is lost or mixed up, and what memory they take.

    python -m plugins.server.benchmarks.slow_streams [--streams 500] [--seconds 60] [--rounds 2]

From the repository's root. Every stream says a word a second, and is stored in a fresh SQLite file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from plugins.server.tests.slow_streams import listen, paced_upstream

CONFIG = """
model_list:
  - {{model_name: slow, litellm_params: {{model: openai_compatible/x, api_base: '{upstream}'}}}}
dragoman_settings: {{store: 'sqlite:///{folder}/memory.db'}}
"""


def memory(process: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def peak(process: int) -> float:
    """Return the most memory that it had until this is cancelled."""
    highest = 0.0
    try:
        while True:
            highest = max(highest, memory(process))
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        return highest


async def measure(streams: int, seconds: int, rounds: int) -> int:
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        async with paced_upstream(words=seconds, pause=1.0) as upstream:
            config = Path(folder, "config.yaml")
            config.write_text(CONFIG.format(upstream=upstream, folder=folder))  # noqa: ASYNC240
            server = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "dragoman_cli", "serve", "--port", "0", "--config", config,
                "--log-level", "error", stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert server.stdout is not None
                ready = (await server.stdout.readline()).decode()
                url = next(word for word in ready.split() if word.startswith("http://"))
                started = memory(server.pid)
                wrong += await listen(url, 1, seconds)
                print(
                    f"{streams} streams of {seconds} words, one a second; memory: {started:.0f} MB at first, "
                    f"{memory(server.pid):.0f} MB after one stream",
                    flush=True,
                )
                for number in range(rounds):
                    watching, began = asyncio.create_task(peak(server.pid)), time.monotonic()
                    problems = await listen(url, streams, seconds)
                    took = time.monotonic() - began
                    watching.cancel()
                    highest = await watching
                    await asyncio.sleep(3)
                    print(
                        f"round {number + 1}: {took:.1f} s, {len(problems)} lost or mixed up; "
                        f"memory: {highest:.0f} MB at the peak, {memory(server.pid):.0f} MB after",
                        flush=True,
                    )
                    wrong += problems
            finally:
                server.terminate()
                code = await server.wait()
    for problem in wrong[:5]:
        print(" ", problem[:300])
    return 1 if wrong or code else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    return asyncio.run(measure(arguments.streams, arguments.seconds, arguments.rounds))


if __name__ == "__main__":
    sys.exit(main())
