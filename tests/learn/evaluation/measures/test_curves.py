from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.learn.evaluation.measures.curves import (
    SAVE_AT,
    Ends,
    Path,
    State,
    Sweep,
    money_statistic,
    routellm_statistic,
)
from specroute.learn.metrics import apgr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROWS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=4, max_size=40)


def _curve(score: Floats, mini: Floats, large: Floats, ratio: float = 10.0) -> tuple[Sweep, Ends]:
    zeros = np.zeros(score.size)
    ends = Ends(mini, large, zeros + 1.0, zeros + ratio)
    return Sweep(score, State(zeros, mini, zeros + 1.0), State(zeros + 1.0, large, zeros + ratio)), ends


def _ones(size: int) -> Floats:
    return np.ones((1, size))


def _columns(rows: list[tuple[bool, bool, int]]) -> tuple[Floats, Floats, Floats]:
    mini, large, score = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return score, mini, large


def _apgr_as_published(score: Floats, mini: Floats, large: Floats) -> float:
    """Sends the k lowest scores to the large model for every k, and averages PGR by the trapezoids; no ties."""
    order = np.argsort(score)
    quality = [(large[order[:count]].sum() + mini[order[count:]].sum()) / score.size for count in range(score.size + 1)]
    pgr = (np.array(quality) - mini.mean()) / (large.mean() - mini.mean())
    return float(((pgr[1:] + pgr[:-1]) / 2.0).mean())


def test_four_rows_by_hand() -> None:
    mini, large = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 1.0])
    curve, ends = _curve(np.array([0.1, 0.2, 0.3, 0.4]), mini, large)

    calls = routellm_statistic(curve, ends, _ones(4))
    money = money_statistic(curve, ends, _ones(4))

    # PGR after 0 to 4 rows: 0, 1/2, 1/2, 1, 1
    assert calls["apgr_trapezoid"][0] == pytest.approx((0.25 + 0.5 + 0.75 + 1.0) / 4)
    assert calls["cpt50"][0] == pytest.approx(0.25)
    assert calls["cpt80"][0] == pytest.approx(0.5 + 0.25 * 0.6)
    ten = np.interp(np.arange(0.05, 1.0, 0.1), [0, 0.25, 0.5, 0.75, 1], [0, 0.5, 0.5, 1, 1]).mean()
    assert calls["apgr_10"][0] == pytest.approx(ten)
    assert money["apgr_usd"][0] == pytest.approx(calls["apgr_trapezoid"][0])  # all calls cost the same
    assert money["save_at_1.0"][0] == pytest.approx(1.0 - (3 * 10 + 1) / 40)
    assert money["save_at_0.95"][0] == pytest.approx(1.0 - (3 * 10 + 1) / 40)
    # hull: (1, .5), (3.25, .75), (7.75, 1), (10, 1)
    area = 2.25 * 0.625 + 4.5 * 0.875 + 2.25
    assert money["aiq"][0] == pytest.approx(area / 9)


@given(st.integers(0, 10**6))
def test_apgr_is_what_routellm_defines(seed: int) -> None:
    draw = np.random.default_rng(seed)
    mini, large = ((draw.random(30) < chance).astype(np.float64) for chance in (0.4, 0.8))
    if large.mean() <= mini.mean():
        return
    score = draw.permutation(30).astype(np.float64)
    curve, ends = _curve(score, mini, large)

    found = routellm_statistic(curve, ends, _ones(30))

    assert found["apgr_trapezoid"][0] == pytest.approx(_apgr_as_published(score, mini, large))


@given(_ROWS)
def test_a_score_that_says_nothing_has_an_apgr_of_one_half(rows: list[tuple[bool, bool, int]]) -> None:
    score, mini, large = _columns(rows)
    curve, ends = _curve(np.zeros_like(score), mini, large)

    found = routellm_statistic(curve, ends, _ones(score.size))

    expected = 0.5 if large.mean() > mini.mean() else np.nan
    for name in ("apgr_10", "apgr_deciles", "apgr_trapezoid", "cpt50"):
        assert found[name][0] == pytest.approx(expected, nan_ok=True)
    assert found["cpt80"][0] == pytest.approx(expected + 0.3, nan_ok=True)


def test_random_scores_have_an_apgr_of_one_half_on_average() -> None:
    draw = np.random.default_rng(0)
    mini, large = ((draw.random(200) < chance).astype(np.float64) for chance in (0.5, 0.9))

    found = [
        routellm_statistic(*_curve(draw.random(200), mini, large), _ones(200))["apgr_trapezoid"][0] for _ in range(300)
    ]

    assert np.mean(found) == pytest.approx(0.5, abs=0.01)


