"""The arithmetic gives the library's own sums, for every model that it lists and whatever was counted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman_prices.rates import Tariff, has_unit

AT = datetime(2026, 11, 1, tzinfo=UTC)
MODELS = [(seller, model) for seller in get_snapshot().providers for model in seller.models]
MODALITIES = ("audio", "image", "video")
figures = st.integers(0, 400_000)


@st.composite
def all_counts(draw):
    """Draw inclusive counts: parts first, then the wholes that hold them."""
    counts = {}
    read = written = plain = 0
    for modality in MODALITIES:
        cached, fresh, said = draw(figures), draw(figures), draw(figures)
        counts |= {
            f"cache_{modality}_read_tokens": cached,
            f"input_{modality}_tokens": cached + fresh,
            f"output_{modality}_tokens": said,
        }
        read, plain = read + cached, plain + fresh
    for_an_hour = draw(figures)
    written = for_an_hour + draw(figures)
    read += draw(figures)
    thought = draw(figures)
    spoken = sum(counts[f"output_{modality}_tokens"] for modality in MODALITIES)
    return {
        **counts,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": for_an_hour,
        "input_tokens": read + written + plain + draw(figures),
        "output_reasoning_tokens": thought,
        "output_tokens": spoken + thought + draw(figures),
        "web_searches": draw(st.integers(0, 9)),
        "storage_searches": draw(st.integers(0, 9)),
    }


@given(listed=st.sampled_from(MODELS), counts=all_counts())
@settings(max_examples=300, deadline=None)
def test_the_sums_are_the_librarys(listed, counts):
    seller, model = listed
    theirs = model.calc_price(Usage(**counts), seller, genai_request_timestamp=AT)
    prices = {key: price for key, price in vars(model.get_prices(AT)).items() if price is not None}
    mine = Tariff(prices).amounts_of(counts)
    assert (mine.input, mine.output, sum(mine)) == (
        theirs.input_price, theirs.output_price, theirs.total_price
    )  # fmt: skip


def test_every_price_in_the_list_has_a_unit():
    assert all(
        has_unit(key)
        for _, model in MODELS
        for prices in (
            [model.prices] if not isinstance(model.prices, list) else [each.prices for each in model.prices]
        )
        for key in vars(prices)
    )


def test_a_part_that_is_more_than_the_whole_is_no_number():
    model = next(model for _, model in MODELS if model.id == "claude-sonnet-4-5")
    prices = {key: price for key, price in vars(model.get_prices(AT)).items() if price is not None}
    with pytest.raises(ValueError, match="input_tokens is 1, and its parts are 5"):
        Tariff(prices).amounts_of({"input_tokens": 1, "cache_read_tokens": 5})
