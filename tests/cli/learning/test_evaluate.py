"""``specroute evaluate`` on made-up rows, scored by the model that is delivered."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from specroute.cli import app

MODEL = Path(__file__).parents[3] / "router_models" / "default"
PAIR = "gpt-4o-mini|gpt-4o"


def _rows(count: int, *, prefix: str = "a", seed: int = 0, **fixed: object) -> list[dict[str, object]]:
    draw = random.Random(seed)
    return [
        {
            "prompt": f"Task {prefix}{number}: " + ("add these numbers" if number % 2 else "prove this lemma"),
            "pair": PAIR,
            "group_id": f"{prefix}{number}",
            "source": "even" if number % 2 else "odd",
            "mini_correct": draw.random() < 0.6,
            "large_correct": draw.random() < 0.8,
            "mini_response": f"The answer is {number}." if number % 3 else None,
            **fixed,
        }
        for number in range(count)
    ]


def _file(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def _evaluate(*words: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "--model", str(MODEL), *words])


def test_everything_is_written_and_the_json_is_one_object(tmp_path: Path) -> None:
    outcomes, tuning = _file(tmp_path / "a.jsonl", _rows(60)), _file(tmp_path / "b.jsonl", _rows(60, prefix="b"))
    out, rows = tmp_path / "out", tmp_path / "rows.parquet"

    result = _evaluate("--outcomes", outcomes, "--tuning", tuning, "--out", str(out), "--rows", str(rows), "--json")

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["n"] == 60
    assert document["pair"] == PAIR
    assert document["tuned_on_rows"] == 60
    assert f"--tuning {tuning}" in document["command"]
    assert sorted(path.name for path in out.iterdir()) == [
        *("evaluation.json", "frontier.png", "reliability.png", "report.html", "sources.png"),
    ]
    assert json.loads((out / "evaluation.json").read_text("utf-8")) == document
    assert parquet.read_table(rows).num_rows == 60 * len(document["policies"])


def test_tables_and_advice_are_printed(tmp_path: Path) -> None:
    result = _evaluate("--outcomes", _file(tmp_path / "a.jsonl", _rows(40)), "--answered-only", "--seed", "3")

    assert result.exit_code == 0, result.stderr
    assert "cost_matched_shuffle" in result.stdout
    assert "zones (product)" in result.stdout
    assert "routing pays" in result.stdout or "turn routing off" in result.stdout


def test_where_the_mini_is_never_right_routing_is_to_be_turned_off(tmp_path: Path) -> None:
    rows = _rows(40, mini_correct=False, large_correct=True)

    result = _evaluate("--outcomes", _file(tmp_path / "a.jsonl", rows))

    assert result.exit_code == 0, result.stderr
    assert "turn routing off" in result.stdout


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        (_rows(4), ("--pair", "a|b"), f"no rows of pair 'a|b'; choose one of {PAIR!r} with --pair"),
        (
            _rows(4, large_correct=None),
            (),
            f"no row of pair {PAIR!r} says whether the large model was right; add 'large_correct'",
        ),
        (
            _rows(4, mini_response=None),
            ("--answered-only",),
            f"no row of pair {PAIR!r} has the mini's answer; leave out --answered-only",
        ),
        (_rows(4, pair="a|b"), ("--pair", "a|b"), "no list price of 'a'; give --prices"),
        (_rows(4), ("--prices", "1/2"), "--prices '1/2': write MINI_IN/MINI_OUT,LARGE_IN/LARGE_OUT"),
        (_rows(1), (), "1 rows of fewer than 2 groups; give more rows to measure on"),
        (_rows(4), ("--certificate", "none.json"), "none.json: no such file"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_one_line(
    tmp_path: Path, rows: list[dict[str, Any]], words: tuple[str, ...], message: str
) -> None:
    result = _evaluate("--outcomes", _file(tmp_path / "a.jsonl", rows), *words)

    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_an_empty_file_and_a_missing_file_are_told_in_one_line(tmp_path: Path) -> None:
    for path, problem in ((_file(tmp_path / "a.jsonl", []), "has no rows"), (str(tmp_path / "b.csv"), "no such file")):
        result = _evaluate("--outcomes", path)

        assert result.exit_code == 1
        assert result.stderr.startswith(f"{path}: {problem}")
        assert result.stderr.count("\n") == 1


def test_files_that_share_groups_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.jsonl", _rows(10))

    result = _evaluate("--outcomes", path, "--tuning", path)

    assert result.exit_code == 1
    assert result.stderr.startswith("10 groups are in both --outcomes and --tuning")
