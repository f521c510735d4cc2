"""Reliability: what was predicted against what was seen, over buckets of p with equal numbers of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.measures.sampling import ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.learn.evaluation.measures.sampling import Draws
    from specroute.learn.metrics import Figure

    Floats = NDArray[np.float64]

BUCKETS = 10
MIN_ROWS = 5
"""A bucket with fewer rows is joined to the next."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows with a p between ``p_from`` and ``p_to``, both inclusive: their mean p, and how many were acceptable."""

    p_from: float
    p_to: float
    rows: int
    predicted: float
    observed: Figure


def reliability(labels: Floats, p: Floats, draws: Draws) -> tuple[Bucket, ...]:
    """Returns up to ``BUCKETS`` buckets of about equal numbers of rows, by rising p; equal p share one."""
    order = np.sort(p)
    wanted = min(BUCKETS, max(1, p.size // MIN_ROWS))
    raw = np.searchsorted(order, p) * wanted // p.size
    _, bucket = np.unique(raw, return_inverse=True)
    count = int(bucket.max()) + 1
    member = (bucket[:, None] == np.arange(count)).astype(np.float64)

    def statistic(weights: Floats) -> Mapping[str, Floats]:
        observed = ratio((weights * labels) @ member, weights @ member)
        return {str(number): observed[:, number] for number in range(count)}

    figures = draws.figures(statistic)
    return tuple(
        Bucket(
            p_from=float(p[bucket == number].min()),
            p_to=float(p[bucket == number].max()),
            rows=int((bucket == number).sum()),
            predicted=float(p[bucket == number].mean()),
            observed=figures[str(number)],
        )
        for number in range(count)
    )
