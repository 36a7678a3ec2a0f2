"""Where calls go: names, orders, tags, homes, strategies, deadlines; what is said when they go nowhere."""

import math
from collections import Counter
from types import SimpleNamespace

import pytest
from core.tests.routing_world import OK, SILENCE, Answer, deployment, failing, refusal, world

from dragoman import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PluginError,
    RateLimitError,
    Timeout,
    UnsupportedParameterError,
)
from dragoman.routing import Deployment, Fleet, RouteOptions, RoutingSettings


def answered(here, calls=1, **options):
    return Counter(here.call(**options).answered_by for _ in range(calls))


def prepare(deployment, model):
    return SimpleNamespace(deployment=deployment, model=model, target=None)


# ---- names


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        ("claude", "toy/c"),
        ("toy/x", "toy/x"),
        ("toy/special-x", "toy/s-x"),
        ("toy/special-", "toy/special-"),
        ("other/y/z", "any/other/y/z"),
        ("alias", "toy/c"),
    ],
)
def test_exact_names_go_before_patterns_and_the_longest_pattern_first(asked, model):
    here = world(
        deployment("1", "*", model="any/*"),
        deployment("2", "toy/*", model="toy/*"),
        deployment("3", "toy/special-*", model="toy/s-*"),
        deployment("4", "claude", model="toy/c"),
        model_group_alias={"alias": "claude"},
    )
    assert here.journey(asked).next().model == model


def test_an_unknown_name_is_answered_with_the_nearest():
    here = world(deployment("d", "claude"))
    with pytest.raises(NotFoundError, match="did you mean 'claude'") as caught:
        here.journey("cluade")
    assert caught.value.code == "model_not_found"
    with pytest.raises(NotFoundError, match="GET /v1/models"):
        here.journey("toy/m")
    for nothing in (None, ""):
        with pytest.raises(BadRequestError, match="required"):
            here.journey(nothing)
    with pytest.raises(BadRequestError, match="string"):
        here.journey(["claude"])


def test_what_nothing_serves_is_called_as_it_is_where_that_is_allowed():
    here = world(deployment("d", "claude"), adhoc=True)
    assert here.journey("toy/m").next().model == "toy/m"
    with pytest.raises(NotFoundError):
        here.journey("gpt")
    assert Fleet().journey("gpt", prepare).next().model == "gpt"  # whoever prepares it knows what to say
    with pytest.raises(BadRequestError):
        Fleet().journey(None, prepare)


def test_names_that_nobody_has_set_up_have_circuits_that_their_calls_share():
    here = world(adhoc=True, upstreams={"toy/a": failing(503), "toy/b": OK}, num_retries=0)
    for _ in range(10):
        assert here.call("toy/a", fallbacks=["toy/b"]).answered_by == "toy/b"
    assert len(here.tries("toy/a")) == 4  # then it was open
    here.upstreams["toy/a"] = OK
    here.now.seconds += 6
    assert here.call("toy/a", fallbacks=["toy/b"]).answered_by == "toy/a"


def test_a_fallback_that_nobody_has_set_up_is_passed_over_while_it_rests():
    here = world(
        adhoc=True, upstreams={"toy/a": failing(503), "toy/b": failing(401), "toy/c": OK}, num_retries=0
    )
    for _ in range(4):
        assert here.call("toy/a", fallbacks=["toy/b", "toy/c"]).answered_by == "toy/c"
    assert len(here.tries("toy/b")) == 1


def test_the_only_target_of_a_call_is_asked_whatever_others_have_met():
    here = world(adhoc=True, upstreams={"toy/a": failing(503)}, num_retries=0)
    for _ in range(6):
        here.call("toy/a")
    assert len(here.tries("toy/a")) == 6


def test_other_accounts_have_circuits_of_their_own():
    here = world(adhoc=True, upstreams={"toy/a": failing(401)}, num_retries=0)
    calls = [{"account": "x"}, {"account": "x"}, {"account": "y"}, {}]
    for options in calls:
        assert here.call("toy/a", fallbacks=["toy/b"], own_credentials=True, **options).answered_by == "toy/b"
    assert len(here.tries("toy/a")) == 3
    named = {"model": "toy/a", "api_base": "http://elsewhere"}
    here.call("toy/z", fallbacks=[named])
    here.upstreams["toy/z"] = failing(401)
    here.call("toy/z", fallbacks=[named])
    assert len(here.tries("toy/a")) == 4  # another address is another place


