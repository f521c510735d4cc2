"""Measures an answer against its prompt: what the verifier's graph reads.

Only what is in the two texts is measured, never where they are from; which kind of output it is (tool calls, a choice,
a stated result) is recognised from them too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.verifier.calling.calls import find_calls
from specroute.predictor.verifier.calling.checks import CALL_NAMES, check_calls
from specroute.predictor.verifier.calling.tools import find_tools
from specroute.predictor.verifier.reading.arithmetic import check_sums
from specroute.predictor.verifier.reading.choice import CHOICE_NAMES, find_options, measure_choice
from specroute.predictor.verifier.reading.final_answer import find_stated
from specroute.predictor.verifier.reading.prose import PROSE_NAMES, measure_prose
from specroute.predictor.verifier.reading.result import RESULT_NAMES, measure_result
from specroute.predictor.verifier.reading.text import read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES_VERSION = 1
"""Raised whenever the same texts would give other measures; an artifact records it."""

CONFIDENCE_NAMES = ("token_probability", "stated_confidence", "log_output_tokens")
FEATURE_NAMES = ("kind", *PROSE_NAMES, *RESULT_NAMES, *CHOICE_NAMES, *CALL_NAMES, *CONFIDENCE_NAMES)
_TEXT_SIZE = len(FEATURE_NAMES) - len(CONFIDENCE_NAMES)
_NO_CHOICE = (-1.0,) * len(CHOICE_NAMES)
_NO_CALL = (-1.0,) * len(CALL_NAMES)
_NO_CONFIDENCE = (-1.0,) * len(CONFIDENCE_NAMES)
_NO_TEXT = (-1.0,) * (_TEXT_SIZE - 1)


class Kind(IntEnum):
    """What an answer can be held against."""

    OPEN = 0
    RESULT = 1
    CHOICE = 2
    CALLS = 3
    CONFIDENCE = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """An answer's kind and its measures: float32[len(FEATURE_NAMES)], finite."""

    kind: Kind
    values: NDArray[np.float32]


def measure(prompt: str, answer: str) -> Measured:
    """Measures ``answer``; both texts may have any length and script."""
    toolbox = find_tools(prompt)
    asked = read_text(toolbox.request)
    said = read_text(answer)
    found = find_calls(said.read) if toolbox.is_offered or answer.lstrip()[:2] == "[{" else None
    stated = find_stated(said.read, said.lower)
    options = find_options(asked.read)
    sums = check_sums(said)
    if found is not None:
        kind = Kind.CALLS
    elif options.texts:
        kind = Kind.CHOICE
    else:
        kind = Kind.RESULT if stated.text or sums.checked or _asks_form(asked.lower) else Kind.OPEN
    values = (
        float(kind),
        *measure_prose(asked, said),
        *measure_result(stated, sums, asked, said),
        *(measure_choice(stated, options, asked, said) if options.texts else _NO_CHOICE),
        *(check_calls(found, toolbox, asked) if found is not None else _NO_CALL),
        *_NO_CONFIDENCE,
    )
    return Measured(kind, _finite(values))


def measure_confidence(
    mean_logprob: float | None, stated_confidence: float | None, output_tokens: int | None
) -> Measured:
    """Measures an answer of which only the confidence is known; a missing value is -1."""
    shown = (
        -1.0 if mean_logprob is None else math.exp(min(0.0, mean_logprob)),
        -1.0 if stated_confidence is None else stated_confidence,
        -1.0 if output_tokens is None else math.log1p(max(0, output_tokens)),
    )
    return Measured(Kind.CONFIDENCE, _finite((float(Kind.CONFIDENCE), *_NO_TEXT, *shown)))


def _asks_form(prompt: str) -> bool:
    """Whether the prompt names a form for the result, so that an answer without it can be told."""
    return '"answer"' in prompt or "<answer>" in prompt


def _finite(values: tuple[float, ...]) -> NDArray[np.float32]:
    array = np.array(values, dtype=np.float32)
    if not np.isfinite(array).all():
        np.nan_to_num(array, copy=False, nan=-1.0, posinf=1e6, neginf=-1e6)
    return array
