"""Measures a trained model on rows it has not seen, beside what needs no model: means, the length, a shuffle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from specroute.learn.metrics import Figure, apgr, figure, measure, measure_difference, resamples
from specroute.learn.training.doubt.interval import cells, covered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome, Outcomes
    from specroute.learn.training.train import Trained

    Floats = NDArray[np.float64]

MODEL, SOURCE_MEAN, SUBJECT_MEAN, LENGTH, SHUFFLE = "model", "source_mean", "subject_mean", "length", "shuffle"
BASELINES = (SOURCE_MEAN, SUBJECT_MEAN, LENGTH, SHUFFLE)
DIFFERENCES = ("auroc", "log_loss")
MONEY = {"apgr_deciles": 10, "apgr_trapezoid": None}
POOLED = "pooled"
_PRIOR_ROWS = 5.0

Figures = dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured on a test file.

    Attributes:
        sha256: of the test file's used columns.
        rows: per source and pooled.
        figures: method -> source or ``pooled`` -> metric. APGR is of the rows where both models are graded.
        gains: baseline -> source or ``pooled`` -> metric of the model less that of the baseline, resampled together.
        covered: the share of rows in bins of equal mass, per source, whose frequency is within the mean interval.
    """

    sha256: str
    rows: dict[str, int]
    figures: dict[str, dict[str, Figures]]
    gains: dict[str, dict[str, Figures]]
    covered: float

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for the manifest and ``--json``."""
        return {
            "sha256": self.sha256,
            "rows": self.rows,
            "figures": _plain(self.figures),
            "gain_over": _plain(self.gains),
            "covered": round(self.covered, 4),
        }


def compare(trained: Trained, learnt: Outcomes, test: Outcomes, *, pair: str, seed: int) -> Comparison:
    """Measures the exported graph and the baselines, fitted on the rows of ``learnt``, on the rows of ``test``.

    Raises:
        ValueError: the test file has no row of the pair, or shares groups with ``learnt``.
    """
    known = [row for row in learnt.rows if row.pair == pair]
    rows = [row for row in test.rows if row.pair == pair]
    if not rows:
        raise ValueError(f"the test file has no rows of pair {pair!r}; give one that has, or leave out --test")
    if shared := {row.group_id for row in learnt.rows} & {row.group_id for row in rows}:
        raise ValueError(f"{len(shared)} groups are in both --outcomes and --test; give a test file of unseen groups")
    scores = np.array(trained.scores([row.prompt for row in rows]))
    p, low, high, bad, ok = scores[:, 1:6].T
    methods = {
        MODEL: p,
        SOURCE_MEAN: means(known, rows, lambda row: (row.source,)),
        SUBJECT_MEAN: means(known, rows, lambda row: (row.source, row.subject)),
        LENGTH: _length_only(known, rows),
        SHUFFLE: np.random.default_rng(seed).permutation(p),
    }
    worth = {MODEL: (1.0 - p) * bad - p * (1.0 - ok)} | {name: -methods[name] for name in BASELINES}
    labels = _labels(rows)
    sources = np.array([row.source for row in rows])
    large = np.array([np.nan if row.large_correct is None else row.large_correct for row in rows], dtype=np.float64)
    _, groups = np.unique([row.group_id for row in rows], return_inverse=True)
    parts = {POOLED: np.ones(len(rows), dtype=np.bool_)} | {str(name): sources == name for name in np.unique(sources)}
    figures: dict[str, dict[str, Figures]] = {method: {} for method in methods}
    gains: dict[str, dict[str, Figures]] = {method: {} for method in BASELINES}
    for name, part in parts.items():
        draws = resamples(groups[part], seed)
        for method, values in methods.items():
            figures[method][name] = measure(labels[part], values[part], draws)
            figures[method][name] |= _money(labels[part], large[part], worth[method][part], draws)
        for method in BASELINES:
            gains[method][name] = measure_difference(labels[part], p[part], methods[method][part], draws, DIFFERENCES)
    share = covered(cells(labels, p, sources), low, high)
    return Comparison(test.sha256(), {name: int(part.sum()) for name, part in parts.items()}, figures, gains, share)


def means(known: Sequence[Outcome], rows: Sequence[Outcome], key: Callable[[Outcome], tuple[str, ...]]) -> Floats:
    """Returns the mean label of the known rows of a row's key, shrunk to that of the key's first part, then of all."""
    overall = float(_labels(known).mean())
    by_key: dict[tuple[str, ...], list[bool]] = {}
    for row in known:
        full = key(row)
        for length in range(1, len(full) + 1):
            by_key.setdefault(full[:length], []).append(row.mini_correct)

    def mean(full: tuple[str, ...]) -> float:
        if not full:
            return overall
        labels = by_key.get(full, [])
        prior = mean(full[:-1])
        if len(full) == 1:
            return sum(labels) / len(labels) if labels else prior
        return (sum(labels) + _PRIOR_ROWS * prior) / (len(labels) + _PRIOR_ROWS)

    return np.array([mean(key(row)) for row in rows])


def _money(mini: Floats, large: Floats, worth: Floats, draws: Floats) -> Figures:
    graded = ~np.isnan(large)
    if not graded.any():
        return {name: Figure(None, None, None) for name in MONEY}
    return {
        name: figure(partial(_apgr, mini[graded], large[graded], worth[graded], bins), draws[:, graded])
        for name, bins in MONEY.items()
    }


def _apgr(mini: Floats, large: Floats, worth: Floats, bins: int | None, weights: Floats) -> float:
    return apgr(mini, large, worth, weights, bins)


def _plain(figures: dict[str, dict[str, Figures]]) -> dict[str, Any]:
    return {
        method: {part: {name: value.to_json() for name, value in item.items()} for part, item in parts.items()}
        for method, parts in figures.items()
    }


def _labels(rows: Sequence[Outcome]) -> Floats:
    return np.array([row.mini_correct for row in rows], dtype=np.float64)


def _length_only(known: Sequence[Outcome], rows: Sequence[Outcome]) -> Floats:
    def lengths(of: Sequence[Outcome]) -> Floats:
        return np.array([[math.log1p(len(row.prompt))] for row in of])

    estimator = LogisticRegression(max_iter=1000).fit(lengths(known), _labels(known))
    p: Floats = estimator.predict_proba(lengths(rows))[:, 1]
    return p
