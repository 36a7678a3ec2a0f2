"""A simulated world for routing: a clock that moves when it is told to, and upstreams that fail by plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from dragoman.errors import APIError, APITimeoutError, ProviderError, error_for
from dragoman.network.timeouts import timeout_error
from dragoman.routing import Deployment, Fleet, RouteOptions, RoutingSettings


class Now:
    """A time that moves when it is told to."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def refusal(status, code=None, *, retry_after=None, retryable=None, message="no"):
    """An upstream's refusal, as it comes from `refusals`."""
    said = ProviderError(message=message, status=status, code=code)
    return error_for(said, retry_after=retry_after, retryable=retryable)


@dataclass(frozen=True)
class Answer:
    """What an upstream does: after `seconds` it answers, or fails with `error`; silence is for ever."""

    error: APIError | None = None
    seconds: float = 0.1
    first_event: float | None = None
    """When its first event comes; with the whole answer if None."""
    usage: dict[str, int] | None = None


OK = Answer()
SILENCE = Answer(seconds=1e9)


def failing(status, code=None, *, seconds=0.05, **more):
    return Answer(refusal(status, code, **more), seconds)


@dataclass
class Outcome:
    """How a call ended, and when."""

    answered_by: str | None = None
    error: Exception | None = None
    began: float = 0.0
    ended: float = 0.0
    journey: object = None

    @property
    def seconds(self):
        return self.ended - self.began


@dataclass
class World:
    """Upstreams by deployment id: what they always do, or a function of the time and the try."""

    fleet: Fleet
    now: Now
    upstreams: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[float, str]] = field(default_factory=list)
    """(time, deployment) of every request."""

    def prepare(self, deployment, model):
        return SimpleNamespace(deployment=deployment, model=model, target=None)

    def tries(self, *ids):
        return [moment for moment, deployment in self.seen if deployment in ids]

    def journey(self, model="m", **options):
        return self.fleet.journey(model, self.prepare, options=RouteOptions(**options))

    def call(self, model="m", **options):
        """Carry out a call, as a driver would, alone in the world."""
        outcome = Outcome(began=self.now())
        try:
            journey = outcome.journey = self.journey(model, **options)
            for _ in range(1000):
                step = journey.next()
                if isinstance(step, float):
                    self.now.seconds += step
                elif self.attempt(journey, step):
                    outcome.answered_by = step.deployment.id
                    break
            else:
                raise AssertionError("the call does not end")
        except APIError as error:
            outcome.error = error
        outcome.ended = self.now()
        return outcome

    def answer(self, leg):
        self.seen.append((self.now(), leg.deployment.id))
        answer = self.upstreams.get(leg.deployment.id, OK)
        if callable(answer):
            answer = answer(self.now(), len(self.tries(leg.deployment.id)))
        return timed(answer, leg.timeout)

    def attempt(self, journey, leg):
        answer = self.answer(leg)
        self.now.seconds += answer.seconds
        if answer.error is not None:
            journey.failed(answer.error)
            return False
        journey.first_event()
        journey.succeeded(answer.usage or {"input_tokens": 5, "output_tokens": 5})
        return True


def timed(answer, timeout):
    """What comes of an answer under the limits of its attempt."""
    first = answer.seconds if answer.first_event is None else answer.first_event
    limits = [
        (timeout.first_event, first, "first_event"),
        (timeout.attempt, answer.seconds, "attempt"),
        (timeout.total, answer.seconds, "total"),
    ]
    passed = [(limit, name) for limit, seconds, name in limits if limit is not None and seconds > limit]
    if not passed:
        return answer
    limit, name = min(passed)
    return Answer(timeout_error(name, limit), limit)


def world(*deployments, upstreams=None, seed=1, now=None, adhoc=False, **settings):
    now = now or Now()
    fleet = Fleet(
        deployments,
        RoutingSettings.of(settings),
        adhoc=adhoc,
        clock=now,
        random=random.Random(seed),
    )
    return World(fleet, now, upstreams or {})


def deployment(key, name="m", **more):
    return Deployment(id=key, name=name, model=more.pop("model", f"toy/{key}"), **more)


__all__ = [
    "OK",
    "SILENCE",
    "APITimeoutError",
    "Answer",
    "Now",
    "Outcome",
    "World",
    "deployment",
    "failing",
    "refusal",
    "timed",
    "world",
]
