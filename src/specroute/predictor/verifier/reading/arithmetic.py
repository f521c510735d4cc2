"""Re-computes the sums that an answer writes out: "8 packets * 5 bars = 40 bars" holds, "12 * 7 = 82" does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.predictor.verifier.reading.text import Number, Text

_MAX_GAP = 28
_RELATIVE = 0.011
_OPERATORS = {
    "+": "+",
    "-": "-",
    "−": "-",
    "–": "-",
    "*": "*",
    "×": "*",
    "·": "*",
    "/": "/",
    "÷": "/",
    "=": "=",
    "≈": "=",
}
_MARKS = frozenset(_OPERATORS)
_WRITTEN = _MARKS | {"x", "X", "\\"}
_LATEX = (("\\times", "×"), ("\\cdot", "×"), ("\\div", "÷"), ("\\approx", "≈"))


class Sums(NamedTuple):
    """The sums of one text.

    Attributes:
        checked: how many equations could be re-computed.
        wrong: how many of them do not hold.
        last: the result that the last equation states; ``None``: there is none.
        last_holds: whether that equation holds.
    """

    checked: int
    wrong: int
    last: float | None
    last_holds: bool


def check_sums(text: Text) -> Sums:
    """Returns what the equations of ``text`` say. Units between numbers are skipped, a word-rich gap ends a sum."""
    numbers = text.numbers
    checked = wrong = 0
    last, last_holds = None, True
    values: list[float] = []
    operators: list[str] = []
    left: float | None = None
    is_computed = False
    for index, number in enumerate(numbers):
        values.append(abs(number.value) if operators else number.value)
        operator = _operator(text.read, numbers, index)
        if operator in ("+", "-", "*", "/"):
            operators.append(operator)
            continue
        right = _evaluate(values, operators) if operators else number.value
        is_computed = is_computed or bool(operators)
        if left is not None and right is not None and is_computed:
            holds = _same(left, right)
            checked += 1
            wrong += not holds
            last, last_holds = right, holds
        left, is_computed = (right, is_computed) if operator == "=" else (None, False)
        values, operators = [], []
    return Sums(checked, wrong, last, last_holds)


def _operator(text: str, numbers: Sequence[Number], index: int) -> str:
    """Returns the one operator between a number and the next, or ""."""
    if index + 1 == len(numbers):
        return ""
    start, end = numbers[index].end, numbers[index + 1].start
    if end - start > _MAX_GAP:
        return ""
    gap = text[start:end]
    if _WRITTEN.isdisjoint(gap):
        return ""
    if "\\" in gap:
        for written, mark in _LATEX:
            gap = gap.replace(written, mark)
    found = [mark for mark in gap if mark in _MARKS]
    if len(found) == 1:
        return _OPERATORS[found[0]] if "\n" not in gap else ""
    if not found and gap.strip() in ("x", "X"):
        return "*"
    if len(found) == 2 and found[0] == "=" and found[1] in "-−":
        return "="
    # bars/adult * 3, $8/share = ...: a unit's slash beside the operator
    rest = [mark for mark in found if mark != "/"]
    return _OPERATORS[rest[0]] if len(rest) == 1 and "\n" not in gap else ""


def _evaluate(values: Sequence[float], operators: Sequence[str]) -> float | None:
    total, term = 0.0, values[0]
    for operator, value in zip(operators, values[1:], strict=True):
        if operator == "*":
            term *= value
        elif operator == "/":
            if value == 0.0:
                return None
            term /= value
        else:
            total += term
            term = value if operator == "+" else -value
    return total + term


def _same(left: float, right: float) -> bool:
    """Whether two sides agree as people round: by a percent, a cent, or as a percentage."""
    gap = abs(left - right)
    if gap <= max(0.0051, _RELATIVE * max(abs(left), abs(right))):
        return True
    return abs(left - 100.0 * right) <= _RELATIVE * abs(left) or abs(100.0 * left - right) <= _RELATIVE * abs(right)
