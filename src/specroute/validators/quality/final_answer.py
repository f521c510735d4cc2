"""Finds the final answer that a text states, and what its reasoning had come to just before."""

from __future__ import annotations

from typing import Final

import re2

MAX_CHARACTERS: Final = 20_000
"""A longer text is read from its end."""

_NUMBER = r"-?[0-9][0-9,]*(?:\.[0-9]+)?"
_STATED = re2.compile(
    r'(?i)(?:"(?:final_?)?(?:answer|result)"\s*:|####|\\boxed\s*\{|<answer>'
    r"|\banswer\s*(?:is|would be|:|=)|\bcorrect (?:option|choice)\s*(?:is|:)"
    r"|\bantwort\s*(?:ist|lautet|:)|\bréponse\s*(?:est|:)|\brespuesta\s*(?:es|:)|答案(?:是|为|：|:))"
    r"[\s:*_$(\\\[{\"'€£¥]*(?:text\{|option )?[(\[]?"
    rf"([A-J]\b|{_NUMBER})"
)
_ENDS_WITH_RESULT = re2.compile(rf"=[\s$€£¥\\(*\[{{]*({_NUMBER})[^0-9=]*$")
_NUMBERS = re2.compile(_NUMBER)
_RESULT_CHARACTERS = 200
_NAMED_NUMBERS = 4
_TOLERANCE = 0.01

Stated = float | str
"""A number without its sign, or the letter of an option."""


def answers_agree(text: str) -> bool | None:
    """Returns whether the last stated answer is what was stated or computed just before; ``None``: nothing to compare.

    Compared are an answer that is stated twice, and a number with the result that the reasoning ends with ("... = 36"),
    unless it is among the last numbers named there. Numbers agree within a percent, or as a percentage.
    """
    text = text[-MAX_CHARACTERS:]
    stated = [(found.start(), _value(found.group(1))) for found in _STATED.finditer(text)]
    if not stated:
        return None
    start, final = stated[-1]
    earlier = stated[-2][1] if len(stated) > 1 else None
    if isinstance(final, str):
        return final == earlier if isinstance(earlier, str) else None
    if isinstance(earlier, float):
        return _same(final, earlier)
    reasoning = text[max(0, start - _RESULT_CHARACTERS) : start]
    result = _ENDS_WITH_RESULT.search(reasoning)
    if result is None:
        return None
    named = [_value(found.group()) for found in _NUMBERS.finditer(reasoning)][-_NAMED_NUMBERS:]
    return any(isinstance(each, float) and _same(final, each) for each in (_value(result.group(1)), *named))


def _value(written: str) -> Stated:
    if written[0].isalpha():
        return written.upper()
    return abs(float(written.replace(",", "")))


def _same(one: float, other: float) -> bool:
    return any(
        abs(left - right) <= _TOLERANCE * abs(left) + 1e-9
        for left, right in ((one, other), (one, 100.0 * other), (100.0 * one, other))
    )
