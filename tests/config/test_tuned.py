"""``policy.tuned``: where thresholds come from, and whether the service is still what was tuned."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from specroute.cli.check_config import check_config
from specroute.config import policy_fingerprint, stale
from tests.config.documents import VALID, changed, only_problem, settings_of
from tests.predictor.graphs import constant, write_folder

THRESHOLDS = "{direct_mini: 0.9, direct_large: 0.3, hedge_delay: 250ms}"
TUNED = f"""\
  tuned:
    data_sha256: {"0a" * 32}
    model_version: words-1
    pair: tiny|huge
    mode: economy
    max_quality_loss: 0.02
    latency_value_usd_per_s: 0.0005
    deadline: 5s
    latency_model: mini-fast
    seed: 0
    thresholds: {THRESHOLDS}
    certificate: {{alpha: 0.02, confidence: 0.95, method: binomial, n: 400, covers: false}}
    expected: {{saved_ratio: 0.7, retention: 0.99, p50_ratio: 0.5, p99_ratio: 1.2}}
"""
TEXT = changed("  rules:\n", f"{TUNED}  rules:\n")


def test_it_is_read_whole_and_said_in_one_line() -> None:
    tuned = settings_of(TEXT).policy.tuned

    assert tuned is not None
    assert (tuned.deadline_s, tuned.thresholds.hedge_delay_s, tuned.latency_value_usd_per_s) == (5.0, 0.25, 0.0005)
    assert tuned.statement.startswith(
        "economy, tiny|huge, at most 2.0% of quality lost, latencies mini-fast; expected: "
    )
    assert "saves 70.0%, keeps 99.0%" in tuned.statement
    assert "stricter thresholds are, to lose at most 2.0%" in tuned.statement


def test_it_decides_nothing() -> None:
    assert policy_fingerprint(settings_of(TEXT)) == policy_fingerprint(settings_of())


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("mode: economy", "mode: cheap", "policy.tuned.mode: unknown value 'cheap'; write one of economy, interactive"),
        ("0a" * 32, "xy" * 32, "policy.tuned.data_sha256: not a SHA-256; leave it as"),
        ("seed: 0", "seed: -1", "policy.tuned.seed: -1 is too small; write 0 or more"),
        ("deadline: 5s", "deadline: 5", "policy.tuned.deadline: a duration needs a unit; write 5s"),
    ],
)
def test_what_it_does_not_know_is_refused(old: str, new: str, problem: str) -> None:
    assert problem in only_problem(TEXT.replace(old, new))


def test_it_belongs_to_thresholds() -> None:
    always = f"  kind: always\n  tier: mini\n{TUNED}"
    text = changed(f"  kind: thresholds\n  thresholds: {THRESHOLDS}\n", always)

    assert "policy.tuned: belongs to kind 'thresholds'" in only_problem(text)


def test_an_unchanged_service_is_what_was_tuned() -> None:
    assert stale(settings_of(TEXT), "words-1") == ()
    assert stale(settings_of(), "words-2") == ()


def test_another_model_is_named() -> None:
    (line,) = stale(settings_of(TEXT), "words-2")

    assert line == "policy.tuned: tuned for model words-1, serving words-2; run `specroute tune` again"
    assert "serving no model" in stale(settings_of(TEXT), None)[0]


def test_other_thresholds_are_named_with_what_they_were() -> None:
    text = TEXT.replace(f"  thresholds: {THRESHOLDS}\n  tuned", "  thresholds: {direct_mini: 0.8}\n  tuned")

    (line,) = stale(settings_of(text), "words-1")

    assert "hedge_delay has become 0s (was 250ms), direct_mini has become 0.8 (was 0.9)" in line
    assert "direct_large" not in line


def test_a_verifiers_cut_that_came_later_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    text = TEXT.replace("predictor: {prior: 0.7}", "predictor: {model: m}") + (
        "validation: {validators: [complete, {name: verifier, on_abstain: reject, min_p: 0.5}]}\n"
    )

    (line,) = stale(settings_of(text, folder=tmp_path), "words-1")

    assert "min_p has become 0.5 (was none)" in line
    assert "leeway" not in line


def test_a_cut_that_bends_since_then_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    verifier = "{name: verifier, on_abstain: reject, leeway: {exponent: 0.5, typical_tokens: 470}}"
    text = TEXT.replace("predictor: {prior: 0.7}", "predictor: {model: m}")

    (line,) = stale(
        settings_of(f"{text}validation: {{validators: [complete, {verifier}]}}\n", folder=tmp_path), "words-1"
    )

    assert "leeway.exponent has become 0.5 (was none)" in line


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command("check-config")(check_config)
    return app


def test_check_config_shows_it_and_warns(app: typer.Typer, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", constant())
    file = tmp_path / "specroute.yaml"
    file.write_text(TEXT.replace("{prior: 0.7}", f"{{model: {folder}}}"))

    done = CliRunner().invoke(app, [str(file)])
    facts = json.loads(CliRunner().invoke(app, [str(file), "--json"]).stdout)

    assert done.exit_code == 0
    assert "  tuned: economy, tiny|huge, at most 2.0%" in done.stdout
    assert "warning: policy.tuned: tuned for model words-1, serving " in done.stderr
    assert facts["tuned"]["mode"] == "economy"
    assert len(facts["warnings"]) == 1


def test_what_was_never_tuned_is_not_warned_of(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "specroute.yaml"
    file.write_text(VALID)

    done = CliRunner().invoke(app, [str(file)])

    assert (done.exit_code, done.stderr) == (0, "")
    assert "  tuned: " not in done.stdout
