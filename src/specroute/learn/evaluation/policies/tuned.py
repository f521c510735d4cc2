"""Tunes every policy on rows that it is not measured on, and plays it.

With tuning rows, thresholds come from them. Without, from one half of the groups for the other half, both ways round.
Either way no figure of a policy has seen its own labels. The policies are tuned to a *target*: the share of the large
model's quality that is to be kept, met on the tuning rows at least cost. What is kept on other rows may fall short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.policies.baselines import group_parts
from specroute.learn.evaluation.policies.delivered import Delivered, joined
from specroute.learn.play import play

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows

    Tuner = Callable[[ScoredRows, Sequence[float]], list[Cuts]]

HALVES = 2
TARGETS = tuple(round(float(target), 2) for target in np.arange(0.70, 1.16, 0.01))
"""For the frontier: each policy is tuned to all of these."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where thresholds come from and where they are measured.

    Attributes:
        tuning: rows of another file; ``None``: the halves of ``half_of`` are tuned for each other.
        half_of: int64[n], 0 or 1 for each measured row.
    """

    tuning: ScoredRows | None
    half_of: NDArray[np.int64]

    @classmethod
    def of(cls, rows: ScoredRows, tuning: ScoredRows | None, *, seed: int) -> Split:
        """Returns the split of ``rows``; whole groups are in one half."""
        return cls(tuning, group_parts(rows.groups, HALVES, seed))


@dataclass(frozen=True, slots=True)
class Tuned:
    """A policy at its target, and along all targets.

    Attributes:
        cuts: one, or one for each half.
        at_target: what became of the rows.
        frontier: the same for each of ``TARGETS``.
    """

    cuts: tuple[Cuts, ...]
    at_target: Delivered
    frontier: tuple[Delivered, ...]


def tuned(rows: ScoredRows, split: Split, target: float, tune: Tuner, *, tuning: ScoredRows | None = None) -> Tuned:
    """Tunes by ``tune`` and plays.

    Args:
        rows: to measure on, with the scores that the policy reads.
        split: where the thresholds come from.
        target: share of the large model's quality, > 0.
        tune: rows and targets -> cuts per target.
        tuning: ``split.tuning`` with the policy's own scores; ``None``: as they are.
    """
    targets = (target, *TARGETS)
    other = split.tuning if tuning is None else tuning
    if other is not None:
        cuts = [tuple(tune(other, targets))]
        played = _played(rows, cuts[0])
    else:
        index = [np.flatnonzero(split.half_of == half) for half in range(HALVES)]
        parts = [rows.take(at) for at in index]
        cuts = [tuple(tune(parts[1 - half], targets)) for half in range(HALVES)]
        halves = [_played(part, own) for part, own in zip(parts, cuts, strict=True)]
        played = [joined(both, index) for both in zip(*halves, strict=True)]
    return Tuned(tuple(own[0] for own in cuts), played[0], tuple(played[1:]))


def _played(rows: ScoredRows, cuts: Sequence[Cuts]) -> list[Delivered]:
    known: dict[Cuts, Delivered] = {}
    for own in cuts:
        if own not in known:
            known[own] = Delivered.of(rows, play(rows, own))
    return [known[own] for own in cuts]
