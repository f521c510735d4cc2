"""Measures of any answer: length, make-up, repetition, overlap with the prompt, hedging, and the prompt itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.verifier.reading.text import SHARE_NAMES, contained, distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.predictor.verifier.reading.text import Text

_HEDGES = (
    "however", "approximately", "assum", "perhaps", "might", "likely", "probably", "unclear", "not sure", "seems",
    "closest", "none of the", "not provided", "cannot", "unable", "sorry", "not possible", "ambiguous", "typically",
)  # fmt: skip
_TURNS = ("wait", "actually", "mistake", "let me re", "let's re", "correct", "instead", " but ", "although")
_STEPS = ("therefore", "thus", "so,", "hence", "first", "next", "finally", "step", "since", "because", "means")
_CODE = (
    "def ",
    "return ",
    "for ",
    "while ",
    "if ",
    "elif ",
    "lambda",
    "import ",
    ".append",
    ".pop",
    ".split",
    "range(",
)
_COMPARING = ("larger", "greater", "bigger", "higher", "smaller", "lesser", "lower", "compar", "which of", "between")

PROSE_NAMES = (
    "log_chars",
    "log_words",
    "length_to_prompt",
    *(f"share_{name}" for name in SHARE_NAMES),
    "distinct",
    "repeated_4grams",
    "overlap",
    "prompt_covered",
    "new_words",
    "log_lines",
    "fences",
    "bold",
    "backslashes",
    "hedges",
    "turns",
    "steps",
    "ends_open",
    "opening_overlap",
    "prompt_log_chars",
    "prompt_log_words",
    *(f"prompt_share_{name}" for name in SHARE_NAMES),
    "prompt_numbers",
    "prompt_fractions",
    "prompt_largest_number",
    "prompt_word_chars",
    "prompt_symbols",
    "prompt_comparing",
    "prompt_code",
    "prompt_loops",
    "prompt_sentences",
    "prompt_asks_json",
    "prompt_asks_tag",
    "prompt_backslashes",
    "prompt_longest_word",
)
"""What is measured, in order: shares are in [0, 1], the rest counts or logarithms of counts."""

_GRAM = np.uint64(0x9E3779B97F4A7C15)


def measure_prose(asked: Text, said: Text) -> list[float]:
    """Returns the measures of ``PROSE_NAMES``."""
    return [*_answer(asked, said), *_prompt(asked)]


def _answer(asked: Text, said: Text) -> list[float]:
    mine, theirs = said.tokens.hashes, distinct(asked.tokens.hashes)
    kinds = distinct(mine)
    shared = int(contained(kinds, theirs).sum())
    lower = said.lower
    per_word = 100.0 / max(20, mine.size)
    return [
        math.log1p(said.total_chars),
        math.log1p(mine.size),
        math.log1p(said.total_chars) - math.log1p(asked.total_chars),
        *said.shares,
        kinds.size / max(1, mine.size),
        _repeated(mine),
        shared / max(1, kinds.size),
        shared / max(1, theirs.size),
        math.log1p(kinds.size - shared),
        math.log1p(said.count("\n")),
        float(lower.count("```")),
        float(lower.count("**")),
        math.log1p(said.count("\\")),
        sum(lower.count(word) for word in _HEDGES) * per_word,
        sum(lower.count(word) for word in _TURNS) * per_word,
        sum(lower.count(word) for word in _STEPS) * per_word,
        float(lower.rstrip()[-1:] not in (".", "!", "?", ")", "}", "]", "`", ">", '"', "。", "।")),
        float(contained(mine[:12], theirs).mean()) if mine.size else 0.0,
    ]


def _prompt(asked: Text) -> list[float]:
    lower = asked.lower
    return [
        math.log1p(asked.total_chars),
        math.log1p(asked.words),
        *asked.shares,
        math.log1p(len(asked.numbers)),
        sum(not number.value.is_integer() for number in asked.numbers) / max(1, len(asked.numbers)),
        math.log1p(max((abs(number.value) for number in asked.numbers), default=0.0)),
        float(asked.tokens.lengths.mean()) if asked.words else 0.0,
        math.log1p(sum(asked.count(mark) for mark in "$^=<>\\")),
        sum(lower.count(mark) for mark in _COMPARING) * 100.0 / max(20, asked.words),
        math.log1p(sum(lower.count(mark) for mark in _CODE)),
        math.log1p(lower.count("for ") + lower.count("while ")),
        math.log1p(lower.count(". ") + lower.count("? ") + asked.count("\n")),
        float('"answer"' in lower or "json" in lower),
        float("<answer>" in lower),
        math.log1p(asked.count("\\")),
        math.log1p(float(asked.tokens.lengths.max(initial=0))),
    ]


def _repeated(hashes: NDArray[np.uint64]) -> float:
    if hashes.size < 8:
        return 0.0
    grams = ((hashes[:-3] * _GRAM + hashes[1:-2]) * _GRAM + hashes[2:-1]) * _GRAM + hashes[3:]
    return 1.0 - float(distinct(grams).size) / grams.size
