"""The product's policy, prompt and answer together: mini alone, large alone, and between them a checked mini."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.policies.thresholds import ALL, NONE, chosen
from specroute.learn.play import NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts, play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

ZONE_STEPS, VERIFIER_STEPS = 12, 60


def tuned_zones(rows: ScoredRows, targets: Sequence[float]) -> list[Cuts]:
    """Returns per target the cuts that keep it at least cost on ``rows``, of a grid of quantiles of the scores.

    Where the verifier has no verdict on any row, between the zones the deterministic validators alone decide.
    """
    grid, quality, cost = zone_grid(rows)
    large = float(rows.large_ok.mean())
    return [grid[chosen(quality, cost, target * large)] for target in targets]


def zone_grid(rows: ScoredRows) -> tuple[list[Cuts], Floats, Floats]:
    """Returns all cuts of the grid with their quality and mean cost in USD on ``rows``, as ``play`` gives them.

    Every pair of zones is played twice, with the loosest and the strictest verifier; what the cuts between them give
    is counted from the rows whose verdict lies between.
    """
    cuts: list[Cuts] = []
    quality: list[Floats] = []
    cost: list[Floats] = []
    is_verified = ~np.isnan(rows.verifier_p)
    min_ps = _quantiles(rows.verifier_p[is_verified], VERIFIER_STEPS, (ALL, NONE))
    bins = np.searchsorted(min_ps, np.where(is_verified, rows.verifier_p, -1.0), side="right")
    for direct_mini in _quantiles(rows.p_low, ZONE_STEPS, (NEVER_DIRECT_MINI,)):
        for direct_large in _quantiles(rows.p_high, ZONE_STEPS, (NEVER_DIRECT_LARGE,)):
            if direct_large >= direct_mini:
                continue
            steps = min_ps if is_verified.any() else [None]
            made = [Cuts(float(direct_mini), float(direct_large), _plain(min_p)) for min_p in steps]
            loose, strict = play(rows, made[0]), play(rows, made[-1])
            cuts += made
            quality.append(_along(loose.correct, strict.correct, bins, len(made)))
            cost.append(_along(loose.cost_usd, strict.cost_usd, bins, len(made)))
    return cuts, np.concatenate(quality), np.concatenate(cost)


def _along(loose: Floats, strict: Floats, bins: NDArray[np.int64], steps: int) -> Floats:
    """Returns float64[steps]: the mean over the rows for each cut; a row in bin b is accepted by the first b cuts."""
    rejected = np.bincount(bins, weights=strict - loose, minlength=steps + 1)[:steps]
    along: Floats = (loose.sum() + np.cumsum(rejected) - rejected[0]) / loose.size
    return along


def _quantiles(values: Floats, steps: int, extra: tuple[float, ...]) -> Floats:
    inner = np.quantile(values, np.linspace(0.0, 1.0, steps + 1)) if values.size else np.empty(0)
    return np.unique(np.concatenate([inner, extra]))


def _plain(min_p: float | None) -> float | None:
    return None if min_p is None else float(min_p)
