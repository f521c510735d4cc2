"""``specroute tune`` on made-up rows, scored by a table that stands for a model."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from specroute.cli import app
from specroute.cli.learning.tuning_stages import Stages
from specroute.config import load_settings
from specroute.learn.training.out_of_fold import OutOfFold, OutOfFoldScore
from specroute.predictor.artifact import OUT_OF_FOLD_FILE
from tests.learn.made_up import OTHER_PAIR, PAIR, rows, write_jsonl
from tests.predictor.graphs import constant, write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

HARD = ("integral", "eigenvalue", "tensor", "lemma", "residue", "manifold")
COUNT = 300
ANSWER = "It is what it is, and that is all there is to say about it. "


def score(prompt: str, row: dict[str, Any]) -> OutOfFoldScore:
    p = (0.1 if row["source"] == "hopeless" else 0.95) + len(prompt) % 17 / 500.0
    return OutOfFoldScore(p, max(0.0, p - 0.02), min(1.0, p + 0.02), 0.5, 0.9, math.nan)


def table(*, knows: bool = True, count: int = COUNT, seed: int = 31) -> list[dict[str, Any]]:
    """Returns rows whose mini is right exactly where a score says so, or by lot."""
    made: list[dict[str, Any]] = rows(count, seed=seed)
    for at, row in enumerate(made):
        hopeless = at % 10 < 3
        row |= {
            "source": "hopeless" if hopeless else "easy",
            "mini_correct": not hopeless if knows else at % 20 < 7,
            "large_correct": at % 25 > 0 if knows else at % 20 < 13,
            "mini_response": ANSWER,
            "large_response": ANSWER * 2,
        }
    return made


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    known = table()
    prompts = [str(row["prompt"]) for row in known]
    scores = [score(prompt, row) for prompt, row in zip(prompts, known, strict=True)]
    fold = OutOfFold.of([PAIR] * len(prompts), prompts, scores)
    folder = tmp_path_factory.mktemp("model")
    return write_folder(folder / "m", constant(), extra={OUT_OF_FOLD_FILE: fold.write()})


def tune(folder: Path, model: Path, made: list[dict[str, Any]], *words: object) -> Result:
    file = write_jsonl(folder / "outcomes.jsonl", made)
    fixed = ("--pair", PAIR, "--prices", "0.1/0.4,2/8", "--draws", 1, "--latency", "mini-fast", "--model", model)
    arguments = ("tune", "--outcomes", file, *fixed, "--out", folder / "tuned", *words)
    return CliRunner().invoke(app, [str(word) for word in arguments])


@pytest.fixture(scope="module")
def routed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("routed")
    live = ("--live-requests", 8, "--live-rate", 400, "--live-speed", 100)
    return folder / "tuned", tune(folder, model, [*table(), table()[0] | {"mini_response": None}], *live)


def test_what_can_be_routed_is_recommended_and_confirmed_live(routed: tuple[Path, Result]) -> None:
    out, done = routed

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Route: use the recommended configuration.\n- It saves ")
    told = json.loads((out / "tuning.json").read_text("utf-8"))
    assert (told["answer"], told["partial"], told["left_out"]) == ("route", False, 1)
    assert told["n_tuning"] + told["n_holdout"] == COUNT
    assert told["policies"]["recommended"]["saved_ratio"]["lo"] > 0.3
    confirmed = told["confirmation"]["policies"]
    assert set(confirmed) >= {"recommended", "always_large", "always_mini"}
    assert {confirmed[name]["live"]["n"] for name in confirmed} == {8}
    assert confirmed["always_large"]["same_plans"] == 1.0
    assert confirmed["recommended"]["replayed"]["quality"] == pytest.approx(
        told["policies"]["recommended"]["quality"]["value"], abs=0.011
    )


def test_the_recommended_file_is_one_that_the_service_takes(routed: tuple[Path, Result]) -> None:
    out, done = routed

    settings = load_settings(out / "recommended.yaml", None)
    checked = CliRunner().invoke(app, ["check-config", str(out / "recommended.yaml")])

    assert settings.policy.tuned is not None
    assert settings.policy.tuned.latency_model == "mini-fast"
    assert 0.15 < settings.policy.thresholds.direct_mini <= 1.0
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert "  tuned: economy, tiny|huge" in checked.stdout
    assert (out / "recommended.diff").read_text("utf-8") in done.stdout


def test_rows_that_the_model_has_learnt_from_are_told_where_they_are_sent_live(routed: tuple[Path, Result]) -> None:
    _, done = routed

    assert "The model has learnt from 8 of the 8 rows sent live" in done.stdout


def test_the_configuration_given_is_the_one_that_is_changed(
    routed: tuple[Path, Result], model: Path, tmp_path: Path
) -> None:
    out, _ = routed
    text = (out / "base.yaml").read_text("utf-8").replace("listen: 127.0.0.1:50051", "listen: 127.0.0.1:1  # ours")
    config = tmp_path / "ours.yaml"
    config.write_text(text.replace(str(model), "elsewhere").replace('model: "elsewhere"', "prior: 0.5"))

    done = tune(tmp_path, model, table(), "--config", config, "--no-live", "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["recommendation"]["diff"].count("--- " + str(config)) == 1
    recommended = (tmp_path / "tuned" / "recommended.yaml").read_text("utf-8")
    assert "listen: 127.0.0.1:1  # ours" in recommended
    assert load_settings(tmp_path / "tuned" / "recommended.yaml", None).predictor is not None
    assert not (tmp_path / "tuned" / "base.yaml").exists()


def test_noise_is_answered_with_do_not_route(model: Path, tmp_path: Path) -> None:
    done = tune(tmp_path, model, table(knows=False), "--no-live")

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Do not route: send everything to the large model.\n- ")
    assert json.loads((tmp_path / "tuned" / "tuning.json").read_text("utf-8"))["recommendation"] is None
    assert not (tmp_path / "tuned" / "recommended.yaml").exists()


class Stopped(Stages):
    """A run that is interrupted as soon as it has read."""

    def run(self) -> None:
        """Is interrupted."""
        self.stage = "scoring outcomes.jsonl"
        raise KeyboardInterrupt


def test_an_interrupted_run_leaves_a_valid_partial_report(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specroute.cli.learning.tuning_stages.Stages", Stopped)

    done = tune(tmp_path, model, table())

    told = json.loads((tmp_path / "tuned" / "tuning.json").read_text("utf-8"))
    assert done.exit_code == 130
    assert "stopped while scoring outcomes.jsonl" in done.stderr
    assert (told["partial"], told["answer"], told["stage"]) == (True, None, "scoring outcomes.jsonl")
    assert (tmp_path / "tuned" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "changes", "problem"),
    [
        ((), {"pair": OTHER_PAIR}, f"no rows of pair {PAIR!r}; choose one of {OTHER_PAIR!r} with --pair"),
        ((), {"large_correct": None}, "says whether the large model was right; add 'large_correct'"),
        ((), {"mini_response": None}, "no row of pair 'tiny|huge' has both recorded answers"),
        (("--latency", "fast"), {}, "--latency 'fast': choose one of recorded, mini-fast, mini-slow"),
        (("--prices", "cheap"), {}, "--prices 'cheap': write MINI_IN/MINI_OUT,LARGE_IN/LARGE_OUT"),
        (("--model", "nowhere"), {}, "nowhere/manifest.json: no such file"),
        (("--config", "nowhere.yaml"), {}, "nowhere.yaml: cannot be read"),
        (("--holdout", "nowhere.jsonl"), {}, "nowhere.jsonl"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    model: Path, tmp_path: Path, words: tuple[str, ...], changes: dict[str, Any], problem: str
) -> None:
    done = tune(tmp_path, model, [row | changes for row in table(count=60)], *words)

    assert done.exit_code == 1, done.output
    assert [line for line in done.stderr.splitlines() if problem in line]
    assert not (tmp_path / "tuned").exists()


def test_a_configuration_of_three_tiers_is_refused(routed: tuple[Path, Result], model: Path, tmp_path: Path) -> None:
    text = (routed[0] / "base.yaml").read_text("utf-8")
    tier = text[text.index("  - name: mini") : text.index("  - name: large")]
    config = tmp_path / "three.yaml"
    config.write_text(text.replace(tier, tier + tier.replace("name: mini", "name: medium")))

    done = tune(tmp_path, model, table(count=60), "--config", config)

    assert done.exit_code == 1
    assert "tiers: 3 of them; give a configuration with the pair's two" in done.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--max-quality-loss", "1"), "--max-quality-loss must be at least 0 and less than 1"),
        (("--deadline", "5"), "a duration needs a unit; write 5s"),
        (("--live-speed", "0"), "--live-speed must be more than 0"),
        (("--latency-value", "-1"), "--latency-value must be 0 or more USD per second"),
    ],
)
def test_a_target_out_of_range_is_a_usage_error(
    model: Path, tmp_path: Path, words: tuple[str, ...], problem: str
) -> None:
    done = tune(tmp_path, model, table(count=60), *words)

    assert done.exit_code == 2
    assert problem in " ".join(done.stderr.replace("│", " ").split())


def test_help_shows_an_example() -> None:
    done = CliRunner().invoke(app, ["tune", "--help"])

    assert "Example: specroute tune --outcomes train.parquet" in " ".join(done.stdout.split())
