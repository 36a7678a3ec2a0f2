"""LiteLLM's router_settings and model_list, as Python code has them."""

import pytest

from dragoman import BadRequestError, Timeout
from dragoman.routing import RoutingSettings, deployments_of


def test_settings_are_read_as_people_write_them():
    settings = RoutingSettings.of(
        {
            "routing_strategy": "least-busy",
            "routing_strategy_args": {"ttl": 10},
            "num_retries": 3,
            "max_retries": 9,
            "timeout": "30",
            "stream_timeout": 5.5,
            "total_timeout": 60,
            "allowed_fails": 1,
            "cooldown_time": 30,
            "fallbacks": [{"a": ["b", {"model": "c", "temperature": 0}]}, {"b": "c"}],
            "context_window_fallbacks": {"a": ["large"]},
            "default_fallbacks": ["b"],
            "model_group_alias": {"x": "a", "y": {"model": "b", "hidden": True}},
            "retry_policy": {"RateLimitErrorRetries": 3, "TimeoutErrorRetries": None},
            "allowed_fails_policy": {"InternalServerErrorAllowedFails": 12},
            "enable_tag_filtering": "true",
            "redis_host": "localhost",
            "retry_after": None,
        }
    )
    assert settings == RoutingSettings(
        strategy="least-busy",
        strategy_arguments={"ttl": 10},
        num_retries=3,
        timeout=30.0,
        stream_timeout=5.5,
        total_timeout=60.0,
        allowed_fails=1,
        cooldown_time=30.0,
        fallbacks={"a": ("b", {"model": "c", "temperature": 0}), "b": ("c",)},
        context_window_fallbacks={"a": ("large",)},
        default_fallbacks=("b",),
        model_group_alias={"x": "a", "y": "b"},
        hidden_aliases=frozenset({"y"}),
        retry_policy={"RateLimitError": 3},
        allowed_fails_policy={"InternalServerError": 12},
        enable_tag_filtering=True,
    )


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ({"num_retrys": 1}, "num_retrys", "did you mean 'num_retries'"),
        ({"zzz": 1}, "zzz", "zzz is not known"),
        ({"num_retries": -1}, "num_retries", "at least 0, not -1"),
        ({"num_retries": 1.5}, "num_retries", "a whole number"),
        ({"num_retries": True}, "num_retries", "a number"),
        ({"timeout": 0}, "timeout", "more than none"),
        ({"timeout": Timeout(attempt=-1)}, "timeout.attempt", "more than none"),
        ({"total_timeout": Timeout(attempt=1)}, "total_timeout", "more than none, not 'Timeout'"),
        ({"timeout": float("nan")}, "timeout", "seconds, more than none"),
        ({"fallbacks": ["b"]}, "fallbacks[0]", "a mapping such as {claude: [gpt]}"),
        ({"fallbacks": [{"a": [7]}]}, "fallbacks[0].a[0]", "a model name"),
        ({"fallbacks": [{"a": [{"temperature": 1}]}]}, "fallbacks[0].a[0].model", "a text"),
        ({"retry_policy": {"RateLimitError": 1}}, "retry_policy.RateLimitError", "RateLimitErrorRetries"),
        (
            {"retry_policy": {"RateLimitErorRetries": 1}},
            "retry_policy.RateLimitErorRetries",
            "RateLimitErrorR",
        ),
        ({"model_group_alias": {"a": 1}}, "model_group_alias.a.model", "a text"),
        ({"enable_tag_filtering": "maybe"}, "enable_tag_filtering", "true or false"),
        ({"stream_recovery": "hope"}, "stream_recovery", "fail or continue or buffer"),
    ],
)
def test_what_is_wrong_is_named(given, param, words):
    with pytest.raises(BadRequestError) as caught:
        RoutingSettings.of(given)
    assert caught.value.param == f"router_settings.{param}"
    assert words in caught.value.message


def entry(name="claude", info=None, **params):
    return {"model_name": name, "litellm_params": {"model": "toy/m", **params}, "model_info": info}


