"""How the cut bends with what an answer costs."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.predictor.verifier.evidence import Evidence
from specroute.predictor.verifier.leeway import MOST, STRAIGHT, Leeway, merit, merits, tokens_at_stake

EXPONENTS = st.floats(0.0, 1.0)
SHARES = st.floats(0.0, 1.0)
FACTORS = st.floats(1.0 / MOST, MOST)


def test_a_token_of_the_answer_weighs_four_of_the_prompt() -> None:
    assert tokens_at_stake("p" * 400, "a" * 40) == 100 + 4 * 10
    assert tokens_at_stake("é" * 200, "") == 100  # bytes of UTF-8, as prices are estimated elsewhere


def test_a_typical_answer_has_no_leeway() -> None:
    assert Leeway(0.5, 140.0).of(Evidence("p" * 400, "a" * 40)) == 1.0


def test_without_exponent_or_text_every_answer_is_held_to_the_same_cut() -> None:
    assert STRAIGHT.of(Evidence("p", "a" * 9_000)) == 1.0
    assert Leeway(1.0, 10.0).of(Evidence("p", None, mean_logprob=-0.1, output_tokens=500)) == 1.0
    assert Leeway(1.0, 10.0).factors(np.array([np.nan, 20.0])).tolist() == [1.0, 2.0]


@given(EXPONENTS, st.integers(0, 20_000), st.integers(0, 20_000))
def test_a_longer_answer_has_no_less_leeway_and_none_has_more_than_its_bounds(
    exponent: float, one: int, other: int
) -> None:
    leeway = Leeway(exponent, 500.0)
    less, more = (leeway.of(Evidence("prompt", "a" * size)) for size in sorted((one, other)))

    assert MOST**-exponent * (1.0 - 1e-12) <= less <= more <= MOST**exponent * (1.0 + 1e-12)


@given(SHARES)
def test_where_the_leeway_is_one_the_merit_is_the_chance_to_the_last_bit(p: float) -> None:
    assert merit(p, 1.0) == p


@given(SHARES, SHARES, FACTORS)
def test_the_cut_allows_the_risk_times_the_leeway(p: float, min_p: float, leeway: float) -> None:
    risk, allowed = 1.0 - p, (1.0 - min_p) * leeway
    if abs(risk - allowed) > 1e-9:
        assert (merit(p, leeway) >= min_p) == (risk < allowed or min_p == 0.0)


@given(SHARES, SHARES, FACTORS, FACTORS)
def test_the_merit_rises_with_the_chance_and_with_the_leeway(p: float, q: float, one: float, other: float) -> None:
    assert 0.0 <= merit(min(p, q), min(one, other)) <= merit(max(p, q), max(one, other)) + 1e-12 <= 1.0 + 1e-12


@given(st.lists(st.tuples(SHARES, FACTORS), min_size=1, max_size=9))
def test_the_merits_of_many_are_those_of_each(answers: list[tuple[float, float]]) -> None:
    p, leeway = (np.array(column) for column in zip(*answers, strict=True))

    assert merits(p, leeway).tolist() == [merit(*answer) for answer in answers]
    assert np.isnan(merits(np.array([np.nan]), np.array([2.0]))).all()


@pytest.mark.parametrize("changes", [{"exponent": -0.1}, {"exponent": 1.1}, {"typical_tokens": 0.0}])
def test_a_leeway_out_of_range_is_refused_where_a_certificate_is_read(changes: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(changes, Leeway)
