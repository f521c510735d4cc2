"""How good probabilities are: the metrics of ``learn.metrics`` for many resamples at once, and differences of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.measures.sampling import mean, ratio
from specroute.learn.metrics import ECE_BINS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.learn.evaluation.measures.sampling import Statistic, Values

    Floats = NDArray[np.float64]

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})
_EDGE = 1e-6  # as in learn.metrics: a certain probability that proves wrong costs 13.8 nats


def probability_statistic(labels: Floats, p: Floats) -> Statistic:
    """Returns weights -> AUROC, log-loss (nats), Brier score and ECE (15 bins of equal mass) of ``p``.

    Args:
        labels: float64[n], 0 or 1.
        p: float64[n] in [0, 1].
    """
    order = np.argsort(p, kind="stable")
    starts = np.flatnonzero(np.diff(p[order], prepend=-np.inf))
    positive = labels[order]
    clipped = np.clip(p, _EDGE, 1.0 - _EDGE)
    losses = -(labels * np.log(clipped) + (1.0 - labels) * np.log1p(-clipped))
    below = np.searchsorted(p[order], p)
    bins = below * min(ECE_BINS, p.size) // p.size
    in_bin = (bins[:, None] == np.arange(ECE_BINS)).astype(np.float64)

    def statistic(weights: Floats) -> Mapping[str, Floats]:
        sorted_weights = weights[:, order]
        hits = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        misses = np.add.reduceat(sorted_weights * (1.0 - positive), starts, axis=1)
        won = (hits * (np.cumsum(misses, axis=1) - misses / 2.0)).sum(axis=1)
        off = np.abs((weights * (labels - p)) @ in_bin).sum(axis=1)
        return {
            "auroc": ratio(won, hits.sum(axis=1) * misses.sum(axis=1)),
            "log_loss": mean(losses, weights),
            "brier": mean((labels - p) ** 2, weights),
            "ece": ratio(off, weights.sum(axis=1)),
        }

    return statistic


def shuffled_statistic(labels: Floats, p: Floats) -> Statistic:
    """Returns weights -> what ``p`` dealt out to the rows at random is expected to score.

    Over all permutations a row's p is any row's with the same chance: AUROC is a half, and a loss is the mean over all
    pairs of a label and a p. ECE depends on the permutation and is left out.
    """
    clipped = np.clip(p, _EDGE, 1.0 - _EDGE)
    if_hit, if_miss = -np.log(clipped), -np.log1p(-clipped)

    def statistic(weights: Floats) -> Mapping[str, Floats]:
        share = mean(labels, weights)
        return {
            "auroc": np.where((share > 0.0) & (share < 1.0), 0.5, np.nan),
            "log_loss": share * mean(if_hit, weights) + (1.0 - share) * mean(if_miss, weights),
            "brier": share * mean((1.0 - p) ** 2, weights) + (1.0 - share) * mean(p**2, weights),
        }

    return statistic


def gains(model: Values, baseline: Values) -> dict[str, Floats]:
    """Returns what ``model`` is better by, for each name that both have, resampled together: above zero is for it."""
    return {
        name: (baseline[name] - model[name]) if name in LOWER_IS_BETTER else (model[name] - baseline[name])
        for name in model
        if name in baseline
    }
