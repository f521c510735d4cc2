"""What a policy does with each row, whether it decides or mixes at random."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.play import PlannedAs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.play import Played
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

MIXTURE = 3
PLAN_NAMES = {
    PlannedAs.DIRECT_MINI: "direct_mini",
    PlannedAs.DIRECT_LARGE: "direct_large",
    PlannedAs.CASCADE: "cascade",
    MIXTURE: "mixture",
}


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of n rows. A policy that draws lots has its expected values here.

    Attributes:
        plan: int8[n], a ``PlannedAs`` or ``MIXTURE``.
        large: float64[n], chance in [0, 1] that the large model's answer was delivered; its call is never in vain.
        escalated: float64[n], chance that it was called because the mini's answer was rejected.
        correct: float64[n], chance that the delivered answer is right.
        cost_usd: float64[n], of all calls.
        waste_usd: float64[n], of it the calls whose answer was not delivered.
        wrong_mini: float64[n], chance that the mini's wrong answer was delivered where the large model's was right.
        needless_large: float64[n], chance that the large model was called where the mini's answer was right.
    """

    plan: NDArray[np.int8]
    large: Floats
    escalated: Floats
    correct: Floats
    cost_usd: Floats
    waste_usd: Floats
    wrong_mini: Floats
    needless_large: Floats

    @classmethod
    def of(cls, rows: ScoredRows, played: Played) -> Delivered:
        """Returns what was played, a decision per row."""
        large = played.large_delivered.astype(np.float64)
        return cls(
            plan=played.plan,
            large=large,
            escalated=large * (played.plan != PlannedAs.DIRECT_LARGE),
            correct=played.correct,
            cost_usd=played.cost_usd,
            waste_usd=played.waste_usd,
            wrong_mini=(1.0 - large) * (1.0 - rows.mini_ok) * rows.large_ok,
            needless_large=large * rows.mini_ok,
        )

    def mixed(self, other: Delivered, share: float) -> Delivered:
        """Returns what lots give: ``other`` with the chance ``share`` in [0, 1], else this."""
        columns = {
            field.name: (1.0 - share) * getattr(self, field.name) + share * getattr(other, field.name)
            for field in fields(self)
            if field.name != "plan"
        }
        return Delivered(plan=np.full(self.plan.size, MIXTURE, dtype=np.int8), **columns)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Delivered:
        """Returns the rows at ``index``."""
        return Delivered(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def joined(parts: Sequence[Delivered], index: Sequence[NDArray[np.int64]]) -> Delivered:
    """Returns the rows of all ``parts``, those of each at its ``index`` of the whole."""
    back = np.argsort(np.concatenate(index))
    return Delivered(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])[back]
            for field in fields(Delivered)
        }
    )
