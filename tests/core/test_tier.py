"""Prices are integers, and a bill is never understated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import MoneySummary
from specroute.core.tier import Price

counts = st.integers(0, 10**7)


def test_cached_input_has_its_own_price() -> None:
    price = Price(2_500_000_000, 10_000_000_000, 1_250_000_000)
    assert price.cost_of_nano_usd(1_000_000, 0) == 2_500_000_000
    assert price.cost_of_nano_usd(1_000_000, 0, 1_000_000) == 1_250_000_000
    assert price.cost_of_nano_usd(1_000, 100, 400) == 600 * 2_500 + 400 * 1_250 + 100 * 10_000


def test_a_fraction_of_a_nano_dollar_is_rounded_up() -> None:
    assert Price(1, 0, 0).cost_of_nano_usd(1, 0) == 1


@given(counts, counts, counts, counts)
def test_more_tokens_never_cost_less(input_tokens: int, output_tokens: int, more_input: int, more_output: int) -> None:
    price = Price(150_000_000, 600_000_000, 75_000_000)
    less = price.cost_of_nano_usd(input_tokens, output_tokens)
    assert less <= price.cost_of_nano_usd(input_tokens + more_input, output_tokens + more_output)


def test_savings_are_net_of_waste_and_may_be_negative() -> None:
    assert MoneySummary(10, 5, 12).saved_nano_usd == -3
