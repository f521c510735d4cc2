"""The model that is trained: logistic regression on hashed n-grams and surface measures, one answer per pair of models.

Difficulty carries over between pairs of models, the level does not. So rows of other pairs may help: every weight is
the sum of one shared by all pairs and one of the pair's own, both shrunk to zero, and each pair has its own intercept
(Daume, "Frustratingly easy domain adaptation", 2007). For the one pair that is served the sum is a plain linear model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from specroute.learn.metrics import log_loss
from specroute.predictor.features import DENSE_SIZE, FeatureExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DENSE_LIMIT = 4.0
"""Standardised surface measures are cut to +-4: a text longer than any seen is no stranger than the longest."""

DENSE_SCALE = 0.3
"""Makes a surface measure about as loud as a word, so that one penalty fits both."""

_OWN_SCALE = 0.7
_MAX_ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A setting to be chosen by cross-validation.

    Attributes:
        inverse_penalty: scikit-learn's ``C``, > 0.
        auxiliary_weight: the weight of a row of another pair, in [0, 1]; 0: such rows are not used.
    """

    inverse_penalty: float
    auxiliary_weight: float


CANDIDATES = tuple(Candidate(c, weight) for weight in (0.0, 0.3) for c in (0.3, 1.0, 3.0))


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows, encoded.

    Attributes:
        matrix: float64[rows, buckets + DENSE_SIZE].
        labels: float64[rows], 0 or 1.
        pairs: int64[rows], the index of the row's pair; 0 is the pair that is served.
        groups: int64[rows].
    """

    matrix: sparse.csr_matrix
    labels: NDArray[np.float64]
    pairs: NDArray[np.int64]
    groups: NDArray[np.int64]

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Returns the rows at ``index``."""
        return Rows(self.matrix[index], self.labels[index], self.pairs[index], self.groups[index])


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns features into a row of the matrix; what the exported graph does too.

    Attributes:
        idf: float64[buckets], the weight of an n-gram: the rarer, the larger.
        mean, std: float64[DENSE_SIZE], of the surface measures.
    """

    idf: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def fit(cls, ngrams: sparse.csr_matrix, dense: NDArray[np.float32]) -> Encoder:
        """Learns the weights from distinct texts, without their labels."""
        frequency = np.bincount(ngrams.indices, minlength=ngrams.shape[1])
        idf = np.log((1.0 + ngrams.shape[0]) / (1.0 + frequency))
        std = dense.std(axis=0, dtype=np.float64)
        return cls(idf, dense.mean(axis=0, dtype=np.float64), np.where(std > 0.0, std, 1.0))

    def encode(self, ngrams: sparse.csr_matrix, dense: NDArray[np.float32]) -> sparse.csr_matrix:
        """Returns n-grams weighted and scaled to length 1, then the surface measures."""
        weighted = ngrams @ sparse.diags(self.idf)
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        scaled = sparse.diags(1.0 / np.where(norms > 0.0, norms, 1.0)) @ weighted
        surface = np.clip((dense - self.mean) / self.std, -DENSE_LIMIT, DENSE_LIMIT) * DENSE_SCALE
        return sparse.hstack([scaled, sparse.csr_matrix(surface)], format="csr")


def extract(extractor: FeatureExtractor, texts: Sequence[str]) -> tuple[sparse.csr_matrix, NDArray[np.float32]]:
    """Returns the n-grams (float64[texts, buckets], 0 or 1) and the surface measures (float32[texts, DENSE_SIZE])."""
    features = [extractor.extract(text) for text in texts]
    starts = np.cumsum([0, *(item.ids.size for item in features)])
    columns = np.concatenate([item.ids for item in features]) if features else np.zeros(0, dtype=np.int64)
    shape = (len(features), extractor.settings.buckets)
    ngrams = sparse.csr_matrix((np.ones(columns.size), columns, starts), shape=shape)
    return ngrams, np.array([item.dense for item in features], dtype=np.float32).reshape(-1, DENSE_SIZE)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A trained model of the served pair."""

    estimator: LogisticRegression
    candidate: Candidate
    pair_count: int

    def decision(self, matrix: sparse.csr_matrix) -> NDArray[np.float64]:
        """Returns the log-odds of encoded rows as the training framework computes them: float64[rows]."""
        design = _design(matrix, np.zeros(matrix.shape[0], dtype=np.int64), self.candidate, self.pair_count)
        scores: NDArray[np.float64] = self.estimator.decision_function(design)
        return scores

    def folded(self) -> tuple[NDArray[np.float64], float]:
        """Returns the weights, float64[buckets + DENSE_SIZE], and the intercept of the served pair alone."""
        weights: NDArray[np.float64] = self.estimator.coef_[0]
        intercept = float(self.estimator.intercept_[0])
        if self.candidate.auxiliary_weight == 0.0:
            return weights, intercept
        size = (weights.size - self.pair_count) // 2
        return weights[:size] + _OWN_SCALE * weights[size : 2 * size], intercept + float(weights[2 * size])


def fit(rows: Rows, candidate: Candidate, pair_count: int) -> LinearModel:
    """Trains on ``rows``; deterministic."""
    own = rows.pairs == 0
    used = rows if candidate.auxiliary_weight > 0.0 else rows.take(np.flatnonzero(own))
    weights = np.where(used.pairs == 0, 1.0, candidate.auxiliary_weight)
    estimator = LogisticRegression(C=candidate.inverse_penalty, max_iter=_MAX_ITERATIONS)
    estimator.fit(_design(used.matrix, used.pairs, candidate, pair_count), used.labels, sample_weight=weights)
    return LinearModel(estimator, candidate, pair_count)


def _design(
    matrix: sparse.csr_matrix, pairs: NDArray[np.int64], candidate: Candidate, pair_count: int
) -> sparse.csr_matrix:
    if candidate.auxiliary_weight == 0.0:
        return matrix
    own = sparse.diags(np.where(pairs == 0, _OWN_SCALE, 0.0)) @ matrix
    intercepts = sparse.csr_matrix((np.ones(pairs.size), (np.arange(pairs.size), pairs)), (pairs.size, pair_count))
    return sparse.hstack([matrix, own, intercepts], format="csr")


@dataclass(frozen=True, slots=True)
class Score:
    """How a candidate did on held-out groups of the served pair; nats."""

    candidate: Candidate
    log_loss: float


def cross_validate(
    rows: Rows, candidates: Sequence[Candidate], *, folds: int, seed: int, report: Callable[[str], None]
) -> tuple[Score, ...]:
    """Scores each candidate on rows of the served pair whose group, in whatever pair, was not trained on.

    ``report`` is told what is about to be trained.
    """
    pair_count = int(rows.pairs.max()) + 1
    splits = list(GroupKFold(folds, shuffle=True, random_state=seed).split(rows.labels, groups=rows.groups))
    scores = []
    for candidate in candidates:
        p = np.full(rows.labels.size, np.nan)
        for fold, (train, held_out) in enumerate(splits, start=1):
            report(f"C={candidate.inverse_penalty:g} auxiliary={candidate.auxiliary_weight:g} fold {fold}/{folds}")
            own = held_out[rows.pairs[held_out] == 0]
            model = fit(rows.take(train), candidate, pair_count)
            p[own] = 1.0 / (1.0 + np.exp(-model.decision(rows.matrix[own])))
        own = np.flatnonzero(rows.pairs == 0)
        scores.append(Score(candidate, log_loss(rows.labels[own], p[own])))
    return tuple(scores)
