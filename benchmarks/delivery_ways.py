"""What is compared: policies and deliveries, and how fast the tiers are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.core.tier import Price, Tier
from specroute.policy.planner import Always, Thresholds
from specroute.upstreams.simulated.profile import Z_99, LatencyProfile

TIERS = (
    Tier("mini", Price(150_000_000, 600_000_000, 75_000_000)),
    Tier("large", Price(2_500_000_000, 10_000_000_000, 1_250_000_000)),
)
PRICES = "list prices 0.15 / 0.60 (mini) and 2.50 / 10.00 (large) USD per million input / output tokens"


@dataclass(frozen=True, slots=True)
class Way:
    """One row: which tiers there are, what the planner does, and how the answer is delivered; ``None``: unary."""

    name: str
    policy: Thresholds | Always
    wish: DeliveryWish | None
    tiers: tuple[Tier, ...] = TIERS


# The model's score lies strictly between 0 and 1, so with these cuts every request is uncertain.
_RACE = Thresholds(direct_mini=1.0, direct_large=0.0, hedge_delay_s=0.0)
_CASCADE = Thresholds(direct_mini=1.0, direct_large=0.0, hedge_delay_s=None)
_COMMITTED = DeliveryWish()

ALWAYS_LARGE = Way("always-large, streamed", Always("large"), _COMMITTED)
RACE_WHOLE = Way("race, whole answers", _RACE, None)
RACE_STREAMS = (
    Way("race, COMMITTED", _RACE, _COMMITTED),
    Way("race, HOLD_BACK 16 tokens", _RACE, DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=16)),
    Way("race, HOLD_BACK 250 ms", _RACE, DeliveryWish(DeliveryMode.HOLD_BACK, hold_s=0.25)),
    Way("race, PROVISIONAL", _RACE, DeliveryWish(DeliveryMode.PROVISIONAL)),
)
CASCADE_STREAM = Way("cascade, COMMITTED", _CASCADE, _COMMITTED)
WAYS = (
    ALWAYS_LARGE,
    Way("cascade, whole answers", _CASCADE, None),
    CASCADE_STREAM,
    RACE_WHOLE,
    *RACE_STREAMS,
    Way("always-mini, streamed", Always("mini"), _COMMITTED, TIERS[:1]),
)


@dataclass(frozen=True, slots=True)
class Speed:
    """Lognormal time to the first token (median in seconds; sigma of its logarithm), then an even pace."""

    first_token_p50_s: float
    sigma: float
    tokens_per_s: float

    @property
    def profile(self) -> LatencyProfile:
        """The same in the words of the simulated tiers; draws are clipped at 3.5 sigma."""
        p99_s = self.first_token_p50_s * math.exp(Z_99 * self.sigma)
        return LatencyProfile(self.first_token_p50_s, p99_s, self.tokens_per_s)

    def __str__(self) -> str:
        """Says it in words."""
        return f"median {self.first_token_p50_s:.2f} s, sigma {self.sigma:g}, then {self.tokens_per_s:g} tokens/s"


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """How fast both tiers are."""

    name: str
    mini: Speed
    large: Speed

    def of(self, tier: str) -> LatencyProfile:
        """Returns the profile of ``tier``."""
        return (self.mini if tier == TIERS[0].name else self.large).profile

    def __str__(self) -> str:
        """Says it in words."""
        return f"{self.name}: first token lognormal: mini {self.mini}; large {self.large}"


LATENCY_MODELS = (
    LatencyModel("mini fast", Speed(0.35, 0.5, 110), Speed(0.60, 0.3, 55)),
    LatencyModel("mini slow", Speed(0.90, 0.85, 70), Speed(0.50, 0.4, 100)),
)
