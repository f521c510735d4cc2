import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from specroute.cli.learning.train import train
from specroute.predictor.predictor import OnnxPredictor
from tests.learn.made_up import PAIR, rows, write_jsonl

_APP = typer.Typer()
_APP.command()(train)
_RUNNER = CliRunner()


def _outcomes(folder: Path, count: int = 240) -> str:
    return str(write_jsonl(folder / "outcomes.jsonl", rows(count)))


def test_it_writes_a_folder_that_loads_and_prints_the_manifest(tmp_path: Path) -> None:
    out = tmp_path / "model"
    test = str(write_jsonl(tmp_path / "test.jsonl", rows(120, seed=8)))

    done = _RUNNER.invoke(
        _APP,
        [
            "--outcomes",
            _outcomes(tmp_path),
            "--test",
            test,
            "--pair",
            PAIR,
            "--out",
            str(out),
            "--no-intents",
            "--json",
        ],
    )

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["version"] == OnnxPredictor.load(out).version
    assert set(facts["metrics"]["test"]["figures"]["model"]["pooled"]) >= {"auroc", "log_loss", "brier", "ece"}


def test_without_a_test_file_it_says_that_nothing_was_measured(tmp_path: Path) -> None:
    done = _RUNNER.invoke(
        _APP,
        [
            "--outcomes",
            _outcomes(tmp_path),
            "--pair",
            PAIR,
            "--no-auxiliary",
            "--no-intents",
            "--no-verifier",
            "--out",
            str(tmp_path / "model"),
        ],
    )

    assert done.exit_code == 0, done.output
    assert "nothing was measured" in done.stdout
    assert "No test file was given" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--pair", "a|b"], "no rows of pair 'a|b'; choose one of 'tiny|huge'"),
        (["--pair", PAIR, "--test", "none.csv"], "none.csv: no such file; give"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(tmp_path: Path, arguments: list[str], problem: str) -> None:
    out = tmp_path / "model"

    done = _RUNNER.invoke(_APP, ["--outcomes", _outcomes(tmp_path), *arguments, "--out", str(out)])

    assert done.exit_code == 1
    assert problem in done.stderr
    assert len([line for line in done.stderr.splitlines() if problem in line]) == 1
    assert not out.exists()


def test_an_unknown_option_is_a_usage_error() -> None:
    assert _RUNNER.invoke(_APP, ["--outcome", "x"]).exit_code == 2


def test_help_shows_an_example() -> None:
    assert "Example: specroute train --outcomes" in " ".join(_RUNNER.invoke(_APP, ["--help"]).stdout.split())
