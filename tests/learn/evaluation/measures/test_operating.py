from __future__ import annotations

import numpy as np
import pytest

from specroute.learn.evaluation.measures.calibration import reliability
from specroute.learn.evaluation.measures.operating import frontier_figures, policy_figures, quality_gain
from specroute.learn.evaluation.measures.sampling import Draws
from specroute.learn.evaluation.policies import lots
from specroute.learn.evaluation.policies.delivered import Delivered
from specroute.learn.evaluation.policies.thresholds import ends
from specroute.learn.play import Cuts, play
from tests.learn.evaluation.drawn import drawn
from tests.learn.scored import LARGE_USD, MINI_USD, scored


def test_the_figures_of_a_cascade_by_hand() -> None:
    rows = scored(
        [0.5] * 5,
        verifier_p=[0.9, 0.9, 0.1, 0.1, float("nan")],
        mini_ok=[1, 0, 1, 0, 1],
        large_ok=[1, 1, 1, 1, 0],
    )
    policy = Delivered.of(rows, play(rows, Cuts(1.1, -0.1, 0.5)))

    figures = policy_figures(policy, ends(rows), Draws.of(rows.groups, 0)).figures

    assert figures["quality"].value == pytest.approx(3 / 5)
    assert figures["retention"].value == pytest.approx(3 / 4)
    assert figures["cost_usd"].value == pytest.approx((5 * MINI_USD + 3 * LARGE_USD) / 5)
    assert figures["waste_usd"].value == pytest.approx(3 * MINI_USD / 5)
    assert figures["saved_ratio"].value == pytest.approx(1 - (5 * MINI_USD + 3 * LARGE_USD) / (5 * LARGE_USD))
    assert figures["escalation_ratio"].value == pytest.approx(3 / 5)
    assert figures["under_routing_ratio"].value == pytest.approx(1 / 5)  # the second row
    assert figures["over_routing_ratio"].value == pytest.approx(2 / 5)  # the third and the last
    assert figures["routing_accuracy"].value == pytest.approx(2 / 5)


def test_the_oracle_gap_is_one_for_what_buys_nothing_and_zero_for_the_oracle() -> None:
    rows = drawn(200)
    draws, alone = Draws.of(rows.groups, 0), ends(rows)

    best = policy_figures(lots.oracle(rows), alone, draws).figures["oracle_gap"]
    large = policy_figures(lots.always_large(rows), alone, draws).figures["oracle_gap"]

    assert best.value == pytest.approx(0.0, abs=1e-9)
    quality = float(np.maximum(rows.mini_ok, rows.large_ok).mean())
    expected = (quality - rows.large_ok.mean()) / (quality - rows.mini_ok.mean())
    assert large.value == pytest.approx(expected)


def test_a_saving_is_undefined_where_the_large_model_costs_nothing() -> None:
    rows = scored([0.5, 0.5])
    free = ends(rows)
    figures = policy_figures(
        lots.always_mini(rows),
        type(free)(rows.mini_ok, rows.large_ok, np.zeros(2), np.zeros(2)),
        Draws.of(rows.groups, 0),
    ).figures

    assert figures["saved_ratio"].value is None
    assert figures["oracle_gap"].value is None


def test_a_difference_of_a_policy_with_itself_is_nothing() -> None:
    rows = drawn(60)
    policy = lots.always_mini(rows)

    gain = quality_gain(policy, policy, Draws.of(rows.groups, 0))

    assert gain.to_json() == {"value": 0.0, "lo": 0.0, "hi": 0.0}


def test_the_frontier_tells_repeated_points_once() -> None:
    rows = drawn(60)
    mini, large = lots.always_mini(rows), lots.always_large(rows)

    points = frontier_figures((mini, mini, large), (0.7, 0.8, 1.0), ends(rows), Draws.of(rows.groups, 0))

    assert [point.target for point in points] == [0.7, 1.0]
    assert points[-1].retention.value == 1.0
    assert points[-1].saved_ratio.value == 0.0


def test_reliability_compares_p_with_what_was_seen() -> None:
    p = np.repeat([0.2, 0.6, 0.9], 20)
    labels = np.concatenate([np.arange(20) < 4, np.arange(20) < 12, np.arange(20) < 10]).astype(np.float64)

    buckets = reliability(labels, p, Draws.of(np.arange(60), 0))

    assert [bucket.predicted for bucket in buckets] == pytest.approx([0.2, 0.6, 0.9])
    assert [bucket.observed.value for bucket in buckets] == pytest.approx([0.2, 0.6, 0.5])
    assert [bucket.rows for bucket in buckets] == [20, 20, 20]


def test_few_rows_share_few_buckets() -> None:
    p = np.linspace(0.1, 0.9, 12)

    buckets = reliability((p > 0.5).astype(np.float64), p, Draws.of(np.arange(12), 0))

    assert len(buckets) == 2
    assert sum(bucket.rows for bucket in buckets) == 12
