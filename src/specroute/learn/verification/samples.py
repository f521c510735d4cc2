"""Recorded answers as the rows that the verifier learns from: of every model that answered, not of the mini alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.verifier.features import FEATURE_NAMES, Kind, measure, measure_confidence
from specroute.predictor.verifier.reading.choice import find_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome
    from specroute.predictor.verifier.features import Measured

MAX_AUXILIARY = 15_000
"""The most answers of other models that are learnt from; a random sample beyond that."""

KIND_COLUMN = FEATURE_NAMES.index("kind")


@dataclass(frozen=True, slots=True)
class Samples:
    """Answers with their labels.

    Attributes:
        values: float32[n, len(FEATURE_NAMES)].
        kinds: int64[n], of ``Kind``.
        labels: float64[n], 1 where the answer was acceptable.
        answerers: int64[n], index into ``names``.
        names: of the models that answered; the served mini first.
        rows: int64[n], the index of the outcome.
        folds: int64[n].
        is_own: bool[n], whether the served mini of the served pair gave it.
    """

    values: NDArray[np.float32]
    kinds: NDArray[np.int64]
    labels: NDArray[np.float64]
    answerers: NDArray[np.int64]
    names: tuple[str, ...]
    rows: NDArray[np.int64]
    folds: NDArray[np.int64]
    is_own: NDArray[np.bool_]

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Samples:
        """Returns the samples at ``index``."""
        return Samples(
            self.values[index],
            self.kinds[index],
            self.labels[index],
            self.answerers[index],
            self.names,
            self.rows[index],
            self.folds[index],
            self.is_own[index],
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    row: int
    answerer: str
    label: bool
    is_own: bool
    is_large: bool


def collect(rows: Sequence[Outcome], folds: NDArray[np.int64], own_pair: str, seed: int) -> Samples:
    """Measures every answer of the own pair's mini that can be judged, and answers of others of the same kinds."""
    own, other = _answers(rows, own_pair)
    measured = _judged(rows, own)
    kinds = {found.kind for _, found in measured}
    if Kind.CHOICE not in kinds:  # told at a glance, so that half of the work is not done for nothing
        other = [answer for answer in other if not find_options(rows[answer.row].prompt).texts]
    chosen = np.random.default_rng(seed).permutation(len(other))[:MAX_AUXILIARY]
    measured += [item for item in _judged(rows, [other[i] for i in np.sort(chosen)]) if item[1].kind in kinds]
    mini = _models(own_pair)[0]
    names = (mini, *sorted({answer.answerer for answer, _ in measured} - {mini}))
    index = np.array([answer.row for answer, _ in measured], dtype=np.int64)
    return Samples(
        values=np.array([found.values for _, found in measured], dtype=np.float32).reshape(-1, len(FEATURE_NAMES)),
        kinds=np.array([found.kind for _, found in measured], dtype=np.int64),
        labels=np.array([answer.label for answer, _ in measured], dtype=np.float64),
        answerers=np.array([names.index(answer.answerer) for answer, _ in measured], dtype=np.int64),
        names=names,
        rows=index,
        folds=folds[index],
        is_own=np.array([answer.is_own for answer, _ in measured], dtype=np.bool_),
    )


def _judged(rows: Sequence[Outcome], answers: Sequence[_Answer]) -> list[tuple[_Answer, Measured]]:
    found = ((answer, _measured(rows[answer.row], answer)) for answer in answers)
    return [(answer, measured) for answer, measured in found if measured is not None and measured.kind is not Kind.OPEN]


def _answers(rows: Sequence[Outcome], own_pair: str) -> tuple[list[_Answer], list[_Answer]]:
    own, other = list[_Answer](), list[_Answer]()
    for index, row in enumerate(rows):
        mini, large = _models(row.pair)
        is_own = row.pair == own_pair
        (own if is_own else other).append(_Answer(index, mini, row.mini_correct, is_own, is_large=False))
        if row.large_response is not None and row.large_correct is not None:
            other.append(_Answer(index, large, row.large_correct, is_own=False, is_large=True))
    return own, [answer for answer in other if answer.is_large or rows[answer.row].mini_response is not None]


def _models(pair: str) -> tuple[str, str]:
    mini, mark, large = pair.partition("|")
    return (mini, large) if mark else (f"{pair} mini", f"{pair} large")


def _measured(row: Outcome, answer: _Answer) -> Measured | None:
    text = row.large_response if answer.is_large else row.mini_response
    if text is not None:
        return measure(row.prompt, text) if text and not text.isspace() else None
    if row.mini_logprob_conf is None and row.mini_verbal_conf is None:
        return None
    tokens = row.mini_output_tokens
    logprob = None if row.mini_logprob_conf is None else math.log(max(1e-9, row.mini_logprob_conf))
    return measure_confidence(logprob, row.mini_verbal_conf, None if tokens is None else int(tokens))
