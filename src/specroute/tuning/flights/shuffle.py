"""The control: does the policy know anything? Its own decisions, dealt out to the rows at random, at its own cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.findings import ShuffleControl
from specroute.tuning.flights.flight import Fate, fates, fly, fly_fates
from specroute.tuning.flights.policies import ALWAYS_LARGE_SETTING, ALWAYS_MINI_SETTING, share_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.tuning.findings import Setting
    from specroute.tuning.flights.effects import Mixture
    from specroute.tuning.flights.flight import Flight
    from specroute.tuning.flights.world import World

    Floats = NDArray[np.float64]

PERMUTATIONS = 2000
_MIDDLE = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Shuffled:
    """The control of one setting.

    Attributes:
        mixture: the expected values over all permutations: who has which fate keeps its share, who is who is drawn.
        control: what single permutations give.
    """

    mixture: Mixture
    control: ShuffleControl


def shuffled(world: World, setting: Setting, *, seed: int) -> Shuffled:
    """Returns the control of ``setting``.

    Rows differ in what they cost, so that dealt out at random the same decisions cost more or less. Each permutation is
    brought to the setting's cost by mixing it with always-large or always-mini, as far as that goes.
    """
    own = fly(world, setting)
    fate = fates(world.rows, setting.cuts)
    flights = fly_fates(world, setting.hedge_delay_s)
    ends = fly(world, ALWAYS_MINI_SETTING), fly(world, ALWAYS_LARGE_SETTING)
    target = float(own.cost_usd.mean())
    shares = np.bincount(fate, minlength=len(Fate)) / fate.size
    dealt_usd = sum(share * float(flight.cost_usd.mean()) for share, flight in zip(shares, flights, strict=True))
    end = ends[1] if dealt_usd < target else ends[0]
    moved = share_for(dealt_usd, float(end.cost_usd.mean()), target)
    mixture = [
        *((float(share) * (1.0 - moved), flight) for share, flight in zip(shares, flights, strict=True)),
        (moved, end),
    ]
    return Shuffled(mixture, _permuted(own, fate, flights, ends, seed=seed))


def _permuted(
    own: Flight, fate: NDArray[np.int8], flights: tuple[Flight, ...], ends: tuple[Flight, Flight], *, seed: int
) -> ShuffleControl:
    draw = np.random.default_rng(seed)
    rows = np.arange(fate.size)
    cost, correct = (
        np.array([getattr(each, name).mean(axis=1) for each in flights]) for name in ("cost_usd", "correct")
    )
    end_usd = [float(end.cost_usd.mean()) for end in ends]
    end_quality = [float(end.correct.mean()) for end in ends]
    target, achieved = float(own.cost_usd.mean()), float(own.correct.mean())
    qualities = np.empty(PERMUTATIONS)
    for number in range(PERMUTATIONS):
        dealt = draw.permutation(fate)
        usd, quality = float(cost[dealt, rows].mean()), float(correct[dealt, rows].mean())
        which = int(usd < target)
        qualities[number] = quality + share_for(usd, end_usd[which], target) * (end_quality[which] - quality)
    lo, hi = np.percentile(qualities, _MIDDLE)
    as_good = int(np.count_nonzero(qualities >= achieved - 1e-12))
    return ShuffleControl(PERMUTATIONS, float(lo), float(hi), (as_good + 1) / (PERMUTATIONS + 1))
