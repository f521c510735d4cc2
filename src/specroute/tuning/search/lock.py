"""Quality is locked first: which cuts keep it, whatever the latency is and whatever time is worth.

Judged as if the large model's answer never displaced a mini's that is accepted: then it depends on the cuts alone, and
what was locked stays so when latencies change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.flights.flight import Fate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]

_BLOCK = 1000
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Lock:
    """How much of the large model's quality each cut keeps on the tuning rows; float64[cuts] each.

    Attributes:
        retention: as measured.
        lower: its one-sided lower bound at ``Targets.confidence``.
        needed: 1 - the loss that is allowed.
        resampled: float32[resamples, cuts], the retention in each resample.
    """

    retention: Floats
    lower: Floats
    needed: float
    resampled: NDArray[np.float32]

    @property
    def admissible(self) -> NDArray[np.bool_]:
        """bool[cuts]: which cuts keep the quality."""
        return np.minimum(self.retention, self.lower) >= self.needed - _TOLERANCE

    @property
    def margin(self) -> Floats:
        """float64[cuts]: how much more than needed a cut must keep on the rows to be admissible."""
        return np.maximum(0.0, self.retention - self.lower)


def lock(rows: ScoredRows, fate: NDArray[np.int8], targets: Targets, weights: Floats) -> Lock:
    """Returns what each cut keeps.

    Args:
        rows: n tuning rows.
        fate: int8[cuts, n].
        targets: loss and confidence.
        weights: float64[1 + resamples, n], as ``effects.cluster_weights`` has them.
    """
    drawn = weights.astype(np.float32)
    large = (weights @ rows.large_ok)[:, np.newaxis].astype(np.float32)
    alone = np.where(rows.passes, rows.mini_ok, rows.large_ok)
    by_fate = np.stack([alone, rows.large_ok, rows.mini_ok, rows.large_ok]).astype(np.float32)
    assert by_fate.shape[0] == len(Fate)
    parts = []
    for start in range(0, fate.shape[0], _BLOCK):
        own = fate[start : start + _BLOCK]
        correct = np.choose(own, by_fate[:, np.newaxis, :])
        # A resample in which the large model is never right has no quality to lose.
        parts.append(np.where(large > 0.0, drawn @ correct.T / np.maximum(large, 1.0), np.float32(1.0)))
    kept = np.concatenate(parts, axis=1)
    retention = kept[0].astype(np.float64)
    lower = retention
    if targets.confidence > 0.5:
        lower = np.quantile(kept[1:], 1.0 - targets.confidence, axis=0).astype(np.float64)
    return Lock(retention, lower, 1.0 - targets.max_quality_loss, kept[1:])
