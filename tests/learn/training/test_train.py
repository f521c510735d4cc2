from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specroute.learn.dataset import read_outcomes
from specroute.learn.training.doubt.interval import logit
from specroute.learn.training.measuring.compare import BASELINES, MODEL, POOLED, compare
from specroute.learn.training.options import TrainingError
from specroute.learn.training.out_of_fold import OutOfFold
from specroute.learn.training.train import steps, train
from specroute.learn.training.writing.folder import Run
from specroute.learn.training.writing.golden import GOLDEN_TEXTS
from specroute.predictor.artifact import GOLDEN_TOLERANCE
from specroute.predictor.predictor import OnnxPredictor
from tests.learn.made_up import PAIR, rows, write_jsonl
from tests.learn.training.conftest import OPTIONS, train_into


def test_the_exported_graph_scores_as_the_training_framework_does(run: Run) -> None:
    texts = [*GOLDEN_TEXTS, "", "?!", "a", "\n\n", "x" * 9000, *(str(row["prompt"]) for row in rows(50, seed=2))]

    exported = np.array(run.trained.scores(texts))
    trained = run.trained.folded.scores(run.trained.extractor, texts)
    assert np.abs(exported - trained)[:, 1:6].max() <= GOLDEN_TOLERANCE
    assert 0.0 < run.trained.parity_max_abs_error <= GOLDEN_TOLERANCE


def test_the_same_rows_in_another_order_give_the_same_bytes(
    tmp_path: Path, folder: Path, run: Run, table: list[dict[str, object]]
) -> None:
    again = train_into(tmp_path, table[::-1])

    assert again.trained.onnx == run.trained.onnx
    for name in ("model.onnx", "calibration.json", "out_of_fold.npy", "manifest.json", "README.md"):
        assert (tmp_path / "model" / name).read_bytes() == (folder / "model" / name).read_bytes(), name
    assert not list((tmp_path / "model").glob(".*"))


def test_what_is_written_loads_and_tells_hard_from_easy(folder: Path, run: Run) -> None:
    predictor = OnnxPredictor.load(folder / "model")

    hard = predictor.score("Question 5017: eigenvalue integral tensor lemma (no. 8 of tiny|huge)?")
    easy = predictor.score("Question 5017: hello garden weather bread (no. 8 of tiny|huge)?")
    assert hard + 0.1 < easy
    assert run.comparison is not None
    assert set(run.comparison.gains) == set(BASELINES)
    assert (run.comparison.figures[MODEL][POOLED]["auroc"].value or 0.0) > 0.75


def test_no_file_names_the_machine_or_quotes_a_prompt(folder: Path, run: Run) -> None:
    for name in ("calibration.json", "manifest.json", "README.md"):
        content = (folder / "model" / name).read_text(encoding="utf-8")
        assert str(folder) not in content
        assert not any(row.prompt in content for row in run.outcomes.rows)


def test_the_model_card_shows_every_method_on_every_source(folder: Path, run: Run) -> None:
    card = (folder / "model" / "README.md").read_text(encoding="utf-8")

    for source in ("pooled", "hard", "mixed"):
        for method in ("this model", "mean per source", "mean per source and subject", "length only"):
            assert any(source in line and method in line for line in card.splitlines())
    assert "example/made-up" in card
    assert "--pair 'tiny|huge' --seed 3" in card


def test_a_test_file_with_prompts_that_were_learnt_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match=r"groups are in both .* unseen"):
        compare(run.trained, run.outcomes, run.outcomes, pair=PAIR, seed=0)


def test_rows_that_were_learnt_from_have_scores_of_models_that_did_not_see_them(folder: Path, run: Run) -> None:
    scores = OutOfFold.read(folder / "model")
    predictor = OnnxPredictor.load(folder / "model")
    own = run.trained.own_rows

    assert len(scores) == len({row.prompt for row in own})
    differences = []
    for row in own:
        known = scores.lookup(row.pair, row.prompt)
        assert known is not None
        assert known.p_low <= known.p <= known.p_high
        differences.append(abs(known.p - predictor.score(row.prompt)))
    assert max(differences) > 0.01
    assert scores.lookup("another|pair", own[0].prompt) is None


def test_labels_of_a_fold_do_not_reach_its_own_scores(tmp_path: Path, run: Run, table: list[dict[str, object]]) -> None:
    first = run.trained.own_rows[0]
    fold = run.trained.crossed.folds[run.trained.table.pairs == 0][0]
    flipped = [
        row | {"mini_correct": not row["mini_correct"]} if row["group_id"] == first.group_id else row for row in table
    ]

    again = train(read_outcomes(write_jsonl(tmp_path / "o.jsonl", flipped)), OPTIONS, report=lambda _: None)

    same = np.flatnonzero((run.trained.crossed.folds == fold) & (run.trained.table.pairs == 0))
    before, after = (
        dict(zip([each.rows[at].prompt for at in same], each.crossed.logits[same, 0].tolist(), strict=True))
        for each in (run.trained, again)
    )
    assert again.crossed.chosen != run.trained.crossed.chosen or before == pytest.approx(after)


def test_a_row_of_unknown_words_is_novel_and_its_interval_wide(folder: Path, run: Run) -> None:
    predictor = OnnxPredictor.load(folder / "model")

    known = predictor.score_full(run.trained.own_rows[0].prompt).scores
    unknown = predictor.score_full("请写一首关于秋天的诗,并解释每一行的意思。\n\n谢谢!" * 20).scores

    assert unknown.novelty > 0.9 > known.novelty
    widths = [logit(np.array([it.p_high]))[0] - logit(np.array([it.p_low]))[0] for it in (known, unknown)]
    assert widths[1] > widths[0]


def test_the_length_of_the_answer_is_predicted(folder: Path, run: Run) -> None:
    predictor = OnnxPredictor.load(folder / "model")

    hard = predictor.score_full("Question 5017: eigenvalue integral tensor lemma (no. 8 of tiny|huge)?").scores
    easy = predictor.score_full("Question 5017: hello garden weather bread (no. 8 of tiny|huge)?").scores

    assert hard.log_tokens > easy.log_tokens + 0.3


def test_it_reports_at_least_as_many_steps_as_it_announces(tmp_path: Path) -> None:
    options = replace(OPTIONS, use_auxiliary=False)
    told: list[str] = []

    train(read_outcomes(write_jsonl(tmp_path / "o.jsonl", rows())), options, report=told.append)

    assert len(told) >= steps(options)


def test_auxiliary_rows_are_left_out_when_they_may_not_be_used(tmp_path: Path, table: list[dict[str, object]]) -> None:
    outcomes = read_outcomes(write_jsonl(tmp_path / "o.jsonl", table))

    trained = train(outcomes, replace(OPTIONS, use_auxiliary=False), report=lambda _: None)

    assert trained.auxiliary_rows == 0
    assert trained.crossed.chosen.auxiliary_weight == 0.0


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (rows(300, pair="a|b"), "no rows of pair 'tiny|huge'; choose one of 'a|b'"),
        (rows(50), "has 50 rows"),
        ([row | {"mini_correct": True} for row in rows(300)], "1 kind(s) of label"),
        ([row | {"group_id": "one"} for row in rows(300)], "fewer than 5 groups"),
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
