"""The best setting that keeps the targets on the tuning rows, and where resampling puts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.findings import Optimum, Setting
from specroute.tuning.search.spans import spans
from specroute.tuning.search.tail import tail_confidence, upper_bound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.tuning.search.lock import Lock
    from specroute.tuning.search.space import Space
    from specroute.tuning.search.table import Table
    from specroute.tuning.search.tail import Tail
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]
    At = tuple[int, int]

ALWAYS_LARGE_AT: At = (0, 0)
_PROBES = 40  # settings by which is learnt how far the tail's bound lies above what the table says
_MAX_TRIED = 3000
_HAIR = 0.02  # of always-large's objective
_MAX_NEAR = 1000
_DIGITS = 4
_ROUNDING = 1e-5  # of the table's single precision
_TABLE_ERROR = 0.02  # of the table's p99


@dataclass(frozen=True, slots=True)
class Search:
    """Everything that is known of the candidates on the tuning rows."""

    space: Space
    table: Table
    lock: Lock
    tail: Tail
    targets: Targets

    def setting(self, at: At) -> Setting:
        """Returns the candidate at (cut, delay)."""
        return Setting(self.space.cuts[at[0]], self.space.delays_s[at[1]])

    def tail_ratios(self, at: At) -> Floats:
        """Returns float64[1 + resamples]: the p99 of the candidate over always-large's."""
        return self.tail.ratios(self.table.fate[at[0]], self.space.delays_s[at[1]])

    def tail_bound(self, at: At) -> float:
        """Returns the upper bound of the candidate's p99 over always-large's."""
        return upper_bound(self.tail_ratios(at), tail_confidence(self.targets))

    @property
    def keeps_quality(self) -> NDArray[np.bool_]:
        """bool[cuts, delays]: the cuts are admissible; a property of the cuts alone."""
        return np.repeat(self.lock.admissible[:, np.newaxis], len(self.space.delays_s), axis=1)

    @property
    def keeps_deadline(self) -> NDArray[np.bool_]:
        """bool[cuts, delays]: enough right answers come within the deadline, by always-large's; true without one."""
        if self.targets.deadline_s is None:
            return np.ones_like(self.table.timely, dtype=np.bool_)
        needed = self.lock.needed * self.table.timely[ALWAYS_LARGE_AT]
        kept: NDArray[np.bool_] = self.table.timely - self.lock.margin[:, np.newaxis] >= needed - 1e-9
        return kept


def choose(search: Search, weights: Floats) -> Optimum:
    """Returns the optimum.

    Args:
        search: all candidates.
        weights: float64[1 + resamples, n], ones first; how often each tuning row is drawn.
    """
    allowed = search.keeps_quality & search.keeps_deadline
    found = _sturdiest(search, allowed)
    missed: Mapping[str, str] = {}
    chosen = found
    if chosen is None:
        chosen = _nearest(search, allowed)
        missed = _missed(search, chosen)
    return Optimum(
        setting=search.setting(chosen),
        spans=spans(search, weights, chosen),
        feasible=found is not None,
        missed=missed,
        candidates=search.space.size,
    )


def _sturdiest(search: Search, allowed: NDArray[np.bool_]) -> At | None:
    """Returns, of the candidates as good as the best but for a hair, the one that is surest to keep the quality.

    The best of many thousands is the luckiest as well: what it promises on its own rows, others do not quite keep.
    """
    best = _first_that_holds(search, allowed)
    if best is None:
        return None
    objective, bound = search.table.objective_usd(search.targets), search.targets.p99_bound
    near = allowed & (objective <= objective[best] + _HAIR * objective[ALWAYS_LARGE_AT])
    if bound is not None:
        near &= search.table.p99_ratio <= bound
    candidates = _in_order(objective, near)
    candidates.sort(key=lambda at: -round(float(search.lock.lower[at[0]]), _DIGITS))
    for at in candidates[:_MAX_NEAR]:
        if bound is None or search.tail_bound(at) <= bound:
            return at
    return best


def _first_that_holds(search: Search, allowed: NDArray[np.bool_]) -> At | None:
    """Returns the allowed candidate with the least objective whose tail's bound is kept."""
    objective = search.table.objective_usd(search.targets)
    bound = search.targets.p99_bound
    if bound is None:
        order = _in_order(objective, allowed)
        return None if not len(order) else order[0]
    likely = allowed & (search.table.p99_ratio <= bound + _TABLE_ERROR)
    probes = _in_order(objective, likely)[:_PROBES]
    above = []
    for at in probes:
        upper = search.tail_bound(at)
        if upper <= bound:
            return at
        above.append(upper - search.table.p99_ratio[at])
    if not above:
        return None
    cushion = float(np.quantile(above, 0.1)) - _TABLE_ERROR
    likely &= search.table.p99_ratio <= bound - cushion
    return next((at for at in _in_order(objective, likely)[:_MAX_TRIED] if search.tail_bound(at) <= bound), None)


def _in_order(objective: Floats, allowed: NDArray[np.bool_]) -> list[At]:
    """Returns the allowed candidates, the least objective first.

    Of those that are equal within rounding, the one whose large leg starts latest, then the first in the space.
    """
    cut, delay = np.nonzero(allowed)
    worth = objective[cut, delay]
    rounded = np.round(worth / max(float(np.abs(worth).max(initial=0.0)), 1e-300) / _ROUNDING)
    order = np.lexsort((cut, -delay, rounded))
    return [(int(cut[at]), int(delay[at])) for at in order]


def _nearest(search: Search, allowed: NDArray[np.bool_]) -> At:
    """Returns the allowed candidate that saves and has the shortest tail; where none saves, always-large."""
    saves = allowed & (search.table.cost_usd < search.table.cost_usd[ALWAYS_LARGE_AT])
    if not saves.any():
        return ALWAYS_LARGE_AT
    cut, delay = np.unravel_index(int(np.where(saves, search.table.p99_ratio, np.inf).argmin()), saves.shape)
    return int(cut), int(delay)


def _missed(search: Search, nearest: At) -> Mapping[str, str]:
    bound = search.targets.p99_bound
    assert bound is not None, "without a bound on the tail always-large keeps all targets"
    point, upper = float(search.tail_ratios(nearest)[0]), search.tail_bound(nearest)
    if nearest == ALWAYS_LARGE_AT:
        said = f"no policy that saves keeps the other targets, so that none has a p99 of at most {bound:.2f}"
    else:
        said = (
            f"no policy that saves and keeps the quality has a p99 of at most {bound:.2f} of always-large's: "
            f"the best has {point:.2f}, and with confidence {tail_confidence(search.targets):g} at most {upper:.2f}"
        )
    return {"p99_ratio": said}
