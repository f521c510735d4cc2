"""Re-computes the sums that a text writes out: "12 * 3 = 36" holds, "12 * 7 = 82" does not.

Only what is plainly arithmetic is computed: numbers, ``+ - * / ^``, brackets and equals signs. A sum with a word, a
variable or a unit inside is left alone, as is one near words of another arithmetic (modulo, bases, remainders). What is
rounded, a percentage, or written with the other decimal sign counts as right where any reading of it is, and a sum is
called wrong only where none is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import re2

from specroute.validators.quality.expression import MAX_CHARACTERS as LONGEST
from specroute.validators.quality.expression import Reading, Value, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARACTERS: Final = 20_000
"""A longer text is read from its end."""
MAX_SUMS: Final = 200

_WRITTEN = str.maketrans(
    dict(zip("−×·⋅∙÷＝＋－％（）\u00a0\u202f", "-****/=+-%()  ", strict=True)) | dict.fromkeys("$€£¥", "")
)
_LATEX = (("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("{,}", ","), ("\\,", " "), ("\\!", ""), ("\\%", "%"),
          ("\\(", " "), ("\\)", " "), ("\\[", " "), ("\\]", " "), ("\\$", "$"))  # fmt: skip
_POWER = re2.compile(r"([0-9)])\*\*([0-9(])")
_TIMES = (re2.compile(r"([0-9)])[xX]([0-9(])"), re2.compile(r"([0-9)] )[xX]( [0-9(])"))
_DASH = re2.compile(r"([0-9)] )–( [0-9(])")
_RUN = re2.compile(r"[0-9 ().,+\-*/^=%]*[0-9)%] *=[0-9 ().,+\-*/^=%]*[0-9)%]")
_ITEM = re2.compile(r"^ *(?:[-*+] +)?(?:[0-9]{1,2}[.)] +)?")
_OTHER_ARITHMETIC = re2.compile(
    r"(?i)\b(?:mod|modulo|modulus|remainder|rest|reste|resto|base|binary|hex\w*|octal|xor|bits?|approx\w*|not|if|suppose"
    r"|assum\w*|instead|incorrect\w*|wrong)\b|余|如果|≠|≈"
)
_FUNCTION = re2.compile(r"(?i)(?:^|[^a-z])(?:[a-z]|sin|cos|tan|log|ln|exp|sqrt|min|max|gcd|lcm|of|over|times|mod)\s*$")
_SCALE = re2.compile(
    r"(?i)^ ?(?:[a-z]\b|[a-z]*illions?\b|thousand|hundred|dozen|mrd|mio|tausend|mille?\b|over\b|times\b|mod|rem"
    r"|万|亿|千|百)"
)
_PART = re2.compile(r"([0-9]%) of ([0-9(])")
_FRACTION = re2.compile(r"[0-9]\.([0-9]+)")
_NEAR = 60
_READINGS = (Reading(), Reading(0.01), Reading(comma_is_decimal=True), Reading(0.01, comma_is_decimal=True))


class Sums(NamedTuple):
    """The sums of one text.

    Attributes:
        checked: how many were re-computed.
        wrong: how many of them do not hold.
        last: the right-hand side of the last one that was re-computed; ``None``: there is none.
    """

    checked: int
    wrong: int
    last: float | None


def check_sums(text: str) -> Sums:
    """Returns what the sums of ``text`` say."""
    checked = wrong = 0
    last: float | None = None
    for left, right in equations(text):
        holds = _holds(left, right)
        if holds is None:
            continue
        checked += 1
        wrong += not holds
        result = evaluate(right, Reading())
        last = last if result is None else result.number
        if checked >= MAX_SUMS:
            break
    return Sums(checked, wrong, last)


def equations(text: str) -> Iterator[tuple[str, str]]:
    """Yields the two sides of every plain equation; of a chain, each two neighbours."""
    # In a text that was taken out of JSON as it stands, lines end in an escape.
    for written in text[-MAX_CHARACTERS:].replace("\\n", "\n").splitlines():
        if "=" in written or "＝" in written:
            line = _plain(written)
            for run in _RUN.finditer(line):
                yield from _sides(line, run.start(), run.end())


def _plain(text: str) -> str:
    for written, mark in _LATEX:
        text = text.replace(written, mark)
    text = _POWER.sub(r"\1^\2", text).replace("**", "").translate(_WRITTEN)
    for pattern in _TIMES:
        text = pattern.sub(r"\1*\2", pattern.sub(r"\1*\2", text))
    return str(_PART.sub(r"\1 * \2", _DASH.sub(r"\1-\2", text)))


def _sides(line: str, start: int, end: int) -> Iterator[tuple[str, str]]:
    start += len(line[start:end]) - len(line[start:end].lstrip())
    before, after = line[max(0, start - _NEAR) : start], line[end : end + _NEAR]
    if _OTHER_ARITHMETIC.search(before) or _OTHER_ARITHMETIC.search(after):
        return
    run = line[start:end]
    opening = 0
    if not before.strip():
        opening = len(run) - len(_ITEM.sub("", run, count=1))
    sides = [side.strip(" .,") for side in run[opening:].split("=")]
    if max(map(len, sides)) > LONGEST:
        return
    if "" in sides[1:-1]:  # a comparison of a programming language
        return
    sides[0] = _whole_beginning(sides[0], before if opening == 0 else "")
    sides[-1] = _whole_end(sides[-1], after)
    # What stands below "/" in "3 * 10^8 / 2 * 10^4" is for a reader to tell.
    sides = ["" if "^" in side and "/" in side and "(" not in side else side for side in sides]
    yield from (pair for pair in pairwise(sides) if all(pair))


def _whole_beginning(side: str, before: str) -> str:
    """Returns the first side of a chain, "" where something before it belongs to it."""
    while side.count("(") > side.count(")") and side.startswith("("):
        side = side[1:].lstrip()
    glued = before[-1:]
    if glued and (glued.isalnum() or glued in "_])}.,^!:&|'\"\\/√∑∏~"):
        return ""
    if side[:1] in "+*/^)%" or _FUNCTION.search(before):
        return ""
    tail = before.rstrip()[-1:]
    if side[:1] == "-" and tail and tail not in ":;=(,":
        return ""
    if side[:1] == "(" and side[-1:] == ")" and tail.isalpha():  # a remark: "the rest (40 / 2) = 20"
        return ""
    return side if not tail or tail not in "^√∑∏\\]})+*/|" else ""


def _whole_end(side: str, after: str) -> str:
    """Returns the last side of a chain, "" where something after it belongs to it."""
    while side.count(")") > side.count("(") and side.endswith(")"):
        side = side[:-1].rstrip()
    glued, head = after[:1], after.lstrip()[:1]
    if glued and (glued.isalnum() or glued in "_[{^!:'\"\\√²³°/"):
        return ""
    if head and head in "^√∑∏\\[{|&~!±":
        return ""
    return "" if _SCALE.match(after) else side


def _holds(left: str, right: str) -> bool | None:
    """Returns whether any reading of two sides makes them equal; ``None``: there is nothing to compute."""
    computed = False
    for reading in _READINGS:
        one, other = evaluate(left, reading), evaluate(right, reading)
        if one is None or other is None or not (one.has_operator or other.has_operator):
            continue
        if not one.has_operator and other.has_operator and one.number == other.first:
            return None  # a remark that goes on: "= 6 * 2 = 12"
        computed = True
        if _equal(one, other, max(_rounding_unit(left, one, reading), _rounding_unit(right, other, reading))):
            return True
    return False if computed else None


def _rounding_unit(side: str, value: Value, reading: Reading) -> float:
    """Returns what one step of the last digit is worth: of a stated number, or of the roughest decimal in a sum."""
    fractions = [len(digits) for digits in _FRACTION.findall(side)]
    if not fractions and value.has_operator:
        return 0.0
    return 10.0 ** -min(fractions, default=0) * (reading.percent if side.endswith("%") else 1.0)


def _equal(one: Value, other: Value, unit: float) -> bool:
    gap = abs(one.number - other.number)
    if gap <= 1e-9 * max(abs(one.number), abs(other.number)):
        return True
    if other.has_operator and one.number == other.first:
        return True  # run on: "24 / 4 = 6 * 2 = 12"
    if one.is_whole and other.is_whole:
        return False
    size = max(abs(one.number), abs(other.number))
    if one.number == round(one.number) and other.is_whole:
        return False
    return gap <= max(1.01 * unit, 0.01 * size)
