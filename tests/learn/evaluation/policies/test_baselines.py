from __future__ import annotations

import numpy as np
import pytest

from specroute.learn.evaluation.policies.baselines import FITS, PRIOR_ROWS, group_parts, predicted
from specroute.learn.metrics import auroc
from tests.learn.evaluation.drawn import drawn


@pytest.mark.parametrize("name", list(FITS))
@pytest.mark.parametrize("has_tuning", [True, False])
def test_every_baseline_gives_two_probabilities_of_every_row(name: str, has_tuning: bool) -> None:
    rows, tuning = drawn(60), drawn(80, seed=4, prefix="t")

    found = predicted(name, rows, tuning if has_tuning else None, seed=0)

    assert found.shape == (60, 2)
    assert ((found >= 0.0) & (found <= 1.0)).all()


def test_a_source_is_predicted_by_its_mean_drawn_a_little_to_that_of_all() -> None:
    rows, tuning = drawn(40), drawn(200, seed=4, prefix="t")

    found = predicted("source_mean", rows, tuning, seed=0)

    hard = np.array([row.source == "hard" for row in tuning.rows])
    mean = (tuning.mini_ok[hard].sum() + PRIOR_ROWS * tuning.mini_ok.mean()) / (hard.sum() + PRIOR_ROWS)
    assert found[[row.source == "hard" for row in rows.rows], 0] == pytest.approx(mean)


def test_a_mean_does_not_rank_the_rows_of_one_source_backwards() -> None:
    rows = drawn(200, sources=("only",))

    found = predicted("source_mean", rows, None, seed=0)

    assert auroc(rows.mini_ok, found[:, 0]) == 0.5


def test_an_unknown_subject_falls_back_to_its_source_and_an_unknown_source_to_all() -> None:
    tuning = drawn(200, seed=4, prefix="t", sources=("hard",))
    rows = drawn(30, sources=("elsewhere",))

    by_subject = predicted("subject_mean", rows, tuning, seed=0)

    assert by_subject[:, 0] == pytest.approx(tuning.mini_ok.mean())


def test_the_nearest_prompts_know_what_words_go_with_wrong_answers() -> None:
    rows = drawn(400, knows=0.0)

    found = predicted("knn", rows, None, seed=0)

    assert auroc(rows.mini_ok, found[:, 0]) > 0.6


def test_labels_of_one_kind_are_learnt_as_such() -> None:
    rows, tuning = drawn(20), drawn(40, prefix="t")
    tuning.mini_ok[:] = 1.0

    found = predicted("length", rows, tuning, seed=0)

    assert found[:, 0].tolist() == [1.0] * 20
    assert found[:, 1].tolist() == [0.0] * 20


def test_a_group_is_in_one_part_and_parts_are_alike() -> None:
    groups = np.repeat(np.arange(50), 3)

    parts = group_parts(groups, 5, 1)

    assert all(np.unique(parts[groups == group]).size == 1 for group in range(50))
    assert np.bincount(parts).tolist() == [30] * 5