def test_a_model_list_is_read_as_people_write_it(monkeypatch):
    monkeypatch.setenv("TOY_KEY", "from outside")
    first, second, third = deployments_of(
        [
            entry(
                info={"id": 1, "input_cost_per_token": 1e-6},
                api_key="os.environ/TOY_KEY",
                rpm=100,
                tpm="1000",
                weight=2,
                order=1,
                max_parallel_requests=5,
                tags=["eu"],
                timeout=30,
                stream_timeout=3,
                max_retries=1,
                max_tokens=100,
                reasoning_effort="low",
                temperature=0.5,
                organization=None,
                cache_read_input_token_cost=1e-7,
            ),
            entry(),
            entry("toy/*", model="*", custom_llm_provider="toy"),
        ]
    )
    assert (first.id, first.name, first.model) == ("1", "claude", "toy/m")
    assert first.arguments == {
        "api_key": "from outside",
        "max_output_tokens": 100,
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
    }
    assert (first.rpm, first.tpm, first.weight, first.order) == (100, 1000, 2.0, 1)
    assert (first.max_parallel_requests, first.tags) == (5, frozenset({"eu"}))
    assert (first.timeout, first.stream_timeout, first.num_retries) == (30.0, 3.0, 1)
    assert first.prices == {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7}
    assert second.arguments == {}
    (whole,) = deployments_of([entry(reasoning_effort={"effort": "low", "summary": "auto"})])
    assert whole.arguments == {"reasoning": {"effort": "low", "summary": "auto"}}
    assert third.model == "toy/*"
    assert "from outside" not in repr(first)


@pytest.mark.parametrize(
    "name",
    [
        "output_cost_per_token_above_200k_tokens_priority",
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
        "cache_read_input_audio_token_cost",
        "input_cost_per_video_per_second_above_15s_interval",
        "output_cost_per_image_0.5K",
        "regional_processing_uplift_multiplier_eu",
        "tiered_pricing",
    ],
)
def test_prices_are_known_by_their_form(name):
    assert deployments_of([entry(**{name: 1})])[0].prices == {name: 1}
    for misspelt in (f"{name}s", name.replace("_", "", 1)):
        assert not deployments_of([entry(**{misspelt: 1})])[0].prices


def test_limits_are_seconds_or_told_apart():
    apart = Timeout(connect=1, between_events=None)
    assert RoutingSettings.of({"timeout": apart}).timeout == apart
    assert deployments_of([entry(timeout=apart)])[0].timeout == apart


def test_ids_are_unique_and_stay_as_long_as_the_entry_does():
    one, same, other = deployments_of([entry(), entry(), entry(api_key="a key")])
    assert len({one.id, same.id, other.id}) == 3
    again = deployments_of([entry(api_key="a key"), entry()])
    assert [again[0].id, again[1].id] == [other.id, one.id]


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ({"litellm_params": {"model": "toy/m"}}, "model_list[0].model_name", "a text"),
        ({"model_name": "a"}, "model_list[0].litellm_params", "a mapping"),
        (entry(model="m"), "model_list[0].litellm_params.model", "provider/model"),
        (entry(rpm=0), "model_list[0].litellm_params.rpm", "at least 1"),
        (entry(timeout="soon"), "model_list[0].litellm_params.timeout", "seconds"),
        (entry(tags="eu"), "model_list[0].litellm_params.tags", "a list"),
        (
            entry(api_key="os.environ/NOT_SET_ANYWHERE"),
            "model_list[0].litellm_params.api_key",
            "NOT_SET_ANYWH",
        ),
        (entry("a", model="toy/*"), "model_list[0].model_name", "*"),
        ("claude", "model_list[0]", "a mapping"),
    ],
)
def test_what_is_wrong_in_a_model_list_is_named(given, param, words):
    with pytest.raises(BadRequestError) as caught:
        deployments_of([given])
    assert caught.value.param == param
    assert words in caught.value.message


def test_two_entries_cannot_have_one_id():
    with pytest.raises(BadRequestError, match="the id of an earlier entry"):
        deployments_of([entry(info={"id": "x"}), entry(info={"id": "x"})])
