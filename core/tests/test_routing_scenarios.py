"""The faults S01 to S16 of Failover Bench as decisions: 2 retries, 30 s, one fallback, a simulated world."""

import pytest
from core.tests.routing_world import OK, SILENCE, Answer, deployment, failing, refusal, world

from dragoman import (
    APIConnectionError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    MalformedResponseError,
    ServiceUnavailableError,
    StreamInterruptedError,
)

PRIMARY, FALLBACK = deployment("p"), deployment("f", "backup")


def once(answer):
    return lambda now, tries: answer if tries == 1 else OK


def bench(primary, fallback=OK, *, fallbacks=True, **settings):
    return world(
        PRIMARY,
        FALLBACK,
        upstreams={"p": primary, "f": fallback},
        timeout=30,
        num_retries=2,
        **({"fallbacks": [{"m": ["backup"]}]} if fallbacks else {}),
        **settings,
    )


def test_s01_retry_after_is_waited_for():
    here = bench(once(failing(429, retry_after=2)))
    assert here.call().answered_by == "p"
    first, second = here.tries("p")
    assert second - first >= 1.8
    assert second - first < 2.5


def test_s02_429_for_ever_is_left_after_a_jittered_backoff():
    here = bench(failing(429))
    assert here.call().answered_by == "f"
    tries = here.tries("p")
    gaps = [after - before for before, after in zip(tries, tries[1:], strict=False)]
    assert len(tries) == 3
    assert gaps[1] > gaps[0] > 0.2
    other = bench(failing(429), seed=2)
    other.call()
    assert here.tries("p")[1] != other.tries("p")[1]


def test_s03_a_500_is_tried_again_where_it_came_from():
    here = bench(once(failing(500)))
    assert here.call().answered_by == "p"
    assert len(here.tries("p")) == 2
    assert not here.tries("f")


def test_s04_503_for_ever_goes_to_the_fallback_inside_the_budget():
    here = bench(failing(503))
    assert here.call().answered_by == "f"
    assert len(here.seen) <= 6


def test_s04_with_nowhere_to_go_the_first_error_is_told():
    here = bench(failing(503, message="the primary is down"), failing(401))
    error = here.call().error
    assert isinstance(error, ServiceUnavailableError)
    assert "the primary is down" in error.message
    assert len(here.seen) == 4
    lone = bench(failing(503), fallbacks=False)
    assert isinstance(lone.call().error, ServiceUnavailableError)
    assert len(lone.seen) == 3


@pytest.mark.parametrize(
    "problem",
    [APIConnectionError("reset"), StreamInterruptedError("cut"), MalformedResponseError("garbage")],
    ids=["S05", "S08", "S10"],
)
def test_what_breaks_is_tried_again(problem):
    here = bench(once(Answer(problem)))
    assert here.call().answered_by == "p"
    always = bench(Answer(problem))
    assert always.call().answered_by == "f"
    assert len(always.seen) == 4


def test_s06_silence_is_left_at_once_and_not_asked_again():
    here = bench(SILENCE)
    outcome = here.call()
    assert outcome.answered_by == "f"
    assert len(here.tries("p")) == 1
    assert outcome.seconds < 31
    silent = bench(SILENCE, SILENCE)
    assert silent.call().error.status_code == 408
    assert len(silent.seen) == 2


@pytest.mark.parametrize("late", [Answer(seconds=25, first_event=20), SILENCE], ids=["S07", "S09"])
def test_a_late_first_event_fails_over_in_time(late):
    here = bench(late, stream_timeout=10)
    outcome = here.call(streamed=True)
    assert outcome.answered_by == "f"
    assert outcome.seconds < 15
    assert len(here.tries("p")) == 1


def test_s12_a_context_overflow_is_never_sent_again_unchanged():
    overflow = failing(400, "context_length_exceeded")
    here = bench(overflow)
    assert here.call().answered_by == "f"
    assert len(here.tries("p")) == 1
    larger = world(
        PRIMARY,
        deployment("p2"),
        FALLBACK,
        deployment("large", "large"),
        upstreams={"p": overflow, "p2": overflow},
        fallbacks=[{"m": ["backup"]}],
        context_window_fallbacks=[{"m": ["large"]}],
    )
    assert larger.call().answered_by == "large"
    assert len(larger.seen) == 2  # not the other deployment of the group, not the general fallback
    same = world(
        PRIMARY,
        deployment("twin", "backup", model="toy/p"),
        upstreams={"p": overflow, "twin": overflow},
        fallbacks=[{"m": ["backup"]}],
    )
    assert isinstance(same.call().error, ContextWindowExceededError)
    assert len(same.seen) == 1


