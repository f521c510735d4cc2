import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from specroute.learn.certificate.evidence import (
    best_bet,
    betting_bounds,
    betting_p_value,
    binomial_bounds,
    binomial_p_value,
    least_rows,
)

ALPHA, DELTA = 0.02, 0.05


def losses_of(failures: int, rescues: int, n: int, seed: int = 0) -> np.ndarray:
    values = np.zeros(n)
    values[:failures] = 1.0
    values[failures : failures + rescues] = -1.0
    return np.random.default_rng(seed).permutation(values)


@given(
    st.integers(1, 4000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0.001, 0.5),
)
def test_the_binomial_p_value_is_that_of_the_exact_test(counts: tuple[int, int], alpha: float) -> None:
    failures, n = counts

    expected = binomtest(failures, n, alpha, alternative="less").pvalue

    assert binomial_p_value(failures, n, alpha) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_149_rows_without_a_failure_are_the_fewest_that_show_two_percent_at_confidence_95() -> None:
    assert least_rows(ALPHA, DELTA) == 149
    assert binomial_p_value(0, 149, ALPHA) <= DELTA < binomial_p_value(0, 148, ALPHA)


@pytest.mark.parametrize(("n", "most"), [(149, 0), (600, 6), (3000, 47)])
def test_as_many_failures_pass_as_tables_say(n: int, most: int) -> None:
    assert binomial_p_value(most, n, ALPHA) <= DELTA < binomial_p_value(most + 1, n, ALPHA)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_binomial_upper_bound_is_where_the_p_value_is_delta(counts: tuple[int, int]) -> None:
    failures, n = counts

    lower, upper = binomial_bounds(failures, n, DELTA)

    assert lower <= failures / n <= upper
    if failures < n:
        assert binomial_p_value(failures, n, upper) == pytest.approx(DELTA, rel=1e-6)


@pytest.mark.parametrize("rescue_rate", [0.0, 0.02, 0.1])
def test_betting_believes_in_a_policy_that_is_too_bad_at_most_as_often_as_delta(rescue_rate: float) -> None:
    generator, n, trials = np.random.default_rng(7), 1000, 2000
    bet = best_bet(rescue_rate, n, ALPHA, DELTA)
    rates = [rescue_rate, 1.0 - 2.0 * rescue_rate - ALPHA, rescue_rate + ALPHA]

    drawn = generator.choice([-1.0, 0.0, 1.0], size=(trials, n), p=rates)
    wrong = sum(betting_p_value(row, ALPHA, bet) <= DELTA for row in drawn)

    assert wrong <= binomial_quantile(trials, DELTA)


def test_a_badly_chosen_stake_costs_power_but_not_the_promise() -> None:
    generator, n, trials = np.random.default_rng(8), 600, 1000

    drawn = generator.choice([-1.0, 0.0, 1.0], size=(trials, n), p=[0.1, 0.78, 0.12])
    for bet in (0.01, best_bet(0.0, n, ALPHA, DELTA)):
        assert sum(betting_p_value(row, ALPHA, bet) <= DELTA for row in drawn) <= binomial_quantile(trials, DELTA)


def binomial_quantile(trials: int, rate: float) -> float:
    """Returns what a share of exactly ``rate`` exceeds once in a thousand."""
    return trials * rate + 3.1 * math.sqrt(trials * rate * (1.0 - rate))


def test_betting_sees_what_rescues_are_worth() -> None:
    bet = best_bet(0.05, 3000, ALPHA, DELTA)

    assert binomial_p_value(150, 3000, ALPHA) > 0.99
    assert betting_p_value(losses_of(150, 150, 3000), ALPHA, bet) <= DELTA
    assert betting_p_value(losses_of(210, 150, 3000), ALPHA, bet) > DELTA


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 0.4), st.integers(149, 5000), st.floats(0.005, 0.2), st.floats(0.01, 0.2))
def test_no_single_row_can_ruin_the_gambler(rescue_rate: float, n: int, alpha: float, delta: float) -> None:
    bet = best_bet(rescue_rate, n, alpha, delta)

    assert 0.0 <= bet * (1.0 - alpha) < 1.0
    assert 0.0 < betting_p_value(np.ones(3), alpha, bet) <= 1.0


def test_one_more_failure_never_makes_betting_surer() -> None:
    bet = best_bet(0.02, 500, ALPHA, DELTA)
    losses = losses_of(5, 10, 500)
    worse = losses.copy()
    worse[np.flatnonzero(losses == 0.0)[0]] = 1.0

    assert betting_p_value(worse, ALPHA, bet) >= betting_p_value(losses, ALPHA, bet)


def test_betting_bounds_hold_the_mean_and_agree_with_the_test() -> None:
    losses = losses_of(60, 55, 2000)

    lower, upper = betting_bounds(losses, DELTA, rescue_rate=0.03, failure_rate=0.03)

    assert -0.02 < lower < losses.mean() < upper < 0.025
    assert betting_p_value(losses, upper + 0.001, best_bet(0.03, 2000, upper + 0.001, DELTA)) <= DELTA
    assert betting_p_value(losses, upper - 0.001, best_bet(0.03, 2000, upper - 0.001, DELTA)) > DELTA


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_bounds_of_rows_that_are_all_alike_stay_in_range(value: float) -> None:
    lower, upper = betting_bounds(np.full(30, value), DELTA, rescue_rate=0.01, failure_rate=0.01)

    assert -1.0 <= lower <= value <= upper <= 1.0


def test_mapie_agrees_where_it_has_the_same_test() -> None:
    pytest.importorskip("mapie", reason="MAPIE is an independent judge of the binomial test, not a dependency")
    methods = importlib.import_module("mapie.risk_control.methods")
    fwer = importlib.import_module("mapie.risk_control.fwer_control")
    n = 3000
    failures = np.arange(80)

    ours = np.array([binomial_p_value(int(count), n, ALPHA) for count in failures])
    theirs = methods.compute_hoeffding_bentkus_p_value(failures / n, n, ALPHA, binary=True)[:, 0]
    next_count = np.array([binomial_p_value(int(count) + 1, n, ALPHA) for count in failures])

    assert (theirs >= ours - 1e-12).all()
    assert (theirs <= next_count + 1e-12).all()  # it rounds up what should be a whole number
    assert fwer.control_fwer(ours, DELTA, "fixed_sequence").tolist() == list(range(48))
