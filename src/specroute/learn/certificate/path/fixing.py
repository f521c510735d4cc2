"""The path: policies from nearly always-large to cheap, fixed on rows that are not tested.

A fixed-sequence test pays nothing for the number of policies on the path, and stops at the first that fails. So the
path should be *nested* (a later policy delivers the mini's answer wherever an earlier one did, so that its failures can
only grow and no stumble ends the walk early), *fine* (the last policy that passes lies close to the border), and
*efficient* (each step buys as much money as it can for the quality that it risks).

The verifier's cut bends with an answer's price where that is worth it (``leeway``), alike on the whole path.

All three cuts fall along the path, from a grid of quantiles. Among all monotone chains through that grid the chain with
the largest area between its (saving, loss) curve and a cap on the loss is found by dynamic programming: one choice for
the whole path, where a choice per level of loss would follow the noise of each. Compare Pareto testing
(Laufer-Goldshlager et al., Efficiently controlling multiple risks with Pareto testing, ICLR 2023), whose front is
ordered but not nested.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.evidence import losses
from specroute.learn.certificate.path.leeway import choose_leeway
from specroute.learn.certificate.split import cluster_weights
from specroute.learn.play import NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts, play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Method
    from specroute.predictor.verifier.leeway import Leeway

    Floats = NDArray[np.float64]
    Axes = tuple[list[float], list[float | None], list[float]]

_DECIMALS = 6  # of a cut: rounded before it is tested, so that what is tested is what is written
_CAP = 2.0  # times alpha: what lies above is neither sought nor avoided
_FINENESS = 25  # steps from no loss to alpha, at least
MAX_STEPS = 100


@dataclass(frozen=True, slots=True)
class Fineness:
    """How many levels of each cut are tried; the extremes come on top."""

    direct_mini: int = 12
    min_p: int = 48
    direct_large: int = 8


FINE = Fineness()
COARSE = Fineness(direct_mini=5, min_p=30, direct_large=4)


@dataclass(frozen=True, slots=True)
class Grid:
    """The levels of the three cuts, each falling, and what each combination saves and loses on the tuning rows."""

    cuts: NDArray[np.object_]
    saved: Floats
    loss: Floats


def fix_path(rows: ScoredRows, options: CalibrateOptions, fineness: Fineness = FINE) -> tuple[Cuts, ...]:
    """Returns the path, most conservative first; always-large itself is not on it.

    Args:
        rows: the tuning rows; none of their clusters may be among the rows that are tested.
        options: which loss is kept small, and which cuts there are.
        fineness: of the grid that is searched.
    """
    leeway = choose_leeway(rows, options)
    grid = _measure(rows, _axes(rows, options, fineness, leeway), leeway, options.method)
    chain = _best_chain(grid, _CAP * options.alpha)
    rising = _rising(grid, chain)
    fine = _refined([grid.cuts[at] for at in rising], [float(grid.loss[at]) for at in rising], options.alpha)
    if len(fine) > MAX_STEPS:
        fine = [fine[round(at)] for at in np.linspace(0, len(fine) - 1, MAX_STEPS)]
    return tuple(fine)


def _axes(rows: ScoredRows, options: CalibrateOptions, fineness: Fineness, leeway: Leeway) -> Axes:
    """Returns the levels of direct_mini, min_p and direct_large, from the most conservative on."""
    if options.policy == "direct":
        levels = fineness.direct_mini * fineness.direct_large
        return [NEVER_DIRECT_MINI, *_falling(rows.p_low, levels)], [None], [1.0]
    mini = [] if options.policy == "cascade" else _falling(rows.p_low, fineness.direct_mini)
    merit = rows.merit(leeway)
    scored = merit[~np.isnan(merit)]
    large = [1.0, *_falling(rows.p_high, fineness.direct_large), NEVER_DIRECT_LARGE]
    verified: list[float | None] = [*_falling(scored, fineness.min_p)] if scored.size else [1.0]
    return [NEVER_DIRECT_MINI, *mini], verified, large


def _falling(values: Floats, count: int) -> list[float]:
    """Returns up to ``count`` quantiles of ``values``, the highest first, the lowest below them all."""
    levels = np.quantile(values, np.linspace(1.0, 0.0, count + 1)[1:])
    return sorted({round(float(level), _DECIMALS) for level in levels}, reverse=True)


def _measure(rows: ScoredRows, axes: Axes, leeway: Leeway, method: Method) -> Grid:
    weights = cluster_weights(rows.groups)
    weights = weights / weights.sum()
    large_usd = float(weights @ rows.large_cost_usd)
    shape = tuple(len(axis) for axis in axes)
    cuts, saved, loss = np.empty(shape, dtype=np.object_), np.empty(shape), np.empty(shape)
    for at in product(*(range(size) for size in shape)):
        policy = Cuts(axes[0][at[0]], axes[2][at[2]], axes[1][at[1]], leeway)
        played = play(rows, policy)
        cuts[at] = policy
        saved[at] = 1.0 - float(weights @ played.cost_usd) / large_usd
        loss[at] = float(weights @ losses(rows, played.correct, method))
    return Grid(cuts, saved, loss)


def _best_chain(grid: Grid, cap: float) -> list[tuple[int, ...]]:
    """Returns the chain of grid points, each one level down in one cut, that has the largest area below ``cap``."""
    worth = np.zeros(grid.loss.shape)
    origin: dict[tuple[int, ...], tuple[int, ...]] = {}
    room = cap - grid.loss
    for at in product(*(range(size) for size in grid.loss.shape)):
        best = -np.inf
        for axis in range(len(at)):
            if at[axis] == 0:
                continue
            before = (*at[:axis], at[axis] - 1, *at[axis + 1 :])
            bought = (grid.saved[at] - grid.saved[before]) * max(0.0, (room[at] + room[before]) / 2.0)
            if worth[before] + bought > best:
                best, origin[at] = worth[before] + bought, before
        worth[at] = best if at in origin else 0.0
    at = tuple(int(index) for index in np.unravel_index(int(worth.argmax()), worth.shape))
    chain = [at]
    while at in origin:
        at = origin[at]
        chain.append(at)
    return chain[::-1]


def _rising(grid: Grid, chain: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Leaves out what saves no more than something before it: it could only be deployed by mistake."""
    kept: list[tuple[int, ...]] = []
    most = 0.0
    for at in chain:
        if grid.saved[at] > most:
            most = float(grid.saved[at])
            kept.append(at)
    return kept


def _refined(chain: Sequence[Cuts], loss: Sequence[float], alpha: float) -> list[Cuts]:
    """Puts steps between two policies whose losses are far apart."""
    if not chain:
        return []
    fine = [chain[0]]
    for (before, after), (less, more) in zip(pairwise(chain), pairwise(loss), strict=True):
        count = max(1, round(abs(more - less) * _FINENESS / alpha))
        fine += [_between(before, after, step / count) for step in range(1, count)]
        fine.append(after)
    return fine


def _between(before: Cuts, after: Cuts, share: float) -> Cuts:
    def moved(start: float, end: float) -> float:
        return round(start + share * (end - start), _DECIMALS)

    min_p = after.min_p
    if before.min_p is not None and after.min_p is not None:
        min_p = moved(before.min_p, after.min_p)
    mini = moved(min(before.direct_mini, 1.0), min(after.direct_mini, 1.0))
    large = moved(max(before.direct_large, 0.0), max(after.direct_large, 0.0))
    if after.direct_mini > 1.0:
        mini = after.direct_mini
    if before.direct_large < 0.0:
        large = before.direct_large
    return Cuts(mini, large, min_p, after.leeway)
