"""Money, time and tail of every setting on the tuning rows, by matrix products.

The cuts fix a row's fate, and the delay what each fate means; so the mean of anything over rows is a sum over fates of
(who has that fate) x (what it means), for thousands of cuts and all delays at once. A percentile follows from the
shares that exceed each of a ladder of times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.flights.flight import Fate, fates, fly_fates

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from specroute.tuning.flights.flight import Flight
    from specroute.tuning.flights.world import World
    from specroute.tuning.search.space import Space
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]

_BLOCK = 400  # cuts at a time: bounds memory, whatever the file's size
_LADDER = np.geomspace(0.3, 3.0, 48)  # of always-large's p99
_TAIL = 0.01
_MEANS = 4  # cost, time, quality, timely quality; the ladder comes after them


@dataclass(frozen=True, slots=True)
class Table:
    """What the settings do with the tuning rows; float64[cuts, delays] each.

    Attributes:
        cost_usd, mean_s, quality: means.
        timely: share that is answered right within the deadline; without one, the quality.
        p99_ratio: over always-large's, within about 1 %; clipped to [0.3, 3].
        fate: int8[cuts, n], the ``Fate`` of each row under each cut.
    """

    cost_usd: Floats
    mean_s: Floats
    quality: Floats
    timely: Floats
    p99_ratio: Floats
    fate: NDArray[np.int8]

    def objective_usd(self, targets: Targets) -> Floats:
        """Returns money plus the value of time, USD per request."""
        made: Floats = self.cost_usd + targets.latency_value_usd_per_s * self.mean_s
        return made


def tabulate(world: World, space: Space, targets: Targets, *, report: Callable[[str], None]) -> Table:
    """Returns the table of ``space``; ``report`` is told what is done."""
    n = world.rows.p.size
    fate = np.array([fates(world.rows, cuts) for cuts in space.cuts], dtype=np.int8)
    report(f"flying {space.size:,} settings over {n:,} rows and {world.draws} draws")
    p99_s = float(np.quantile(world.large.whole_s, 1.0 - _TAIL, method="inverted_cdf"))
    by_delay = [_columns(fly_fates(world, delay_s), targets, p99_s) for delay_s in space.delays_s]
    width = by_delay[0][0].shape[1]
    # The first two fates do not know the delay.
    direct = np.concatenate([by_delay[0][Fate.MINI_ALONE], by_delay[0][Fate.LARGE_ALONE]])
    hedged = np.concatenate(
        [np.concatenate([each[which] for each in by_delay], axis=1) for which in Fate if which >= 2]
    )
    made = np.empty((len(space.cuts), len(space.delays_s), width), dtype=np.float32)
    for start in range(0, len(space.cuts), _BLOCK):
        own = fate[start : start + _BLOCK]
        between = (_members(own, Fate.KEPT, Fate.RAISED) @ hedged).reshape(own.shape[0], -1, width)
        made[start : start + _BLOCK] = between + (_members(own, Fate.MINI_ALONE, Fate.LARGE_ALONE) @ direct)[:, None]
    made /= n
    cost, mean_s, quality, timely = (made[:, :, at].astype(np.float64) for at in range(_MEANS))
    return Table(cost, mean_s, quality, timely, _p99_ratio(made[:, :, _MEANS:]), fate)


def _members(fate: NDArray[np.int8], first: Fate, second: Fate) -> NDArray[np.float32]:
    return np.concatenate([fate == first, fate == second], axis=1).astype(np.float32)


def _columns(flights: tuple[Flight, ...], targets: Targets, p99_s: float) -> list[NDArray[np.float32]]:
    """Returns float32[n, columns] for each fate: the mean over the draws of all that the table needs."""
    made = []
    for flight in flights:
        in_time = True if targets.deadline_s is None else flight.time_s <= targets.deadline_s
        means = [flight.cost_usd, flight.time_s, flight.correct, flight.correct * in_time]
        late = [(flight.time_s > rung * p99_s).mean(axis=1) for rung in _LADDER]
        made.append(np.stack([*(each.mean(axis=1) for each in means), *late], axis=1).astype(np.float32))
    return made


def _p99_ratio(late: NDArray[np.float32]) -> Floats:
    """Returns where the share that is later falls to 1 %; ``late``: that share, float32[cuts, delays, rungs]."""
    above = (late > _TAIL).sum(axis=2)
    before = np.clip(above - 1, 0, _LADDER.size - 1)
    after = np.clip(above, 0, _LADDER.size - 1)
    high = np.take_along_axis(late, before[:, :, None], axis=2)[:, :, 0].astype(np.float64)
    low = np.take_along_axis(late, after[:, :, None], axis=2)[:, :, 0].astype(np.float64)
    share = np.clip((high - _TAIL) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    ratio: Floats = _LADDER[before] + share * (_LADDER[after] - _LADDER[before])
    return ratio
