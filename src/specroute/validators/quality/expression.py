"""The value of a plain arithmetic expression, read as people write numbers: by hand, without ``eval``, bounded."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import re2

MAX_CHARACTERS: Final = 200
MAX_EXPONENT: Final = 30.0
MAX_DIGITS: Final = 20
MAX_DEPTH: Final = 10

_TOKEN = re2.compile(r" *(?:([0-9]+(?:[.,][0-9]+)*|\.[0-9]+)(%?)|([-+*/^()]))")


class Reading(NamedTuple):
    """How numbers are read.

    Attributes:
        percent: what a number with a percent sign is multiplied with.
        comma_is_decimal: whether "1,5" is one and a half, and "1.500" fifteen hundred; else commas part thousands.
    """

    percent: float = 1.0
    comma_is_decimal: bool = False


class Value(NamedTuple):
    """What an expression comes to.

    Attributes:
        number: its value.
        first: the value of its first number.
        has_operator: whether anything is computed in it.
        is_whole: whether all its numbers are whole and none is divided.
    """

    number: float
    first: float
    has_operator: bool
    is_whole: bool


def evaluate(text: str, reading: Reading) -> Value | None:
    """Returns the value of ``text``; ``None``: it is no expression, or has a number that ``reading`` does not know."""
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        return _Parser(_tokens(text, reading)).value()
    except (_NotArithmetic, ZeroDivisionError, OverflowError):
        return None


class _NotArithmetic(Exception):
    pass


def _tokens(text: str, reading: Reading) -> list[str | float]:
    tokens: list[str | float] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _NotArithmetic
        written, percent, operator = found.groups()
        if written:
            tokens.append(_number(written, reading) * (reading.percent if percent else 1.0))
        else:
            tokens.append(operator)
        at = found.end()
    return tokens


def _number(written: str, reading: Reading) -> float:
    thousands, point = (".", ",") if reading.comma_is_decimal else (",", ".")
    whole, _, fraction = written.partition(point)
    groups = whole.split(thousands)
    has_groups = len(groups) > 1
    if point in fraction or thousands in fraction or len(whole) > MAX_DIGITS:
        raise _NotArithmetic
    if has_groups and not (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
        raise _NotArithmetic
    return float("".join(groups) + "." + (fraction or "0"))


class _Parser:
    """expression = term {(+|-) term}; term = factor {(*|/) factor}; factor = [-] power; power = atom [^ factor]."""

    def __init__(self, tokens: list[str | float]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._has_operator = False
        self._is_whole = True

    def value(self) -> Value:
        first = next((token for token in self._tokens if isinstance(token, float)), None)
        if first is None:
            raise _NotArithmetic
        number = self._expression()
        if self._at != len(self._tokens) or not math.isfinite(number):
            raise _NotArithmetic
        return Value(number, first, self._has_operator, self._is_whole)

    def _peek(self) -> str | float | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *operators: str) -> str | None:
        token = self._peek()
        if isinstance(token, str) and token in operators:
            self._at += 1
            return token
        return None

    def _expression(self) -> float:
        total = self._term()
        while operator := self._take("+", "-"):
            self._has_operator = True
            term = self._term()
            total = total + term if operator == "+" else total - term
        return total

    def _term(self) -> float:
        product = self._factor()
        while operator := self._take("*", "/"):
            self._has_operator = True
            factor = self._factor()
            if operator == "/":
                self._is_whole = False
            product = product * factor if operator == "*" else product / factor
        return product

    def _factor(self) -> float:
        if self._take("-"):
            return -self._power()
        return self._power()

    def _power(self) -> float:
        atom = self._atom()
        if not self._take("^"):
            return atom
        self._has_operator = True
        exponent = self._factor()
        if abs(exponent) > MAX_EXPONENT or (atom < 0 and not exponent.is_integer()):
            raise _NotArithmetic
        self._is_whole = self._is_whole and exponent >= 0
        return float(atom**exponent)

    def _atom(self) -> float:
        token = self._peek()
        if isinstance(token, float):
            self._at += 1
            self._is_whole = self._is_whole and token.is_integer()
            return token
        if not self._take("("):
            raise _NotArithmetic
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _NotArithmetic
        inside = self._expression()
        if not self._take(")"):
            raise _NotArithmetic
        self._depth -= 1
        return inside
