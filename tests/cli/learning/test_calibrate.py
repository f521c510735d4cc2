"""``specroute calibrate`` on made-up rows, scored by a table that stands for a model."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from specroute.cli.learning.calibrate import calibrate
from specroute.learn.training.out_of_fold import OutOfFold, OutOfFoldScore
from specroute.predictor.artifact import OUT_OF_FOLD_FILE
from specroute.predictor.certificate import read_certificate
from tests.learn.made_up import OTHER_PAIR, PAIR, rows, write_jsonl
from tests.predictor.graphs import constant, write_folder

HARD = ("integral", "eigenvalue", "tensor", "lemma", "residue", "manifold")
SEED, TUNING_SEED = 21, 22

_APP = typer.Typer()
_APP.command()(calibrate)
_RUNNER = CliRunner()


def score(prompt: str, *, is_verified: bool) -> OutOfFoldScore:
    p = 0.2 if any(word in prompt for word in HARD) else 0.9
    p += len(prompt) % 17 / 500.0
    return OutOfFoldScore(p, max(0.0, p - 0.02), min(1.0, p + 0.02), 0.5, 0.9, p if is_verified else math.nan)


def folder_of(path: Path, *, is_verified: bool) -> str:
    prompts = [str(row["prompt"]) for seed in (SEED, TUNING_SEED) for row in rows(900, seed=seed)]
    scores = [score(prompt, is_verified=is_verified) for prompt in prompts]
    table = OutOfFold.of([PAIR] * len(prompts), prompts, scores)
    return str(write_folder(path, constant(), extra={OUT_OF_FOLD_FILE: table.write()}))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return folder_of(tmp_path_factory.mktemp("model"), is_verified=False)


@pytest.fixture(scope="module")
def verifying_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return folder_of(tmp_path_factory.mktemp("verifying"), is_verified=True)


def outcomes(folder: Path, count: int = 900, *, seed: int = SEED, pair: str = PAIR, graded: bool = True) -> str:
    """Writes rows whose large model is right three times in four."""
    table = rows(count, seed=seed, pair=pair)
    for at, row in enumerate(table):
        row["large_correct"] = at % 4 > 0 if graded else None
    return str(write_jsonl(folder / f"outcomes-{seed}.jsonl", table))


def arguments(folder: Path, model: str, *more: str) -> list[str]:
    prices = ["--prices", "0.1/0.4,2/8"]
    return ["--pair", PAIR, "--model", model, "--out", str(folder / "certificate.json"), *prices, *more]


def test_it_writes_a_certificate_that_reads_back_and_says_what_it_promises(tmp_path: Path, model: str) -> None:
    file = outcomes(tmp_path)

    done = _RUNNER.invoke(_APP, ["--outcomes", file, *arguments(tmp_path, model, "--max-quality-loss", "0.1")])

    assert done.exit_code == 0, done.output
    certificate = read_certificate(tmp_path / "certificate.json")
    assert done.stdout.startswith(certificate.statement)
    assert (certificate.alpha, certificate.delta, certificate.pair) == (0.1, 0.05, PAIR)
    assert certificate.calibration.rows > certificate.n > 200
    assert "near-duplicates were left out" in done.stdout
    assert f"{certificate.n:,} of them the model has learnt from" in done.stdout
    assert "no answer was verified: the path has direct cuts only" in done.stdout
    assert "the mix" in done.stdout


def test_json_is_the_file_and_the_redraws(tmp_path: Path, model: str) -> None:
    more = ["--json", "--redraws", "3", "--n", "400", "--max-quality-loss", "0.1"]

    done = _RUNNER.invoke(_APP, ["--outcomes", outcomes(tmp_path), *arguments(tmp_path, model, *more)])

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert len(facts.pop("redraws")) == 8
    assert facts == json.loads((tmp_path / "certificate.json").read_text("utf-8"))


def test_the_same_file_and_seed_give_the_same_bytes(tmp_path: Path, model: str) -> None:
    file = outcomes(tmp_path)
    written = []
    for _ in range(2):
        assert _RUNNER.invoke(_APP, ["--outcomes", file, *arguments(tmp_path, model)]).exit_code == 0
        written.append((tmp_path / "certificate.json").read_bytes())

    assert written[0] == written[1]


def test_too_little_data_is_no_error_but_certifies_nothing(tmp_path: Path, model: str) -> None:
    done = _RUNNER.invoke(_APP, ["--outcomes", outcomes(tmp_path, 120), *arguments(tmp_path, model)])

    assert done.exit_code == 0, done.output
    assert "Nothing is certified, and every request goes to the large model" in done.stdout
    assert "it takes at least 149" in done.stdout
    assert read_certificate(tmp_path / "certificate.json").always_large


def test_a_cascade_is_certified_by_its_verifier_alone(tmp_path: Path, verifying_model: str) -> None:
    more = ["--policy", "cascade", "--method", "betting", "--max-quality-loss", "0.1", "--json"]

    done = _RUNNER.invoke(_APP, ["--outcomes", outcomes(tmp_path), *arguments(tmp_path, verifying_model, *more)])

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["verifier"], facts["policy"], facts["always_large"]) == (True, "cascade", False)
    assert facts["thresholds"]["direct_mini"] is None
    assert facts["requires"] == {"prefer": "cheapest", "on_abstain": "reject"}


def test_a_path_may_be_fixed_on_a_file_of_its_own(tmp_path: Path, model: str) -> None:
    tuning = outcomes(tmp_path, 300, seed=TUNING_SEED)

    done = _RUNNER.invoke(
        _APP, ["--outcomes", outcomes(tmp_path), *arguments(tmp_path, model, "--tuning", tuning, "--json")]
    )

    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["tuning"]["rows"] == 300
    assert facts["calibration"]["rows"] == 900


@pytest.mark.parametrize(
    ("rows_of", "more", "problem"),
    [
        ({"pair": OTHER_PAIR}, [], f"no rows of pair {PAIR!r}; choose one of {OTHER_PAIR!r} with --pair"),
        ({"graded": False}, [], "says whether the large model was right; add 'large_correct'"),
        ({}, ["--policy", "cascade"], "train a model with a verifier on rows with answers, or use --policy direct"),
        ({}, ["--answered-only"], "no row has the mini's answer; leave out --answered-only"),
        ({}, ["--model", "nowhere"], "nowhere/manifest.json: no such file"),
        ({}, ["--prices", "cheap"], "--prices 'cheap': write MINI_IN/MINI_OUT,LARGE_IN/LARGE_OUT"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    tmp_path: Path, model: str, rows_of: dict[str, bool], more: list[str], problem: str
) -> None:
    file = outcomes(tmp_path, **rows_of)  # type: ignore[arg-type]

    done = _RUNNER.invoke(_APP, ["--outcomes", file, *arguments(tmp_path, model, *more)])

    assert done.exit_code == 1, done.output
    assert [line for line in done.stderr.splitlines() if problem in line]
    assert not (tmp_path / "certificate.json").exists()


@pytest.mark.parametrize("option", ["--max-quality-loss", "--confidence", "--tuning-share"])
@pytest.mark.parametrize("value", ["0", "1", "-0.1", "nan"])
def test_a_share_out_of_range_is_a_usage_error(tmp_path: Path, option: str, value: str) -> None:
    done = _RUNNER.invoke(_APP, ["--outcomes", str(tmp_path / "x.jsonl"), option, value])

    assert done.exit_code == 2
    assert "is not between 0 and 1" in done.stderr


def test_help_shows_an_example() -> None:
    assert "Example: specroute calibrate --outcomes" in " ".join(_RUNNER.invoke(_APP, ["--help"]).stdout.split())


def test_a_cut_that_bends_with_the_price_is_told_and_written(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    recorded, scores = [], []
    for at in range(3000):
        chance, size = draw.beta(6.0, 1.0), int(400 * np.exp(draw.normal(0.0, 1.2)))
        is_right = bool(draw.random() < chance)
        recorded.append(
            {
                "prompt": f"prompt {at}",
                "pair": PAIR,
                "source": "s",
                "group_id": f"g{at}",
                "mini_correct": is_right,
                "large_correct": is_right or bool(draw.random() < 0.6),
                "mini_response": "m" * size,
                "large_response": "l" * size,
            }
        )
        scores.append(OutOfFoldScore(0.8, 0.5, 0.9, 0.5, 0.9, float(chance)))
    prompts = [str(row["prompt"]) for row in recorded]
    table = OutOfFold.of([PAIR] * len(prompts), prompts, scores)
    model = str(write_folder(tmp_path / "model", constant(), extra={OUT_OF_FOLD_FILE: table.write()}))
    file = str(write_jsonl(tmp_path / "outcomes.jsonl", recorded))

    done = _RUNNER.invoke(_APP, ["--outcomes", file, *arguments(tmp_path, model, "--policy", "cascade")])

    assert done.exit_code == 0, done.output
    leeway = read_certificate(tmp_path / "certificate.json").thresholds.leeway
    assert leeway.exponent > 0.0
    assert f"min_p bends: the risk that it allows an answer is multiplied by {leeway.in_words}" in done.output
