from dataclasses import replace

import numpy as np
import pytest

from specroute.learn.certificate.options import CalibrateOptions, CalibrationError
from specroute.learn.certificate.split import cluster_weights, one_per_group, split_by_group, split_rows
from tests.learn.certificate.drawn import drawn

OPTIONS = CalibrateOptions()


def test_no_cluster_is_on_both_sides() -> None:
    split = split_rows(drawn(300, duplicates=3), OPTIONS)

    tuning = {row.group_id for row in split.tuning.rows}
    calibration = {row.group_id for row in split.calibration.rows}
    assert not tuning & calibration
    assert len(tuning) + len(calibration) == 300
    assert 60 < len(tuning) < 120


def test_duplicates_do_not_count_twice() -> None:
    rows = drawn(300, duplicates=4)

    split = split_rows(rows, OPTIONS)

    facts = split.calibration_facts
    assert facts.used == facts.clusters == len(split.calibration.rows)
    assert facts.rows == 4 * facts.used
    assert split.tuning_facts.used == split.tuning_facts.rows


def test_which_row_of_a_cluster_is_drawn_does_not_depend_on_the_order_of_the_file() -> None:
    rows = drawn(80, duplicates=3).rows
    backwards = rows[::-1]

    first = [rows[at].prompt_id for at in one_per_group(rows, 5)]
    second = [backwards[at].prompt_id for at in one_per_group(backwards, 5)]

    assert first == second
    assert first != [rows[at].prompt_id for at in one_per_group(rows, 6)]


def test_a_cluster_keeps_its_side_and_its_row_when_others_come() -> None:
    few, many = drawn(50, duplicates=2).rows, drawn(90, duplicates=2).rows

    sides = {few[at].group_id for at in split_by_group(few, 1, 0.3)[0]}
    later = {many[at].group_id for at in split_by_group(many, 1, 0.3)[0]}

    assert sides == {group for group in later if int(group[1:]) < 50}


def test_every_cluster_weighs_the_same() -> None:
    assert cluster_weights(np.array([7, 7, 7, 3])).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])


def test_prompts_of_a_tuning_file_that_are_tested_too_are_left_out_of_it() -> None:
    rows = drawn(200)

    split = split_rows(rows.take(np.arange(150)), OPTIONS, rows.take(np.arange(100, 200)))

    assert {row.group_id for row in split.tuning.rows} == {f"g{at}" for at in range(150, 200)}
    assert len(split.calibration.rows) == 150


def test_a_tuning_file_without_prompts_of_its_own_is_refused() -> None:
    rows = drawn(200)

    with pytest.raises(CalibrationError, match="every prompt of --tuning is in --outcomes too; give rows of other"):
        split_rows(rows, OPTIONS, rows)


def test_too_few_rows_are_refused_in_words() -> None:
    with pytest.raises(CalibrationError, match="1 rows are too few to split into tuning and calibration; give more"):
        split_rows(drawn(1), OPTIONS)


def test_answered_only_leaves_out_what_has_no_answer() -> None:
    rows = drawn(200)
    half = replace(rows, answered=np.arange(200) < 100)

    split = split_rows(half, replace(OPTIONS, answered_only=True))

    assert split.tuning_facts.rows + split.calibration_facts.rows == 100
    with pytest.raises(CalibrationError, match="no row has the mini's answer; leave out --answered-only"):
        split_rows(replace(rows, answered=np.zeros(200, dtype=np.bool_)), replace(OPTIONS, answered_only=True))


def test_rows_that_were_learnt_from_are_counted() -> None:
    rows = drawn(200)

    split = split_rows(replace(rows, out_of_fold=np.ones(200, dtype=np.bool_)), OPTIONS)

    assert split.calibration_facts.learnt == split.calibration_facts.used
