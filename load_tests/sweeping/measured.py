"""From the calls of a point, of all its repeats, to figures with intervals. Pure.

Intervals: 95 %, bootstrap by prompt, so that repeats of one prompt count as one piece of evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from load_tests.figures import LATE_S
from specroute.learn.metrics import CONFIDENCE, Figure, resamples
from specroute.load.figures import NANO_USD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from load_tests.rows import CallRow

    Floats = NDArray[np.float64]
    Metric = Callable[[Floats], float]

PER = 1000.0
FIGURES = ("p50", "p95", "p99", "usd_per_1000", "quality", "waste_ratio", "escalation_ratio")


def measured(rows: Sequence[CallRow], *, speed: float, seed: int = 0) -> dict[str, dict[str, float | None]]:
    """Returns ``FIGURES`` as {value, lo, hi}.

    Args:
        rows: at least one.
        speed: what the tiers' delays were divided by; latencies are multiplied by it.
        seed: of the resampling.
    """
    _, groups = np.unique([row.case for row in rows], return_inverse=True)
    draws = resamples(groups.astype(np.int64), seed)
    draws = draws[draws.any(axis=1)]
    ones = np.ones(len(rows))
    return {
        name: _figure(metric(ones), np.array([metric(weights) for weights in draws])).to_json()
        for name, metric in _metrics(rows, speed).items()
    }


def _metrics(rows: Sequence[CallRow], speed: float) -> dict[str, Metric]:
    latency = np.array([row.latency_s * speed for row in rows])
    order = np.argsort(latency, kind="stable")
    ordered = latency[order]
    waste = np.array([row.waste_nano_usd for row in rows], dtype=float)
    paid = waste + np.array([row.delivered_nano_usd for row in rows], dtype=float)
    right = np.array([float(bool(row.is_right)) for row in rows])
    escalated = np.array([float(row.escalated) for row in rows])

    def at(share: float) -> Metric:
        def quantile(weights: Floats) -> float:
            reached = np.cumsum(weights[order])
            return float(ordered[np.searchsorted(reached, share * reached[-1] - 1e-9)])

        return quantile

    def mean(values: Floats, scale: float = 1.0) -> Metric:
        return lambda weights: float(np.average(values, weights=weights)) * scale

    def wasted(weights: Floats) -> float:
        total = float(weights @ paid)
        return float(weights @ waste) / total if total > 0.0 else 0.0

    return {
        "p50": at(0.50),
        "p95": at(0.95),
        "p99": at(0.99),
        "usd_per_1000": mean(paid, PER / NANO_USD),
        "quality": mean(right),
        "waste_ratio": wasted,
        "escalation_ratio": mean(escalated),
    }


def _figure(value: float, drawn: Floats) -> Figure:
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.percentile(drawn, [tail, 100.0 - tail])
    return Figure(round(value, 6), round(float(lo), 6), round(float(hi), 6))


def counted(rows: Sequence[CallRow]) -> dict[str, Any]:
    """Returns how many calls there are, how many failed and how many were sent late."""
    return {
        "calls": len(rows),
        "failed": sum(row.has_failed for row in rows),
        "mixed_up": sum(not row.is_from_its_tier for row in rows),
        "late": sum(row.late_s > LATE_S for row in rows),
    }
