"""What ``import dragoman`` costs, beside ``import httpx, pydantic``, and the first call beside both."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
STATEMENTS = {
    "import httpx, pydantic": "import httpx, pydantic",
    "import dragoman": "import dragoman",
    "import dragoman.sdk.client": "import dragoman.sdk.client",
    "a first call to echo/": "import dragoman; dragoman.responses(model='echo/echo', input='hi')",
    "import openai": "import openai",
}


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    samples: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    nothing: list[float] = []
    for _ in range(ROUNDS):
        nothing.append(seconds("pass"))
        for name, statement in STATEMENTS.items():
            samples[name].append(seconds(statement))
    bare = statistics.median(nothing)
    costs = {name: statistics.median(values) - bare for name, values in samples.items()}
    yardstick = costs["import httpx, pydantic"]
    for name, cost in costs.items():
        print(f"{name:26} {cost * 1000:7.1f} ms  {cost / yardstick:5.2f} x")


if __name__ == "__main__":
    main()
