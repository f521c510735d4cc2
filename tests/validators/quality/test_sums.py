from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.validators.quality.expression import Reading, evaluate
from specroute.validators.quality.sums import MAX_CHARACTERS, check_sums


@pytest.mark.parametrize(
    "text",
    [
        "12 * 3 = 36",
        "12 × 3 = 36",
        "12 x 3 = 36",
        "12x3=36",
        "12 · 3 = 36",
        "$12 * 3 = $36",
        "He pays <<12*3=36>>36 dollars.",
        "So 7 − 9 = −2.",
        "10 / 4 = 2.5",
        "10 ÷ 3 = 3.33",
        "10 / 3 = 3",
        "0.33 - 0.2 = 0.1333",
        "1,200 + 34 = 1,234",
        "1.200 + 34 = 1.234",
        "1,5 + 1,5 = 3",
        "2.50 * 4 = 10.00",
        "(3 + 4) * 2 = 14",
        "2 * (3 + 4) = 14",
        "2^10 = 1024",
        "2**10 = 1024",
        "20% * 50 = 10",
        "20% of 50 = 10",
        "5 / 20 = 25%",
        "5 / 20 * 100 = 25%",
        "1/2 + 1/3 = 5/6",
        "2 * 3 + 4 = 6 + 4 = 10",
        "24 / 4 = 6 * 2 = 12",
        "- 5 + 3 = 8",
        "1. 5 + 3 = 8",
        "(5 + 3 = 8)",
        "5 * 3 = **15**",
        "\\( 12 \\times 3 = 36 \\)",
        "12 * 3 = 36\\nThen",
    ],
)
def test_a_sum_that_holds_is_counted(text: str) -> None:
    sums = check_sums(text)

    assert sums.checked >= 1
    assert sums.wrong == 0


@pytest.mark.parametrize(
    "text",
    ["12 * 7 = 82", "So 7 - 9 = 2.", "<<2*3=7>>", "10 / 4 = 3.5", "1,200 + 34 = 1,334", "2.50 * 4 = 11.00",
     "5 / 20 = 35%", "2 * 3 + 4 = 6 + 4 = 11", "2^10 = 1000", "(3 + 4) * 2 = 10", "\\( 12 \\times 7 = 82 \\)"],
)  # fmt: skip
def test_a_sum_that_does_not_hold_is_found(text: str) -> None:
    assert check_sums(text).wrong == 1


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 7",
        "x - 2 + 5 = 10",
        "f(3) + 2 = 9",
        "sin 30 + 1 = 1.5",
        "n = 5",
        "3 apples + 4 pears = 10 dollars",
        "17 / 5 = 3 remainder 2",
        "17 + 5 = 2 (mod 10)",
        "in base 2: 1 + 1 = 10",
        "2 + 2 == 5",
        "1 + 1 != 3",
        "a[1 + 1] = 3",
        "3 + 4 = 7x",
        "2 * 3 = 6 million - 1",
        "If 2 + 2 = 5, then",
        "10:30 + 2 = 12:30",
        "5! / 3 = 40",
        "10^3 * 2^ = 9",
        "1 / 0 = 5",
        "9^999 + 1 = 3",
        "((((((((((((1)))))))))))) + 1 = 5",
        "see pages 3-5 and 7",
        "all of them (66) = 20 + 15",
        "half of it (80 / 2) = 20",
        "6 * 10^8 / 2 * 10^4 = 3 * 10^4",
        "",
    ],
)
def test_what_is_no_plain_arithmetic_is_left_alone(text: str) -> None:
    assert check_sums(text).wrong == 0


def test_the_result_of_the_last_sum_is_told() -> None:
    assert check_sums("2 + 3 = 5, and 5 * 4 = 20").last == 20
    assert check_sums("nothing").last is None


def test_a_long_answer_is_read_from_its_end() -> None:
    assert check_sums("2 + 2 = 5" + " word" * MAX_CHARACTERS).checked == 0


numbers = st.integers(0, 10_000)


@given(
    numbers, st.sampled_from("+-*"), numbers, st.sampled_from(["{} {} {} = {}", "So {}{}{}={}.", "**{} {} {} = {}**"])
)
def test_a_sum_of_whole_numbers_is_wrong_exactly_where_it_is(left: int, mark: str, right: int, form: str) -> None:
    result = {"+": left + right, "-": left - right, "*": left * right}[mark]

    assert check_sums(form.format(left, mark, right, result)).wrong == 0
    assert check_sums(form.format(left, mark, right, result + 7)).wrong == 1


@pytest.mark.parametrize("unit", ["(", "1", "1 ", "1=", "(1=", "1+", "1 x ", "1**", "=", "-", "1,111,"])
def test_a_text_of_one_sign_is_read_in_time(unit: str) -> None:
    began_s = time.perf_counter()

    check_sums(unit * 20_000 + "= 1")

    assert time.perf_counter() - began_s < 2.0


@given(st.text(alphabet="0123456789+-*/^=().,% x$", max_size=120))
def test_no_text_breaks_it(text: str) -> None:
    sums = check_sums(text)

    assert 0 <= sums.wrong <= sums.checked


@given(st.text(alphabet="0123456789+-*/^().,%", max_size=60))
def test_an_expression_comes_to_a_finite_number_or_to_none(text: str) -> None:
    value = evaluate(text, Reading())

    assert value is None or abs(value.number) < float("inf")
