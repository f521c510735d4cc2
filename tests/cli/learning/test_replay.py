"""``specroute replay`` on made-up rows."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from specroute.cli import app
from specroute.core.outcome import Completion, Verdict, VerdictKind
from tests.replay.world import MODEL, PAIR, document, row, written

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from specroute.core.request import RouteRequest


def outcomes(folder: Path, count: int = 20, **fixed: Any) -> Path:
    path = folder / "outcomes.jsonl"
    rows = [asdict(row(number, mini_ok=number % 3 > 0)) | fixed for number in range(count)]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


def replay(*words: object) -> Result:
    return CliRunner().invoke(app, ["replay", "--pair", PAIR, *map(str, words)])


def test_a_config_whose_key_is_not_set_is_replayed_and_everything_is_written(tmp_path: Path) -> None:
    file, config = outcomes(tmp_path), written(tmp_path)

    result = replay(
        *("--outcomes", file, "--config", config, "--latency", "mini-fast", "--deadline", "30s", "--seed", 3),
        *("--out", tmp_path / "out", "--rows", tmp_path / "rows.parquet", "--json"),
    )

    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == json.loads((tmp_path / "out" / "replay.json").read_text("utf-8"))
    assert (found["rows"], found["left_out"], found["partial"], found["deadline_s"]) == (20, 0, False, 30.0)
    assert found["latency"].startswith("mini-fast: mini first token 0.35 s")
    assert list(found["policies"])[:3] == ["configured", "always_mini", "always_large"]
    assert found["policies"]["always_large"]["saved_ratio"] == {"value": 0.0, "lo": 0.0, "hi": 0.0}
    assert found["policies"]["configured"]["plans"] == {"race": 1.0}
    assert "--deadline 30s" in found["command"]
    assert (tmp_path / "rows.parquet").is_file()
    assert "configured" in (tmp_path / "out" / "replay.html").read_text("utf-8")


def test_the_table_has_a_row_for_each_policy_and_says_what_was_left_out(tmp_path: Path) -> None:
    file = outcomes(tmp_path)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(row(99, large_response=None))) + "\n")

    result = replay("--outcomes", file, "--config", written(tmp_path), "--policy", "cascade")

    assert result.exit_code == 0, result.stderr
    assert [name for name in ("configured", "always_large", "cascade", "race_all") if f"│ {name}" in result.stdout] == [
        *("configured", "always_large", "cascade")
    ]
    assert "20 rows of pair tiny|huge (1 left out" in result.stdout


def test_several_configs_are_rows_named_by_their_files(tmp_path: Path) -> None:
    direct = written(tmp_path, "direct.yaml", policy={"kind": "always", "tier": "small"})

    result = replay(
        *("--outcomes", outcomes(tmp_path), "--config", written(tmp_path, "race-it.yaml"), "--config", direct),
        *("--policy", "configured", "--limit", 7, "--json"),
    )

    assert result.exit_code == 0, result.stderr
    policies = json.loads(result.stdout)["policies"]
    assert list(policies) == ["race-it", "direct", "always_large"]
    assert {each["n"] for each in policies.values()} == {7}
    assert policies["direct"]["plans"] == {"direct_mini": 1.0}


def test_the_verifier_of_the_model_judges(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        predictor={"model": str(MODEL)},
        validation={"validators": ["complete", {"name": "verifier", "on_abstain": "reject"}]},
    )

    result = replay("--outcomes", outcomes(tmp_path), "--config", config, "--policy", "cascade", "--json")

    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["policies"]["cascade"]
    assert found["escalation_ratio"]["value"] == 1.0  # none of the made-up answers is of a kind that it knows
    assert found["out_of_fold"] == 0


class PressesCtrlC:
    """A user's validator during whose 25th judgement Ctrl-C is pressed."""

    name = "pressing"
    is_contract = False
    judged = 0

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        PressesCtrlC.judged += 1
        if PressesCtrlC.judged == 25:
            signal.raise_signal(signal.SIGINT)
        return Verdict(self.name, VerdictKind.ACCEPT, "fine")


def test_ctrl_c_reports_what_was_played_and_marks_it(tmp_path: Path) -> None:
    PressesCtrlC.judged = 0
    own = {"name": "pressing", "use": f"{__name__}:PressesCtrlC"}
    config = written(tmp_path, validation={"validators": ["complete", own]})
    before = signal.getsignal(signal.SIGINT)

    result = replay("--outcomes", outcomes(tmp_path), "--config", config, "--json", "--out", tmp_path / "out")

    assert result.exit_code == 130
    found = json.loads(result.stdout)
    assert found["partial"] is True
    assert {name: each["n"] for name, each in found["policies"].items()} == {"configured": 5, "always_large": 20}
    assert json.loads((tmp_path / "out" / "replay.json").read_text("utf-8")) == found
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--deadline", "30"], 2, "--deadline: a duration needs a unit; write 30s"),
        (["--deadline", "0s"], 2, "--deadline 0s leaves no time to answer"),
        (["--latency", "slow"], 2, "--latency 'slow': choose one of recorded, mini-fast, mini-slow"),
        (["--policy", "best"], 1, "--policy 'best': choose of configured, always_mini"),
        (["--pair", "x|y"], 1, "no rows of pair 'x|y'; choose one of 'tiny|huge' with --pair"),
        (["--outcomes", "none.parquet"], 1, "none.parquet: no such file; give the path of recorded outcomes"),
        (["--config", "none.yaml"], 1, "none.yaml: cannot be read: No such file or directory"),
    ],
)
def test_a_bad_value_is_one_line_that_says_what_to_do(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    given: list[object] = ["--outcomes", outcomes(tmp_path), "--config", written(tmp_path)]
    if words[0] == "--config":
        given = given[:2]

    result = replay(*given, *words)

    assert result.exit_code == code
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_file_without_a_needed_column_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(json.dumps({"prompt": "a", "mini_correct": True}) + "\n", encoding="utf-8")

    result = replay("--outcomes", path, "--config", written(tmp_path))

    assert result.exit_code == 1
    assert "pair" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_without_answers_is_refused_in_one_line(tmp_path: Path) -> None:
    result = replay("--outcomes", outcomes(tmp_path, mini_response=None), "--config", written(tmp_path))

    assert result.exit_code == 1
    assert "none of the 20 rows of pair 'tiny|huge' has both recorded answers" in result.stderr


def test_two_configs_of_one_name_and_three_tiers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = written(tmp_path), written(tmp_path / "other")
    small, big = document()["tiers"]
    three = written(tmp_path, "three.yaml", tiers=[small, {**small, "name": "medium"}, big])

    twice = replay("--outcomes", outcomes(tmp_path), "--config", one, "--config", other)
    tiers = replay("--outcomes", outcomes(tmp_path), "--config", three)

    assert "another one is called 'config', too; rename one of the files" in twice.stderr
    assert "tiers: 3 of them, and recorded outcomes hold answers of two" in tiers.stderr