def test_of_the_names_that_nobody_has_set_up_the_last_ones_are_known():
    here = world(adhoc=True, upstreams={"toy/a": failing(401)}, num_retries=0)
    here.call("toy/a", fallbacks=["toy/b"])
    for number in range(300):
        here.call(f"toy/{number}")
    here.call("toy/a", fallbacks=["toy/b"])
    assert len(here.tries("toy/a")) == 2


def test_models_lists_names_and_aliases_but_not_hidden_ones():
    here = world(
        deployment("1", "claude"),
        deployment("2", "claude"),
        model_group_alias={"shown": "claude", "secret": {"model": "claude", "hidden": True}},
    )
    assert [one["id"] for one in here.fleet.models()] == ["claude", "shown"]
    assert here.fleet.model("secret") == {"id": "secret", "object": "model", "created": 0, "owned_by": "toy"}


def test_a_fleet_refuses_what_leads_nowhere():
    wrong = r"fallbacks.m must lead to .*'bakcup' is none.*did you mean 'backup'"
    with pytest.raises(BadRequestError, match=wrong):
        world(deployment("a"), deployment("b", "backup"), fallbacks=[{"m": ["bakcup"]}])
    with pytest.raises(BadRequestError, match="two deployments have the id 'a'"):
        world(deployment("a"), deployment("a", "n"))
    with pytest.raises(BadRequestError, match="did you mean 'least-busy'"):
        world(deployment("a"), routing_strategy="least-bussy")


# ---- fallbacks


def test_chains_are_followed_depth_first_and_never_in_circles():
    names = ["a", "b", "c", "d"]
    here = world(
        *(deployment(name, name) for name in names),
        upstreams={name: failing(400) for name in names},
        fallbacks=[{"a": ["b", "c", "a"], "b": ["d", "a"], "c": ["b"], "d": ["a"]}],
    )
    assert here.call("a").error.status_code == 400
    assert [who for _, who in here.seen] == ["a", "b", "d", "c"]
    limited = world(
        *(deployment(name, name) for name in names),
        upstreams={name: failing(400) for name in names},
        fallbacks=[{"a": ["b", "c", "d"]}],
        max_fallbacks=2,
    )
    limited.call("a")
    assert [who for _, who in limited.seen] == ["a", "b", "c"]


def test_the_callers_fallbacks_replace_the_settings_and_may_change_the_call():
    here = world(
        deployment("a"),
        deployment("b", "b"),
        deployment("c", "c"),
        upstreams={"a": failing(404), "c": failing(404)},
        fallbacks=[{"m": ["b"]}],
    )
    assert here.call(fallbacks=["c"]).answered_by is None
    assert here.call(disable_fallbacks=True).answered_by is None
    journey = here.journey(fallbacks=[{"model": "b", "max_output_tokens": 5}])
    journey.next()
    journey.failed(refusal(404))
    assert journey.next().deployment.overrides == {"max_output_tokens": 5}
    assert here.call().answered_by == "b"


def test_a_fallback_that_changes_the_call_may_go_to_the_same_deployment_but_not_to_a_silent_one():
    shorter = [{"model": "m", "truncation": "auto"}]
    overflow = failing(400, "context_length_exceeded")
    here = world(deployment("a"), upstreams={"a": lambda now, tries: overflow if tries == 1 else OK})
    assert here.call(fallbacks=shorter).answered_by == "a"
    silent = world(deployment("a"), upstreams={"a": SILENCE}, timeout=3)
    assert silent.call(fallbacks=shorter).error.status_code == 408
    assert len(silent.seen) == 1


def test_attempts_stay_within_the_budget_and_one_is_kept_for_each_fallback():
    ids = [f"d{number}" for number in range(6)]
    here = world(
        *(deployment(key) for key in ids),
        deployment("f", "f"),
        upstreams={key: failing(503) for key in ids},
        fallbacks=[{"m": ["f"]}],
        max_attempts=4,
    )
    assert here.call().answered_by == "f"
    assert len(here.seen) == 4


def test_every_deployment_of_a_group_is_tried_before_one_is_tried_again():
    here = world(*(deployment(key) for key in "abc"), upstreams={key: failing(500) for key in "abc"})
    outcome = here.call()
    who = [key for _, key in here.seen]
    assert sorted(who[:3]) == ["a", "b", "c"]
    assert len(who) == 5
    assert outcome.error.status_code == 500


