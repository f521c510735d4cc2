"""The 99th percentile of a setting over always-large's, exactly, with its upper bound over resampled clusters.

Only the slowest few of all draws can be a 99th percentile of a resample, so only those are sorted.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.flights.flight import fly_fates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.tuning.flights.world import World
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]

LEAST_CONFIDENCE = 0.95
"""A tail is noisier than a mean, and the search picks the luckiest of thousands: at 0.8 one in four broke its bound on
other rows."""

_SLOWEST = 0.03
_TAIL = 0.01
_ROUNDING = 1e-7


class Tail:
    """The tails of settings in one world."""

    def __init__(self, world: World, weights: Floats) -> None:
        """Takes ``weights``, float64[1 + resamples, n], ones first."""
        self.world = world
        self._weights = np.ascontiguousarray(weights.T.astype(np.float32))
        self._allowed = (_TAIL + _ROUNDING) * weights.sum(axis=1)
        self._by_delay: dict[float | None, Floats] = {}

    def ratios(self, fate: NDArray[np.int8], hedge_delay_s: float | None) -> Floats:
        """Returns float64[1 + resamples]: the p99 over always-large's, for the rows and for each resample.

        Args:
            fate: int8[n].
            hedge_delay_s: as a ``Setting`` has it.
        """
        if hedge_delay_s not in self._by_delay:
            self._by_delay[hedge_delay_s] = np.array([each.time_s for each in fly_fates(self.world, hedge_delay_s)])
        times = self._by_delay[hedge_delay_s][fate, np.arange(fate.size)]
        ratios: Floats = self._p99(times) / self._large
        return ratios

    @cached_property
    def _large(self) -> Floats:
        return self._p99(self.world.large.whole_s)

    def _p99(self, times: Floats) -> Floats:
        draws = times.shape[1]
        flat = times.ravel()
        count = max(1, int(_SLOWEST * flat.size))
        slowest = np.argpartition(flat, -count)[-count:]
        slowest = slowest[np.argsort(flat[slowest])[::-1]]
        # Whole rows of a transposed table are gathered: several times as fast as columns. Counts are exact in float32.
        later = np.cumsum(self._weights[slowest // draws], axis=0)
        # The greatest time that no more than 1 % of the weight reaches is passed over: the inverted CDF.
        at = (later <= draws * self._allowed).sum(axis=0)
        p99: Floats = flat[slowest[np.minimum(at, count - 1)]]
        return p99


def tail_confidence(targets: Targets) -> float:
    """Returns how sure it shall be that the tail keeps its bound: surer than asked, as the search picks lucky tails."""
    return max(targets.confidence, LEAST_CONFIDENCE) if targets.confidence > 0.5 else targets.confidence


def upper_bound(ratios: Floats, confidence: float) -> float:
    """Returns the one-sided upper bound of what ``Tail.ratios`` gave, never below the measured value."""
    if confidence <= 0.5:
        return float(ratios[0])
    return float(max(ratios[0], np.quantile(ratios[1:], confidence)))
