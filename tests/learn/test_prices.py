"""What recorded answers cost."""

from __future__ import annotations

import pytest

from specroute.learn.prices import ModelPrice, PairPrices, UnknownPrice, answer_cost_usd


def test_a_known_pair_has_its_list_prices() -> None:
    assert PairPrices.of_pair("gpt-4o-mini|gpt-4o") == PairPrices(ModelPrice(0.15, 0.60), ModelPrice(2.50, 10.0))


def test_prices_can_be_written_for_any_pair() -> None:
    assert PairPrices.parse("1/2,3/4.5") == PairPrices(ModelPrice(1.0, 2.0), ModelPrice(3.0, 4.5))


@pytest.mark.parametrize("written", ["", "1/2", "1/2,3", "1/2,3/x", "1/2,3/-4", "1/2,3/nan", "1/2/3,4/5"])
def test_prices_written_otherwise_are_refused_with_the_form(written: str) -> None:
    with pytest.raises(UnknownPrice, match="write MINI_IN/MINI_OUT,LARGE_IN/LARGE_OUT"):
        PairPrices.parse(written)


@pytest.mark.parametrize("pair", ["mine|gpt-4o", "gpt-4o-mini|mine", "gpt-4o"])
def test_an_unlisted_model_is_refused_with_the_option_that_mends_it(pair: str) -> None:
    with pytest.raises(UnknownPrice, match="--prices"):
        PairPrices.of_pair(pair)


def test_recorded_tokens_count_and_missing_ones_are_estimated_from_the_texts() -> None:
    price = ModelPrice(1.0, 10.0)

    assert answer_cost_usd(price, "x" * 400, "y" * 40, 50, 7) == pytest.approx((50 + 70) / 1e6)
    assert answer_cost_usd(price, "x" * 400, "y" * 40, None, None) == pytest.approx((100 + 100) / 1e6)
    assert answer_cost_usd(price, "x" * 400, None, None, None) == pytest.approx((100 + 1000) / 1e6)
