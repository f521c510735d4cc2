import csv
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from specroute.learn.dataset import read_outcomes
from specroute.learn.readers import OutcomesError
from tests.learn.made_up import rows, write_jsonl


def _write_csv(path: Path, table: list[dict[str, object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def _write_parquet(path: Path, table: list[dict[str, object]]) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(table), path)
    return path


def test_the_same_rows_in_any_format_and_order_give_the_same_hash(tmp_path: Path) -> None:
    table = rows(20)
    expected = read_outcomes(write_jsonl(tmp_path / "a.jsonl", table))

    for path in (
        write_jsonl(tmp_path / "b.jsonl", table[::-1]),
        _write_csv(tmp_path / "c.csv", table),
        _write_parquet(tmp_path / "d.parquet", table),
    ):
        assert read_outcomes(path) == expected
        assert read_outcomes(path).sha256() == expected.sha256()


def test_one_changed_label_changes_the_hash(tmp_path: Path) -> None:
    table = rows(20)
    before = read_outcomes(write_jsonl(tmp_path / "a.jsonl", table)).sha256()
    table[3]["mini_correct"] = not table[3]["mini_correct"]

    assert read_outcomes(write_jsonl(tmp_path / "b.jsonl", table)).sha256() != before


def test_a_score_is_a_label_where_there_is_no_flag(tmp_path: Path) -> None:
    table: list[dict[str, object]] = [
        {"prompt": f"p{score}", "pair": "a|b", "mini_score": score} for score in (0.0, 0.98, 0.99, 1)
    ]

    outcomes = read_outcomes(write_jsonl(tmp_path / "o.jsonl", table))

    assert outcomes.labels().tolist() == [row.prompt in {"p0.99", "p1"} for row in outcomes.rows]


def test_rows_without_a_label_are_dropped_and_counted(tmp_path: Path) -> None:
    table = rows(5)
    table[2]["mini_correct"] = None

    outcomes = read_outcomes(write_jsonl(tmp_path / "o.jsonl", table))

    assert (len(outcomes.rows), outcomes.dropped) == (4, 1)


def test_equal_prompts_without_a_group_share_one(tmp_path: Path) -> None:
    table: list[dict[str, object]] = [{"prompt": p, "pair": "a|b", "mini_correct": True} for p in ("x", "x", "y")]

    groups = [row.group_id for row in read_outcomes(write_jsonl(tmp_path / "o.jsonl", table)).rows]

    assert len(set(groups)) == 2


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"pair": "a|b", "mini_correct": True}, "has no column 'prompt'; add a text column 'prompt'"),
        ({"prompt": "p", "mini_correct": True}, "has no column 'pair'; add a text column 'pair'"),
        ({"prompt": "p", "pair": "a|b"}, "has no column 'mini_correct' and no 'mini_score'; add"),
        ({"prompt": "p", "pair": "a|b", "mini_correct": "maybe"}, "row 1: 'mini_correct' is not true or false; make"),
        ({"prompt": "p", "pair": "a|b", "mini_score": 7}, "row 1: 'mini_score' is not a number from 0 to 1; make"),
        ({"prompt": 1.5, "pair": "a|b", "mini_correct": True}, "row 1: 'prompt' is float; make"),
        ({"prompt": "", "pair": "a|b", "mini_correct": True}, "row 1: 'prompt' is empty; fill it in"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, row: dict[str, object], problem: str
) -> None:
    path = write_jsonl(tmp_path / "o.jsonl", [row])

    with pytest.raises(OutcomesError) as caught:
        read_outcomes(path)

    assert str(caught.value).startswith(f"{path}: {problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("o.xlsx", b"", "unknown suffix '.xlsx'"),
        ("o.jsonl", b"", "has no rows"),
        ("o.jsonl", b"[1]\n", "cannot be read as jsonl (line 1 is not an object)"),
        ("o.jsonl", b"{\n", "cannot be read as jsonl"),
        ("o.csv", b"\xff\xfe\x00", "cannot be read as csv"),
        ("o.parquet", b"not parquet", "cannot be read as parquet"),
    ],
)
def test_a_file_that_is_not_what_its_suffix_says_is_refused(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(OutcomesError) as caught:
        read_outcomes(path)

    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match="no such file"):
        read_outcomes(tmp_path / "none.jsonl")


def test_answers_tokens_and_confidences_are_read_where_the_file_has_them(tmp_path: Path) -> None:
    row = {"prompt": "q", "pair": "a|b", "mini_correct": True, "large_score": 1.0, "mini_response": "42"}
    numbers = {"large_output_tokens": 12, "mini_logprob_conf": 0.9, "mini_verbal_conf": float("nan")}
    path = write_jsonl(tmp_path / "o.jsonl", [row | numbers])

    (outcome,) = read_outcomes(path).rows

    assert (outcome.large_correct, outcome.mini_response, outcome.large_response) == (True, "42", None)
    assert (outcome.large_output_tokens, outcome.mini_logprob_conf, outcome.mini_verbal_conf) == (12.0, 0.9, None)


def test_a_negative_token_count_is_refused_with_row_and_column(tmp_path: Path) -> None:
    row = {"prompt": "q", "pair": "a|b", "mini_correct": True, "mini_output_tokens": -1}
    path = write_jsonl(tmp_path / "o.jsonl", [row])

    with pytest.raises(OutcomesError, match="row 1: 'mini_output_tokens' is not a number of at least 0"):
        read_outcomes(path)
