"""Multiple choice: the options of a prompt, which one an answer takes, and what speaks for that one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.verifier.reading.text import read_number
from specroute.predictor.verifier.reading.words import words

if TYPE_CHECKING:
    from specroute.predictor.verifier.reading.final_answer import Stated
    from specroute.predictor.verifier.reading.text import Text

CHOICE_NAMES = (
    "options",
    "options_numeric",
    "options_chars",
    "chosen",
    "chosen_to_mean",
    "chosen_longest",
    "chosen_words",
    "chosen_overlap",
    "chosen_overlap_lead",
    "chosen_overlap_rank",
    "chosen_verbatim",
    "others_verbatim",
    "chosen_last_place",
    "chosen_value_seen",
    "values_seen",
    "last_number_gap",
    "last_number_lead",
    "last_number_is_other",
    "letters_named",
    "chosen_named_share",
    "chosen_is_none_of",
    "chosen_share_digits",
    "options_overlap",
    "question_words",
    "chosen_rank_value",
)
"""What is measured, in order; -1 where the answer takes no option or nothing can be compared."""

_OTHER = ("none of", "all of", "both ", "neither")


MAX_OPTIONS = 26
_MAX_LETTER_GAP = 12


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a prompt.

    Attributes:
        texts: of option A, B ...; empty: the prompt has none.
        start: where the first one begins in the prompt.
    """

    texts: tuple[str, ...]
    start: int


NO_OPTIONS = Options((), -1)


def find_options(prompt: str) -> Options:
    """Returns the last run of lines that begin with A, B, C ... and a mark: ``A.``, ``B)``, ``(C)``, ``D:``."""
    start = max(prompt.rfind(f"\n{opening}") for opening in ("A. ", "A) ", "(A) ", "A: ", "A.", "A)"))
    if start < 0:
        return NO_OPTIONS
    texts: list[str] = []
    for line in prompt[start + 1 :].split("\n", 4 * MAX_OPTIONS)[: 4 * MAX_OPTIONS]:
        if len(texts) == MAX_OPTIONS:
            break
        body = _after_letter(line, chr(ord("A") + len(texts)))
        if body is not None:
            texts.append(body)
        elif not line.strip():
            if len(texts) > 1:
                break
        elif texts and len(texts) < 2:
            texts[-1] = f"{texts[-1]} {line}"
    return Options(tuple(texts), start + 1) if len(texts) > 1 else NO_OPTIONS


def _after_letter(line: str, letter: str) -> str | None:
    bare = line.lstrip()
    if bare[:1] == "(":
        return bare[3:].strip() if bare[1:3] == f"{letter})" else None
    return bare[2:].strip() if bare[:1] == letter and bare[1:2] in (".", ")", ":") else None


def chosen_letter(stated: str, count: int) -> int:
    """Returns the index of the option that a stated answer names, or -1.

    Args:
        stated: what follows "the answer is", or the content of an answer field.
        count: how many options there are.
    """
    head = stated[:_MAX_LETTER_GAP].lstrip(" \t(*[{\"'`:\n")
    if not head:
        return -1
    letter = head[0].upper()
    index = ord(letter) - ord("A") if len(letter) == 1 else -1  # ß has no capital of one character
    follows = head[1:2]
    return index if 0 <= index < count and not (follows.isalnum() or follows == "'") else -1


