"""The sixteen scenarios: what breaks, what is checked, and the verdict on what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from tests.failover.story import HEALTHY, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.failover.exchanges import Try
    from tests.failover.outcomes import Outcome
    from tests.failover.profiles import Profile

__all__ = ["CALLS_IN_AN_OUTAGE", "SCENARIOS", "Evidence", "Judgement", "Scenario", "Verdict", "judge"]

Verdict = Literal["pass", "partial", "safe", "fail"]
CALLS_IN_AN_OUTAGE = 20


class Judgement(NamedTuple):
    """A verdict and why."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """What failed: checks that are required, else those that are advisory."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that can be seen from outside."""

    profile: Profile
    calls: Sequence[Outcome]
    tries: Sequence[Try]
    """What upstream saw of them."""
    next_call: Outcome
    """One to a healthy model, afterwards, by the same caller."""
    primary: str
    """The primary's model."""
    fallback: str

    @property
    def call(self) -> Outcome:
        """The call."""
        return self.calls[0]

    @property
    def on_primary(self) -> list[Try]:
        """The tries there."""
        return [one for one in self.tries if one.model == self.primary]

    def within(self, seconds: float) -> int:
        """Return how many tries came within so many seconds after the first."""
        return sum(one.began - self.tries[0].began <= seconds for one in self.tries)


class Check(NamedTuple):
    """One thing that has to be so."""

    says: str
    holds: Callable[[Evidence], bool]
    kind: Literal["required", "of an answer", "advisory"] = "required"
    """"of an answer": required, but only an answer can break it."""


def _advisory(says: str, holds: Callable[[Evidence], bool]) -> Check:
    return Check(says, holds, "advisory")


def _at_most(tries: int) -> Check:
    return Check(f"at most {tries} tries", lambda seen: len(seen.tries) <= tries)


def _waited(seen: Evidence) -> bool:
    gaps = [later.began - one.began for one, later in zip(seen.tries, seen.tries[1:], strict=False)]
    return len(gaps) == 1 and gaps[0] >= 0.9 * seen.profile.retry_after


def _usage(seen: Evidence) -> bool:
    """Tell whether the answer's usage is that of the model that gave it."""
    answering = next((one.model for one in reversed(seen.tries) if one.ending == "answered"), "")
    usage = (seen.call.response or {}).get("usage") or {}
    return (usage.get("input_tokens"), usage.get("output_tokens")) == usage_of(answering)


def _names_who_answered(seen: Evidence) -> bool:
    model: str = (seen.call.response or {}).get("model", "")
    return model.rpartition("/")[2] == seen.fallback


def _once_or_smaller(seen: Evidence) -> bool:
    first, *others = seen.on_primary
    return not others or (len(others) == 1 and others[0].size < first.size)


def _in_outage(seen: Evidence) -> list[Outcome]:
    over = seen.on_primary[0].began + seen.profile.outage
    return [call for call in seen.calls if call.began < over]


def _came_back(seen: Evidence) -> bool:
    over = seen.on_primary[0].began + seen.profile.outage
    back = [one.began for one in seen.on_primary if one.ending == "answered"]
    return bool(back) and back[0] - over <= seen.profile.recovery


def _probes(seen: Evidence) -> str:
    refused = sum(one.ending == "refused" for one in seen.on_primary)
    return f"{refused} tries at the primary in its outage, {len(seen.calls)} calls"


_NEXT_WORKS = Check("the next call works", lambda seen: seen.next_call.answered)
_NOT_THE_PREFILL = Check(
    "the fallback's refusal of a prefill is not the caller's error",
    lambda seen: seen.call.failure is None or "prefill" not in seen.call.failure.message,
)


class Scenario(NamedTuple):
    """One fault and what is right."""

    fault: str
    checks: tuple[Check, ...] = ()
    fallback: str = HEALTHY
    seconds: float | None = None
    """Within which the call has to end."""
    refuses: bool = False
    """Whether the right outcome is the refusal."""
    note: Callable[[Evidence], str] | None = None


