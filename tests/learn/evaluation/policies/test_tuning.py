from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.learn.evaluation.policies.delivered import Delivered
from specroute.learn.evaluation.policies.thresholds import (
    cascade_cuts,
    cascade_sweep,
    chosen,
    prompt_cuts,
    prompt_sweep,
    tuned_cascade,
    tuned_prompt,
    with_score,
)
from specroute.learn.evaluation.policies.tuned import TARGETS, Split, tuned
from specroute.learn.evaluation.policies.zones import tuned_zones, zone_grid
from specroute.learn.play import play
from tests.learn.evaluation.drawn import drawn

_SEEDS = st.integers(0, 10**6)


@given(_SEEDS)
@settings(max_examples=20)
def test_every_point_of_a_sweep_is_what_its_threshold_plays(seed: int) -> None:
    rows = drawn(40, seed=seed)
    pointed = with_score(rows, rows.p)
    for sweep, cuts_at, scores, of in (
        (prompt_sweep(pointed, pointed.p), prompt_cuts, np.unique(rows.p), pointed),
        (cascade_sweep(rows), cascade_cuts, np.unique(rows.verifier_p[~np.isnan(rows.verifier_p)]), rows),
    ):
        points = sweep.points(np.ones((1, 40)))
        last = [*scores, 1.05]
        found = [play(of, cuts_at(float(threshold))) for threshold in last]

        along = slice(points.quality.shape[1] - len(last), None)
        assert points.quality[0, along] == pytest.approx([played.correct.mean() for played in found])
        assert points.cost_usd[0, along] == pytest.approx([played.cost_usd.mean() for played in found])
        assert points.large[0, along] == pytest.approx([played.large_delivered.mean() for played in found])


@given(_SEEDS, st.booleans())
@settings(max_examples=8)
def test_every_point_of_the_zone_grid_is_what_its_cuts_play(seed: int, has_verifier: bool) -> None:
    rows = drawn(30, seed=seed, has_verifier=has_verifier)

    grid, quality, cost = zone_grid(rows)

    for at in range(0, len(grid), 97):
        played = play(rows, grid[at])
        assert quality[at] == pytest.approx(played.correct.mean())
        assert cost[at] == pytest.approx(played.cost_usd.mean())


@given(_SEEDS)
@settings(max_examples=10)
def test_tuning_keeps_the_target_on_the_rows_it_is_tuned_on_and_pays_more_for_more(seed: int) -> None:
    rows = drawn(60, seed=seed)
    if not rows.large_ok.any():
        return
    targets = (0.9, 0.98, 1.0)
    for tune in (tuned_prompt, tuned_cascade, tuned_zones):
        of = with_score(rows, rows.p) if tune is tuned_prompt else rows
        played = [play(of, cuts) for cuts in tune(of, targets)]

        for target, own in zip(targets, played, strict=True):
            assert own.correct.mean() >= target * rows.large_ok.mean() - 1e-9
        costs = [own.cost_usd.mean() for own in played]
        assert costs == sorted(costs)


def test_zones_never_pay_more_than_they_must_where_each_part_alone_would_do() -> None:
    rows = drawn(400, seed=8)

    zones = play(rows, tuned_zones(rows, [0.98])[0]).cost_usd.mean()
    cascade = play(rows, tuned_cascade(rows, [0.98])[0]).cost_usd.mean()

    assert zones <= cascade * 1.02  # the grid of quantiles is coarser than all thresholds


def test_an_unreachable_target_takes_the_best_there_is() -> None:
    assert chosen(np.array([0.5, 0.8, 0.8]), np.array([1.0, 3.0, 2.0]), 0.95) == 2


def test_without_a_tuning_file_no_row_is_played_by_thresholds_that_saw_its_label() -> None:
    rows = drawn(200)
    split = Split.of(rows, None, seed=0)

    found = tuned(rows, split, 0.98, tuned_cascade)

    for half in (0, 1):
        index, other = np.flatnonzero(split.half_of == half), np.flatnonzero(split.half_of != half)
        own = rows.take(index)
        expected = Delivered.of(own, play(own, tuned_cascade(rows.take(other), [0.98])[0]))
        assert found.at_target.take(index).correct.tolist() == expected.correct.tolist()
        assert found.at_target.take(index).cost_usd.tolist() == expected.cost_usd.tolist()


def test_halves_are_of_whole_groups_and_about_equal() -> None:
    rows = drawn(301)

    split = Split.of(rows, None, seed=4)

    for group in np.unique(rows.groups):
        assert np.unique(split.half_of[rows.groups == group]).size == 1
    assert abs(float(split.half_of.mean()) - 0.5) < 0.02


def test_with_a_tuning_file_the_thresholds_come_from_it_alone() -> None:
    rows, tuning = drawn(100), drawn(150, seed=9, prefix="t")

    found = tuned(rows, Split.of(rows, tuning, seed=0), 0.98, tuned_zones)

    assert found.cuts == (tuned_zones(tuning, [0.98])[0],)
    assert len(found.frontier) == len(TARGETS)