def measure_choice(stated: Stated, options: Options, asked: Text, said: Text) -> list[float]:
    """Returns the measures of ``CHOICE_NAMES`` for a prompt that has options."""
    texts = [text.lower() for text in options.texts]
    index = chosen_letter(stated.text, len(texts)) if stated.text else -1
    if index < 0:
        index = _last_letter(said, len(texts))
    values = [read_number(text) for text in texts]
    known = [value for value in values if value is not None]
    lengths = [len(text) for text in texts]
    before = said.lower[: stated.start] if stated.start > 0 else said.lower
    head = [
        float(len(texts)),
        len(known) / len(texts),
        math.log1p(sum(lengths) / len(texts)),
        float(index),
    ]
    question = math.log1p(max(0, asked.words - sum(len(text.split()) for text in texts)))
    if index < 0:
        return [*head, *(-1.0,) * 19, question, -1.0]
    return [
        *head,
        lengths[index] / max(1.0, sum(lengths) / len(lengths)),
        float(lengths[index] == max(lengths)),
        math.log1p(len(texts[index].split())),
        *_overlap(texts, index, before),
        *_verbatim(texts, index, before),
        *_values(values, index, said, stated.start),
        *_letters(said, index, len(texts)),
        float(any(mark in texts[index] for mark in _OTHER)),
        sum(letter.isdigit() for letter in texts[index]) / max(1, lengths[index]),
        _alike(texts),
        question,
        sum(value < values[index] for value in known) / len(known) if values[index] is not None else -1.0,  # type: ignore[operator]
    ]


def _last_letter(said: Text, count: int) -> int:
    """Returns the option of the last ``(X)`` in the answer, or -1."""
    end = said.read.rfind(")")
    while end >= 2:
        if said.read[end - 2] == "(":
            index = ord(said.read[end - 1]) - ord("A")
            if 0 <= index < count:
                return index
        end = said.read.rfind(")", 0, end)
    return -1


def _overlap(texts: list[str], index: int, before: str) -> list[float]:
    seen = set(words(before))
    shares = []
    for text in texts:
        parts = words(text)
        shares.append(sum(part in seen for part in parts) / len(parts) if parts else 0.0)
    others = shares[:index] + shares[index + 1 :]
    return [shares[index], shares[index] - max(others, default=0.0), float(sum(s > shares[index] for s in others))]


def _verbatim(texts: list[str], index: int, before: str) -> list[float]:
    places = [before.rfind(text[:80].rstrip(". ")) if len(text) > 1 else -1 for text in texts]
    others = places[:index] + places[index + 1 :]
    return [
        float(places[index] >= 0),
        float(sum(place >= 0 for place in others)),
        float(places[index] > max(others, default=-1)),
    ]


def _values(values: list[float | None], index: int, said: Text, start: int) -> list[float]:
    chosen = values[index]
    known = np.array([math.nan if value is None else abs(value) for value in values])
    numbers = [abs(number.value) for number in said.numbers if start <= 0 or number.start < start]
    if chosen is None or not numbers:
        return [-1.0] * 5
    array = np.array(numbers)
    scale = np.maximum(np.abs(known), 1e-9)
    with np.errstate(invalid="ignore"):
        near = np.abs(array[:, np.newaxis] - known) <= 0.011 * scale
        gaps = np.abs(array[-1] - known) / scale
    seen = near.any(axis=0)
    others = np.delete(gaps, index)
    best = float(np.nanmin(others)) if np.isfinite(others).any() else 9.0
    own = min(9.0, float(gaps[index]))
    is_other = bool(near[-6:, :].any(axis=0)[np.arange(len(values)) != index].any())
    return [float(seen[index]), float(seen.sum()), own, min(9.0, best) - own, float(is_other)]


def _letters(said: Text, index: int, count: int) -> list[float]:
    named = [0] * count
    start = said.read.find("(")
    while start >= 0:
        letter = ord(said.read[start + 1]) - ord("A") if start + 2 < len(said.read) else -1
        if 0 <= letter < count and said.read[start + 2] == ")":
            named[letter] += 1
        start = said.read.find("(", start + 1)
    return [float(sum(each > 0 for each in named)), named[index] / max(1, sum(named))]


def _alike(texts: list[str]) -> float:
    sets = [set(text.split()) for text in texts]
    pairs = [len(a & b) / max(1, len(a | b)) for a, b in pairwise(sets)]
    return sum(pairs) / max(1, len(pairs))