def test_s13_a_content_policy_refusal_goes_to_nobody_but_its_own_fallback():
    refused = failing(400, "content_policy_violation", message="not this")
    here = bench(refused, default_fallbacks=["backup"])
    error = here.call(fallbacks=["backup"]).error
    assert isinstance(error, ContentPolicyViolationError)
    assert "not this" in error.message
    assert len(here.seen) == 1
    own = world(
        PRIMARY,
        FALLBACK,
        deployment("lax", "lax"),
        upstreams={"p": refused, "lax": failing(503)},
        fallbacks=[{"m": ["backup"], "lax": ["backup"]}],
        content_policy_fallbacks=[{"m": ["lax"]}],
        num_retries=0,
    )
    assert isinstance(own.call().error, ContentPolicyViolationError)
    assert [who for _, who in own.seen] == ["p", "lax"]
    own.upstreams["lax"] = OK
    assert own.call().answered_by == "lax"


def test_s14_the_fallbacks_own_refusal_is_not_what_the_caller_is_told():
    prefill = failing(400, message="prefill is not supported")
    here = bench(Answer(StreamInterruptedError("the primary broke")), prefill)
    error = here.call().error
    assert isinstance(error, StreamInterruptedError)
    assert len(here.tries("f")) == 1


def test_s15_the_circuit_opens_probes_and_closes():
    here = bench(lambda now, tries: failing(503) if now < 1060 else OK)
    answers = []
    for number in range(30):
        here.now.seconds = max(here.now(), 1000.0 + 4 * number)
        answers.append((here.now(), here.call().answered_by))
    assert all(who for _, who in answers)
    back = next(moment for moment, who in answers if who == "p")
    assert back < 1090
    assert all(who == "p" for moment, who in answers if moment > back)
    assert len([moment for moment in here.tries("p") if moment < 1060]) <= 3 + 3 + 60 / 5  # few probes


def test_s16_the_report_names_every_attempt_and_who_answered():
    here = bench(failing(503), Answer(usage={"input_tokens": 1, "output_tokens": 2}))
    outcome = here.call()
    assert len(here.seen) <= 6
    *failed, last = outcome.journey.attempts
    assert [(one.deployment, one.outcome, one.status) for one in failed] == [("p", "failed", 503)] * 3
    assert last.as_json() == {
        "model": "toy/f",
        "deployment": "f",
        "outcome": "success",
        "duration": 0.1,
        "first_event": 0.1,
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (refusal(400), 1),
        (refusal(401), 1),
        (refusal(403), 1),
        (refusal(404), 1),
        (refusal(413), 1),
        (refusal(422), 1),
        (refusal(429, "insufficient_quota"), 1),
        (refusal(402), 1),
        (refusal(409), 3),
        (refusal(500, retryable=False), 1),
        (refusal(400, retryable=True), 3),
        (refusal(408), 1),
    ],
)
def test_other_failures_are_tried_again_only_where_that_can_help(error, tries):
    here = bench(Answer(error))
    assert here.call().answered_by == "f"
    assert len(here.tries("p")) == tries


def test_client_errors_never_open_the_circuit():
    for status in (400, 403, 404, 413, 422):
        here = bench(failing(status))
        for _ in range(20):
            here.call()
        assert len(here.tries("p")) == 20, status


def test_a_long_retry_after_is_left_for_the_next_target_and_opens_the_circuit():
    here = bench(failing(429, retry_after=40))
    for _ in range(3):
        assert here.call().answered_by == "f"
    assert len(here.tries("p")) == 1
    here.now.seconds += 40
    here.call()
    assert len(here.tries("p")) == 2


def test_a_long_retry_after_is_waited_for_where_there_is_nobody_else_and_time():
    slow = once(failing(429, retry_after=40))
    patient = bench(slow, fallbacks=False).call()
    assert patient.answered_by == "p"
    assert patient.seconds > 40
