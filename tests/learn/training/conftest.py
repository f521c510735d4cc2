"""One training run on made-up rows, shared by the tests of what it gives."""

from pathlib import Path

import pytest

from specroute.learn.dataset import read_outcomes
from specroute.learn.training.measuring.compare import compare
from specroute.learn.training.options import TrainOptions
from specroute.learn.training.train import train
from specroute.learn.training.writing.folder import Run, write_folder
from specroute.predictor.text.features import FeatureSettings
from tests.learn.made_up import OTHER_PAIR, PAIR, rows, write_jsonl

OPTIONS = TrainOptions(pair=PAIR, seed=3, use_intents=False, use_verifier=False, features=FeatureSettings(hash_bits=10))


def train_into(folder: Path, table: list[dict[str, object]]) -> Run:
    outcomes = read_outcomes(write_jsonl(folder / "outcomes.jsonl", table))
    trained = train(outcomes, OPTIONS, report=lambda _: None)
    test = read_outcomes(write_jsonl(folder / "test.jsonl", rows(120, seed=11)))
    run = Run(outcomes, OPTIONS, trained, compare(trained, outcomes, test, pair=PAIR, seed=0))
    write_folder(run, folder / "model")
    return run


@pytest.fixture(scope="session")
def table() -> list[dict[str, object]]:
    return rows() + rows(160, seed=9, pair=OTHER_PAIR)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="session")
def run(folder: Path, table: list[dict[str, object]]) -> Run:
    return train_into(folder, table)
