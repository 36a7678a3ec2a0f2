"""What a use costs: by the list, by a deployment's own prices, and where nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dragoman.costs import Use, price_of
from dragoman_prices.pricing import price_use

AT = datetime(2026, 11, 1, tzinfo=UTC)


def usage(input_tokens=1_000_000, output_tokens=1_000_000, *, cached=0, written=0, reasoning=0):
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input_tokens + output_tokens,
    }


def use(provider="openai", model="gpt-5.2", **given):
    return Use(**{"provider": provider, "model": model, "usage": usage(), "at": AT, **given})


def total(provider="openai", model="gpt-5.2", **given):
    return price_use(use(provider, model, **given)).total


# ---- the list -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-5.2", "15.75"),
        ("azure", "gpt-5.2", "15.75"),
        ("azure_ai", "grok-4-1-fast-non-reasoning", "0.7"),
        ("gemini", "gemini-2.5-flash", "2.8"),
        ("vertex_ai", "google/gemini-2.5-flash", "2.8"),
        ("vertex_ai", "publishers/google/models/gemini-2.5-flash", "2.8"),
        ("bedrock", "amazon.nova-pro-v1:0", "4"),
        ("bedrock", "apac.amazon.nova-pro-v1:0", "4"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "19.8"),
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "19.8"),
        ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "18"),
        (
            "bedrock",
            "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "19.8",
        ),
        ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "1.76"),
        ("groq", "openai/gpt-oss-120b", "0.75"),
        ("moonshot", "kimi-k2.6", "4.95"),
        ("zai", "glm-4.7", "2.8"),
    ],
)
def test_each_seller_has_its_price(provider, model, expected):
    assert total(provider, model) == Decimal(expected)


def test_a_server_is_known_by_its_address():
    assert total("openai_compatible", api_base="https://api.openai.com/v1") == Decimal("15.75")


@pytest.mark.parametrize(
    "unknown",
    [
        use("acme", "large"),
        use("openai_compatible", "gpt-5.2", api_base="http://10.0.0.7/v1"),
        use("azure", "my-deployment"),
        use("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"),
        use("gemini", "gemma-3-27b-it"),  # listed, without a price
    ],
)
def test_what_nobody_knows_has_no_price_and_a_warning(unknown):
    assert price_use(unknown) is None
    cost, (warning,) = price_of(unknown)
    assert cost is None
    assert f"{unknown.provider}/{unknown.model}" in warning
    assert "base_model" in warning


def test_the_model_that_was_asked_counts_where_the_one_that_answered_is_not_listed():
    assert total(model="ft:of-tomorrow", asked="gpt-5.2") == Decimal("15.75")
    assert price_use(use("openrouter", "not/listed", asked="anthropic/claude-sonnet-4.5")) is None


def test_nobody_is_paid_for_a_model_that_is_free():
    assert total("echo", "echo") == 0
    priced = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}  # to try budgets with
    assert total("echo", "echo", prices=priced) == 3
    assert total("openrouter", "cognitivecomputations/dolphin3.0-mistral-24b:free") == 0


# ---- what was counted -----------------------------------------------------------------------------------


def test_cached_and_written_tokens_have_prices_of_their_own():
    used = usage(10_000, 100, cached=8000, written=1000)
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5", "usage": used}
    assert total(**claude) == Decimal("0.01065")
    for_an_hour = price_use(use(**claude, details={"cache_write_1h_tokens": 1000}))
    assert for_an_hour.total - total(**claude) == Decimal("0.00225")  # 6 instead of 3.75 per million


@pytest.mark.parametrize(("tokens", "expected"), [(200_000, "0.615"), (200_001, "1.222506")])
def test_a_long_input_raises_the_price_of_every_token(tokens, expected):
    assert total("anthropic", "claude-sonnet-4-5", usage=usage(tokens, 1000)) == Decimal(expected)


def test_sound_has_a_price_of_its_own():
    spoken = use("gemini", "gemini-2.5-flash", details={"input_audio_tokens": 400_000})
    assert price_use(spoken).input == Decimal("0.6") * Decimal("0.3") + Decimal("0.4")


def test_finer_counts_that_contradict_the_usage_are_left_out():
    absurd = use("gemini", "gemini-2.5-flash", details={"input_audio_tokens": 9_000_000})
    cost = price_use(absurd)
    assert cost.total == Decimal("2.8")
    assert "finer counts" in cost.warnings[0]


def test_figures_that_contradict_each_other_are_capped():
    absurd = usage(100, 10, cached=900, written=900, reasoning=900)
    assert total("anthropic", "claude-sonnet-4-5", usage=absurd) == Decimal("0.00018")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"service_tier": "default"}, "15.75"),
        ({"service_tier": "priority"}, "31.5"),
        ({"service_tier": "flex"}, "7.875"),
        ({"batch": True}, "7.875"),
    ],
)
def test_tiers_and_batches_have_their_price(given, expected):
    cost = price_use(use(**given))
    assert cost.total == Decimal(expected)
    assert not cost.warnings


def test_a_tier_without_a_known_price_is_said():
    cost = price_use(use("azure", service_tier="priority"))
    assert cost.total == Decimal("15.75")
    assert "service_tier 'priority'" in cost.warnings[0]


def test_claude_in_a_region_of_google_costs_more_than_is_listed():
    assert not price_use(use("vertex_ai", "claude-sonnet-4-5", region="global")).warnings
    assert "10 %" in price_use(use("vertex_ai", "claude-sonnet-4-5", region="europe-west1")).warnings[0]


# ---- hosted tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "calls", "expected"),
    [
        ("openai", "gpt-5.2", {"web_search": 3, "web_search_queries": 7}, "0.03"),
        ("openai", "gpt-5.2", {"file_search": 2}, "0.005"),
        ("anthropic", "claude-sonnet-4-5", {"web_search": 2, "web_fetch": 5}, "0.02"),
        ("gemini", "gemini-2.5-flash", {"web_search": 2, "web_search_queries": 5}, "0.035"),
        ("gemini", "gemini-3-pro-preview", {"web_search": 2, "web_search_queries": 5}, "0.07"),
        ("gemini", "gemini-2.5-flash", {"code_interpreter": 2, "file_search": 1}, "0"),
    ],
)
def test_hosted_tools_have_a_fee(provider, model, calls, expected):
    cost = price_use(use(provider, model, tool_calls=calls))
    assert cost.tools == Decimal(expected)
    assert cost.total == cost.input + cost.output + cost.tools
    assert not cost.warnings


def test_a_fee_that_nobody_knows_is_said():
    cost = price_use(use(tool_calls={"code_interpreter": 2}))
    assert cost.tools == 0
    assert cost.warnings == ("the fee for code_interpreter (2) is not known and not in the total",)


# ---- a deployment's own prices --------------------------------------------------------------------------

OWN = {"input_cost_per_token": 3e-06, "output_cost_per_token": "0.000015"}


def test_own_prices_are_exact_however_they_are_written():
    cost = price_use(use("azure", "my-deployment", prices=OWN, usage=usage(1, 1)))
    assert (cost.total, cost.source) == (Decimal("0.000018"), "own prices")


def test_own_prices_go_before_the_list_which_fills_what_they_leave_out():
    own = {"input_cost_per_token": 1e-06, "cache_read_input_token_cost": 0}
    cost = price_use(use(prices=own, usage=usage(cached=500_000)))
    assert (cost.input, cost.output) == (Decimal("0.5"), Decimal(14))
    assert cost.source.startswith("own prices over genai-prices")


@pytest.mark.parametrize("base_model", ["gpt-5.2", "openai/gpt-5.2", "azure/gpt-5.2"])
def test_a_base_model_prices_a_deployment(base_model):
    assert total("azure", "my-deployment", prices={"base_model": base_model}) == Decimal("15.75")


def test_half_a_price_is_none():
    own = {"input_cost_per_token": 1e-06}
    assert price_use(use("azure", "my-deployment", prices=own)) is None
    assert total("azure", "my-deployment", prices=own, usage=usage(output_tokens=0)) == 1


@pytest.mark.parametrize(
    ("prices", "given", "expected"),
    [
        ({"output_cost_per_reasoning_token": 5e-05}, {"usage": usage(0, 10, reasoning=4)}, "0.00029"),
        ({"cache_creation_input_token_cost": 4e-06}, {"usage": usage(10, 0, written=5)}, "0.000035"),
        (
            {"cache_creation_input_token_cost": 4e-06, "cache_creation_input_token_cost_above_1hr": 6e-06},
            {"usage": usage(10, 0, written=5), "details": {"cache_write_1h_tokens": 5}},
            "0.000045",
        ),
        ({"input_cost_per_token_above_200k_tokens": 6e-06}, {"usage": usage(200_000, 0)}, "0.6"),
        ({"input_cost_per_token_above_200k_tokens": 6e-06}, {"usage": usage(200_001, 0)}, "1.200006"),
        ({"input_cost_per_token_priority": 9e-06}, {"usage": usage(10, 0)}, "0.00003"),
        (
            {"input_cost_per_token_priority": 9e-06},
            {"usage": usage(10, 0), "service_tier": "priority"},
            "0.00009",
        ),
        (
            {"input_cost_per_token_ultrafast": 9e-06},
            {"usage": usage(10, 0), "service_tier": "ultrafast"},
            "0.00009",
        ),
        ({"input_cost_per_token_batches": 1e-06}, {"usage": usage(10, 0), "batch": True}, "0.00001"),
        (
            {"tiered_pricing": [
                {"range": [0, 32000], "input_cost_per_token": 1e-06},
                {"range": [32000, 128000], "input_cost_per_token": 2e-06},
            ]},
            {"usage": usage(32_001, 0)},
            "0.064002",
        ),
        (
            {"search_context_cost_per_query": {"search_context_size_medium": 0.02}},
            {"usage": usage(0, 0), "tool_calls": {"web_search": 3}},
            "0.06",
        ),
    ],
)  # fmt: skip
def test_every_kind_of_own_price_counts(prices, given, expected):
    cost = price_use(use("azure", "my-deployment", prices={**OWN, **prices}, **given))
    assert cost.total == Decimal(expected)
    assert not cost.warnings


@pytest.mark.parametrize("name", ["input_cost_per_second", "ocr_cost_per_page"])
def test_an_own_price_that_cannot_be_counted_is_said(name):
    cost = price_use(use("azure", "my-deployment", prices={**OWN, name: 0.1, "mode": "chat"}))
    assert cost.total == 18
    assert name in cost.warnings[0]


def test_a_tier_with_an_own_price_needs_no_warning():
    own = {**OWN, "input_cost_per_token_flex": 1e-06, "output_cost_per_token_flex": 2e-06}
    cost = price_use(use("azure", prices=own, service_tier="flex"))
    assert (cost.total, cost.warnings) == (Decimal(3), ())


def test_the_day_counts():
    """Prices change: what was paid is what stood in the list on that day."""
    later, earlier = use("openai", "o3"), replace(use("openai", "o3"), at=datetime(2025, 5, 1, tzinfo=UTC))
    assert price_use(earlier).total > price_use(later).total
