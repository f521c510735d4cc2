"""Which rows are tuned on, and which the result is measured on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from specroute.tuning.splits import TuningError, require_enough, split, usable
from tests.learn.scored import scored
from tests.tuning.made_rows import answered


def test_no_cluster_is_on_both_sides_and_about_three_fifths_are_tuned_on() -> None:
    rows = answered(scored([0.5] * 600, groups=[at // 3 for at in range(600)]))

    tuning, held_out = split(rows, seed=1)

    assert {row.group_id for row in tuning.rows}.isdisjoint(row.group_id for row in held_out.rows)
    assert len(tuning.rows) + len(held_out.rows) == 600
    assert 0.5 < len(tuning.rows) / 600 < 0.7


def test_rows_that_are_all_alike_cannot_be_split() -> None:
    rows = answered(scored([0.5] * 60, groups=[0] * 60))

    with pytest.raises(TuningError, match="60 rows in 1 clusters leave one side of the split empty; give more rows"):
        split(rows, seed=0)


def test_rows_without_both_answers_are_left_out() -> None:
    rows = answered(scored([0.5] * 4))
    rows = replace(
        rows,
        answered=np.array([False, True, True, True]),
        rows=(*rows.rows[:3], replace(rows.rows[3], large_response=None)),
    )

    assert [row.prompt for row in usable(rows).rows] == ["prompt 1", "prompt 2"]


def test_a_file_without_answers_is_refused_in_one_line() -> None:
    rows = scored([0.5] * 60)

    with pytest.raises(TuningError, match=r"no row of pair 'tiny\|huge' has both recorded answers; give a file with"):
        usable(rows)


def test_too_few_rows_are_refused_with_what_is_needed() -> None:
    with pytest.raises(TuningError, match="49 rows with both answers are too few for tuning; give at least 50"):
        require_enough(answered(scored([0.5] * 49)), "tuning")


def test_a_large_model_that_is_never_right_or_costs_nothing_is_refused() -> None:
    rows = answered(scored([0.5] * 50, large_ok=[0.0] * 50))
    free = replace(rows, large_cost_usd=np.zeros(50))

    with pytest.raises(TuningError, match="no quality to keep"):
        require_enough(rows, "tuning")
    with pytest.raises(TuningError, match="nothing can be saved"):
        require_enough(free, "tuning")