SCENARIOS: dict[str, Scenario] = {
    "S01": Scenario(
        "429 once, Retry-After 2",
        (
            Check("at most 2 tries in 1.5 s", lambda seen: seen.within(0.75 * seen.profile.retry_after) <= 2),
            _advisory("2 tries, 1.8 s or more between them", _waited),
        ),
    ),
    "S02": Scenario(
        "429 for ever",
        (Check("at most 4 tries in 3 s", lambda seen: seen.within(seen.profile.of(3)) <= 4), _at_most(6)),
    ),
    "S03": Scenario(
        "500 once", (_advisory("2 or more tries at the primary", lambda seen: len(seen.on_primary) >= 2),)
    ),
    "S04": Scenario("503 for ever", (_at_most(6),)),
    "S05": Scenario("TCP reset once"),
    "S06": Scenario(
        "silence",
        (_advisory("1 try at the primary", lambda seen: len(seen.on_primary) == 1),),
        seconds=100,
    ),
    "S07": Scenario(
        "first token after 20 s",
        (_advisory("done within 15 s", lambda seen: seen.call.seconds <= seen.profile.soon),),
    ),
    "S08": Scenario("cut after 40 tokens"),
    "S09": Scenario("stall after 20 tokens", (_NEXT_WORKS,), seconds=45),
    "S10": Scenario(
        "broken JSON", (_NEXT_WORKS, _advisory("a complete answer", lambda seen: seen.call.answered))
    ),
    "S11": Scenario(
        "no [DONE], no close",
        (
            Check("done within 8 s", lambda seen: seen.call.seconds <= seen.profile.finishing),
            _advisory("its usage", _usage),
        ),
    ),
    "S12": Scenario("context length exceeded", (Check("1 try, a second only if smaller", _once_or_smaller),)),
    "S13": Scenario(
        "content policy violation",
        (
            Check("1 try at the primary", lambda seen: len(seen.on_primary) == 1),
            _advisory("the caller hears the reason", lambda seen: seen.call.filtered),
            _advisory("nobody else is asked", lambda seen: len(seen.tries) == 1),
        ),
        refuses=True,
    ),
    "S14": Scenario("cut, and no prefill", (_NOT_THE_PREFILL,), fallback="fb-no-prefill"),
    "S15": Scenario(
        "503 for 60 s",
        (
            Check(
                "all calls in the outage are answered",
                lambda seen: all(call.answered for call in _in_outage(seen)),
                "of an answer",
            ),
            Check("the primary is used again within 30 s", _came_back, "of an answer"),
        ),
        note=_probes,
    ),
    "S16": Scenario(
        "503 for ever: who answered",
        (
            Check("the fallback's model is named", _names_who_answered, "of an answer"),
            _at_most(6),
            _advisory("the fallback's usage", _usage),
        ),
    ),
}


def judge(name: str, seen: Evidence) -> Judgement:
    """Return the verdict on a scenario."""
    scenario = SCENARIOS[name]
    wrong = [call.wrong for call in seen.calls if call.wrong is not None]
    if not seen.on_primary:
        return Judgement("fail", ("the primary was never asked", *wrong))
    notes = (scenario.note(seen),) if scenario.note is not None else ()
    if wrong:
        return Judgement("fail", tuple(wrong), notes)
    if scenario.seconds is not None and seen.call.seconds > seen.profile.of(scenario.seconds):
        return Judgement("fail", (f"took {seen.call.seconds:.2f} s",), notes)
    unanswered = [call.failure for call in seen.calls if not call.answered]
    safe = bool(unanswered) and not scenario.refuses
    kinds = {"required"} if safe else {"required", "of an answer"}
    failed = tuple(check.says for check in scenario.checks if check.kind in kinds and not check.holds(seen))
    if failed:
        return Judgement("fail", failed, notes)
    if safe:
        said = [f"{failure.status} {failure.code}: {failure.message}" for failure in unanswered if failure]
        return Judgement("safe", tuple(said[:1]), notes)
    failed = tuple(
        check.says for check in scenario.checks if check.kind == "advisory" and not check.holds(seen)
    )
    return Judgement("partial" if failed else "pass", failed, notes)
