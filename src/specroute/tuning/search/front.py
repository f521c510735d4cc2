"""The Pareto front over money, tail and quality among all that was searched, thinned to what a picture can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.tuning.findings import Setting
    from specroute.tuning.search.choose import Search

    Floats = NDArray[np.float64]

MAX_POINTS = 40
_CELLS = np.array([0.01, 0.01, 0.0025])  # of money and tail by always-large's, and of retention: finer is noise


def pareto_front(search: Search) -> list[Setting]:
    """Returns up to ``MAX_POINTS`` settings that no other beats on money, p99 and retention at once, dearest last.

    Settings that keep less than the cheapest of all are not among them: always-mini is where the front ends.
    """
    table = search.table
    large_usd, large_ok = table.cost_usd[0, 0], table.quality[0, 0]
    points = np.stack([table.cost_usd / large_usd, table.p99_ratio, -table.quality / large_ok], axis=2).reshape(-1, 3)
    _, first = np.unique(np.round(points / _CELLS).astype(np.int64), axis=0, return_index=True)
    own = points[first]
    front = first[_undominated(own)]
    chosen = front[_spread(points[front], MAX_POINTS)]
    chosen = chosen[np.argsort(points[chosen, 0], kind="stable")]
    shape = table.cost_usd.shape
    return [search.setting((int(at // shape[1]), int(at % shape[1]))) for at in chosen]


def _undominated(points: Floats) -> NDArray[np.bool_]:
    """Returns bool[n]: no other point is at most as much in all three and less in one."""
    order = np.lexsort(points.T[::-1])
    kept: list[int] = []
    front = np.empty((0, points.shape[1]))
    for at in order:  # whoever beats a point comes before it
        if not (front <= points[at]).all(axis=1).any():
            kept.append(int(at))
            front = np.vstack([front, points[at]])
    mask = np.zeros(points.shape[0], dtype=np.bool_)
    mask[kept] = True
    return mask


def _spread(points: Floats, count: int) -> NDArray[np.int64]:
    """Returns the indices of up to ``count`` points, each in turn the farthest from those that were taken."""
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0.0, span, 1.0)
    taken = [int(points[:, 0].argmin())]
    distance = np.linalg.norm(scaled - scaled[taken[0]], axis=1)
    while len(taken) < min(count, points.shape[0]) and distance.max() > 0.0:
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[taken[-1]], axis=1))
    return np.array(taken, dtype=np.int64)
