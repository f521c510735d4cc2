from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from specroute.learn.dataset import Outcomes, Source
from specroute.learn.evaluation.evaluate import EvaluateOptions, Evaluation, evaluate
from specroute.learn.evaluation.left_out import LeftOut, leave_out, sources_to_leave_out
from specroute.learn.evaluation.report.document import to_document
from specroute.learn.evaluation.report.page import page
from specroute.learn.evaluation.report.terminal import tables
from specroute.learn.play import Cuts, play
from tests.learn.evaluation.drawn import drawn

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.learn.scoring import ScoredRows


class _Models:
    """Training that only remembers what it was given, and a model that is less sure than the one that knew."""

    def __init__(self, rows: ScoredRows) -> None:
        self._rows = rows
        self.learnt: list[Outcomes] = []

    def train(self, outcomes: Outcomes, folder: Path) -> None:
        assert folder.is_dir()
        self.learnt.append(outcomes)

    def score(self, outcomes: Outcomes, _folder: Path) -> ScoredRows:
        at = [self._rows.rows.index(row) for row in outcomes.rows]
        rows = self._rows.take(np.array(at))
        return replace(rows, p_low=np.clip(rows.p - 0.3, 0, 1), p_high=np.clip(rows.p + 0.3, 0, 1))


def _outcomes(rows: ScoredRows) -> Outcomes:
    names = sorted({row.source for row in rows.rows})
    return Outcomes(rows.rows, tuple(Source(name, "", "", 1) for name in names), 0)


def _left_out(evaluation: Evaluation, learnt: Outcomes, models: _Models) -> LeftOut:
    return leave_out("hard", evaluation, learnt, train=models.train, score=models.score)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(drawn(160), EvaluateOptions())


def test_nothing_of_the_source_nor_near_it_is_learnt(evaluation: Evaluation) -> None:
    models = _Models(evaluation.rows)

    _left_out(evaluation, _outcomes(evaluation.rows), models)

    (learnt,) = models.learnt
    groups = {row.group_id for row in evaluation.rows.rows if row.source == "hard"}
    assert learnt.rows
    assert all(row.source != "hard" and row.group_id not in groups for row in learnt.rows)
    assert [source.name for source in learnt.sources] == ["easy"]


def test_its_rows_are_measured_with_the_thresholds_unchanged(evaluation: Evaluation) -> None:
    models = _Models(evaluation.rows)

    found = _left_out(evaluation, _outcomes(evaluation.rows), models)

    index = np.flatnonzero([row.source == "hard" for row in evaluation.rows.rows])
    assert found.n == index.size
    assert found.interval_width == pytest.approx(0.6, abs=0.1)
    assert found.interval_width_seen == pytest.approx(0.1, abs=0.01)
    unseen = models.score(replace(_outcomes(evaluation.rows), rows=evaluation.rows.take(index).rows), None)  # type: ignore[arg-type]
    half_of = evaluation.roster.split.half_of[index]
    correct = [
        play(unseen.take(np.array([at])), evaluation.roster.cuts["zones"][half_of[at]]).correct[0]
        for at in range(index.size)
    ]
    assert found.product.figures["quality"].value == pytest.approx(np.mean(correct))
    assert found.quality_gain.value == pytest.approx(np.mean(correct) - unseen.large_ok.mean())


def test_a_certificate_has_one_set_of_thresholds_for_all() -> None:
    evaluation = evaluate(drawn(120), EvaluateOptions(), certified=Cuts(1.1, -0.1, 0.9))

    found = _left_out(evaluation, _outcomes(evaluation.rows), _Models(evaluation.rows))

    assert found.product.plans == {"direct_mini": 0.0, "direct_large": 0.0, "cascade": 1.0}


def test_small_sources_and_the_only_source_are_not_left_out() -> None:
    rows = drawn(160)

    assert sources_to_leave_out(rows) == ["easy", "hard"]
    assert sources_to_leave_out(rows.take(np.arange(80))) == []
    assert sources_to_leave_out(drawn(160, sources=("only",))) == []


def test_it_is_told_everywhere(evaluation: Evaluation) -> None:
    left_out = {"hard": _left_out(evaluation, _outcomes(evaluation.rows), _Models(evaluation.rows))}

    document = to_document(evaluation, left_out, {})["left_out"]["hard"]

    assert document["n"] == left_out["hard"].n
    assert set(document["auroc"]) == {"value", "lo", "hi"}
    assert "Sources left out of training" in page(evaluation, left_out, (), command="")
    assert [table.row_count for table in tables(evaluation, left_out)][3] == 1
