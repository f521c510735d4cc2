"""The table's rows: the recommended setting, what it is compared with, and the bound that knows everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI, NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts
from specroute.tuning.findings import Setting
from specroute.tuning.flights.flight import fly, fly_fates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.tuning.flights.effects import Mixture
    from specroute.tuning.flights.flight import Flight
    from specroute.tuning.flights.world import World
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]

RECOMMENDED, CLAIRVOYANT, SHUFFLE = "recommended", "clairvoyant", "cost_matched_shuffle"
ALWAYS_MINI_SETTING = Setting(ALWAYS_MINI, None)
ALWAYS_LARGE_SETTING = Setting(ALWAYS_LARGE, None)


@dataclass(frozen=True, slots=True)
class Policy:
    """A row of the table before it is measured; ``setting``: ``None`` where it is none of the service."""

    setting: Setting | None
    mixture: Mixture


def played(world: World, setting: Setting) -> Policy:
    """Returns the policy of ``setting`` in ``world``."""
    return Policy(setting, [(1.0, fly(world, setting))])


def settings(recommended: Setting, p95_s: float) -> Mapping[str, Setting]:
    """Returns the settings that the recommended one is compared with, and itself.

    Args:
        recommended: its cuts are those of the cascade and of the zones as well.
        p95_s: the mini's 95th percentile on the tuning rows: when a plain hedge starts.
    """
    zones = recommended.cuts
    never = Cuts(NEVER_DIRECT_MINI, NEVER_DIRECT_LARGE, zones.min_p)
    return {
        RECOMMENDED: recommended,
        "always_mini": ALWAYS_MINI_SETTING,
        "always_large": ALWAYS_LARGE_SETTING,
        "cascade": Setting(never, None),
        "race_all": Setting(never, 0.0),
        "fixed_hedge": Setting(never, p95_s),
        "zones_cascade": Setting(zones, None),
        "zones_race": Setting(zones, 0.0),
    }


def random_at_cost(world: World, cost_usd: float) -> Mixture:
    """Returns always-mini and always-large, dealt out at random so that a request costs ``cost_usd`` as nearly."""
    mini, large = (fly(world, setting) for setting in (ALWAYS_MINI_SETTING, ALWAYS_LARGE_SETTING))
    return mixed((1.0, mini), large, cost_usd)


def mixed(own: tuple[float, Flight], end: Flight, cost_usd: float) -> Mixture:
    """Returns as much of ``end`` in place of ``own`` as makes the mean cost ``cost_usd``, or comes nearest."""
    weight, flight = own
    share = share_for(float(flight.cost_usd.mean()), float(end.cost_usd.mean()), cost_usd)
    return [(weight * (1.0 - share), flight), (weight * share, end)]


def share_for(start: float, end: float, wanted: float) -> float:
    """Returns the share of ``end`` in [0, 1] that brings a mixture of two means nearest to ``wanted``."""
    return 0.0 if end == start else float(np.clip((wanted - start) / (end - start), 0.0, 1.0))


def clairvoyant(world: World, targets: Targets) -> Mixture:
    """Returns the bound that knows grades and times: for each draw the right answer that is worth most.

    That is the one with the least money plus value of time; where both are wrong, the least of all. In time for the
    deadline goes before. The deterministic validators are not in its way.
    """
    mini, large = _by_itself(world)

    def dearness(flight: Flight) -> Floats:
        late = 0.0 if targets.deadline_s is None else flight.time_s > targets.deadline_s
        unfit = 2.0 * (1.0 - flight.correct) + late
        worth: Floats = flight.cost_usd + targets.latency_value_usd_per_s * flight.time_s
        return worth + unfit * 1e6

    return [(1.0, mini.where(dearness(mini) <= dearness(large), large))]


def _by_itself(world: World) -> tuple[Flight, Flight]:
    _, large, kept, _ = fly_fates(world, None)
    return kept, large
