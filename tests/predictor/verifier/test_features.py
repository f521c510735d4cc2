"""The measures of an answer: finite, of one size, bounded in time, and telling what they are named for."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.predictor.verifier.features import FEATURE_NAMES, Kind, measure, measure_confidence

_TOOLS = (
    'Available functions (JSON):\n[{"name": "book.table", "description": "Book a table.", "parameters": {"type": '
    '"dict", "properties": {"guests": {"type": "integer"}, "city": {"type": "string", "enum": ["Porto", "Lyon"]}}, '
    '"required": ["guests"]}}]\n\nUser request:\nA table for 6 in Lyon, please.'
)


def _of(prompt: str, answer: str, name: str) -> float:
    return float(measure(prompt, answer).values[FEATURE_NAMES.index(name)])


@pytest.mark.parametrize(
    ("prompt", "answer", "kind"),
    [
        ("Write a poem.", "The moon is old.", Kind.OPEN),
        ("What is 2 + 2?", "2 + 2 = 4", Kind.RESULT),
        ("Which?\nA. one\nB. two\n", "The answer is (A).", Kind.CHOICE),
        (_TOOLS, '[{"book_table": "{\\"guests\\": 6}"}]', Kind.CALLS),
        (_TOOLS, "I would rather not.", Kind.CALLS),
    ],
)
def test_the_kind_of_an_answer_is_recognised_from_the_texts(prompt: str, answer: str, kind: Kind) -> None:
    assert measure(prompt, answer).kind is kind


@pytest.mark.parametrize(
    ("answer", "name", "value"),
    [
        ('[{"book_table": "{\\"guests\\": 6}"}]', "missing_required", 0.0),
        ('[{"book_table": "{\\"city\\": \\"Lyon\\"}"}]', "missing_required", 1.0),
        ('[{"book_table": "{\\"guests\\": 6, \\"at\\": 8}"}]', "unknown_argument", 1.0),
        ('[{"book_table": "{\\"guests\\": \\"6\\"}"}]', "wrong_type", 1.0),
        ('[{"book_table": "{\\"guests\\": 6, \\"city\\": \\"Rome\\"}"}]', "not_a_choice", 1.0),
        ('[{"book_table": "{\\"guests\\": 9}"}]', "unsaid_number", 1.0),
        ('[{"book_table": "{\\"guests\\": 600.0000001}"}]', "unsaid_number", 0.0),
        ('[{"book_table": "{\\"guests\\": 5.9999999}"}]', "unsaid_number", 0.0),
        ("[book.table(guests=six)]", "bare_value", 1.0),
        ('[{"cancel_table": "{}"}]', "unknown_function", 1.0),
    ],
)
def test_a_tool_call_is_held_against_the_functions_and_the_request(answer: str, name: str, value: float) -> None:
    assert _of(_TOOLS, answer, name) == value


def test_a_comparison_holds_where_the_result_is_the_number_asked_for() -> None:
    prompt = 'Which is greater, 3.11 or 3.9? Show it as "answer": "42".'

    assert _of(prompt, '{"reasoning": "..", "answer": "3.9"}', "comparison_holds") == 1.0
    assert _of(prompt, '{"reasoning": "..", "answer": "3.11"}', "comparison_holds") == 0.0


def test_a_result_that_contradicts_the_last_sum_is_seen() -> None:
    answer = '{{"reasoning": "6 * 7 = 42", "answer": "{}"}}'

    assert _of("How many?", answer.format(42), "result_is_last_sum") == 1.0
    assert _of("How many?", answer.format(43), "result_is_last_sum") == 0.0


def test_a_loop_is_seen_in_any_script() -> None:
    for words in ("and so it goes on ", "и так далее без конца ", "周而复始没有尽头"):
        assert _of("Why?", words * 40, "repeated_4grams") > 0.8


def test_only_the_confidence_is_measured_where_there_is_no_text() -> None:
    measured = measure_confidence(-0.1, 0.9, 40)

    assert measured.kind is Kind.CONFIDENCE
    assert measured.values[FEATURE_NAMES.index("stated_confidence")] == pytest.approx(0.9)
    assert measure_confidence(None, None, None).values[-1] == -1.0


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_have_finite_measures_of_one_size(prompt: str, answer: str) -> None:
    values = measure(prompt, answer).values

    assert values.shape == (len(FEATURE_NAMES),)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    "answer",
    ["1 " * 500_000, "(A) " * 200_000, "[" * 400_000, '{"a":' * 200_000, "\\boxed{" * 100_000, "é1,234" * 100_000],
)
def test_no_answer_takes_long(answer: str) -> None:
    prompt = f"Which?\nA. one\nB. two\n{_TOOLS}"
    started = time.process_time()
    measure(prompt, answer)

    assert time.process_time() - started < 0.5


def test_measures_of_the_same_texts_are_the_same() -> None:
    first, second = measure(_TOOLS, "[book.table(guests=6)]"), measure(_TOOLS, "[book.table(guests=6)]")

    assert first.values.tobytes() == second.values.tobytes()


def test_no_name_is_used_twice() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
