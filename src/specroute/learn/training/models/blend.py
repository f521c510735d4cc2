"""The model that is trained: the mean of a linear model on words and a small network on what words have in common.

Three questions are answered in log-odds: is the mini's answer acceptable; is the large model's where the mini's is not;
is it where the mini's is. The linear half learns from the served pair alone. The network learns, beside them, whether
each other model of the outcomes was right, which pulls its hidden layer to what makes a prompt hard for any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from specroute.learn.training.doubt.interval import logit
from specroute.learn.training.models.network import Network, Targets, fit_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    Floats = NDArray[np.float64]

OK, LARGE_IF_BAD, LARGE_IF_OK = 0, 1, 2
QUESTIONS = 3

LEAST_OF_A_KIND = 20
_PRIOR = (0.7, 0.56, 0.92)  # of each question, where there are too few rows to learn from
_PRIOR_ROWS = 10.0
_MAX_ITERATIONS = 1000
_TOKEN_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Corpus:
    """Recorded outcomes as arrays: t distinct texts, r rows, several of which may share a text.

    Attributes:
        matrix: float64[t, buckets + DENSE_SIZE], encoded.
        coordinates: float32[t, rank], standardised, in the low-rank basis.
        surface: float32[t, DENSE_SIZE], standardised and cut.
        density: float64[t, f], what a density is over: directions, then surface.
        text_of: int64[r].
        pairs: int64[r]; 0 is the pair that is served.
        mini, large: float64[r], 0 or 1; ``large`` may be NaN.
        tokens: float64[r], of the mini's answer; NaN: not recorded.
        groups: int64[r].
        sources: str[r].
    """

    matrix: sparse.csr_matrix
    coordinates: NDArray[np.float32]
    surface: NDArray[np.float32]
    density: Floats
    text_of: NDArray[np.int64]
    pairs: NDArray[np.int64]
    mini: Floats
    large: Floats
    tokens: Floats
    groups: NDArray[np.int64]
    sources: NDArray[np.str_]

    @property
    def is_own(self) -> NDArray[np.bool_]:
        """Which rows are of the served pair."""
        is_own: NDArray[np.bool_] = self.pairs == 0
        return is_own

    def inputs(self) -> NDArray[np.float32]:
        """Returns what the network reads of each text: float32[t, rank + DENSE_SIZE]."""
        return np.concatenate([self.coordinates, self.surface], axis=1)

    def labels(self) -> Floats:
        """Returns float64[r, QUESTIONS], the answers of the three questions; NaN where a question does not arise."""
        return np.stack(
            [self.mini, np.where(self.mini == 0.0, self.large, np.nan), np.where(self.mini == 1.0, self.large, np.nan)],
            axis=1,
        )


@dataclass(frozen=True, slots=True)
class Blend:
    """A trained model.

    Attributes:
        weights: float64[buckets + DENSE_SIZE, QUESTIONS], of the linear half.
        intercepts: float64[QUESTIONS].
        network: the other half; its outputs are the questions, then the length of the mini's answer.
        token_mean, token_std: of log(1 + tokens), for the last output; both 0: no length was recorded.
    """

    weights: Floats
    intercepts: Floats
    network: Network
    token_mean: float
    token_std: float

    def logits(self, matrix: sparse.csr_matrix, inputs: NDArray[np.float32]) -> Floats:
        """Returns float64[texts, QUESTIONS], the mean of both halves before calibration."""
        linear = np.asarray(matrix @ self.weights) + self.intercepts
        logits: Floats = 0.5 * (linear + self.network.outputs(inputs)[:, :QUESTIONS])
        return logits


@dataclass(frozen=True, slots=True)
class Settings:
    """What cross-validation chooses.

    Attributes:
        inverse_penalty: scikit-learn's ``C`` of the linear half, > 0.
        auxiliary_weight: of a grade of another pair's models in the network, in [0, 1]; 0: they are not learnt from.
    """

    inverse_penalty: float
    auxiliary_weight: float


@dataclass(frozen=True, slots=True)
class Linear:
    """One question's linear half: float64[buckets + DENSE_SIZE] and an intercept.

    ``is_constant``: there were too few rows to learn more than a share, shrunk to a prior.
    """

    weights: Floats
    intercept: float
    is_constant: bool

    def logits(self, matrix: sparse.csr_matrix) -> Floats:
        """Returns float64[texts]."""
        return np.asarray(matrix @ self.weights) + self.intercept


@dataclass(frozen=True, slots=True)
class Sized:
    """The network half, with mean and deviation of log(1 + tokens) that its last output is in; 0, 0: none recorded."""

    network: Network
    token_mean: float
    token_std: float


def fit_blend(corpus: Corpus, rows: NDArray[np.bool_], settings: Settings, seed: int) -> Blend:
    """Trains both halves on the rows that ``rows`` (bool[r]) marks; deterministic."""
    linear = [fit_linear(corpus, rows, question, settings.inverse_penalty) for question in range(QUESTIONS)]
    sized = fit_sized(corpus, rows, settings.auxiliary_weight, seed)
    return Blend(
        np.stack([half.weights for half in linear], axis=1),
        np.array([half.intercept for half in linear]),
        with_constants(sized.network, linear),
        sized.token_mean,
        sized.token_std,
    )


def fit_linear(corpus: Corpus, rows: NDArray[np.bool_], question: int, inverse_penalty: float) -> Linear:
    """Trains one question's linear half on the served pair's rows among ``rows``; deterministic."""
    labels = corpus.labels()[:, question]
    known = np.flatnonzero(rows & corpus.is_own & ~np.isnan(labels))
    answers = labels[known]
    if min(answers.sum(), (1.0 - answers).sum()) < LEAST_OF_A_KIND:
        share = (answers.sum() + _PRIOR[question] * _PRIOR_ROWS) / (answers.size + _PRIOR_ROWS)
        return Linear(np.zeros(corpus.matrix.shape[1]), float(logit(np.array([share]))[0]), is_constant=True)
    estimator = LogisticRegression(C=inverse_penalty, max_iter=_MAX_ITERATIONS)
    estimator.fit(corpus.matrix[corpus.text_of[known]], answers)
    return Linear(estimator.coef_[0], float(estimator.intercept_[0]), is_constant=False)


def fit_sized(corpus: Corpus, rows: NDArray[np.bool_], auxiliary_weight: float, seed: int) -> Sized:
    """Trains the network half on ``rows``; its outputs are the questions, then the length; deterministic."""
    own = rows & corpus.is_own
    labels = corpus.labels()
    lengths = np.log1p(corpus.tokens)
    known = own & ~np.isnan(lengths)
    mean, std = (float(lengths[known].mean()), float(lengths[known].std())) if known.any() else (0.0, 0.0)
    columns = [_of_texts(corpus, labels[:, question], own) for question in range(QUESTIONS)]
    columns.append(_of_texts(corpus, (lengths - mean) / std if std > 0.0 else np.full_like(lengths, np.nan), own))
    columns.append(_of_texts(corpus, corpus.large, own))
    weights = [1.0] * QUESTIONS + [_TOKEN_WEIGHT, 1.0]
    if auxiliary_weight > 0.0:
        for pair in np.unique(corpus.pairs[rows & ~corpus.is_own]):
            of_pair = rows & (corpus.pairs == pair)
            columns += [_of_texts(corpus, corpus.mini, of_pair), _of_texts(corpus, corpus.large, of_pair)]
            weights += [auxiliary_weight] * 2
    values = np.stack(columns, axis=1)
    texts = np.flatnonzero(~np.isnan(values).all(axis=1))
    is_number = np.arange(values.shape[1]) == QUESTIONS
    targets = Targets(values[texts].astype(np.float32), np.array(weights, np.float32), is_number)
    return Sized(fit_network(corpus.inputs()[texts], targets, seed).take(QUESTIONS + 1), mean, std)


def with_constants(network: Network, linear: Sequence[Linear]) -> Network:
    """Gives the outputs of questions that there are too few rows for the same constants as the linear half has."""
    outer, bias = network.outer.copy(), network.outer_bias.copy()
    for question, half in enumerate(linear):
        if half.is_constant:
            outer[:, question] = 0.0
            bias[question] = half.intercept
    return Network(network.inner, network.inner_bias, outer, bias)


def _of_texts(corpus: Corpus, values: Floats, rows: NDArray[np.bool_]) -> Floats:
    """Returns float64[t], the mean over a text's rows among ``rows``; NaN where none has a value."""
    used = rows & ~np.isnan(values)
    count = np.bincount(corpus.text_of[used], minlength=corpus.matrix.shape[0]).astype(np.float64)
    total = np.bincount(corpus.text_of[used], weights=values[used], minlength=corpus.matrix.shape[0])
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
