from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specroute.learn.dataset import read_outcomes
from specroute.learn.training.compare import MODEL, POOLED, compare
from specroute.learn.training.folder import Run
from specroute.learn.training.golden import GOLDEN_TEXTS
from specroute.learn.training.train import TrainingError, steps, train
from specroute.predictor.artifact import GOLDEN_TOLERANCE, read_manifest
from specroute.predictor.predictor import OnnxPredictor
from tests.learn.made_up import PAIR, rows, write_jsonl
from tests.learn.training.conftest import OPTIONS, train_into


def test_the_exported_graph_scores_as_the_training_framework_does(run: Run) -> None:
    texts = [*GOLDEN_TEXTS, "", "a", "\n\n", "x" * 9000, *(str(row["prompt"]) for row in rows(50, seed=2))]

    assert np.abs(run.trained.p(texts) - run.trained.fitted.p(texts)).max() <= GOLDEN_TOLERANCE
    assert 0.0 < run.trained.parity_max_abs_error <= GOLDEN_TOLERANCE


def test_the_same_rows_in_another_order_give_the_same_bytes(
    tmp_path: Path, folder: Path, run: Run, table: list[dict[str, object]]
) -> None:
    again = train_into(tmp_path, table[::-1])

    assert again.trained.onnx == run.trained.onnx
    for name in ("model.onnx", "calibration.json", "manifest.json", "README.md"):
        assert (tmp_path / "model" / name).read_bytes() == (folder / "model" / name).read_bytes(), name
    assert not list((tmp_path / "model").glob(".*"))


def test_what_is_written_loads_and_tells_hard_from_easy(folder: Path, run: Run) -> None:
    predictor = OnnxPredictor.load(folder / "model")

    hard = predictor.score("Question 5017: eigenvalue integral tensor lemma (no. 8 of tiny|huge)?")
    easy = predictor.score("Question 5017: hello garden weather bread (no. 8 of tiny|huge)?")
    assert hard + 0.1 < easy
    assert run.comparison is not None
    assert (run.comparison.figures[MODEL][POOLED]["auroc"].value or 0.0) > 0.75


def test_no_file_names_the_machine_or_quotes_a_prompt(folder: Path, run: Run) -> None:
    for name in ("calibration.json", "manifest.json", "README.md"):
        content = (folder / "model" / name).read_text(encoding="utf-8")
        assert str(folder) not in content
        assert not any(row.prompt in content for row in run.outcomes.rows)


def test_the_model_card_shows_every_method_on_every_source(folder: Path, run: Run) -> None:
    card = (folder / "model" / "README.md").read_text(encoding="utf-8")

    for source in ("pooled", "hard", "mixed"):
        for method in ("this model", "mean per source", "length only"):
            assert any(source in line and method in line for line in card.splitlines())
    assert "example/made-up" in card
    assert "--pair 'tiny|huge' --seed 3" in card


def test_a_test_file_with_prompts_that_were_learnt_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match=r"groups are in both .* unseen"):
        compare(run.trained, run.outcomes, run.outcomes, pair=PAIR, seed=0)


def test_calibration_rows_are_not_learnt_from(folder: Path, run: Run) -> None:
    data = read_manifest(folder / "model").data

    assert data.calibration_rows > 0
    assert data.rows + data.calibration_rows == sum(row.pair == PAIR for row in run.outcomes.rows)


def test_it_reports_as_many_steps_as_it_announces(tmp_path: Path) -> None:
    options = replace(OPTIONS, use_auxiliary=False)
    told: list[str] = []

    train(read_outcomes(write_jsonl(tmp_path / "o.jsonl", rows())), options, report=told.append)

    assert len(told) == steps(options)


def test_auxiliary_rows_are_left_out_when_they_may_not_be_used(tmp_path: Path, table: list[dict[str, object]]) -> None:
    outcomes = read_outcomes(write_jsonl(tmp_path / "o.jsonl", table))

    trained = train(outcomes, replace(OPTIONS, use_auxiliary=False), report=lambda _: None)

    assert trained.auxiliary_rows == 0
    assert {score.candidate.auxiliary_weight for score in trained.scores} == {0.0}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (rows(300, pair="a|b"), "no rows of pair 'tiny|huge'; choose one of 'a|b'"),
        (rows(50), "has 50 rows"),
        ([row | {"mini_correct": True} for row in rows(300)], "1 kind(s) of label"),
        ([row | {"group_id": "one"} for row in rows(300)], "give"),
    ],
)
def test_data_that_give_no_model_are_refused(tmp_path: Path, table: list[dict[str, object]], problem: str) -> None:
    outcomes = read_outcomes(write_jsonl(tmp_path / "o.jsonl", table))

    with pytest.raises(TrainingError) as caught:
        train(outcomes, OPTIONS, report=lambda _: None)

    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_that_the_text_says_nothing_about_are_not_made_into_a_model_that_ranks_backwards(tmp_path: Path) -> None:
    table = [row | {"mini_correct": index % 4 < 2, "prompt": "same"} for index, row in enumerate(rows(300))]
    outcomes = read_outcomes(write_jsonl(tmp_path / "o.jsonl", table))

    with pytest.raises(TrainingError, match="give more rows"):
        train(outcomes, OPTIONS, report=lambda _: None)
