from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.learn.workload import is_correct, load_workload
from specroute.learn.workload.checking import satisfies
from specroute.learn.workload.checks import Check, ExactCheck, JsonCheck, NumberCheck, RegexCheck, WordsCheck

MONTEVIDEO = ExactCheck(accepted=("Montevideo",))
CHECKS: tuple[Check, ...] = (
    MONTEVIDEO,
    NumberCheck(value=42),
    JsonCheck(expected={"a": [1, {"b": None}]}, any_order=True),
    WordsCheck(words=("a", "12"), without=("b",)),
    RegexCheck(pattern="(a+)+"),
)


@pytest.mark.parametrize(
    "answer",
    [
        "Montevideo",
        "  montevideo.\n",
        "**Montevideo**",
        '"Montevideo"',
        "```\nMontevideo\n```",
        "Let me think about the Río de la Plata.\nAnswer: Montevideo",
        "It lies on the northern bank.\n\nMontevideo",
        "Respuesta: Montevideo",
    ],
)
def test_an_exact_answer_is_right_in_every_usual_wrapping(answer: str) -> None:
    assert satisfies(MONTEVIDEO, answer)


@pytest.mark.parametrize("answer", ["", "Buenos Aires", "Montevideo or Buenos Aires", "not Montevideo", "Answer:"])
def test_an_answer_that_only_mentions_the_exact_one_is_wrong(answer: str) -> None:
    assert not satisfies(MONTEVIDEO, answer)


def test_letter_case_counts_where_the_check_says_so() -> None:
    slug = ExactCheck(accepted=("ten-ways",), case_sensitive=True)

    assert satisfies(slug, "`ten-ways`")
    assert not satisfies(slug, "Ten-Ways")


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (42, "42"),
        (42, "6 × 7 = **42**."),
        (42, "Answer: 42 (that is 6 a day for 7 days)"),
        (1234.5, "1,234.50 EUR"),
        (1234.5, "1.234,50 €"),
        (1234.5, "1 234,50 €".replace(" ", "\u202f")),
        (1234567, "1,234,567"),
        (1234567, "1.234.567 Stück"),
        (1234, "1,234"),
        (0.123, "0,123"),
        (-4, "−4"),
        (72, "٧٢"),
        (40, "the hall measures 40 m2"),
        (12, "between 3-12"),
        (4, "第4小时。答案:4"),
        (4, "第4小时。答案：4"),
    ],
)
def test_a_number_is_read_however_it_is_written(value: float, answer: str) -> None:
    assert satisfies(NumberCheck(value=value), answer)


@pytest.mark.parametrize(
    "answer", ["", "none", "42 or 43", "420", "4.2", "-42", "Answer: unknown", "answer 42, no: 41"]
)
def test_another_number_or_none_is_wrong(answer: str) -> None:
    assert not satisfies(NumberCheck(value=42), answer)


def test_a_number_may_be_off_by_the_tolerance_and_no_more() -> None:
    check = NumberCheck(value=0.318, tolerance=0.001)

    assert satisfies(check, "about 0.319")
    assert not satisfies(check, "about 0.3195")


@pytest.mark.parametrize(
    ("expected", "answer", "right"),
    [
        ({"a": 1}, '{"a": 1}', True),
        ({"a": 1}, '```json\n{"a": 1.0, "note": "x"}\n```', True),
        ({"a": 1}, '{"a": true}', False),
        ({"a": True}, '{"a": 1}', False),
        ({"a": None}, '{"a": null}', True),
        ({"a": None}, "{}", False),
        ({"a": "Oslo"}, '{"a": " oslo "}', True),
        ({"a": [1, 2]}, '{"a": [2, 1]}', False),
        ({"a": [1]}, '{"a": [1, 1]}', False),
        ({"a": {"b": 2}}, '{"a": {"b": 2, "c": 3}}', True),
        ({"a": {"b": 2}}, '{"a": [2]}', False),
        ({"a": 1}, "[1]", False),
        ({"a": 1}, 'Sure: {"a": 1}', False),
        ({"a": 1}, "[" * 100_000, False),
        ({"a": 1.5}, '{"a": ' + "9" * 400 + "}", False),
        ({"a": 1.5}, '{"a": ' + "9" * 10_000 + "}", False),
        ({"a": 1.5}, '{"a": 1e999}', False),
    ],
)
def test_json_fields_are_compared_by_value(expected: dict[str, object], answer: str, right: bool) -> None:
    assert satisfies(JsonCheck(expected=expected), answer) is right


def test_lists_match_in_any_order_but_with_every_element_once() -> None:
    check = JsonCheck(expected={"a": [1, 1, 2]}, any_order=True)

    assert satisfies(check, '{"a": [1, 2, 1]}')
    assert not satisfies(check, '{"a": [1, 2, 2]}')


@pytest.mark.parametrize(
    ("words", "without", "answer", "right"),
    [
        (("12", "fan"), (), "The fan stops after 12 s.", True),
        (("12",), (), "It takes 120 s.", False),
        (("12",), (), "It takes 12.5 s.", False),
        (("200",), (), "It costs 1,200 USD.", False),
        (("fan",), (), "the fantasy", False),
        (("fan",), (), "the fantasy FAN", True),
        (("third floor",), (), "on the third\n  floor", True),
        (("利润",), (), "公司下调了全年利润预期", True),
        (("fan",), ("cable",), "fan and cable", False),
    ],
)
def test_words_are_found_whole(words: tuple[str, ...], without: tuple[str, ...], answer: str, right: bool) -> None:
    assert satisfies(WordsCheck(words=words, without=without), answer) is right


def test_a_pattern_has_to_match_the_whole_answer() -> None:
    assert satisfies(RegexCheck(pattern=r"\d{2}"), " 12\n")
    assert not satisfies(RegexCheck(pattern=r"\d{2}"), "123")


def test_a_pattern_that_freezes_backtracking_engines_answers_at_once() -> None:
    assert not satisfies(RegexCheck(pattern="(a+)+b"), "a" * 100_000)


@given(answer=st.text(), check=st.sampled_from(CHECKS))
@settings(deadline=None)
def test_any_text_gets_an_answer_and_never_an_exception(answer: str, check: Check) -> None:
    assert satisfies(check, answer) in (True, False)


@given(answer=st.text(alphabet="0123456789.,-−+٣४ '٬٫\u00a0\u202f eE²½\ud800:答案"))
@settings(deadline=None)
def test_any_jumble_of_digits_gets_an_answer_and_never_an_exception(answer: str) -> None:
    assert satisfies(NumberCheck(value=7), answer) in (True, False)


def test_surrounding_white_space_and_a_fence_never_turn_a_right_answer_wrong() -> None:
    for task in load_workload():
        assert is_correct(task, f"\n {task.right_answer}\n\n"), task.id
        assert is_correct(task, f"```\n{task.right_answer}\n```"), task.id


def test_an_answer_to_another_task_is_wrong_unless_both_answers_are_the_same() -> None:
    tasks = load_workload()
    for task, other in zip(tasks, tasks[7:], strict=False):
        same = task.right_answer.casefold() == other.right_answer.casefold()
        assert same or not is_correct(task, other.right_answer), (task.id, other.id)


def test_an_empty_answer_is_never_right() -> None:
    assert not any(is_correct(task, "") for task in load_workload())
