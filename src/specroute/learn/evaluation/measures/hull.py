"""AIQ, the average quality over a range of cost: Hu et al., "RouterBench", 2024, arXiv 2403.12031, section 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import trapezoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_POINTS = 101
"""Of a curve with more points, these many, evenly spaced, span the hull."""


def average_quality(cost: Floats, quality: Floats, mini: tuple[Floats, Floats], large: tuple[Floats, Floats]) -> Floats:
    """Returns AIQ = 1 / (c_max - c_min) * integral of the hull from c_min to c_max.

    The hull is the least non-decreasing concave function above all operating points: two of them mixed at random give
    every point between. c_min and c_max are the costs of the mini and of the large model alone, which are points of
    every router, too. (The paper's code divides by c_max instead.)

    Args:
        cost: float64[k, m], of the points.
        quality: float64[k, m].
        mini: cost and quality of the mini alone, float64[k] each.
        large: of the large model alone.

    Returns:
        float64[k], NaN where the large model does not cost more.
    """
    kept = np.unique(np.linspace(0, cost.shape[1] - 1, min(cost.shape[1], MAX_POINTS)).round().astype(np.int64))
    rows = zip(cost[:, kept], quality[:, kept], np.transpose(mini), np.transpose(large), strict=True)
    return np.array([_one(*row) for row in rows])


def _one(cost: Floats, quality: Floats, mini: Floats, large: Floats) -> float:
    if not large[0] > mini[0]:
        return float("nan")
    inside = (cost >= mini[0]) & (cost <= large[0])
    x = np.concatenate([[mini[0]], cost[inside], [large[0]]])
    y = np.concatenate([[mini[1]], quality[inside], [large[1]]])
    hull_x, hull_y = upper_hull(x, y)
    return float(trapezoid(hull_y, hull_x) / (large[0] - mini[0]))


def upper_hull(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Returns the corners of the least non-decreasing concave function above the points, from least to greatest x."""
    hull: list[tuple[float, float]] = []
    order = np.lexsort((-y, x))
    for px, py in zip(x[order].tolist(), y[order].tolist(), strict=True):
        if hull and py <= hull[-1][1]:  # no better and no cheaper: not a corner
            continue
        while len(hull) > 1:
            (ax, ay), (bx, by) = hull[-2], hull[-1]
            if (by - ay) * (px - ax) > (py - ay) * (bx - ax):
                break
            hull.pop()
        hull.append((px, py))
    corners = np.array([*hull, (x.max(), hull[-1][1])])
    return corners[:, 0], corners[:, 1]
