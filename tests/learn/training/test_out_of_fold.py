from pathlib import Path

import pytest

from specroute.learn.training.out_of_fold import OutOfFold, OutOfFoldScore
from specroute.predictor.artifact import ModelArtifactError
from tests.predictor.graphs import constant, write_folder

_SCORE = OutOfFoldScore(0.5, 0.25, 0.75, 0.5, 0.875, float("nan"))


def _scores() -> OutOfFold:
    prompts = [f"question {number}" for number in range(50)]
    return OutOfFold.of(["a|b"] * 50, prompts, [_SCORE._replace(p=number / 64) for number in range(50)])


def test_scores_are_found_by_pair_and_prompt_and_by_nothing_else(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, constant(), extra={"out_of_fold.npy": _scores().write()})

    known = OutOfFold.read(folder)

    found = known.lookup("a|b", "question 7")
    assert found is not None
    assert found.p == 7 / 64
    assert found[1:5] == _SCORE[1:5]
    assert found.verifier_p != found.verifier_p  # NaN: the verifier abstains
    assert known.lookup("a|c", "question 7") is None
    assert known.lookup("a|b", "question 77") is None


def test_the_same_scores_are_the_same_bytes() -> None:
    assert _scores().write() == _scores().write()


def test_a_model_without_such_scores_knows_none(tmp_path: Path) -> None:
    known = OutOfFold.read(write_folder(tmp_path, constant()))

    assert len(known) == 0
    assert known.lookup("a|b", "question 7") is None


def test_what_is_no_table_of_scores_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, constant(), extra={"out_of_fold.npy": b"not a table"})

    with pytest.raises(ModelArtifactError, match=r"out_of_fold\.npy: not a table of scores; "):
        OutOfFold.read(folder)


def test_a_score_that_is_no_probability_is_refused_by_its_name(tmp_path: Path) -> None:
    beyond = OutOfFold.of(["a|b"], ["question"], [_SCORE._replace(p_high=1.002)])
    folder = write_folder(tmp_path, constant(), extra={"out_of_fold.npy": beyond.write()})

    with pytest.raises(ModelArtifactError, match=r"out_of_fold\.npy: a score in 'p_high' is not from 0 to 1; "):
        OutOfFold.read(folder)
