from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.learn import metrics
from specroute.learn.evaluation.measures.probabilities import gains, probability_statistic, shuffled_statistic
from specroute.learn.evaluation.measures.sampling import Draws, mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 10), st.integers(0, 3)), min_size=3, max_size=60)


def _columns(rows: list[tuple[bool, int, int]]) -> tuple[Floats, Floats, Floats]:
    labels = np.array([label for label, _, _ in rows], dtype=np.float64)
    p = np.array([tenths / 10 for _, tenths, _ in rows])
    return labels, p, np.array([times for _, _, times in rows], dtype=np.float64)


@given(_ROWS)
def test_all_resamples_at_once_give_what_the_metrics_give_one_by_one(rows: list[tuple[bool, int, int]]) -> None:
    labels, p, times = _columns(rows)
    weights = np.stack([np.ones_like(times), times + 1.0])

    values = probability_statistic(labels, p)(weights)

    for number, row in enumerate(weights):
        for name, metric in metrics.METRICS.items():
            assert values[name][number] == pytest.approx(metric(labels, p, row), nan_ok=True)


def test_the_interval_of_a_calibration_error_holds_the_error() -> None:
    draw = np.random.default_rng(3)
    p = draw.random(400)
    labels = (draw.random(400) < p).astype(np.float64)

    figure = Draws.of(np.arange(400), seed=1).figures(probability_statistic(labels, p))["ece"]

    value, lo, hi = figure.to_json().values()
    assert 0.0 <= (lo or 0.0) < (value or 0.0) < (hi or 0.0)


def test_a_resample_without_rows_has_no_value() -> None:
    values = probability_statistic(np.array([0.0, 1.0]), np.array([0.2, 0.7]))(np.zeros((1, 2)))

    assert all(np.isnan(column[0]) for column in values.values())


def test_shuffled_p_score_what_the_mean_over_permutations_scores() -> None:
    draw = np.random.default_rng(1)
    labels, p = (draw.random(40) < 0.4).astype(np.float64), draw.random(40)

    expected = shuffled_statistic(labels, p)(np.ones((1, 40)))

    permuted = [draw.permutation(p) for _ in range(4000)]
    assert expected["auroc"][0] == 0.5
    assert np.mean([metrics.auroc(labels, own) for own in permuted]) == pytest.approx(0.5, abs=0.01)
    for name in ("log_loss", "brier"):
        found = np.mean([metrics.METRICS[name](labels, own, np.ones(40)) for own in permuted])
        assert expected[name][0] == pytest.approx(found, abs=0.01)


def test_a_gain_is_above_zero_where_the_model_is_better_whichever_way_the_metric_points() -> None:
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    weights = np.ones((1, 4))
    good = probability_statistic(labels, np.array([0.1, 0.2, 0.8, 0.9]))(weights)
    bad = probability_statistic(labels, np.array([0.6, 0.4, 0.5, 0.5]))(weights)

    found = gains(good, bad)

    assert all(found[name][0] > 0.0 for name in ("auroc", "log_loss", "brier", "ece"))


def test_the_interval_of_a_mean_is_that_of_a_bootstrap_over_groups() -> None:
    groups = np.repeat(np.arange(50), 4)
    values = np.repeat(np.random.default_rng(2).normal(size=50), 4)

    figure = Draws.of(groups, 0).figures(lambda weights: {"mean": mean(values, weights)})["mean"]

    assert figure.value == pytest.approx(values.mean())
    assert figure.lo is not None
    assert figure.hi is not None
    error = values[::4].std() / 50**0.5  # 50 values, not 200
    assert figure.hi - figure.lo == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_a_value_that_too_many_resamples_do_not_have_gets_no_interval() -> None:
    def statistic(weights: Floats) -> dict[str, Floats]:
        return {"often": np.where(weights[:, 0] > 0.0, 1.0, np.nan), "always": weights[:, 0] * 0.0}

    figures = Draws.of(np.arange(10), 0).figures(statistic)

    assert figures["often"].to_json() == {"value": 1.0, "lo": None, "hi": None}
    assert figures["always"].to_json() == {"value": 0.0, "lo": 0.0, "hi": 0.0}
