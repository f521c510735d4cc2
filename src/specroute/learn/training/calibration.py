"""Platt scaling: makes probabilities of scores, fitted on scores of rows that the models had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from specroute.learn.training.doubt.interval import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RELIABILITY_BINS = 10
_LEAST_OF_A_KIND = 20


@dataclass(frozen=True, slots=True)
class Platt:
    """p = sigmoid(slope * score + intercept).

    Below slope 1 the scores were too sure, at or below 0 they say nothing.
    """

    slope: float
    intercept: float

    @classmethod
    def fit(cls, scores: NDArray[np.float64], labels: NDArray[np.float64]) -> Platt:
        """Fits by maximum likelihood, without a penalty; leaves scores alone where labels of a kind are too few."""
        if min(labels.sum(), (1.0 - labels).sum()) < _LEAST_OF_A_KIND:
            return cls(1.0, 0.0)
        estimator = LogisticRegression(C=np.inf, max_iter=1000).fit(scores[:, np.newaxis], labels)
        return cls(float(estimator.coef_[0, 0]), float(estimator.intercept_[0]))

    def logit(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the calibrated log-odds."""
        return self.slope * scores + self.intercept

    def p(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the probabilities of log-odds ``scores``."""
        return sigmoid(self.logit(scores))


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
