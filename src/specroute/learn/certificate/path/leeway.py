"""Chooses how far the verifier's cut bends with an answer's price: by what that saves on the tuning rows.

A cut that bends spends the permitted failures where they buy most. Whether that pays depends on how prices differ, and
on how well the chances of long answers are known; so it is measured, and the cut stays straight unless a bent one is
clearly better. It always does for the signed loss: what an answer risks is then not 1 - p alone but 1 - p less what the
mini rescues, which no leeway knows of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.evidence import losses
from specroute.predictor.verifier.leeway import STRAIGHT, Leeway

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0)
CLEARLY = 2.0
"""Standard errors that a bent cut must be better by; with fewer it is chosen now and then where it costs a little."""
MIN_ROWS = 300
DRAWS = 200
_CAP = 2.0  # times alpha: a saving at that loss is worth nothing


def choose_leeway(rows: ScoredRows, options: CalibrateOptions) -> Leeway:
    """Returns how far the cut is to bend; deterministic.

    The area of an exponent is the share of the large model's money that a falling cut saves, each part weighed by how
    far the failures are below twice alpha. The exponent of the largest area is chosen where that is clearly larger than
    a straight cut's.

    Args:
        rows: the tuning rows; with fewer than ``MIN_ROWS`` verified answers the cut stays straight.
        options: how many failures are permitted, if it is they that count, and the seed of the bootstrap over clusters.
    """
    verified = rows.passes & ~np.isnan(rows.verifier_p) & (rows.tokens_at_stake > 0.0)
    if options.method != "binomial" or options.policy == "direct" or verified.sum() < MIN_ROWS:
        return STRAIGHT
    typical = float(np.exp(np.log(rows.tokens_at_stake[verified]).mean()))
    failed = losses(rows, rows.mini_ok, options.method)
    tried = [Leeway(exponent, round(typical, 3)) for exponent in EXPONENTS]
    curves = [
        _Curve.of(np.where(verified, rows.merit(leeway), np.nan), failed, rows.large_cost_usd) for leeway in tried
    ]
    cap = _CAP * options.alpha
    areas = [curve.area(np.ones(failed.size), cap) for curve in curves]
    drawn = np.array([[curve.area(times, cap) for curve in curves] for times in _draws(rows.groups, options.seed)])
    errors = (drawn - drawn[:, :1]).std(axis=0)
    best = int(np.argmax(areas))
    is_clear = areas[best] - areas[0] > CLEARLY * errors[best]
    return tried[best] if is_clear else STRAIGHT


@dataclass(frozen=True, slots=True)
class _Curve:
    """Answers in the order in which a falling cut accepts them; those never accepted are left out."""

    order: NDArray[np.int64]
    failed: Floats
    large_usd: Floats
    all_large_usd: Floats

    @classmethod
    def of(cls, merit: Floats, failed: Floats, large_usd: Floats) -> _Curve:
        order = np.argsort(-np.where(np.isnan(merit), -1.0, merit), kind="stable")
        order = order[~np.isnan(merit[order])]
        return cls(order, failed[order], large_usd[order], large_usd)

    def area(self, times: Floats, cap: float) -> float:
        """Returns the area where each row stands ``times``."""
        weight = times[self.order]
        failures = np.cumsum(weight * self.failed) / times.sum()
        saved = weight * self.large_usd / (times @ self.all_large_usd)
        return float(saved @ np.maximum(0.0, 1.0 - failures / cap))


def _draws(groups: NDArray[np.int64], seed: int) -> list[Floats]:
    """Returns how often each row stands in each resample of the clusters."""
    _, index = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    size = int(index.max()) + 1
    return [
        np.bincount(generator.integers(size, size=size), minlength=size)[index].astype(np.float64) for _ in range(DRAWS)
    ]
