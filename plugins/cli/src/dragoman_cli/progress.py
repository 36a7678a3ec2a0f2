"""How far a batch is and what it has cost: counted, and shown on stderr while somebody waits."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dragoman_cli.terminal import remark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Tally", "money", "progress"]

_STEPS = 10
_OK = 200


@dataclass(slots=True, kw_only=True)
class Tally:
    """What has come of a batch so far."""

    total: int
    """Lines that are to be asked, or were."""
    done: int = 0
    failed: int = 0
    kept: int = 0
    """Those of both that an earlier run has left."""
    costs: dict[str, Decimal] = field(default_factory=dict)
    """By currency."""
    unpriced: int = 0
    """Answers whose cost nobody knows."""

    @property
    def over(self) -> int:
        """How many lines have their answer, or have failed."""
        return self.done + self.failed

    def add(self, line: dict[str, Any]) -> None:
        """Count a line of the output."""
        answer = line["response"] or {}
        body = answer.get("body")
        body = body if isinstance(body, dict) else {}
        if answer.get("status_code") == _OK:
            self.done += 1
        else:
            self.failed += 1
        cost = (body.get("dragoman") or {}).get("cost")
        if cost:
            currency = cost.get("currency") or "USD"
            self.costs[currency] = self.costs.get(currency, Decimal()) + Decimal(str(cost["total"]))
        elif body.get("usage"):
            self.unpriced += 1

    def __str__(self) -> str:
        """Return ``12 of 20 done, 1 failed, $0.0123``."""
        parts = [f"{self.done} of {self.total} done", f"{self.failed} failed", self.money()]
        return ", ".join(part for part in parts if part)

    def money(self) -> str:
        """Return the cost so far; nothing where none is known."""
        if not self.costs:
            return ""
        amounts = " + ".join(money(amount, currency) for currency, amount in self.costs.items())
        return amounts + (f" and {self.unpriced} of unknown cost" if self.unpriced else "")

    def as_json(self) -> dict[str, Any]:
        """Return the counts, and the cost by currency as decimal strings."""
        return {
            **{name: getattr(self, name) for name in ("total", "done", "failed", "kept", "unpriced")},
            "cost": {currency: format(amount, "f") for currency, amount in self.costs.items()},
        }


def money(amount: Decimal, currency: str = "USD") -> str:
    """Return an amount for people: cents and their hundredths, or else its first two digits."""
    shown = round(amount, 4) if amount >= Decimal("0.01") else Decimal(f"{amount:.2g}")
    number = f"{shown:.2f}" if shown >= 1 or not shown else f"{shown:f}"
    return f"${number}" if currency == "USD" else f"{number} {currency}"


@contextmanager
def progress(tally: Tally) -> Iterator[Callable[[], None]]:
    """Show a bar where stderr is a terminal, else a line with every tenth; call what is yielded at a step."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(tally) as show:
            yield show
    else:
        yield _tenths(tally)


def _tenths(tally: Tally) -> Callable[[], None]:
    shown = tally.over * _STEPS // tally.total

    def show() -> None:
        nonlocal shown
        reached = tally.over * _STEPS // tally.total
        if reached > shown and tally.over < tally.total:  # the last is the summary's
            shown = reached
            remark(str(tally))

    return show


@contextmanager
def _bar(tally: Tally) -> Iterator[Callable[[], None]]:
    from rich import progress as bars  # noqa: PLC0415 - for terminals alone
    from rich.console import Console  # noqa: PLC0415

    columns = (
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.description}", markup=False),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(str(tally), total=tally.total, completed=tally.over)
        yield lambda: bar.update(task, completed=tally.over, description=str(tally))
