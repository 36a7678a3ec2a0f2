"""What holds whatever happens: limits, circuits, budgets, deadlines, counters, in a simulated crowd."""

import heapq
import itertools
import math
import random
import threading
from collections import Counter

import pytest
from core.tests.routing_world import OK, SILENCE, Answer, deployment, failing, refusal, world
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman import APIConnectionError, APIError, RateLimitError, Timeout

STRATEGIES = [
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "usage-based-routing",
    "cost-based-routing",
]
FAILURES = [
    failing(500),
    failing(503),
    failing(429),
    failing(429, retry_after=1),
    failing(429, retry_after=25),
    failing(429, "insufficient_quota"),
    failing(401),
    failing(404),
    failing(400),
    failing(400, "context_length_exceeded"),
    failing(400, "content_policy_violation"),
    Answer(APIConnectionError("reset")),
    SILENCE,
]
ANSWERS = [OK, Answer(seconds=3.0, first_event=0.5), *FAILURES]
TOTAL = 45.0


class Crowd:
    """Many calls at once, in simulated time: each is started, answered, or cancelled as it comes."""

    def __init__(self, here, draw, options):
        self.here, self.draw, self.options = here, draw, options
        self.events = []
        self.order = itertools.count()
        self.legs = []  # (time, deployment key)
        self.ended = []  # (journey, began, ended, error)

    def at(self, seconds, action):
        heapq.heappush(self.events, (seconds, next(self.order), action))

    def run(self, starts):
        for moment in starts:
            self.at(self.here.now() + moment, self.start)
        while self.events:
            moment, _, action = heapq.heappop(self.events)
            self.here.now.seconds = max(self.here.now(), moment)
            action()

    def start(self):
        began = self.here.now()
        try:
            journey = self.here.journey(**self.options)
        except APIError as error:
            self.ended.append((None, began, began, error))
            return
        self.step(journey, began)

    def step(self, journey, began):
        now, fleet = self.here.now(), self.here.fleet
        circuits = {one.id: fleet.load(one.id).breaker for one in fleet.deployments}
        before = {key: one.blocked_until(now) for key, one in circuits.items()}
        try:
            step = journey.next()
        except APIError as error:
            self.end(journey, began, error)
            return
        if self.draw.random() < 0.1:
            journey.cancelled()
            journey.cancelled()
            self.end(journey, began, None)
        if isinstance(step, float):
            assert step >= 0
            if not journey._ended:
                self.at(now + step, lambda: self.step(journey, began))
            return
        # The circuit of the only target there is keeps nobody out.
        assert len(before) == 1 or before[step.deployment.id] is None, "traffic while open"
        self.legs.append((now, step.deployment.id))
        for one in fleet.deployments:
            load = fleet.load(one.id)
            assert load.in_flight <= (one.max_parallel_requests or math.inf)
        if not journey._ended:
            answer = self.here.answer(step)
            self.at(now + answer.seconds, lambda: self.finish(journey, began, answer))

    def finish(self, journey, began, answer):
        if self.draw.random() < 0.1:
            journey.cancelled()
            self.end(journey, began, None)
        elif answer.error is None:
            journey.first_event()
            journey.succeeded({"total_tokens": 10})
            self.end(journey, began, None)
        else:
            journey.failed(answer.error)
            self.step(journey, began)

    def end(self, journey, began, error):
        self.ended.append((journey, began, self.here.now(), error))


def limit(least, most):
    return st.none() | st.integers(least, most)


