"""Measures the surface of a text: how long it is, and how much of it is digits, code, maths, questions, choices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.predictor.text.ngrams import Tokens

SURFACE_NAMES = (
    "log_chars",
    "log_tokens",
    "token_chars",
    "distinct_ratio",
    "digit_ratio",
    "upper_ratio",
    "math_ratio",
    "code_ratio",
    "quote_ratio",
    "other_script_ratio",
    "log_lines",
    "log_numbers",
    "longest_number",
    "log_questions",
    "log_sentences",
    "log_choices",
)
"""What is measured, in order; logarithms are ``log1p`` of a count, ratios are of the characters read."""

_BYTE = np.dtype(np.uint8)
_NOT_ASCII = 127  # the delete character, which no prompt is made of, stands for all code points above


_GROUPS = (
    "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "+-*/=^<>%$\\", "{}[]();_#&|", "\"'`", chr(_NOT_ASCII), "\n", "?", ".!"
)  # fmt: skip
_CLASSES = bytes(next((1 + at for at, group in enumerate(_GROUPS) if chr(code) in group), 0) for code in range(256))
_CHOICE_MARKS = np.zeros(128, dtype=np.bool_)
_CHOICE_MARKS[[ord(mark) for mark in ").:"]] = True


def measure(read: str, total_chars: int, tokens: Tokens, distinct_ngrams: int) -> NDArray[np.float32]:
    """Returns float32[len(SURFACE_NAMES)], finite, of the part ``read`` of a text of ``total_chars`` characters."""
    latin = _latin(read)
    counts = np.bincount(np.frombuffer(latin.translate(_CLASSES), _BYTE), minlength=1 + len(_GROUPS)).tolist()
    ratios = [count / max(1, len(read)) for count in counts[1:7]]
    lines, questions, sentences = counts[7:]
    words = tokens.lengths.size
    numbers = tokens.number_lengths()
    values = (
        math.log1p(total_chars),
        math.log1p(words),
        tokens.chars / max(1, words),
        distinct_ngrams / max(1, 2 * words - 1),
        *ratios,
        math.log1p(lines),
        math.log1p(numbers.size),
        float(np.maximum.reduce(numbers)) if numbers.size else 0.0,
        math.log1p(questions),
        math.log1p(sentences),
        math.log1p(_choices(latin)) if lines else 0.0,
    )
    return np.array(values, dtype=np.float32)


def _latin(text: str) -> bytes:
    if text.isascii():
        return text.encode("ascii")
    points: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return np.minimum(points, _NOT_ASCII).astype(np.uint8).tobytes()


def _choices(text: bytes) -> int:
    """Counts lines that start like ``A)``, ``B.`` or ``C:``: the choices of a question."""
    latin = np.frombuffer(text, _BYTE)
    newlines = (latin[:-2] == ord("\n")).nonzero()[0]
    letters = latin.take(newlines + 1)
    marks = latin.take(newlines + 2)
    return int(np.count_nonzero((letters >= ord("A")) & (letters <= ord("Z")) & _CHOICE_MARKS.take(marks)))
