from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import Prefix, PrefixKind, VerdictKind
from specroute.core.request import JsonObjectOutput, Output
from specroute.validators.quality.repetition import (
    MAX_UNIT_CHARACTERS,
    MIN_PLAIN_CHARACTERS,
    MIN_REPETITIONS,
    NotRepetitive,
)
from tests.validators.builders import a_request, an_answer

MAX_RIGHT_ANSWERS_RATIO = 0.002
"""Of right answers: some models give one and then repeat their last sentence to no end."""
BOUND_S = 0.5


def is_loop(text: str, output: Output | None = None) -> bool:
    verdict = NotRepetitive().judge(a_request(output), an_answer(text))
    prefix = NotRepetitive().judge_prefix(a_request(output), Prefix(text))
    assert (verdict.kind is VerdictKind.REJECT) == (prefix.kind is PrefixKind.REJECT)
    assert not prefix.is_settled
    return verdict.kind is VerdictKind.REJECT


@pytest.mark.parametrize(
    "text",
    [
        "Let me count. " + "and then we add one more, " * 20,
        "So " + "the the the " * 40,
        "The answer is 4. Wait, let me check that again.\n" * 12,
        "答案是四。让我再检查一遍。" * 30,
        "total = total + 1\n" * 20,
        "Yes. " + "no " * 500 + "n",
        "A row: " + "-" * MIN_PLAIN_CHARACTERS,
        "0, " * 500,
        '{"a": "b"' + " \n" * MIN_PLAIN_CHARACTERS,
    ],
)
def test_an_answer_that_goes_on_with_one_text_is_rejected(text: str) -> None:
    assert is_loop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris.",
        "| name | age |\n|" + "-" * 200 + "|" + "-" * 200 + "|\n| Ann | 3 |",
        "=" * 300,
        "[" + "0, " * 300 + "0]",
        "iVBORw0KGgo" + "A" * 600,
        "Row, row, row your boat,\n" * 4,
        "    return None\n" * 6,
        " ".join(str(number) for number in range(500)),
        "\n".join(f"{number}. Step number {number} is done." for number in range(100)),
        "A loop that ended: " + "again and again " * 30 + "but then the model went on with the answer.",
    ],
)
def test_an_answer_with_rows_rules_or_a_refrain_passes(text: str) -> None:
    assert not is_loop(text)


def test_data_may_repeat_more_than_prose() -> None:
    rows = '{"rows": [' + '{"valid": false}, ' * 30

    assert is_loop(rows)
    assert not is_loop(rows, JsonObjectOutput())
    assert is_loop(rows + '{"valid": false}, ' * 60, JsonObjectOutput())


@given(st.text(min_size=1, max_size=MAX_UNIT_CHARACTERS), st.text(max_size=50))
def test_a_long_loop_of_any_text_is_found(unit: str, before: str) -> None:
    times = max(MIN_REPETITIONS, -(-MIN_PLAIN_CHARACTERS // len(unit))) + 1

    assert is_loop(before + unit * times)


@settings(deadline=None)
@given(st.integers(0, 300))
def test_a_tool_call_excuses_any_text(length: int) -> None:
    answer = an_answer("and so on, " * length, ("lookup", "{}"))

    assert NotRepetitive().judge(a_request(), answer).kind is VerdictKind.ACCEPT


def test_a_long_answer_costs_no_more_than_its_end() -> None:
    text = "ab" * 99 + "c"
    answer = an_answer(text * 10_000 + "!")
    started = time.perf_counter()
    for _ in range(100):
        NotRepetitive().judge(a_request(), answer)

    assert time.perf_counter() - started < BOUND_S


def test_hardly_any_right_answer_that_was_recorded_is_called_a_loop() -> None:
    path = os.environ.get("SPECROUTE_OUTCOMES")
    if not path or not Path(path).is_file():
        pytest.skip("SPECROUTE_OUTCOMES names no file of recorded outcomes.")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = ["mini_response", "mini_correct", "large_response", "large_correct"]
    rows = parquet.read_table(path, columns=columns).to_pylist()
    right = [row[f"{tier}_response"] for row in rows for tier in ("mini", "large") if row[f"{tier}_correct"]]
    texts = [text for text in right if text]

    assert sum(map(is_loop, texts)) <= MAX_RIGHT_ANSWERS_RATIO * len(texts)