@st.composite
def crowds(draw):
    """A fleet, what its upstreams do, and when calls come."""
    count = draw(st.integers(1, 5))
    fleet = [
        deployment(
            f"d{number}",
            draw(st.sampled_from(["m", "n"])) if number else "m",
            model=f"toy/{draw(st.sampled_from('xyz'))}",
            weight=draw(st.sampled_from([None, 0.0, 1.0, 5.0])),
            order=draw(st.integers(0, 1)),
            rpm=draw(limit(1, 20)),
            tpm=draw(limit(10, 200)),
            max_parallel_requests=draw(limit(1, 3)),
        )
        for number in range(count)
    ]
    answers = {one.id: draw(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=6)) for one in fleet}
    fallbacks = [{"m": ["n"]}] if any(one.name == "n" for one in fleet) else []
    here = world(
        *fleet,
        upstreams={
            key: (lambda now, tries, given=given: given[tries % len(given)]) for key, given in answers.items()
        },
        seed=draw(st.integers(0, 1000)),
        routing_strategy=draw(st.sampled_from(STRATEGIES)),
        num_retries=draw(st.integers(0, 3)),
        timeout=30,
        allowed_fails=draw(st.integers(0, 3)),
        fallbacks=fallbacks,
        content_policy_fallbacks=fallbacks,
        max_attempts=draw(limit(1, 6)),
    )
    starts = draw(st.lists(st.floats(0, 90), min_size=1, max_size=40))
    return here, sorted(starts)


@settings(max_examples=150, deadline=None)
@given(crowds(), st.randoms(use_true_random=False))
def test_a_crowd_meets_every_limit(crowd, draw):
    here, starts = crowd
    fleet = here.fleet
    run = Crowd(here, draw, {"timeout": Timeout(total=TOTAL), "tokens": 5})
    run.run(starts)
    assert len(run.ended) == len(starts)
    for one in fleet.deployments:
        moments = [moment for moment, key in run.legs if key == one.id]
        if one.rpm is not None:
            assert all(
                after - before >= 60 for before, after in zip(moments, moments[one.rpm :], strict=False)
            )
        load = fleet.load(one.id)
        assert load.in_flight == 0
        assert not load.breaker.probing
    for journey, began, ended, _ in run.ended:
        assert ended <= began + TOTAL + 1e-6
        if journey is None:
            continue
        chosen = fleet.settings
        assert len(journey.attempts) <= (chosen.max_attempts or math.inf)
        asked = Counter(one.deployment for one in journey.attempts)
        sizes = Counter(one.name for one in fleet.deployments)
        names = {one.id: one.name for one in fleet.deployments}
        for name, size in sizes.items():
            attempts = sum(count for key, count in asked.items() if names[key] == name)
            assert attempts <= size + chosen.num_retries
        assert all(one.outcome != "running" for one in journey.attempts)
        silent = Counter(one.deployment for one in journey.attempts if one.outcome == "timeout")
        assert all(count == 1 for count in silent.values())


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 8),
    st.data(),
    st.sampled_from(STRATEGIES),
    st.integers(0, 3),
    st.booleans(),
)
def test_a_router_with_one_healthy_deployment_always_answers(count, data, strategy, retries, in_fallback):
    """Whatever the others do, but for what no deployment of the group could mend."""
    mendable = [one for one in FAILURES if one.error is None or one.error.status_code != 400]
    broken = {f"d{number}": data.draw(st.sampled_from(mendable)) for number in range(count)}
    home = "backup" if in_fallback else "m"
    here = world(
        *(deployment(key) for key in broken),
        deployment("well", home),
        upstreams=broken,
        routing_strategy=strategy,
        num_retries=retries,
        timeout=5,
        fallbacks=[{"m": ["backup"]}] if in_fallback else [],
        seed=data.draw(st.integers(0, 100)),
    )
    for _ in range(12):
        assert here.call().answered_by == "well"
        here.now.seconds += data.draw(st.floats(0, 10))


@pytest.mark.parametrize("fault", [failing(503), failing(401), SILENCE], ids=["503", "401", "silence"])
def test_a_single_deployment_that_comes_back_answers_at_once(fault):
    here = world(deployment("d"), upstreams={"d": fault}, timeout=5, num_retries=0)
    for _ in range(20):
        assert here.call().error is not None
    here.upstreams["d"] = OK
    assert here.call().answered_by == "d"


