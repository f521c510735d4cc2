"""Figures of a policy with their intervals: whole clusters are resampled, the draws of one prompt stay together.

Every figure is a function of row weights, evaluated for the data and for the same resamples of all policies, so that
differences and ratios are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.measures.sampling import as_figures
from specroute.learn.metrics import resamples
from specroute.tuning.findings import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.tuning.flights.flight import Flight
    from specroute.tuning.flights.world import World
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]
    Values = Mapping[str, Floats]
    Mixture = Sequence[tuple[float, Flight]]

RESAMPLES = 500
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
_BLOCK = 4_000_000  # numbers that a block of cumulative weights may hold


@dataclass(frozen=True, slots=True)
class Ruler:
    """Measures policies on one world.

    Attributes:
        weights: float64[1 + resamples, n]: ones, then how often each row is drawn.
        targets: the deadline and what a second is worth.
        large: the values of always-large, which ratios are over.
    """

    weights: Floats
    targets: Targets
    large: Values

    @classmethod
    def of(cls, world: World, targets: Targets, large: Mixture, *, seed: int) -> Ruler:
        """Returns a ruler; ``large``: always-large in ``world``."""
        return cls.with_weights(cluster_weights(world.rows.groups, RESAMPLES, seed), targets, large)

    @classmethod
    def with_weights(cls, weights: Floats, targets: Targets, large: Mixture) -> Ruler:
        """Returns a ruler with resamples of one's own, float64[1 + resamples, n]."""
        return cls(weights, targets, _plain_values(weights, targets, large))

    def values(self, mixture: Mixture) -> Values:
        """Returns name -> float64[1 + resamples] of all figures of ``Effect``.

        Args:
            mixture: shares that add up to 1, each with a flight: a policy that draws lots has several.
        """
        own, large = dict(_plain_values(self.weights, self.targets, mixture)), self.large
        own["retention"] = own["quality"] / large["quality"]
        own["saved_ratio"] = 1.0 - own["cost_usd"] / large["cost_usd"]
        for name in QUANTILES:
            own[f"{name}_ratio"] = own[f"{name}_s"] / large[f"{name}_s"]
        return own

    def effect(self, mixture: Mixture) -> Effect:
        """Returns the figures of a policy with 95 % intervals."""
        return effect_of(self.values(mixture))


def effect_of(values: Values) -> Effect:
    """Returns the figures that ``Ruler.values`` gave, with their intervals."""
    figures = as_figures(values)
    return Effect(**{name: figures.get(name) for name in Effect.__dataclass_fields__})  # type: ignore[arg-type]


def cluster_weights(groups: NDArray[np.int64], count: int, seed: int) -> Floats:
    """Returns float64[1 + count, n]: ones, then how often each row is drawn when whole clusters are drawn."""
    drawn = resamples(groups, seed)[:count]
    return np.concatenate([np.ones((1, drawn.shape[1])), drawn])


def _plain_values(weights: Floats, targets: Targets, mixture: Mixture) -> Values:
    total = weights.sum(axis=1)

    def mean(name: str) -> Floats:
        per_row = sum(share * getattr(flight, name).mean(axis=1) for share, flight in mixture)
        result: Floats = weights @ per_row / total
        return result

    values = {name: mean(field) for name, field in _MEANS.items()}
    values["objective_usd"] = values["cost_usd"] + targets.latency_value_usd_per_s * values["mean_s"]
    if targets.deadline_s is not None:
        hits = sum(share * (flight.time_s <= targets.deadline_s).mean(axis=1) for share, flight in mixture)
        values["deadline_hit_ratio"] = weights @ hits / total
    return values | _percentiles(weights, mixture)


_MEANS = {
    "quality": "correct",
    "cost_usd": "cost_usd",
    "waste_usd": "waste_usd",
    "mean_s": "time_s",
    "amplification": "calls",
}


def _percentiles(weights: Floats, mixture: Mixture) -> dict[str, Floats]:
    """Returns the least time by which at least the share of the weight has ended, for each quantile."""
    draws = mixture[0][1].time_s.shape[1]
    times = np.concatenate([flight.time_s.ravel() for share, flight in mixture if share > 0.0])
    shares = np.concatenate([np.full(flight.time_s.size, share / draws) for share, flight in mixture if share > 0.0])
    row = np.concatenate([np.arange(flight.time_s.size) // draws for share, flight in mixture if share > 0.0])
    order = np.argsort(times, kind="stable")
    times, shares, row = times[order], shares[order], row[order]
    found: dict[str, list[Floats]] = {name: [] for name in QUANTILES}
    size = max(1, _BLOCK // times.size)
    for start in range(0, weights.shape[0], size):
        block = weights[start : start + size]
        ended = np.cumsum(block[:, row] * shares, axis=1)
        for name, level in QUANTILES.items():
            # A little less, so that a sum's rounding does not move a quantile to the next value.
            wanted = (level - 1e-9) * ended[:, -1:]
            found[name].append(times[np.minimum((ended < wanted).sum(axis=1), times.size - 1)])
    return {f"{name}_s": np.concatenate(parts) for name, parts in found.items()}