@pytest.mark.parametrize(
    ("settings", "status", "tries"),
    [
        ({"num_retries": 0}, 500, 1),
        ({"num_retries": 4}, 500, 5),
        ({"retry_policy": {"RateLimitErrorRetries": 4}}, 429, 5),
        ({"retry_policy": {"RateLimitErrorRetries": 4}}, 500, 3),
        ({"retry_policy": {"BadRequestErrorRetries": 4}}, 400, 1),
    ],
)
def test_retries_are_those_of_the_settings(settings, status, tries):
    here = world(deployment("a"), upstreams={"a": failing(status)}, **settings)
    here.call()
    assert len(here.seen) == tries
    own = world(deployment("a"), upstreams={"a": failing(429)}, **settings)
    own.call(num_retries=1)
    assert len(own.seen) == 2


# ---- preparing


def test_a_target_that_cannot_be_prepared_is_passed_over_and_shown():
    here = world(deployment("a"), deployment("b", "b"), fallbacks=[{"m": ["b"]}])
    problems = [AuthenticationError("no key"), UnsupportedParameterError("no tools"), PluginError("broken")]
    for problem in problems:

        def fails(deployment, model, problem=problem):
            if deployment.id == "a":
                raise problem
            return prepare(deployment, model)

        journey = here.fleet.journey("m", fails)
        assert journey.call.deployment.id == "b"
        assert journey.next().deployment.id == "b"
        assert [(one.deployment, one.outcome) for one in journey.attempts] == [
            ("a", "failed"),
            ("b", "running"),
        ]
        journey.cancelled()
        with pytest.raises(type(problem)):
            here.fleet.journey("m", fails, options=RouteOptions(disable_fallbacks=True))
    assert not here.fleet.load("a").in_flight


def test_a_request_that_is_wrong_in_itself_goes_nowhere_else():
    here = world(deployment("a"), deployment("b", "b"), fallbacks=[{"m": ["b"]}])
    asked = []

    def fails(deployment, model):
        asked.append(deployment.id)
        raise BadRequestError("temperature must be a number", param="temperature")

    with pytest.raises(BadRequestError):
        here.fleet.journey("m", fails)
    assert asked == ["a"]


def test_a_leg_that_cannot_be_prepared_gives_its_place_back():
    here = world(deployment("a"), deployment("b", "b", rpm=1), fallbacks=[{"m": ["b"]}])

    def fails(deployment, model):
        if deployment.id == "b":
            raise AuthenticationError("no key")
        return prepare(deployment, model)

    journey = here.fleet.journey("m", fails)
    journey.next()
    journey.failed(refusal(404, message="the first"))
    with pytest.raises(NotFoundError, match="the first"):
        journey.next()
    assert here.fleet.load("b").in_flight == 0
    assert here.call("b").answered_by == "b"  # its one request of the minute was not used


# ---- time


def test_a_call_ends_by_its_deadline_and_waits_for_nothing_that_does_not_fit():
    here = world(deployment("a"), upstreams={"a": failing(429, retry_after=9)})
    outcome = here.call(timeout=Timeout(total=5))
    assert outcome.error.retry_after == 9
    assert outcome.seconds < 1
    assert here.call(timeout=Timeout(total=5)).seconds < 1
    slow = world(deployment("a"), deployment("b"), upstreams={"a": SILENCE, "b": SILENCE})
    outcome = slow.call(timeout=Timeout(first_event=3, total=5))
    assert outcome.seconds == 5
    assert outcome.error.status_code == 408
    assert [round(moment - outcome.began) for moment, _ in slow.seen] == [0, 3]
    late = slow.journey(timeout=Timeout(total=5))
    slow.now.seconds += 6
    with pytest.raises(Exception, match=r"timeout\.total"):
        late.next()


@pytest.mark.parametrize(
    ("own", "deployments", "settings", "expected"),
    [
        (None, (None, None), 7, 7),
        (None, (5, 6), 7, 5),
        (None, (None, 6), None, 6),
        (9.0, (5, 6), 7, 5),  # a number is one attempt's
        (Timeout(total=3), (5, 6), 7, 3),
        (Timeout(), (5, 6), 7, 5),
    ],
)
def test_a_call_ends_by_the_deadline_of_whoever_says_one_first(own, deployments, settings, expected):
    members = [deployment(f"a{place}", total_timeout=one) for place, one in enumerate(deployments)]
    silent = dict.fromkeys(["a0", "a1", "b"], SILENCE)
    here = world(
        *members,
        deployment("b", "b", total_timeout=1),  # of the fallback: the call is not for it
        upstreams=silent,
        fallbacks=[{"m": ["b"]}],
        total_timeout=settings,
    )
    outcome = here.call(timeout=own)
    assert outcome.seconds == expected