def test_a_group_that_has_failed_as_a_whole_comes_back_with_one_probe_at_a_time():
    here = world(
        deployment("a"), deployment("b"), num_retries=0, upstreams={"a": failing(503), "b": failing(503)}
    )
    for _ in range(4):
        here.call()
    before = len(here.seen)
    here.upstreams.clear()
    run = Crowd(here, random.Random(1), {})
    run.draw.random = lambda: 1.0
    run.run([0.0] * 20)
    assert all(error is None for *_, error in run.ended)
    first = [moment for moment, _ in here.seen[before:]]
    assert min(first) - here.seen[before - 1][0] >= 4.9
    assert first.count(min(first)) <= 2  # one probe of each


@pytest.mark.parametrize("strategy", ["simple-shuffle"])
def test_weights_are_met(strategy):
    weights = {"a": 1, "b": 2, "c": 7, "none": 0}
    here = world(
        *(deployment(key, weight=weight) for key, weight in weights.items()), routing_strategy=strategy
    )
    calls = 5000
    counts = Counter(here.call().answered_by for _ in range(calls))
    for key, weight in weights.items():
        share = weight / 10
        bound = 4 * math.sqrt(share * (1 - share) / calls)
        assert abs(counts[key] / calls - share) <= bound


def test_weights_are_met_also_while_some_are_out():
    here = world(*(deployment(f"d{number}", weight=1 + number % 3) for number in range(30)))
    for number in range(0, 30, 2):
        here.fleet.load(f"d{number}").breaker.open_until(math.inf)
    calls = 4000
    counts = Counter(here.call().answered_by for _ in range(calls))
    total = sum(1 + number % 3 for number in range(1, 30, 2))
    for number in range(30):
        share = (1 + number % 3) / total if number % 2 else 0.0
        bound = 4.5 * math.sqrt(share * (1 - share) / calls)
        assert abs(counts[f"d{number}"] / calls - share) <= bound


def test_calls_in_flight_spread_by_two_choices():
    here = world(*(deployment(f"d{number}") for number in range(100)))
    legs = [here.journey().next() for _ in range(1000)]
    counts = Counter(leg.deployment.id for leg in legs)
    assert max(counts.values()) <= 13  # 10 each on average; drawn at random alone some would have 20


def test_limits_refuse_with_the_truth():
    here = world(deployment("a", rpm=2), deployment("b", rpm=1))
    answered = [here.call() for _ in range(3)]
    assert Counter(one.answered_by for one in answered) == {"a": 2, "b": 1}
    error = here.call().error
    assert isinstance(error, RateLimitError)
    assert error.code == "rate_limit_exceeded"
    assert 55 < error.retry_after <= 61
    here.now.seconds += error.retry_after - 1.5
    assert here.call().error is not None
    here.now.seconds += 1.5
    assert here.call().answered_by is not None


def test_tokens_are_limited_by_what_calls_took():
    here = world(deployment("a", tpm=100), upstreams={"a": Answer(usage={"total_tokens": 60})})
    assert here.call(tokens=50).answered_by == "a"
    assert here.call(tokens=50).error.retry_after > 50
    assert here.call(tokens=40).answered_by == "a"
    here.now.seconds += 62
    assert here.call(tokens=5000).answered_by == "a"  # larger than the limit: it goes when nothing else does


def test_parallel_requests_are_limited_and_a_cancelled_one_makes_room():
    here = world(deployment("a", max_parallel_requests=1))
    first = here.journey()
    assert here.journey().next().deployment.id == "a"  # planning takes no place
    with pytest.raises(RateLimitError):
        first.next()
    second = here.journey()
    second.cancelled()
    with pytest.raises(RateLimitError):
        here.journey().next()


def test_threads_share_a_fleet():
    here = world(*(deployment(f"d{number}", max_parallel_requests=2) for number in range(3)))
    problems = []

    def work(seed):
        draw = random.Random(seed)
        for _ in range(300):
            journey = here.journey()
            try:
                journey.next()
            except RateLimitError:
                continue
            if here.fleet.load("d0").in_flight > 2:
                problems.append("too many")
            if draw.random() < 0.3:
                journey.failed(refusal(409))
                journey.cancelled()
            elif draw.random() < 0.5:
                journey.succeeded(None)
            else:
                journey.cancelled()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert [here.fleet.load(f"d{number}").in_flight for number in range(3)] == [0, 0, 0]
