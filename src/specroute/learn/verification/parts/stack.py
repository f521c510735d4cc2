"""The last step: a logistic regression of the answer's score and the prompt's prior odds, for each kind of answer.

Fitted on out-of-fold scores, it calibrates too (Platt, 1999). Weights of different kinds are drawn to a common one, and
none may be negative: evidence that speaks for an answer never lowers its chance, and a better prior always raises it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from specroute.predictor.verifier.features import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PRIOR_LOGIT = 12.0
LEAST_SLOPE, LEAST_PRIOR = 0.2, 0.1
_PULL = 20.0  # how many answers' worth a kind's weights are drawn to the common ones
_SHRINK = 0.5


@dataclass(frozen=True, slots=True)
class Stack:
    """p = sigmoid(slope[kind] * score + prior[kind] * prior_logit + offset[kind]).

    Attributes:
        slope, prior, offset: float64[len(Kind)].
    """

    slope: NDArray[np.float64]
    prior: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        scores: NDArray[np.float64],
        priors: NDArray[np.float64],
        kinds: NDArray[np.int64],
        labels: NDArray[np.float64],
    ) -> Stack:
        """Fits on out-of-fold scores of own answers; deterministic."""
        count = len(Kind)
        priors = np.clip(priors, -MAX_PRIOR_LOGIT, MAX_PRIOR_LOGIT)
        inputs = np.stack([scores, priors, np.ones_like(scores)])

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights, common = flat[:-2].reshape(3, count), flat[-2:]
            logits = (weights[:, kinds] * inputs).sum(axis=0)
            gap = weights[:2] - common[:, np.newaxis]
            value = float(np.logaddexp(0.0, logits).sum() - labels @ logits)
            penalty = float(_PULL * (gap**2).sum() + _SHRINK * (weights[2] ** 2).sum())
            error = expit(logits) - labels
            gradient = np.stack([np.bincount(kinds, error * each, minlength=count) for each in inputs])
            pulled = gradient + 2.0 * np.vstack([_PULL * gap, _SHRINK * weights[2:]])
            return value + penalty, np.concatenate([pulled.ravel(), -2.0 * _PULL * gap.sum(axis=1)])

        start = np.concatenate([np.ones(count), np.full(count, 0.3), np.zeros(count), [1.0, 0.3]])
        least = [LEAST_SLOPE] * count + [LEAST_PRIOR] * count + [None] * count + [LEAST_SLOPE, LEAST_PRIOR]
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=[(low, None) for low in least], options={"maxiter": 500}
        )
        return cls(*found.x[:-2].reshape(3, count))

    def p(
        self, scores: NDArray[np.float64], priors: NDArray[np.float64], kinds: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Returns the probabilities."""
        priors = np.clip(priors, -MAX_PRIOR_LOGIT, MAX_PRIOR_LOGIT)
        return np.asarray(expit(self.slope[kinds] * scores + self.prior[kinds] * priors + self.offset[kinds]))