def test_a_deadline_of_the_callers_does_not_count_against_a_deployment():
    here = world(deployment("a"), deployment("b", "b"), upstreams={"a": SILENCE}, fallbacks=[{"m": ["b"]}])
    for _ in range(10):
        here.call(timeout=Timeout(total=1))
    assert len(here.tries("a")) == 10


@pytest.mark.parametrize(
    ("own", "deployments", "settings", "streamed", "expected"),
    [
        (None, {}, {}, False, Timeout()),
        (None, {}, {"timeout": 30}, False, Timeout(first_event=None, between_events=None, attempt=30.0)),
        (None, {"timeout": 20}, {"timeout": 30}, True, Timeout.of(20)),
        (5, {"timeout": 20}, {"timeout": 30}, False, Timeout.of(5)),
        (None, {"stream_timeout": 3}, {"stream_timeout": 4}, True, Timeout(first_event=3)),
        (None, {}, {"stream_timeout": 4}, True, Timeout(first_event=4)),
        (None, {}, {"stream_timeout": 4}, False, Timeout()),
        (7, {}, {"stream_timeout": 4}, True, Timeout(first_event=4, between_events=None, attempt=7.0)),
        (Timeout(first_event=9), {}, {"stream_timeout": 4}, True, Timeout(first_event=9)),
        (Timeout(total=50), {}, {}, False, Timeout(total=50)),
    ],
)
def test_limits_are_the_callers_then_the_deployments_then_the_fleets(
    own, deployments, settings, streamed, expected
):
    here = world(deployment("a", **deployments), **settings)
    assert here.journey(timeout=own, streamed=streamed).next().timeout == expected


def test_what_is_left_of_the_call_bounds_a_later_attempt():
    here = world(deployment("a"), deployment("b"), num_retries=1)
    journey = here.journey(timeout=Timeout(total=50))
    assert journey.next().timeout.total == 50
    here.now.seconds += 20
    journey.failed(refusal(500))
    leg = journey.next()
    assert (leg.timeout.total, leg.number) == (30, 2)


# ---- orders, tags, homes


def test_a_higher_order_is_for_when_the_lower_cannot_be_had():
    here = world(deployment("first", order=1, rpm=3), deployment("second", order=2))
    assert answered(here, 5) == {"first": 3, "second": 2}


def test_tags_choose_as_in_litellm():
    here = world(
        deployment("eu", tags=frozenset({"eu", "free"})),
        deployment("us", tags=frozenset({"us"})),
        deployment("any", tags=frozenset({"default"})),
        enable_tag_filtering=True,
    )
    assert answered(here, 5, tags=frozenset({"eu"})) == {"eu": 5}
    assert answered(here, 5, tags=frozenset({"us", "x"})) == {"us": 5}
    assert answered(here, 5) == {"any": 5}
    assert answered(here, 5, tags=frozenset({"mars"})) == {"any": 5}
    strict = world(
        deployment("eu", tags=frozenset({"eu"})), enable_tag_filtering=True, tag_filtering_match_any=False
    )
    error = strict.call(tags=frozenset({"eu", "free"})).error
    assert (error.status_code, error.param) == (400, "tags")
    assert "eu, free" in error.message
    off = world(deployment("eu", tags=frozenset({"eu"})))
    assert off.call(tags=frozenset({"us"})).answered_by == "eu"


def test_many_selections_by_tags_leave_nothing_behind():
    tags = [f"t{number}" for number in range(10)]
    here = world(deployment("a", tags=frozenset(tags)), deployment("b"), enable_tag_filtering=True)
    for number in range(1, 1024):
        chosen = frozenset(tag for place, tag in enumerate(tags) if number >> place & 1)
        assert here.call(tags=chosen).answered_by == "a"
    assert len(here.fleet.load("a").pools) <= 64


