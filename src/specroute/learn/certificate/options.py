"""What to certify, and the error of rows that allow no certificate at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specroute.predictor.certificate import Method, Policy


class CalibrationError(ValueError):
    """Nothing can be certified from what was given; the message is one line with the mend."""


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """What to certify.

    Attributes:
        alpha: the most quality that may be lost, in (0, 1).
        delta: the most that the promise may be wrong with, in (0, 1).
        method: the loss that is tested, as ``evidence`` has them: failures by ``binomial``, signed by ``betting``.
        policy: ``full``; ``cascade``: nothing goes to the mini unverified; ``direct``: nothing is verified.
        seed: decides the split, the row of each cluster and the order of the test.
        tuning_share: of the clusters, in (0, 1), from which the path is fixed; not used with tuning rows of their own.
        answered_only: leave out rows without a recorded mini answer.
    """

    alpha: float = 0.02
    delta: float = 0.05
    method: Method = "binomial"
    policy: Policy = "full"
    seed: int = 0
    tuning_share: float = 0.3
    answered_only: bool = False
