"""How good probabilities are, with bootstrap intervals over groups of near-duplicate prompts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Metric = Callable[[Floats, Floats, Floats], float]

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
    below = np.searchsorted(np.sort(p), p)
    bins = below * min(ECE_BINS, p.size) // p.size
    return float(np.abs(np.bincount(bins, weights * (labels - p))).sum() / weights.sum())


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
    return {name: _figure(partial(metric, labels, p), draws) for name, metric in METRICS.items()}


def measure_difference(labels: Floats, p: Floats, baseline: Floats, draws: Floats) -> dict[str, Figure]:
    """Returns every metric of ``p`` less that of ``baseline``, resampled together."""

    def difference(metric: Metric, weights: Floats) -> float:
        return metric(labels, p, weights) - metric(labels, baseline, weights)

    return {name: _figure(partial(difference, metric), draws) for name, metric in METRICS.items()}


def _figure(metric: Callable[[Floats], float], draws: Floats) -> Figure:
    value = metric(np.ones(draws.shape[1]))
    if np.isnan(value):
        return Figure(None, None, None)
    drawn = np.array([metric(weights) for weights in draws if weights.any()])
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.nanpercentile(drawn, [tail, 100.0 - tail])
    return Figure(round(value, 6), round(float(lo), 6), round(float(hi), 6))
