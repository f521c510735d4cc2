"""The settings that are tried: quantiles of what the cuts are compared with, and delays just above the mini's times.

The grid is coarse on purpose. A finer one around its best was tried: on other rows it kept less of the quality, as it
fits the luck of the tuning rows; where between two levels the optimum lies they cannot tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI, NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.flights.world import World

    Floats = NDArray[np.float64]

MINI_STEPS, LARGE_STEPS, VERIFIER_STEPS, DELAY_STEPS = 14, 12, 48, 12
DELAY_STEP_S = 0.01
WIDEST_STEP = 1.3
"""No delay is more than so many times the one before it: else a time that is the best could lie far from any."""
_BELOW_FIRST = 5
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Space:
    """All candidates: every cut with every delay.

    Attributes:
        cuts: always-large first, always-mini second; their delays make no difference.
        delays_s: 0 first, then rising, ``None`` (on rejection) last.
    """

    cuts: tuple[Cuts, ...]
    delays_s: tuple[float | None, ...]

    @property
    def size(self) -> int:
        """How many settings there are."""
        return len(self.cuts) * len(self.delays_s)


def space_of(world: World) -> Space:
    """Returns the candidates for ``world``, the tuning rows."""
    rows = world.rows
    axes = _Axes(_quantiles(rows.p_low, MINI_STEPS), _quantiles(rows.p_high, LARGE_STEPS), _min_ps(rows))
    return Space(_distinct(ALWAYS_LARGE, ALWAYS_MINI, *axes.cuts()), _delays(world))


@dataclass(frozen=True, slots=True)
class _Axes:
    """Levels of the three cuts, each rising; "never" is added to the first two."""

    minis: list[float]
    larges: list[float]
    min_ps: list[float | None]

    def cuts(self) -> Iterator[Cuts]:
        """Yields all that make sense, what is never direct first: of equals the simplest is preferred."""
        for mini in (NEVER_DIRECT_MINI, *self.minis[::-1]):
            for large in (NEVER_DIRECT_LARGE, *self.larges):
                if large < mini and mini > 0.0:
                    yield from (Cuts(mini, large, min_p) for min_p in self.min_ps)


def _min_ps(rows: ScoredRows) -> list[float | None]:
    verified = _verified(rows)
    return [*sorted({0.0, *_quantiles(verified, VERIFIER_STEPS)})] if verified.size else [None]


def _verified(rows: ScoredRows) -> Floats:
    verified: Floats = rows.verifier_p[~np.isnan(rows.verifier_p)]
    return verified


def _distinct(*cuts: Cuts) -> tuple[Cuts, ...]:
    return tuple(dict.fromkeys(cuts))


def _delays(world: World) -> tuple[float | None, ...]:
    """Just above a quantile of the mini's time: one that starts just below it pays for a leg that is hardly used."""
    passed = world.mini.whole_s[world.rows.passes & (world.rows.mini_ok > 0.0)]
    times = [world.mini.whole_s.ravel(), *([passed.ravel()] if passed.size else [])]
    levels = (np.arange(DELAY_STEPS) + 0.5) / DELAY_STEPS
    above = {_just_above(float(at)) for of in times for at in np.quantile(of, levels, method="lower")}
    return (0.0, *_without_gaps(sorted(above | {p95_delay(world)})), None)


def _without_gaps(delays_s: list[float]) -> list[float]:
    """Returns rising delays with others in between, and some below the first, so that none is far from the next."""
    filled = {_just_above(delays_s[0] / WIDEST_STEP**step) for step in range(1, _BELOW_FIRST + 1)}
    for before, after in pairwise(delays_s):
        steps = math.ceil(math.log(after / before) / math.log(WIDEST_STEP))
        filled |= {_just_above(before * (after / before) ** (step / steps)) for step in range(1, steps)}
    return sorted(filled | set(delays_s))


def p95_delay(world: World) -> float:
    """Returns the delay of a plain hedge: the mini's 95th percentile."""
    return _just_above(float(np.quantile(world.mini.whole_s, 0.95, method="lower")))


def _just_above(time_s: float) -> float:
    return round((math.floor(time_s / DELAY_STEP_S + 1e-9) + 1) * DELAY_STEP_S, 2)


def _quantiles(values: Floats, steps: int) -> list[float]:
    """Returns quantiles from the lowest value to the highest, rounded down, so that a cut lets its own value in."""
    levels = np.quantile(values, np.linspace(0.0, 1.0, steps + 1), method="lower")
    scale = 10.0**_DECIMALS
    return sorted({math.floor(float(level) * scale) / scale for level in levels})