def test_a_call_goes_home_stays_there_through_retries_and_says_when_it_moves():
    here = world(
        *(deployment(key, order=1) for key in "abc"),
        deployment("home", order=2, arguments={"api_key": "of another account"}),
        upstreams={"home": lambda now, tries: failing(500) if tries == 1 else OK},
    )
    outcome = here.call(home="home")
    assert [who for _, who in here.seen] == ["home", "home"]
    assert not outcome.journey.moved
    here.upstreams["home"] = SILENCE
    outcome = here.call(home="home")
    assert outcome.answered_by != "home"
    assert outcome.journey.moved
    assert here.call(home="gone").journey.moved
    made_up = Fleet().journey("toy/m", prepare, options=RouteOptions(home="toy/m"))
    made_up.next()
    assert not made_up.moved
    assert not here.call().journey.moved


def test_the_same_text_goes_to_the_same_deployment_and_others_do_not_move_when_one_is_out():
    keys = [f"key {number}" for number in range(200)]
    for size in (5, 100):
        here = world(*(deployment(f"d{number}") for number in range(size)))
        before = {key: here.call(sticky=key).answered_by for key in keys}
        assert {key: here.call(sticky=key).answered_by for key in keys} == before
        assert len(set(before.values())) > min(size, 60) * 0.8
        out = before["key 0"]
        here.fleet.load(out).breaker.open_until(math.inf)
        after = {key: here.call(sticky=key).answered_by for key in keys}
        assert out not in after.values()
        assert all(after[key] == was for key, was in before.items() if was != out)
        other = world(*(deployment(f"d{number}") for number in reversed(range(size))))
        if size == 5:  # whatever the order in the config, and in another process
            assert {key: other.call(sticky=key).answered_by for key in keys} == before


# ---- strategies


def test_least_busy_takes_the_one_with_the_least_in_flight():
    here = world(*(deployment(f"d{number}") for number in range(20)), routing_strategy="least-busy")
    counts = Counter(here.journey().next().deployment.id for _ in range(100))
    assert set(counts.values()) == {5}


def test_latency_takes_the_fastest_and_looks_again_at_one_that_was_slow():
    here = world(
        *(deployment(key) for key in "abc"),
        upstreams={"a": Answer(seconds=5), "b": Answer(seconds=0.2), "c": Answer(seconds=2)},
        routing_strategy="latency-based-routing",
    )
    answered(here, 3)
    assert answered(here, 20)["b"] == 20
    here.upstreams["a"] = Answer(seconds=0.01)
    here.now.seconds += 600
    assert answered(here, 40)["a"] > 20


def test_usage_takes_the_one_with_the_fewest_tokens_this_minute():
    here = world(
        *(deployment(key) for key in "ab"),
        upstreams={"a": Answer(usage={"total_tokens": 300}), "b": Answer(usage={"total_tokens": 100})},
        routing_strategy="usage-based-routing-v2",
    )
    counts = answered(here, 80)
    assert counts["b"] == pytest.approx(60, abs=3)


