import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from specroute.learn.dataset import read_outcomes
from specroute.learn.prices import ModelPrice, PairPrices
from specroute.learn.scoring import ScoringError, score_rows
from specroute.learn.training.writing.folder import Run
from specroute.predictor.artifact import MANIFEST_FILE
from specroute.predictor.verifier.leeway import tokens_at_stake
from tests.learn.made_up import OTHER_PAIR, PAIR, rows, write_jsonl
from tests.learn.training.conftest import folder, run, table

__all__ = ["folder", "run", "table"]  # fixtures: one training run for all tests of what it gives

PRICES = PairPrices(ModelPrice(1.0, 1.0), ModelPrice(10.0, 10.0))


def test_rows_that_the_model_has_learnt_from_are_scored_out_of_fold(run: Run, folder: Path) -> None:
    scored = score_rows(run.outcomes, pair=PAIR, model=folder / "model", prices=PRICES)

    assert scored.out_of_fold.all()


def test_rows_of_another_pair_that_helped_to_train_the_model_are_refused(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    model = Path(copytree(folder / "model", tmp_path / "model"))
    manifest = json.loads((model / MANIFEST_FILE).read_text("utf-8"))
    manifest["data"]["auxiliary_rows"] = 160  # this training found them of no use, and took none
    (model / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")

    with pytest.raises(ScoringError, match=r"as auxiliary data.*train one with --pair"):
        score_rows(run.outcomes, pair=OTHER_PAIR, model=model, prices=PRICES)


def test_other_rows_of_another_pair_are_scored_as_they_are(run: Run, folder: Path, tmp_path: Path) -> None:
    others = read_outcomes(write_jsonl(tmp_path / "others.jsonl", rows(40, seed=12, pair=OTHER_PAIR)))

    scored = score_rows(others, pair=OTHER_PAIR, model=folder / "model", prices=PRICES)

    assert not scored.out_of_fold.any()
    assert np.isfinite(scored.p).all()


def test_what_is_at_stake_is_told_of_every_recorded_answer(run: Run, folder: Path, tmp_path: Path) -> None:
    recorded = rows(40, seed=12, pair=OTHER_PAIR)
    recorded[0]["mini_response"] = "x" * 400
    others = read_outcomes(write_jsonl(tmp_path / "others.jsonl", recorded))

    scored = score_rows(others, pair=OTHER_PAIR, model=folder / "model", prices=PRICES)

    told = scored.tokens_at_stake[~np.isnan(scored.tokens_at_stake)]
    assert told.tolist() == [tokens_at_stake(str(recorded[0]["prompt"]), "x" * 400)]
