"""Play every scenario at every provider in every mode, and print the table.

    python -m tests.failover [--fast] [--mode router-stream-buffer ...] [--scenario S08 ...]

With the original's times it takes about a quarter of an hour; ``--fast`` is what the tests play. Exit code 1
where anything but a pass came out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING

from tests.failover.callers import MODES, play_mode
from tests.failover.profiles import FAST, FULL
from tests.failover.scenarios import SCENARIOS
from tests.failover.upstream import FaultyUpstream
from tests.failover.wires import WIRES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.failover.cells import Result

_SIGNS = {"pass": "pass", "partial": "part", "safe": "safe", "fail": "FAIL"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Play sixteen faults at four providers, in every mode.")
    names = [str(mode) for mode in MODES]
    parser.add_argument("--fast", action="store_true", help="the times of the tests")
    parser.add_argument("--mode", action="append", choices=names, help="one of them; may be repeated")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="one; may be repeated")
    chosen = parser.parse_args()
    scenarios = chosen.scenario or list(SCENARIOS)
    good = True
    with FaultyUpstream(FAST if chosen.fast else FULL) as upstream:
        for mode in MODES:
            if str(mode) in (chosen.mode or names):
                began = time.monotonic()
                results = asyncio.run(play_mode(mode, upstream, scenarios=scenarios))
                print_table(f"{mode} ({time.monotonic() - began:.0f} s)", results, scenarios)
                good = good and all(result.judgement.verdict == "pass" for result in results.values())
    return 0 if good else 1


def print_table(title: str, results: Mapping[str, Result], scenarios: Sequence[str]) -> None:
    """Print verdicts by scenario and provider, and why some are no passes."""
    by_place = {(result.cell.scenario, result.cell.provider): result for result in results.values()}
    print(f"\n{title}")
    print(" " * 34 + "".join(f"{provider:>20}" for provider in WIRES))
    for scenario in scenarios:
        row = [by_place[scenario, provider] for provider in WIRES]
        shown = [f"{_SIGNS[one.judgement.verdict]} {_seconds(one):6.2f} s {_tries(one)}" for one in row]
        print(f"{scenario}  {SCENARIOS[scenario].fault:28}  " + "".join(f"{one:>20}" for one in shown))
    passes = [
        sum(by_place[scenario, provider].judgement.verdict == "pass" for scenario in scenarios)
        for provider in WIRES
    ]
    print(" " * 34 + "".join(f"{f'{count} of {len(scenarios)}':>20}" for count in passes))
    for result in results.values():
        judgement = result.judgement
        if judgement.verdict != "pass":
            said = "; ".join(judgement.reasons)
            print(f"  {result.cell.scenario} {result.cell.provider}: {judgement.verdict}: {said}")
        for note in judgement.notes:
            print(f"  {result.cell.scenario} {result.cell.provider}: {note}")
    print("  seconds are those of the slowest call, behind them: tries at primary + fallback", flush=True)


def _seconds(result: Result) -> float:
    return max(call.seconds for call in result.evidence.calls)


def _tries(result: Result) -> str:
    primary = len(result.evidence.on_primary)
    return f"{primary}+{len(result.evidence.tries) - primary}"


if __name__ == "__main__":
    sys.exit(main())
