"""How sure the optimum is: chosen anew in every resample of the tuning rows.

A nested bootstrap would be dear; instead a candidate must keep each target in a resample with the margin that the
bound has on the rows as they are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.findings import Setting, Span
from specroute.tuning.flights.flight import fly_fates
from specroute.tuning.search.tail import tail_confidence, upper_bound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.tuning.search.choose import Search

    Floats = NDArray[np.float64]
    At = tuple[int, int]

_MIDDLE = (2.5, 97.5)
_QUALITY_EDGES = (-0.02, -0.01, -0.005, -0.0025, 0.0, 0.0025, 0.005, 0.01)
_TAIL_EDGES = (-0.05, -0.02, 0.0, 0.02, 0.05)
_PER_BIN = 20


def spans(search: Search, weights: Floats, chosen: At) -> Mapping[str, Span]:
    """Returns where the middle 95 % of the choices lie, for each tuned value.

    Args:
        search: all candidates.
        weights: float64[1 + resamples, n], ones first.
        chosen: on the rows as they are.
    """
    shortlist = _shortlist(search, chosen)
    objective = _objectives(search, shortlist, weights)
    holds = _holds(search, shortlist)
    best = np.where(holds, objective, np.inf).argmin(axis=1)  # 0 is always-large, where nothing holds
    settings = [search.setting(shortlist[at]) for at in best]
    own = search.setting(chosen)
    tried = [Setting(cut, search.space.delays_s[0]) for cut in search.space.cuts]
    tried += [Setting(search.space.cuts[0], delay) for delay in search.space.delays_s]
    return {
        name: _span(read(own), [read(each) for each in settings], sorted({read(each) for each in tried}))
        for name, read in _VALUES.items()
    }


def _shortlist(search: Search, chosen: At) -> list[At]:
    """Returns the candidates that a resample could choose: the cheapest at every distance from the targets."""
    objective = search.table.objective_usd(search.targets)
    slack = (search.lock.retention - search.lock.margin - search.lock.needed)[:, np.newaxis]
    bins = np.digitize(slack, _QUALITY_EDGES) + np.zeros(objective.shape, dtype=np.int64)
    bound = search.targets.p99_bound
    if bound is not None:
        bins = bins * (len(_TAIL_EDGES) + 1) + np.digitize(bound - search.table.p99_ratio, _TAIL_EDGES)
    bins[(slack < _QUALITY_EDGES[0]).repeat(objective.shape[1], axis=1) | ~search.keeps_deadline] = -1
    order = np.argsort(objective, axis=None, kind="stable")
    flat = bins.ravel()[order]
    kept = [(0, 0), chosen]
    for which in np.unique(flat[flat >= 0]):
        at = order[flat == which][:_PER_BIN]
        kept += [(int(cut), int(delay)) for cut, delay in zip(*np.unravel_index(at, objective.shape), strict=True)]
    return list(dict.fromkeys(kept))


def _objectives(search: Search, shortlist: list[At], weights: Floats) -> Floats:
    """Returns float64[resamples, shortlist]."""
    value = search.targets.latency_value_usd_per_s
    n = weights.shape[1]
    rows = np.arange(n)
    by_delay: dict[int, Floats] = {}
    per_row = np.empty((len(shortlist), n))
    for at, (cut, delay) in enumerate(shortlist):
        if delay not in by_delay:
            flights = fly_fates(search.tail.world, search.space.delays_s[delay])
            by_delay[delay] = np.array([(each.cost_usd + value * each.time_s).mean(axis=1) for each in flights])
        per_row[at] = by_delay[delay][search.table.fate[cut], rows]
    made: Floats = weights[1:] @ per_row.T / weights[1:].sum(axis=1, keepdims=True)
    return made


def _holds(search: Search, shortlist: list[At]) -> NDArray[np.bool_]:
    """Returns bool[resamples, shortlist]: which candidates keep the targets in a resample, with their margins."""
    cuts = np.array([cut for cut, _ in shortlist])
    kept: NDArray[np.bool_] = search.lock.resampled[:, cuts] - search.lock.margin[cuts] >= search.lock.needed - 1e-6
    kept[:, 0] = True
    bound = search.targets.p99_bound
    if bound is None:
        return kept
    for at, candidate in enumerate(shortlist):
        ratios = search.tail_ratios(candidate)
        cushion = upper_bound(ratios, tail_confidence(search.targets)) - ratios[0]
        kept[:, at] &= ratios[1:] + cushion <= bound + 1e-9
    return kept


def _direct_mini(setting: Setting) -> float:
    return setting.cuts.direct_mini if setting.cuts.direct_mini <= 1.0 else math.inf


def _direct_large(setting: Setting) -> float:
    return setting.cuts.direct_large if setting.cuts.direct_large >= 0.0 else -math.inf


def _min_p(setting: Setting) -> float:
    return -math.inf if setting.cuts.min_p is None else setting.cuts.min_p


def _delay(setting: Setting) -> float:
    return math.inf if setting.hedge_delay_s is None else setting.hedge_delay_s


_VALUES = {
    "direct_mini": _direct_mini,
    "direct_large": _direct_large,
    "min_p": _min_p,
    "hedge_delay_s": _delay,
}


def _span(own: float, values: list[float], levels: list[float]) -> Span:
    """Returns the middle of ``values``, out to the next of the ``levels``: nothing between two of them was tried."""
    ordered = sorted([own, *values])
    lo, hi = (ordered[round(share / 100.0 * (len(ordered) - 1))] for share in _MIDDLE)
    lo, hi = min(lo, own), max(hi, own)
    below = max((level for level in levels if level < lo and math.isfinite(lo)), default=lo)
    above = min((level for level in levels if level > hi and math.isfinite(hi)), default=hi)
    return Span(*(None if math.isinf(value) else value for value in (own, below, above)))
