import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from specroute.learn.metrics import (
    METRICS,
    apgr,
    auroc,
    brier,
    expected_calibration_error,
    log_loss,
    measure,
    measure_difference,
    resamples,
    without_bias,
)

_SAMPLES = st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=4, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@given(_SAMPLES)
def test_metrics_agree_with_the_reference(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.float64)
    p = np.array([tenths / 10 for _, tenths in rows])

    assert auroc(labels, p) == pytest.approx(reference.roc_auc_score(labels, p))
    assert log_loss(labels, p) == pytest.approx(reference.log_loss(labels, p))
    assert brier(labels, p) == pytest.approx(reference.brier_score_loss(labels, p))


@given(_SAMPLES)
def test_a_weight_counts_as_repetition(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.float64)
    p = np.array([tenths / 10 for _, tenths in rows])
    weights = np.arange(labels.size) % 3 + 1

    for metric in (auroc, log_loss, brier):
        repeated = metric(labels.repeat(weights), p.repeat(weights))
        assert metric(labels, p, weights.astype(np.float64)) == pytest.approx(repeated)


def test_a_constant_probability_that_is_right_on_average_has_no_calibration_error() -> None:
    labels = np.array([0.0, 1.0, 1.0, 1.0] * 25)

    assert expected_calibration_error(labels, np.full(100, 0.75)) == pytest.approx(0.0)
    assert expected_calibration_error(labels, np.full(100, 0.25)) == pytest.approx(0.5)


def test_labels_of_one_kind_have_no_auroc() -> None:
    draws = resamples(np.arange(10), 0)

    figures = measure(np.ones(10), np.linspace(0.1, 0.9, 10), draws)

    assert figures["auroc"].to_json() == {"value": None, "lo": None, "hi": None}
    assert figures["log_loss"].value is not None


def test_rows_of_one_group_are_drawn_together() -> None:
    draws = resamples(np.array([0, 0, 1, 2, 2]), 1)

    assert (draws[:, 0] == draws[:, 1]).all()
    assert (draws[:, 3] == draws[:, 4]).all()
    assert draws.std(axis=0).min() > 0


def test_a_model_does_not_differ_from_itself() -> None:
    labels = np.array([0.0, 1.0] * 10)
    p = np.linspace(0.2, 0.7, 20)

    figures = measure_difference(labels, p, p, resamples(np.arange(20), 0))

    assert all(figure.to_json() == {"value": 0.0, "lo": 0.0, "hi": 0.0} for figure in figures.values())


def test_resampled_metrics_are_what_the_metrics_are_under_each_draw() -> None:
    draw = np.random.default_rng(4)
    labels = (draw.random(60) < 0.6).astype(np.float64)
    p = np.round(draw.random(60), 1)  # with ties
    draws = resamples(draw.integers(0, 30, 60), 1)

    for name, figure in measure(labels, p, draws).items():
        one_by_one = np.array([METRICS[name](labels, p, weights) for weights in draws])
        if name == "ece":
            one_by_one = without_bias(expected_calibration_error(labels, p, None), one_by_one)
        assert (figure.lo, figure.hi) == pytest.approx(tuple(np.nanpercentile(one_by_one, [2.5, 97.5])), abs=2e-6)


def test_the_interval_of_a_calibration_error_is_not_above_it_for_the_noise_of_resampling() -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        p = draw.random(400)
        labels = (draw.random(400) < p).astype(np.float64)

        figure = measure(labels, p, resamples(np.arange(400), 1))["ece"]

        value, lo, hi = figure.to_json().values()
        assert 0.0 <= (lo or 0.0) < (value or 0.0) < (hi or 0.0)


def test_apgr_of_a_perfect_order_is_above_one_half_and_of_its_reverse_below() -> None:
    mini, large = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0])

    assert apgr(mini, large, 1.0 - mini) == pytest.approx(0.75)
    assert apgr(mini, large, mini) == pytest.approx(0.25)
    assert np.isnan(apgr(large, mini, mini))


def test_apgr_of_a_random_order_is_one_half() -> None:
    draw = np.random.default_rng(0)
    mini, large = (draw.random(20_000) < 0.6).astype(float), (draw.random(20_000) < 0.8).astype(float)

    assert apgr(mini, large, draw.random(20_000), bins=10) == pytest.approx(0.5, abs=0.02)
