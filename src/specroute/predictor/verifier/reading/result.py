"""Measures of the stated result: its form and type, and whether it follows from the sums and numbers before it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from specroute.predictor.verifier.reading.text import read_number

if TYPE_CHECKING:
    from specroute.predictor.verifier.reading.arithmetic import Sums
    from specroute.predictor.verifier.reading.final_answer import Stated
    from specroute.predictor.verifier.reading.text import Text

RESULT_NAMES = (
    "form",
    "stated_at",
    "stated_after",
    "stated_times",
    "stated_differing",
    "json_state",
    "json_type",
    "json_extra",
    "result_chars",
    "result_type",
    "result_commas",
    "result_in_prompt",
    "result_before",
    "result_times",
    "result_chars_new",
    "result_value",
    "result_whole",
    "result_is_last_sum",
    "result_is_last_number",
    "result_is_largest",
    "result_is_least",
    "comparison_holds",
    "sums",
    "sums_wrong",
    "sums_wrong_share",
    "last_sum_holds",
    "numbers",
    "numbers_distinct",
    "numbers_new_share",
    "prompt_numbers_used",
    "largest_number",
    "fraction_numbers",
    "negative_numbers",
    "percent",
)
"""What is measured, in order; -1 where there is no result or no number."""

_LARGER = ("larger", "greater", "bigger", "higher", "largest", "greatest", "biggest", "highest", "maximum")
_SMALLER = ("smaller", "lesser", "lower", "less ", "smallest", "least", "lowest", "minimum")
_MAX_COMPARED = 6

_NONE, _NUMBER, _UNIT, _QUOTED, _SEQUENCE, _MAPPING, _TRUTH, _WORD, _TEXT = range(9)


def measure_result(stated: Stated, sums: Sums, asked: Text, said: Text) -> list[float]:
    """Returns the measures of ``RESULT_NAMES``."""
    length = max(1, len(said.read))
    return [
        float(stated.form),
        stated.start / length,
        math.log1p(max(0, length - stated.start - len(stated.text))),
        float(stated.times),
        float(stated.differing),
        float(stated.json_state),
        float(stated.json_type),
        math.log1p(stated.extra_chars),
        *_result(stated, sums, asked, said),
        float(sums.checked),
        float(sums.wrong),
        sums.wrong / sums.checked if sums.checked else -1.0,
        float(sums.last_holds),
        *_numbers(asked, said),
    ]


def _result(stated: Stated, sums: Sums, asked: Text, said: Text) -> list[float]:
    text = stated.text
    if not text:
        return [0.0, _NONE, *(-1.0,) * 12]
    lower = text.lower()
    value = read_number(text)
    before = said.lower[: max(0, stated.start)]
    bare = lower.strip("'\"")
    given = set(asked.lower)
    inner = set(bare) - {" "}
    return [
        math.log1p(len(text)),
        float(_type(text, value)),
        float(text.count(",")),
        float(bare in asked.lower),
        float(bare in before),
        math.log1p(before.count(bare)) if bare else 0.0,
        len(inner - given) / max(1, len(inner)),
        math.log1p(abs(value)) if value is not None else -1.0,
        float(value.is_integer()) if value is not None else -1.0,
        *_place(value, stated, sums, asked, said),
    ]


def _place(value: float | None, stated: Stated, sums: Sums, asked: Text, said: Text) -> list[float]:
    if value is None:
        return [-1.0] * 5
    earlier = [abs(number.value) for number in said.numbers if number.start < stated.start] or [
        abs(number.value) for number in said.numbers
    ]
    # A number in quotes shows the form that the answer is to have, and is none of the question's.
    given = [number.value for number in asked.numbers if asked.read[number.start - 1 : number.start] != '"']
    size = abs(value)
    is_largest = float(value >= max(given)) if given else -1.0
    is_least = float(value <= min(given)) if given else -1.0
    return [
        float(sums.last is not None and _close(abs(sums.last), size)) if sums.checked else -1.0,
        float(_close(earlier[-1], size)) if earlier else -1.0,
        is_largest,
        is_least,
        _comparison(asked, len(given), is_largest, is_least),
    ]


def _comparison(asked: Text, numbers: int, is_largest: float, is_least: float) -> float:
    """Returns whether the result is the number that a comparison asks for; -1: the prompt compares no two numbers."""
    if not 2 <= numbers <= _MAX_COMPARED:
        return -1.0
    wants_largest = any(word in asked.lower for word in _LARGER)
    wants_least = any(word in asked.lower for word in _SMALLER)
    if wants_largest == wants_least:
        return -1.0
    return is_largest if wants_largest else is_least


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0.006, abs_tol=0.006)


def _type(text: str, value: float | None) -> int:
    first, last = text[:1], text[-1:]
    if first in "'\"" and last == first and len(text) > 1:
        return _QUOTED
    if first in "[(" and last in "])":
        return _SEQUENCE
    if first == "{":
        return _MAPPING
    if text.lower() in ("true", "false", "yes", "no", "none"):
        return _TRUTH
    if value is not None:
        return _NUMBER if text.lstrip("-+$€£").rstrip("%.").replace(",", "").replace(".", "", 1).isdigit() else _UNIT
    return _TEXT if " " in text else _WORD


def _numbers(asked: Text, said: Text) -> list[float]:
    values = [abs(number.value) for number in said.numbers]
    if not values:
        return [0.0, 0.0, -1.0, -1.0, -1.0, 0.0, 0.0, float(said.count("%"))]
    distinct = set(values)
    given = {abs(number.value) for number in asked.numbers}
    return [
        math.log1p(len(values)),
        math.log1p(len(distinct)),
        len(distinct - given) / len(distinct),
        len(distinct & given) / len(given) if given else -1.0,
        math.log1p(max(distinct)),
        sum(not value.is_integer() for value in distinct) / len(distinct),
        sum(number.value < 0 for number in said.numbers) / len(values),
        math.log1p(said.count("%")),
    ]
