"""How good probabilities are, with bootstrap intervals over groups of near-duplicate prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Metric = Callable[[Floats, Floats, Floats | None], float]

RESAMPLES = 1000
CONFIDENCE = 0.95
ECE_BINS = 15
_EDGE = 1e-6  # a certain probability that proves wrong costs 13.8 nats, not infinity


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and its 95 % interval; ``None`` where it is not defined, as AUROC is for labels of one kind."""

    value: float | None
    lo: float | None
    hi: float | None

    def to_json(self) -> dict[str, float | None]:
        """Returns ``{value, lo, hi}`` with six decimals."""
        return {"value": self.value, "lo": self.lo, "hi": self.hi}


def log_loss(labels: Floats, p: Floats, weights: Floats | None = None) -> float:
    """Returns the mean negative log-likelihood, in nats."""
    p = np.clip(p, _EDGE, 1.0 - _EDGE)
    losses = -(labels * np.log(p) + (1.0 - labels) * np.log1p(-p))
    return float(np.average(losses, weights=weights))


def brier(labels: Floats, p: Floats, weights: Floats | None = None) -> float:
    """Returns the mean squared error of the probabilities."""
    return float(np.average((labels - p) ** 2, weights=weights))


def auroc(labels: Floats, p: Floats, weights: Floats | None = None) -> float:
    """Returns P(a positive scores above a negative), ties counting half; NaN where all labels are equal."""
    weights = np.ones_like(labels) if weights is None else weights
    _, rank = np.unique(p, return_inverse=True)
    positive = np.bincount(rank, weights * labels)
    negative = np.bincount(rank, weights * (1.0 - labels))
    total = positive.sum() * negative.sum()
    if total == 0.0:
        return float("nan")
    return float(positive @ (np.cumsum(negative) - negative / 2.0) / total)


def expected_calibration_error(labels: Floats, p: Floats, weights: Floats | None = None) -> float:
    """Returns the mean distance of predicted and observed frequency over 15 bins of equal mass; ties share a bin."""
    weights = np.ones_like(labels) if weights is None else weights
    return float(np.abs(np.bincount(_bins(p), weights * (labels - p))).sum() / weights.sum())


def _bins(p: Floats) -> NDArray[np.int64]:
    """Returns the bin of each row, in [0, ECE_BINS); equal probabilities share one."""
    bins: NDArray[np.int64] = np.searchsorted(np.sort(p), p) * min(ECE_BINS, p.size) // p.size
    return bins


def apgr(mini: Floats, large: Floats, score: Floats, weights: Floats | None = None, bins: int | None = None) -> float:
    """Returns the average performance gap recovered (Ong et al. 2024): PGR integrated over the share of large calls.

    Args:
        mini: float64[n], 0 or 1: whether the mini's answer is acceptable.
        large: float64[n], likewise of the large model.
        score: float64[n]; the highest are sent to the large model first.
        weights: float64[n].
        bins: PGR is read at this many evenly spaced shares, as RouteLLM's code does with 10; ``None``: at every row.

    Returns:
        The area by trapezoids; .5 for a random score; NaN where the large model is not better than the mini.
    """
    weights = np.ones_like(mini) if weights is None else weights
    order = np.argsort(-score, kind="stable")
    share = np.concatenate([[0.0], np.cumsum(weights[order])]) / weights.sum()
    gain = np.concatenate([[0.0], np.cumsum((weights * (large - mini))[order])])
    if not gain[-1] > 0.0:
        return float("nan")
    recovered = gain / gain[-1]
    if bins is not None:
        at = np.linspace(0.0, 1.0, bins + 1)
        share, recovered = at, np.interp(at, share, recovered)
    return float(np.trapezoid(recovered, share))


METRICS: dict[str, Metric] = {
    "auroc": auroc,
    "log_loss": log_loss,
    "brier": brier,
    "ece": expected_calibration_error,
}


def resamples(groups: NDArray[np.int64], seed: int) -> Floats:
    """Returns float64[RESAMPLES, rows]: how often each row is drawn when whole groups are drawn with replacement."""
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES)
    return draws[:, index].astype(np.float64)


def measure(labels: Floats, p: Floats, draws: Floats) -> dict[str, Figure]:
    """Returns every metric of ``METRICS`` with its interval over ``draws``."""
    found = {}
    for name, metric in METRICS.items():
        value, drawn = metric(labels, p, None), _drawn(name, labels, p, draws)
        found[name] = _summary(value, without_bias(value, drawn) if name == "ece" else drawn)
    return found


def measure_difference(
    labels: Floats, p: Floats, baseline: Floats, draws: Floats, names: Iterable[str] = METRICS
) -> dict[str, Figure]:
    """Returns the metrics ``names`` of ``p`` less those of ``baseline``, resampled together."""
    return {
        name: _summary(
            METRICS[name](labels, p, None) - METRICS[name](labels, baseline, None),
            _drawn(name, labels, p, draws) - _drawn(name, labels, baseline, draws),
        )
        for name in names
    }


def without_bias(value: float, drawn: Floats) -> Floats:
    """Returns resampled calibration errors less what resampling itself adds to them, none below 0.

    A mean of absolute gaps grows with every source of noise, so that the interval of plain resamples can lie above the
    value. The difference of their mean to the value estimates that bias (Efron and Tibshirani, 1993, chapter 10).
    """
    return np.maximum(0.0, drawn - (np.nanmean(drawn) - value))


def _drawn(name: str, labels: Floats, p: Floats, draws: Floats) -> Floats:
    """Returns the metric under each row of weights: float64[resamples], what ``METRICS[name]`` gives one by one."""
    drawn: Floats
    total = draws.sum(axis=1)
    if name == "ece":
        distances = np.zeros((p.size, ECE_BINS))
        distances[np.arange(p.size), _bins(p)] = labels - p
        drawn = np.abs(draws @ distances).sum(axis=1) / total
        return drawn
    if name == "auroc":
        order = np.argsort(p, kind="stable")
        first = np.flatnonzero(np.diff(p[order], prepend=np.nan) != 0.0)
        positive = np.add.reduceat((draws * labels)[:, order], first, axis=1)
        negative = np.add.reduceat((draws * (1.0 - labels))[:, order], first, axis=1)
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        above = (positive * (np.cumsum(negative, axis=1) - negative / 2.0)).sum(axis=1)
        drawn = np.divide(above, pairs, out=np.full(pairs.size, np.nan), where=pairs > 0.0)
        return drawn
    p = np.clip(p, _EDGE, 1.0 - _EDGE)
    losses = (labels - p) ** 2 if name == "brier" else -(labels * np.log(p) + (1.0 - labels) * np.log1p(-p))
    drawn = draws @ losses / total
    return drawn


def figure(metric: Callable[[Floats], float], draws: Floats) -> Figure:
    """Returns ``metric`` of equal weights, and its interval over the weights ``draws``, float64[resamples, rows]."""
    return _summary(metric(np.ones(draws.shape[1])), np.array([metric(weights) for weights in draws if weights.any()]))


def _summary(value: float, drawn: Floats) -> Figure:
    if np.isnan(value):
        return Figure(None, None, None)
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.nanpercentile(drawn, [tail, 100.0 - tail])
    return Figure(round(value, 6), round(float(lo), 6), round(float(hi), 6))
