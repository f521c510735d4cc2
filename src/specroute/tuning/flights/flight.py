"""What becomes of each row under a setting: the planner's and the executor's rules, for all rows and draws at once.

A row's *fate* is fixed by the cuts alone, as ``learn.play`` has it; when it ends and what it costs depends on the fate,
the hedge delay and the paces. A test holds both to the real router on a virtual clock, row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.findings import Setting
    from specroute.tuning.flights.world import World

    Floats = NDArray[np.float64]
    Fates = NDArray[np.int8]

VERIFICATION_S = 0.0
"""Judging an answer takes no time on the virtual clock; in the service a millisecond or so."""


class Fate(IntEnum):
    """What the cuts do with a row."""

    MINI_ALONE = 0
    """The mini alone is asked; where the deterministic validators reject its answer, the large model after it."""
    LARGE_ALONE = 1
    KEPT = 2
    """The mini is asked, and its answer passes; the large model is hedged."""
    RAISED = 3
    """The mini is asked, and its answer is rejected."""


_MINI_ALONE, _LARGE_ALONE, _KEPT, _RAISED = (np.int8(each) for each in Fate)


@dataclass(frozen=True, slots=True)
class Flight:
    """What became of n rows in d draws; all float64[n, d].

    Attributes:
        time_s: until the answer is there.
        cost_usd: all calls. ``waste_usd``: of it the calls whose answer was not delivered.
        correct: 1 where the delivered answer is acceptable, else 0.
        calls: launched, 1 or 2.
        large: 1 where the large model's answer is delivered, else 0.
    """

    time_s: Floats
    cost_usd: Floats
    waste_usd: Floats
    correct: Floats
    calls: Floats
    large: Floats

    def where(self, chosen: NDArray[np.bool_], other: Flight) -> Flight:
        """Returns this where ``chosen`` (broadcast to [n, d]), else ``other``."""
        return Flight(
            *(np.where(chosen, getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        )


def fates(rows: ScoredRows, cuts: Cuts) -> Fates:
    """Returns int8[n]: the ``Fate`` of each row, what ``learn.play`` decides, without the rest."""
    is_mini = rows.p_low >= cuts.direct_mini
    is_large = ~is_mini & (rows.p_high <= cuts.direct_large)
    kept = rows.passes if cuts.min_p is None else rows.passes & (rows.merit(cuts.leeway) >= cuts.min_p)
    fate = np.where(kept, _KEPT, _RAISED)
    fate[is_mini] = _MINI_ALONE
    fate[is_large] = _LARGE_ALONE
    return fate


def fly(world: World, setting: Setting) -> Flight:
    """Returns what ``setting`` does with every row and draw."""
    return of_fates(fly_fates(world, setting.hedge_delay_s), fates(world.rows, setting.cuts))


def of_fates(flights: Sequence[Flight], fate: Fates) -> Flight:
    """Returns the row's own fate's flight for each row; ``flights``: one for each ``Fate``, in order."""
    mask = fate[:, np.newaxis]
    return reduce(
        lambda made, which: flights[which].where(mask == which, made), range(1, len(flights)), flights[Fate.MINI_ALONE]
    )


def fly_fates(world: World, hedge_delay_s: float | None) -> tuple[Flight, ...]:
    """Returns what becomes of the rows if all had the same fate, for each ``Fate`` in order.

    Args:
        world: rows and paces.
        hedge_delay_s: when the large leg starts beside the mini, >= 0; ``None``: on rejection only.
    """
    delay_s = np.inf if hedge_delay_s is None else hedge_delay_s
    return _mini_alone(world), _large_alone(world), _kept(world, delay_s), _raised(world, delay_s)


def _mini_alone(world: World) -> Flight:
    mini, after = _delivered_mini(world), _raised(world, np.inf)
    return mini.where(world.rows.passes[:, np.newaxis], after)


def _delivered_mini(world: World) -> Flight:
    ones, zeros = np.ones_like(world.mini.whole_s), np.zeros_like(world.mini.whole_s)
    return Flight(
        time_s=world.mini.whole_s + VERIFICATION_S,
        cost_usd=world.mini.whole_usd + zeros,
        waste_usd=zeros,
        correct=world.mini.correct + zeros,
        calls=ones,
        large=zeros,
    )


def _large_alone(world: World) -> Flight:
    ones = np.ones_like(world.large.whole_s)
    return Flight(
        time_s=world.large.whole_s,
        cost_usd=world.large.whole_usd * ones,
        waste_usd=0.0 * ones,
        correct=world.large.correct * ones,
        calls=ones,
        large=ones,
    )


def _kept(world: World, delay_s: float) -> Flight:
    """The mini's answer passes: whichever is whole first wins, the other is cancelled."""
    mini, large = world.mini, world.large
    judged_s = mini.whole_s + VERIFICATION_S
    launched = judged_s > delay_s
    large_wins = launched & (delay_s + large.whole_s < judged_s)
    alone = _delivered_mini(world)
    if not launched.any():
        return alone
    cut_large = np.where(launched, large.cancelled_usd(np.maximum(judged_s - delay_s, 0.0)), 0.0)
    won_by_mini = Flight(
        time_s=alone.time_s,
        cost_usd=alone.cost_usd + cut_large,
        waste_usd=cut_large,
        correct=alone.correct,
        calls=np.where(launched, 2.0, 1.0),
        large=alone.large,
    )
    return _large_first(world, delay_s).where(large_wins, won_by_mini)


def _raised(world: World, delay_s: float) -> Flight:
    """The mini's answer is rejected: the large model's is delivered, launched by then at the latest."""
    judged_s = world.mini.whole_s + VERIFICATION_S
    start_s = np.minimum(delay_s, judged_s)
    end_s = start_s + world.large.whole_s
    waste = np.where(end_s < judged_s, world.mini.cancelled_usd(end_s), world.mini.whole_usd)
    ones = np.ones_like(judged_s)
    return Flight(
        time_s=end_s,
        cost_usd=world.large.whole_usd + waste,
        waste_usd=waste,
        correct=world.large.correct * ones,
        calls=2.0 * ones,
        large=ones,
    )


def _large_first(world: World, delay_s: float) -> Flight:
    """The large model is done before the mini, which is cancelled."""
    end_s = delay_s + world.large.whole_s
    waste = world.mini.cancelled_usd(end_s)
    ones = np.ones_like(end_s)
    return Flight(end_s, world.large.whole_usd + waste, waste, world.large.correct * ones, 2.0 * ones, ones)
