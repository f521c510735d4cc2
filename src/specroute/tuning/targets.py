"""What a tuning run is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

INTERACTIVE_MAX_P99_RATIO = 0.95
"""How much of always-large's 99th percentile an interactive policy may take: its tail shall be better, not as good."""


class Mode(StrEnum):
    """Which of two honest modes is wanted."""

    ECONOMY = "economy"
    """The least money at the wanted quality; a rejected answer waits for the large model, so the tail is longer."""
    INTERACTIVE = "interactive"
    """The least money at the wanted quality among policies whose tail is shorter than the large model's."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What must hold, and what is then made small: money plus the value of time.

    Attributes:
        mode: economy or interactive.
        max_quality_loss: share of the large model's quality that may be lost, in [0, 1).
        confidence: how sure it shall be on the tuning rows that no more is lost, in [0.5, 1): a one-sided bound by
            cluster bootstrap; 0.5 takes the point estimate, which breaks its promise about every other time.
            The bound on the tail is kept with 0.95 at least.
        latency_value_usd_per_s: what a second of waiting is worth, >= 0.
        deadline_s: a request that takes longer has failed its caller, > 0; ``None``: no deadline.
        max_p99_ratio: most that the 99th percentile may be of always-large's; ``None``: no bound.
        certificate_confidence: 1 - delta of the certificate, in (0, 1).
    """

    mode: Mode = Mode.ECONOMY
    max_quality_loss: float = 0.02
    confidence: float = 0.9
    latency_value_usd_per_s: float = 0.0
    deadline_s: float | None = None
    max_p99_ratio: float | None = None
    certificate_confidence: float = 0.95

    def __post_init__(self) -> None:
        _require(0.0 <= self.max_quality_loss < 1.0, "--max-quality-loss must be at least 0 and less than 1")
        _require(0.5 <= self.confidence < 1.0, "--tuning-confidence must be at least 0.5 and less than 1")
        _require(0.0 <= self.latency_value_usd_per_s < math.inf, "--latency-value must be 0 or more USD per second")
        _require(self.deadline_s is None or 0.0 < self.deadline_s < math.inf, "--deadline must be more than 0 s")
        _require(self.max_p99_ratio is None or self.max_p99_ratio > 0.0, "--max-p99-ratio must be more than 0")
        _require(0.0 < self.certificate_confidence < 1.0, "--confidence must be more than 0 and less than 1")

    @property
    def p99_bound(self) -> float | None:
        """The bound on the tail that the mode implies where none is given."""
        if self.max_p99_ratio is None and self.mode is Mode.INTERACTIVE:
            return INTERACTIVE_MAX_P99_RATIO
        return self.max_p99_ratio


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
