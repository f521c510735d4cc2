"""Figures of a whole curve of operating points, from all mini to all large: RouteLLM's, and the same in money.

PGR(point) = (Q - Q_mini) / (Q_large - Q_mini), the share of the quality gap that is recovered; APGR is its mean over
the share c of prompts that go to the large model, CPT(x) the least c with PGR >= x (Ong et al., "RouteLLM", ICLR 2025,
arXiv 2406.18665). A group of prompts with equal scores goes over together, drawn as a straight line: that is what
breaking its ties at random gives in expectation, so a constant score has an APGR of one half. All of it is hindsight:
a threshold is chosen with the same labels that it is measured on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import trapezoid

from specroute.learn.evaluation.measures.hull import average_quality
from specroute.learn.evaluation.measures.sampling import mean, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    class Curve(Protocol):
        """A family of operating points with one parameter."""

        def points(self, weights: Floats) -> Points:
            """Returns the points for rows weighted by ``weights``, float64[k, n]."""
            ...


SAVE_AT = (0.95, 0.98, 0.99, 1.0)
_TENTHS = (np.arange(10) + 0.5) / 10.0
_DECILES = np.linspace(0.0, 1.0, 11)
_READ_AT = np.concatenate([_TENTHS, _DECILES])
_SLACK = 1e-12  # of a sum's rounding, where a target is met exactly


@dataclass(frozen=True, slots=True)
class Points:
    """Operating points of k resamples, m each, from the least use of the large model to the most.

    Attributes:
        large: float64[k, m], share of requests for which the large model is called.
        cost_usd: float64[k, m], mean of a request, with the calls that were not delivered.
        quality: float64[k, m], share of right answers.
    """

    large: Floats
    cost_usd: Floats
    quality: Floats


@dataclass(frozen=True, slots=True)
class Ends:
    """Each model alone, by its recorded answers: float64[n], right or not, and the cost of a call."""

    mini_ok: Floats
    large_ok: Floats
    mini_cost_usd: Floats
    large_cost_usd: Floats


@dataclass(frozen=True, slots=True)
class State:
    """What a row gives in one of two states: float64[n], large calls, right or not, cost."""

    large: Floats
    correct: Floats
    cost_usd: Floats


@dataclass(frozen=True, slots=True)
class Sweep:
    """A threshold that moves over a score: rows go from state ``low`` to state ``high``, the least score first.

    Attributes:
        score: float64[n], how much speaks for the mini.
    """

    score: Floats
    low: State
    high: State

    def points(self, weights: Floats) -> Points:
        """Returns one point before the first score and one after each distinct score."""
        order = np.argsort(self.score, kind="stable")
        last = np.flatnonzero(np.diff(self.score[order], append=np.inf))
        total = weights.sum(axis=1, keepdims=True)
        sorted_weights = weights[:, order] / total

        def along(low: Floats, high: Floats) -> Floats:
            moved = np.cumsum(sorted_weights * (high - low)[order], axis=1)[:, last]
            whole: Floats = np.concatenate([np.zeros_like(total), moved], axis=1) + (weights @ low)[:, None] / total
            return whole

        return Points(
            along(self.low.large, self.high.large),
            along(self.low.cost_usd, self.high.cost_usd),
            along(self.low.correct, self.high.correct),
        )


@dataclass(frozen=True, slots=True)
class Path:
    """Operating points fixed elsewhere: float64[m, n], what each of m policies gives on each row."""

    large: Floats
    correct: Floats
    cost_usd: Floats

    def points(self, weights: Floats) -> Points:
        """Returns the points in the order of their cost."""
        total = weights.sum(axis=1, keepdims=True)
        cost = weights @ self.cost_usd.T / total
        order = np.argsort(cost, axis=1, kind="stable")

        def along(values: Floats) -> Floats:
            along_path: Floats = np.take_along_axis(weights @ values.T / total, order, axis=1)
            return along_path

        return Points(along(self.large), np.take_along_axis(cost, order, axis=1), along(self.correct))


def routellm_statistic(curve: Curve, ends: Ends, weights: Floats) -> Mapping[str, Floats]:
    """Returns RouteLLM's figures of a curve, c being the share of large calls.

    ``apgr_10``: mean of PGR at c = .05, .15, ..., .95 (the paper's ten points, placed so that a random router has one
    half, as in its tables); ``apgr_deciles``: trapezoids over c = 0, .1, ..., 1 (the authors' code with its default of
    ten results); ``apgr_trapezoid``: over all thresholds; ``cpt50``, ``cpt80``.
    """
    points = curve.points(weights)
    share, pgr = _bounded(points.large, _recovered(points, ends, weights))
    read = np.array([np.interp(_READ_AT, *row) for row in zip(share, pgr, strict=True)])
    return {
        "apgr_10": read[:, : _TENTHS.size].mean(axis=1),
        "apgr_deciles": trapezoid(read[:, _TENTHS.size :], _DECILES, axis=1),
        "apgr_trapezoid": trapezoid(pgr, share, axis=1),
        "cpt50": _first_at(share, pgr, 0.5),
        "cpt80": _first_at(share, pgr, 0.8),
    }


def money_statistic(curve: Curve, ends: Ends, weights: Floats) -> Mapping[str, Floats]:
    """Returns the figures of a curve in money: what rejected answers cost is in it.

    x = (cost - cost_mini) / (cost_large - cost_mini), each model alone by its recorded answers. ``apgr_usd``: the
    integral of PGR over x from 0 to 1, beginning at (0, 0), the mini alone; ``cpt50_usd``, ``cpt80_usd``: least x with
    that PGR; ``save_at_T``: 1 - min{cost: Q >= T * Q_large} / cost_large, over the curve's own points; ``aiq``.
    """
    points = curve.points(weights)
    cheap, dear = mean(ends.mini_cost_usd, weights), mean(ends.large_cost_usd, weights)
    quality, quality_large = mean(ends.mini_ok, weights), mean(ends.large_ok, weights)
    x = (points.cost_usd - cheap[:, None]) / np.where(dear > cheap, dear - cheap, np.nan)[:, None]
    share, pgr = _bounded(x, _recovered(points, ends, weights))
    saved = {
        f"save_at_{target}": 1.0
        - ratio(_least_cost(points, target * quality_large), np.where(quality_large > 0.0, dear, np.nan))
        for target in SAVE_AT
    }
    return {
        "apgr_usd": trapezoid(pgr, share, axis=1),
        "cpt50_usd": _first_at(share, pgr, 0.5),
        "cpt80_usd": _first_at(share, pgr, 0.8),
        **saved,
        "aiq": average_quality(points.cost_usd, points.quality, (cheap, quality), (dear, quality_large)),
    }


def _recovered(points: Points, ends: Ends, weights: Floats) -> Floats:
    weak, strong = mean(ends.mini_ok, weights), mean(ends.large_ok, weights)
    gap = np.where(strong > weak, strong - weak, np.nan)
    return (points.quality - weak[:, None]) / gap[:, None]


def _bounded(x: Floats, pgr: Floats) -> tuple[Floats, Floats]:
    """Returns the curve from (0, 0) to x = 1, cut there between two points, or led to (1, 1) where it ends before."""
    zero, one = np.zeros((x.shape[0], 1)), np.ones((x.shape[0], 1))
    x = np.concatenate([zero, np.maximum.accumulate(np.maximum(x, 0.0), axis=1)], axis=1)
    pgr = np.concatenate([zero, pgr], axis=1)
    at_one = np.where(x[:, -1:] >= 1.0 - _SLACK, pgr[:, -1:], 1.0)
    for beyond in np.flatnonzero(x[:, -1] > 1.0):
        at_one[beyond] = np.interp(1.0, x[beyond], pgr[beyond])
    at_one = np.where(np.isnan(pgr).any(axis=1, keepdims=True), np.nan, at_one)
    pgr = np.where(x > 1.0, at_one, pgr)
    return np.concatenate([np.minimum(x, 1.0), one], axis=1), np.concatenate([pgr, at_one], axis=1)


def _first_at(x: Floats, pgr: Floats, level: float) -> Floats:
    """Returns float64[k]: the least x where the line through the points reaches ``level``; NaN: nowhere."""
    reached = pgr >= level - _SLACK
    at = np.argmax(reached, axis=1)
    rows = np.arange(x.shape[0])
    before = np.maximum(at - 1, 0)
    rise = pgr[rows, at] - pgr[rows, before]
    part = np.where(rise > 0.0, (level - pgr[rows, before]) / np.where(rise > 0.0, rise, 1.0), 1.0)
    found = x[rows, before] + np.clip(part, 0.0, 1.0) * (x[rows, at] - x[rows, before])
    return np.where(reached.any(axis=1), found, np.nan)


def _least_cost(points: Points, needed: Floats) -> Floats:
    enough = points.quality >= needed[:, None] - _SLACK
    cost = np.where(enough, points.cost_usd, np.inf).min(axis=1)
    return np.where(np.isfinite(cost), cost, np.nan)
