"""Boosted trees over the measures of answers, one ensemble for each kind, and the trees taken out for export.

Answers of all models are pooled, as what gives a wrong answer away is the same; how often each model errs is not. So
the model that answered is one more column, its rank by accuracy, on which the trees may split; for the served mini
that column is a constant, and each such split is replaced by the branch that it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from specroute.predictor.verifier.features import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.learn.verification.samples import Samples

MIN_KIND_ROWS = 100
"""The fewest own answers of a kind that it is learnt from."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is tried.

    Attributes:
        trees: of each kind's ensemble.
        rate: learning rate, in (0, 1].
        leaves: the most of one tree.
        auxiliary_weight: of an answer of another model, in [0, 1]; 0: they are not used.
    """

    trees: int = 250
    rate: float = 0.05
    leaves: int = 15
    auxiliary_weight: float = 1.0


class Tree(NamedTuple):
    """One tree: a row goes left where ``values[column] <= threshold``; ``left`` is -1 at a leaf.

    columns, left, right: int64[nodes]; thresholds: float32[nodes]; leaves: float64[nodes].
    """

    columns: NDArray[np.int64]
    thresholds: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaves: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The trees of one kind: the score is ``offset`` plus the sum of leaves, in log-odds.

    ``columns``: the measures that the estimator reads, those that vary within the kind; its last input is the rank of
    the model that answered, ``own_rank`` for the served mini.
    """

    estimator: HistGradientBoostingClassifier
    columns: NDArray[np.int64]
    own_rank: float

    def score(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the log-odds of answers, as if the served mini had given them, as the framework computes them."""
        scores: NDArray[np.float64] = self.estimator.decision_function(_with(values[:, self.columns], self.own_rank))
        return scores

    @property
    def offset(self) -> float:
        """Returns the score before any tree."""
        return float(np.ravel(self.estimator._baseline_prediction)[0])  # scikit-learn has no other way to it

    def trees(self) -> list[Tree]:
        """Returns the trees with the splits on the answering model resolved."""
        return [self._tree(trees[0].nodes) for trees in self.estimator._predictors]  # as above

    def _tree(self, nodes: NDArray[np.void]) -> Tree:
        kept: list[tuple[int, float, int, int, float]] = []

        def add(index: int) -> int:
            node = nodes[index]
            while not node["is_leaf"] and node["feature_idx"] == self.columns.size:
                node = nodes[node["left" if self.own_rank <= node["num_threshold"] else "right"]]
            place = len(kept)
            if node["is_leaf"]:
                kept.append((0, 0.0, -1, -1, float(node["value"])))
                return place
            kept.append((0, 0.0, 0, 0, 0.0))
            left, right = add(int(node["left"])), add(int(node["right"]))
            kept[place] = (int(self.columns[node["feature_idx"]]), float(node["num_threshold"]), left, right, 0.0)
            return place

        add(0)
        columns, thresholds, left, right, leaves = zip(*kept, strict=True)
        return Tree(
            np.array(columns, dtype=np.int64),
            _rounded_down(np.array(thresholds)),
            np.array(left, dtype=np.int64),
            np.array(right, dtype=np.int64),
            np.array(leaves),
        )


def fit(samples: Samples, settings: Settings, seed: int) -> Mapping[Kind, Ensemble]:
    """Trains an ensemble for each kind of which the served mini gave answers of both labels; deterministic."""
    found = {}
    for kind in Kind:
        part = samples.take(samples.kinds == kind)
        own = part.labels[part.is_own]
        if own.size >= MIN_KIND_ROWS and np.unique(own).size == 2:
            found[kind] = _fit_kind(part, settings, seed)
    return found


def _fit_kind(part: Samples, settings: Settings, seed: int) -> Ensemble:
    if settings.auxiliary_weight == 0.0:
        part = part.take(part.is_own)
    ranks = _ranks(part)
    weights = np.where(part.is_own, 1.0, settings.auxiliary_weight)
    estimator = HistGradientBoostingClassifier(
        learning_rate=settings.rate,
        max_iter=settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=20,
        l2_regularization=5.0,
        max_features=0.4,
        early_stopping=False,
        random_state=seed,
    )
    columns = np.flatnonzero((part.values != part.values[0]).any(axis=0))
    estimator.fit(_with(part.values[:, columns], ranks[part.answerers]), part.labels, sample_weight=weights)
    return Ensemble(estimator, columns, float(ranks[0]))


def _ranks(part: Samples) -> NDArray[np.float64]:
    """Returns float64[names]: the rank of each model by the share of its answers that are acceptable."""
    rows = np.bincount(part.answerers, minlength=len(part.names))
    right = np.bincount(part.answerers, part.labels, minlength=len(part.names))
    order = np.argsort((right + 1.0) / (rows + 2.0), kind="stable")
    ranks = np.empty(len(part.names))
    ranks[order] = np.arange(len(part.names))
    return ranks


def _with(values: NDArray[np.float32], rank: NDArray[np.float64] | float) -> NDArray[np.float32]:
    column = np.broadcast_to(np.asarray(rank, dtype=np.float32), (values.shape[0],))
    return np.column_stack([values, column])


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns the largest float32 that is not above each: no float32 value changes its side."""
    single = thresholds.astype(np.float32)
    return np.where(single > thresholds, np.nextafter(single, np.float32(-np.inf)), single)