@given(_ROWS)
@settings(max_examples=25)
def test_ties_count_as_their_random_order_on_average(rows: list[tuple[bool, bool, int]]) -> None:
    score, mini, large = _columns(rows)
    if large.mean() - mini.mean() <= 0.1:
        return
    draw = np.random.default_rng(0)
    curve, ends = _curve(score, mini, large)

    tied = routellm_statistic(curve, ends, _ones(score.size))["apgr_trapezoid"][0]

    broken = [_apgr_as_published(score + draw.random(score.size) * 1e-3, mini, large) for _ in range(300)]
    assert tied == pytest.approx(np.mean(broken), abs=6.0 * float(np.std(broken)) / 300**0.5 + 1e-9)


@given(_ROWS)
def test_saving_falls_as_more_quality_is_asked_for(rows: list[tuple[bool, bool, int]]) -> None:
    score, mini, large = _columns(rows)
    curve, ends = _curve(score, mini, large)

    found = money_statistic(curve, ends, _ones(score.size))

    saved = [found[f"save_at_{target}"][0] for target in SAVE_AT]
    if large.any():
        assert saved == sorted(saved, reverse=True)
    else:
        assert np.isnan(saved).all()


@given(_ROWS)
def test_aiq_is_never_below_mixing_the_two_models(rows: list[tuple[bool, bool, int]]) -> None:
    score, mini, large = _columns(rows)
    curve, ends = _curve(score, mini, large)

    found = money_statistic(curve, ends, _ones(score.size))["aiq"][0]

    assert found >= (mini.mean() + max(mini.mean(), large.mean())) / 2 - 1e-12


def test_burnt_answers_shift_the_curve_in_money() -> None:
    mini, large = np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4)
    score, zeros = np.array([0.1, 0.2, 0.3, 0.4]), np.zeros(4)
    direct, ends = _curve(score, mini, large)
    cascade = Sweep(score, State(zeros, mini, zeros + 1.0), State(zeros + 1.0, large, zeros + 11.0))

    free, burnt = (money_statistic(curve, ends, _ones(4)) for curve in (direct, cascade))

    assert burnt["apgr_usd"][0] < free["apgr_usd"][0]
    assert burnt["cpt50_usd"][0] == pytest.approx(free["cpt50_usd"][0] * 10 / 9)
    assert burnt["save_at_1.0"][0] == pytest.approx(1.0 - (3 * 11 + 1) / 40)


def test_a_gap_of_nothing_leaves_apgr_undefined_and_saving_defined() -> None:
    same = np.array([1.0, 0.0, 1.0])
    curve, ends = _curve(np.array([0.1, 0.2, 0.3]), same, same)

    calls, money = routellm_statistic(curve, ends, _ones(3)), money_statistic(curve, ends, _ones(3))

    assert np.isnan(calls["apgr_10"][0])
    assert np.isnan(calls["cpt50"][0])
    assert np.isnan(money["apgr_usd"][0])
    assert money["save_at_1.0"][0] == pytest.approx(0.9)


def test_a_weight_counts_as_repetition() -> None:
    draw = np.random.default_rng(5)
    mini, large = ((draw.random(25) < chance).astype(np.float64) for chance in (0.3, 0.9))
    score, times = draw.integers(0, 6, 25).astype(np.float64), draw.integers(0, 4, 25)

    weighted = routellm_statistic(*_curve(score, mini, large), times[None, :].astype(np.float64))
    repeated = routellm_statistic(
        *_curve(score.repeat(times), mini.repeat(times), large.repeat(times)), _ones(int(times.sum()))
    )

    for name, value in repeated.items():
        assert weighted[name][0] == pytest.approx(value[0])


def test_a_path_of_policies_is_read_in_the_order_of_their_cost() -> None:
    mini, large = np.array([0.0, 1.0]), np.array([1.0, 1.0])
    ends = Ends(mini, large, np.ones(2), np.full(2, 10.0))
    path = Path(
        large=np.array([[1.0, 1.0], [0.0, 0.0]]),
        correct=np.stack([large, mini]),
        cost_usd=np.array([[10.0, 10.0], [1.0, 1.0]]),
    )

    found = money_statistic(path, ends, _ones(2))

    assert found["apgr_usd"][0] == pytest.approx(0.5)


def test_apgr_agrees_with_the_metric_that_training_reports() -> None:
    draw = np.random.default_rng(7)
    mini, large = ((draw.random(300) < chance).astype(np.float64) for chance in (0.5, 0.8))
    score = draw.permutation(300).astype(np.float64)

    found = routellm_statistic(*_curve(score, mini, large), _ones(300))

    assert found["apgr_deciles"][0] == pytest.approx(apgr(mini, large, -score, bins=10))
    assert found["apgr_trapezoid"][0] == pytest.approx(apgr(mini, large, -score))