def test_cost_takes_the_cheapest_that_can_be_had():
    here = world(
        deployment("dear", prices={"input_cost_per_token": 3e-6, "output_cost_per_token": 1e-5}),
        deployment("cheap", prices={"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}, rpm=5),
        deployment("unknown"),
        routing_strategy="cost-based-routing",
    )
    assert answered(here, 8) == {"cheap": 5, "dear": 3}


def test_weights_come_from_rpm_or_tpm_where_none_is_given():
    here = world(deployment("a", rpm=9000), deployment("b", rpm=1000))
    assert answered(here, 500)["a"] == pytest.approx(450, abs=40)
    tokens = world(deployment("a", tpm=10**6), deployment("b", tpm=9 * 10**6))
    assert answered(tokens, 500)["b"] == pytest.approx(450, abs=40)


def test_a_deployment_without_weight_is_for_when_the_others_are_out():
    here = world(
        deployment("a", weight=1, rpm=3), deployment("b", weight=0), deployment("c", weight=1, rpm=3)
    )
    assert answered(here, 10) == {"a": 3, "c": 3, "b": 4}


def test_what_was_out_of_reach_comes_back():
    for strategy in ("simple-shuffle", "least-busy"):
        here = world(
            deployment("a", rpm=5), deployment("b", rpm=5), deployment("c"), routing_strategy=strategy
        )
        first = answered(here, 60)
        assert first["a"] == first["b"] == 5
        here.now.seconds += 61
        again = answered(here, 60)
        assert again["a"] == again["b"] == 5


def test_a_place_among_parallel_requests_is_there_again_when_one_ends():
    here = world(deployment("a", max_parallel_requests=1), deployment("b", max_parallel_requests=1))
    for _ in range(20):
        running = [here.journey() for _ in range(2)]
        assert {journey.next().deployment.id for journey in running} == {"a", "b"}
        with pytest.raises(RateLimitError):
            here.journey().next()
        for journey in running:
            journey.succeeded(None)


def test_a_plugins_strategy_is_loaded_by_its_name(monkeypatch):
    from dragoman import discovery

    class Last:
        drawn = None

        def __init__(self, arguments):
            self.sign = arguments["sign"]

        def score(self, load, now):
            return self.sign * int(load.deployment.id)

    found = {("dragoman.strategies", "last"): (Last, None)}
    monkeypatch.setattr(discovery, "load", lambda group, name: found.get((group, name)))
    here = world(
        *(deployment(str(number)) for number in range(9)),
        routing_strategy="last",
        routing_strategy_args={"sign": -1},
    )
    assert answered(here, 5) == {"8": 5}


# ---- circuits


@pytest.mark.parametrize("allowed", [0, 2, 5])
def test_the_circuit_opens_after_the_allowed_fails(allowed):
    here = world(
        deployment("a"),
        deployment("b", "b"),
        upstreams={"a": failing(503)},
        fallbacks=[{"m": ["b"]}],
        num_retries=0,
        allowed_fails=allowed,
        cooldown_time=30,
    )
    for _ in range(20):
        assert here.call().answered_by == "b"
    assert len(here.tries("a")) == allowed + 1
    here.now.seconds += 30
    here.call()
    here.call()
    assert len(here.tries("a")) == allowed + 2  # the probe has failed too
    free = world(
        deployment("a"),
        deployment("b", "b"),
        upstreams={"a": failing(503)},
        fallbacks=[{"m": ["b"]}],
        num_retries=0,
        disable_cooldowns=True,
    )
    answered(free, 20)
    assert len(free.tries("a")) == 20


def test_a_few_failures_among_many_successes_do_not_open_it():
    here = world(
        deployment("a"),
        deployment("b", "b"),
        upstreams={"a": lambda now, tries: failing(503) if tries % 4 == 0 else OK},
        fallbacks=[{"m": ["b"]}],
        num_retries=0,
    )
    assert answered(here, 100) == {"a": 75, "b": 25}


def test_fails_are_allowed_by_class_of_error():
    here = world(
        deployment("a"),
        deployment("b", "b"),
        upstreams={"a": failing(429)},
        fallbacks=[{"m": ["b"]}],
        num_retries=0,
        allowed_fails_policy={"RateLimitErrorAllowedFails": 7},
    )
    answered(here, 20)
    assert len(here.tries("a")) == 8


def test_refused_credentials_rest_a_deployment_unless_they_were_the_callers():
    for own, tries in ((False, 1), (True, 10)):
        here = world(
            deployment("a"), deployment("b", "b"), upstreams={"a": failing(401)}, fallbacks=[{"m": ["b"]}]
        )
        answered(here, 10, own_credentials=own)
        assert len(here.tries("a")) == tries


def test_a_journey_ends_once():
    here = world(deployment("a"))
    journey = here.journey()
    journey.cancelled()
    with pytest.raises(RuntimeError):
        journey.next()
    journey = here.journey()
    journey.next()
    journey.succeeded(None)
    journey.cancelled()
    journey.failed(refusal(500))
    assert [one.outcome for one in journey.attempts] == ["success"]
    left = here.journey()
    left.next()
    with pytest.raises(APIConnectionError, match="given up"):
        left.next()
    assert [one.outcome for one in left.attempts] == ["abandoned"]
    assert here.fleet.load("a").in_flight == 0


def test_settings_may_be_written_by_hand():
    fleet = Fleet(
        [Deployment(id="1", name="m", model="toy/a"), Deployment(id="2", name="n", model="toy/b")],
        RoutingSettings(fallbacks={"m": ("n",)}, num_retries=0),
        adhoc=False,
    )
    journey = fleet.journey("m", prepare)
    assert journey.next().model == "toy/a"
    journey.failed(refusal(503))
    assert journey.next().model == "toy/b"
    journey.succeeded({"input_tokens": 1, "output_tokens": 1})
