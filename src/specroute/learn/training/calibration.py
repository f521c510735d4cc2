"""Platt scaling: makes probabilities of scores, fitted on rows that the scores were not trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CALIBRATION_SHARE = 0.15
"""The share of groups that are kept out of training, to calibrate on."""

_RELIABILITY_BINS = 10


@dataclass(frozen=True, slots=True)
class Platt:
    """p = sigmoid(slope * score + intercept), with the estimator that found the two."""

    estimator: LogisticRegression

    @classmethod
    def fit(cls, scores: NDArray[np.float64], labels: NDArray[np.float64]) -> Platt:
        """Fits by maximum likelihood, without a penalty."""
        return cls(LogisticRegression(C=np.inf, max_iter=1000).fit(scores[:, np.newaxis], labels))

    @property
    def slope(self) -> float:
        """Returns the slope; below 1 the scores were too sure, at or below 0 they say nothing."""
        return float(self.estimator.coef_[0, 0])

    @property
    def intercept(self) -> float:
        """Returns the intercept."""
        return float(self.estimator.intercept_[0])

    def p(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the probabilities of log-odds ``scores``."""
        probabilities: NDArray[np.float64] = self.estimator.predict_proba(scores[:, np.newaxis])[:, 1]
        return probabilities


def is_for_calibration(groups: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Returns which rows are kept out of training: by the hash of seed and group, so it depends on nothing else."""
    limit = int(CALIBRATION_SHARE * 2**32)
    chosen = {group: _draw(f"{seed}:{group}") < limit for group in set(groups)}
    return np.array([chosen[group] for group in groups], dtype=np.bool_)


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")


def reliability(labels: NDArray[np.float64], p: NDArray[np.float64]) -> list[dict[str, float]]:
    """Returns predicted against observed frequency in up to ten bins of equal mass."""
    bins = np.array_split(np.argsort(p, kind="stable"), min(_RELIABILITY_BINS, p.size))
    return [
        {
            "rows": index.size,
            "predicted": round(float(p[index].mean()), 6),
            "observed": round(float(labels[index].mean()), 6),
        }
        for index in bins
    ]
