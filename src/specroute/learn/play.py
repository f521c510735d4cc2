"""What a policy would have done with recorded answers: who is asked, who delivers, whether it is right, what it costs.

The same decision as ``policy.planner`` with its ``Thresholds`` and the service's validators take, for all rows at once:
a search over thousands of policies reads tables of numbers, not texts. A test holds the two together, row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.verifier.leeway import STRAIGHT, Leeway

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import CertifiedCuts

NEVER_DIRECT_MINI = 1.1
NEVER_DIRECT_LARGE = -0.1


class PlannedAs(IntEnum):
    """What is planned for a row."""

    DIRECT_MINI = 0
    DIRECT_LARGE = 1
    CASCADE = 2


@dataclass(frozen=True, slots=True)
class Cuts:
    """A policy.

    Attributes:
        direct_mini: where ``p_low`` is at least this, the mini alone is asked; above 1: never.
        direct_large: where ``p_high`` is at most this, the large model alone is asked; below 0: never.
        min_p: between, the mini's answer is delivered where its merit is at least this, and where the verifier
            abstains the large model's is; ``None``: there is no verifier.
        leeway: bends ``min_p`` with an answer's price.
    """

    direct_mini: float
    direct_large: float
    min_p: float | None
    leeway: Leeway = STRAIGHT

    @classmethod
    def of(cls, certified: CertifiedCuts) -> Cuts:
        """Returns the cuts of a certificate."""
        return cls(
            NEVER_DIRECT_MINI if certified.direct_mini is None else certified.direct_mini,
            NEVER_DIRECT_LARGE if certified.direct_large is None else certified.direct_large,
            certified.min_p,
            certified.leeway,
        )


ALWAYS_LARGE = Cuts(NEVER_DIRECT_MINI, 1.0, None)
ALWAYS_MINI = Cuts(0.0, NEVER_DIRECT_LARGE, None)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of each row.

    Attributes:
        plan: int8[n], a ``PlannedAs``.
        large_delivered: bool[n].
        correct: float64[n], 1 where the delivered answer is acceptable.
        cost_usd: float64[n], all calls.
        waste_usd: float64[n], of it the calls whose answer was not delivered.
    """

    plan: NDArray[np.int8]
    large_delivered: NDArray[np.bool_]
    correct: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    waste_usd: NDArray[np.float64]


def play(rows: ScoredRows, cuts: Cuts) -> Played:
    """Returns what ``cuts`` do with ``rows``.

    A mini answer that the deterministic validators reject is followed by the large model under every plan: a direct
    plan escalates once.
    """
    is_large = ~(rows.p_low >= cuts.direct_mini) & (rows.p_high <= cuts.direct_large)
    is_mini = rows.p_low >= cuts.direct_mini
    plan = np.full(rows.p.size, PlannedAs.CASCADE, dtype=np.int8)
    plan[is_mini] = PlannedAs.DIRECT_MINI
    plan[is_large] = PlannedAs.DIRECT_LARGE
    verified = np.ones(rows.p.size, dtype=np.bool_) if cuts.min_p is None else rows.merit(cuts.leeway) >= cuts.min_p
    mini_delivered = ~is_large & rows.passes & (is_mini | verified)
    return delivered_by(rows, plan, ~mini_delivered)


def delivered_by(rows: ScoredRows, plan: NDArray[np.int8], large_delivered: NDArray[np.bool_]) -> Played:
    """Returns the outcome of asking as ``plan`` says and delivering the large model's answer where told."""
    asked_mini = plan != PlannedAs.DIRECT_LARGE
    waste = np.where(asked_mini & large_delivered, rows.mini_cost_usd, 0.0)
    delivered_cost = np.where(large_delivered, rows.large_cost_usd, rows.mini_cost_usd)
    correct = np.where(large_delivered, rows.large_ok, rows.mini_ok)
    return Played(plan, large_delivered, correct, delivered_cost + waste, waste)
