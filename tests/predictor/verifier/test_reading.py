"""What the verifier sees in texts: numbers, sums, stated results, options, tools and calls."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.predictor.verifier.calling.calls import Bare, find_calls
from specroute.predictor.verifier.calling.tools import find_tools
from specroute.predictor.verifier.reading.arithmetic import check_sums
from specroute.predictor.verifier.reading.choice import chosen_letter, find_options
from specroute.predictor.verifier.reading.final_answer import Form, find_stated
from specroute.predictor.verifier.reading.text import HEAD_CHARS, TAIL_CHARS, read_number, read_text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("It costs $1,234.50 in all.", [1234.5]),
        ("[1,2,3]", [1.0, 2.0, 3.0]),
        ("from -4 to 5-3", [-4.0, 5.0, 3.0]),
        ("version 1.2.3", []),
        ("٣ + ４ = ७", [3.0, 4.0, 7.0]),
        ("no digits", []),
    ],
)
def test_numbers_are_found_with_sign_and_thousands_in_any_digits(text: str, values: list[float]) -> None:
    assert [number.value for number in read_text(text).numbers] == values


@pytest.mark.parametrize(
    ("text", "value"), [("$12.00 in all", 12.0), ("-3", -3.0), ("1,250 km", 1250.0), ("1,2", 1.0), ("none", None)]
)
def test_the_first_number_of_a_short_text_is_read(text: str, value: float | None) -> None:
    assert read_number(text) == value


def test_of_a_long_text_only_head_and_tail_are_read() -> None:
    text = read_text("a" * 50_000)

    assert len(text.read) == HEAD_CHARS + TAIL_CHARS + 1
    assert text.total_chars == 50_000


@pytest.mark.parametrize(
    ("text", "checked", "wrong"),
    [
        ("There are 6 * 7 = 42 rolls.", 1, 0),
        ("6 rolls/bag * 7 bags = 48 rolls", 1, 1),
        ("3 + 4 * 2 = 11 and 10 / 4 = 2.5", 2, 0),
        ("8 x 5 = 40 = 4 * 10", 2, 0),
        ("12 × 2 ÷ 3 = 8", 1, 0),
        ("x = 5 and y = 7", 0, 0),
        ("5 / 0 = 1", 0, 0),
    ],
)
def test_sums_are_computed_again(text: str, checked: int, wrong: int) -> None:
    sums = check_sums(read_text(text))

    assert (sums.checked, sums.wrong) == (checked, wrong)


@pytest.mark.parametrize(
    ("answer", "form", "stated"),
    [
        ('```json\n{"reasoning": "two\nlines", "answer": "42"}\n```', Form.JSON, "42"),
        ('{"reasoning": "broken, "answer": "7"', Form.JSON, "7"),
        ("So <answer>[1, 2]</answer>", Form.TAGGED, "[1, 2]"),
        ("8 * 9 = 72.\n#### 72", Form.MARKED, "72"),
        ("Thus \\boxed{5}.", Form.MARKED, "5"),
        ("It is hot. The answer is (C).", Form.SAID, "(C)"),
        ("因此，答案是 12。", Form.SAID, "12。"),
        ("Ответ: 56", Form.SAID, "56"),
        ("B", Form.BARE, "B"),
        ("An essay about spring.", Form.NONE, ""),
    ],
)
def test_the_stated_result_is_found_in_every_form(answer: str, form: Form, stated: str) -> None:
    found = find_stated(answer, answer.lower())

    assert (found.form, found.text) == (form, stated)


def test_options_are_read_as_lines_with_letters_in_order() -> None:
    options = find_options("Which?\nA. red\nB. green or\nC. blue\n")

    assert options.texts == ("red", "green or", "blue")


def test_a_text_without_options_has_none() -> None:
    assert find_options("A. Smith wrote this.").texts == ()


@pytest.mark.parametrize(("stated", "index"), [("(C)", 2), ("b) green", 1), ("Blue", -1), ("", -1), ("(Z)", -1)])
def test_a_chosen_letter_is_one_of_the_options(stated: str, index: int) -> None:
    assert chosen_letter(stated, 4) == index


_LISTED = (
    '[{"name": "a.b", "description": "Adds.", '
    '"parameters": {"properties": {"x": {"type": "integer"}}, "required": ["x"]}}]'
)


def test_a_letter_whose_capital_is_two_chooses_nothing() -> None:
    assert chosen_letter("ß", 26) == -1


@given(st.text(st.sampled_from("aZ\n\\%$^=<>'\"水٣İ"), max_size=60))
def test_marks_are_counted_as_they_stand_in_the_text(text: str) -> None:
    read = read_text(text)

    assert all(read.count(mark) == read.lower.count(mark) for mark in "\n\\%$^=<>'\"")


def test_a_function_list_in_the_prompt_is_read_and_cut_from_the_request() -> None:
    toolbox = find_tools(f"Available functions (JSON):\n{_LISTED}\n\nUser request:\nAdd 4.")

    assert set(toolbox.tools) == {"a_b"}
    assert toolbox.tools["a_b"].required == ("x",)
    assert toolbox.request.strip() == "Add 4."


def test_a_function_list_that_is_cut_off_is_offered_but_empty() -> None:
    toolbox = find_tools(f"{_LISTED[:-9]}")

    assert toolbox.is_offered
    assert not toolbox.tools


def test_calls_are_read_in_json_and_in_python() -> None:
    in_json = find_calls('[{"a_b": "{\\"x\\": 4}"}]')
    in_python = find_calls("Here it is:\n[a.b(x=4, y=['p, q', True], z=other, w={'k': 1.5})]")

    assert [(call.name, dict(call.arguments)) for call in in_json.calls] == [("a_b", {"x": 4})]
    arguments = {"x": 4, "y": ["p, q", True], "z": Bare("other"), "w": {"k": 1.5}}
    assert [(call.name, dict(call.arguments)) for call in in_python.calls] == [("a.b", arguments)]
    assert in_python.extra_chars > 0


def test_prose_calls_nothing() -> None:
    assert not find_calls("I cannot [do] that (yet).").calls


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1.,-+=*/()[]{}\"'\\ \n{}<>A:#$x٣中"), max_size=200) | st.text(max_size=120))
def test_no_text_breaks_the_reading(text: str) -> None:
    read = read_text(text)

    assert len(read.lower) == len(read.read)
    assert all(math.isfinite(number.value) for number in read.numbers)
    check_sums(read)
    find_stated(read.read, read.lower)
    find_options(text)
    find_tools(f'[{{"name"{text}')
    find_calls(f"[{text}")
