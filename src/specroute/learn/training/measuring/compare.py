"""Measures a trained model on rows it has not seen, beside what needs no model: a mean per source, and the length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from specroute.learn.metrics import Figure, measure, measure_difference, resamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome, Outcomes
    from specroute.learn.training.train import Trained

MODEL, SOURCE_MEAN, LENGTH = "model", "source_mean", "length"
POOLED = "pooled"

Figures = dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured on a test file.

    Attributes:
        sha256: of the test file's used columns.
        rows: per source and pooled.
        figures: method -> source or ``pooled`` -> metric.
        gains: baseline -> metric of the model less that of the baseline, pooled, resampled together.
    """

    sha256: str
    rows: dict[str, int]
    figures: dict[str, dict[str, Figures]]
    gains: dict[str, Figures]

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for the manifest and ``--json``."""
        return {
            "sha256": self.sha256,
            "rows": self.rows,
            "figures": {
                method: {source: _plain(figures) for source, figures in sources.items()}
                for method, sources in self.figures.items()
            },
            "gain_over": {baseline: _plain(figures) for baseline, figures in self.gains.items()},
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
    p = {
        MODEL: trained.p([row.prompt for row in rows]),
        SOURCE_MEAN: _source_mean(known, rows),
        LENGTH: _length_only(known, rows),
    }
    labels = _labels(rows)
    sources = np.array([row.source for row in rows])
    _, groups = np.unique([row.group_id for row in rows], return_inverse=True)
    parts = {POOLED: np.ones(len(rows), dtype=np.bool_)} | {name: sources == name for name in sorted(set(sources))}
    figures: dict[str, dict[str, Figures]] = {method: {} for method in p}
    for name, part in parts.items():
        draws = resamples(groups[part], seed)
        for method, values in p.items():
            figures[method][str(name)] = measure(labels[part], values[part], draws)
    draws = resamples(groups, seed)
    gains = {name: measure_difference(labels, p[MODEL], p[name], draws) for name in (SOURCE_MEAN, LENGTH)}
    return Comparison(test.sha256(), {str(name): int(part.sum()) for name, part in parts.items()}, figures, gains)


def _plain(figures: Figures) -> dict[str, dict[str, float | None]]:
    return {metric: figure.to_json() for metric, figure in figures.items()}


def _labels(rows: Sequence[Outcome]) -> NDArray[np.float64]:
    return np.array([row.mini_correct for row in rows], dtype=np.float64)


def _source_mean(known: Sequence[Outcome], rows: Sequence[Outcome]) -> NDArray[np.float64]:
    by_source: dict[str, list[bool]] = {}
    for row in known:
        by_source.setdefault(row.source, []).append(row.mini_correct)
    overall = float(_labels(known).mean())
    means = {source: sum(labels) / len(labels) for source, labels in by_source.items()}
    return np.array([means.get(row.source, overall) for row in rows])


def _length_only(known: Sequence[Outcome], rows: Sequence[Outcome]) -> NDArray[np.float64]:
    def lengths(of: Sequence[Outcome]) -> NDArray[np.float64]:
        return np.array([[math.log1p(len(row.prompt))] for row in of])

    estimator = LogisticRegression(max_iter=1000).fit(lengths(known), _labels(known))
    p: NDArray[np.float64] = estimator.predict_proba(lengths(rows))[:, 1]
    return p
