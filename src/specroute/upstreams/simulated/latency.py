"""How fast both tiers of a pair answer, and how that hangs together: a stated model, the same live and in replay.

The time to the first token is lognormal, then tokens come at a lognormal rate. What slows one tier (a busy region, a
hard prompt) often slows the other: the logarithms of their noises are correlated. A draw depends on seed, tier, prompt
and number of the draw alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specroute.upstreams.simulated.profile import Z_99, LatencyProfile, Pace, seeded

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from specroute.upstreams.simulated.profile import TierProfile

MINI, LARGE = "mini", "large"
RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """How fast tiers answer.

    Attributes:
        name: what reports call it.
        tiers: tier -> its profile.
        correlation: of the logarithms of two tiers' noises at one prompt, in [0, 1].
        prefers_recorded: whether a recorded latency of the whole answer stands above the profile.
    """

    name: str
    tiers: Mapping[str, LatencyProfile]
    correlation: float = 0.0
    prefers_recorded: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.correlation <= 1.0:
            raise ValueError("correlation must be in [0, 1]")

    @classmethod
    def of_profiles(cls, tiers: Sequence[TierProfile]) -> LatencyModel:
        """Returns the tiers' own profiles, each drawn for itself; recorded latencies stand above them."""
        return cls("profiles", {tier.name: tier.latency for tier in tiers})

    def described(self) -> str:
        """Returns the model in one line, for reports."""
        tiers = "; ".join(f"{name} {profile.described()}" for name, profile in self.tiers.items())
        recorded = "recorded latencies where there are any, else " if self.prefers_recorded else ""
        return f"{self.name}: {recorded}{tiers}; correlation {self.correlation:g}"

    def pace(
        self, tier: str, prompt: str, *, output_tokens: int, recorded_s: float | None, seed: int, draw: int = 0
    ) -> Pace:
        """Returns the speed of the answer of ``tier`` to ``prompt``.

        Args:
            tier: a key of ``tiers``.
            prompt: the last user message.
            output_tokens: of the answer, >= 0.
            recorded_s: recorded time of the whole answer, in seconds; ``None``: none.
            seed: of all draws.
            draw: which of several draws for the same prompt; the live simulator takes the first, 0.
        """
        profile = self.tiers[tier]
        if self.prefers_recorded and recorded_s is not None:
            return profile.pace_of_recorded(recorded_s, output_tokens)
        own = seeded(seed, "latency", tier, str(draw), prompt)
        shared = seeded(seed, "latency", "", str(draw), prompt)
        first_z, rate_z = (self._mixed(own, shared) for _ in range(2))
        return profile.pace_at(first_z, rate_z, own.random())

    def _mixed(self, own: random.Random, shared: random.Random) -> float:
        rho = self.correlation
        return math.sqrt(rho) * shared.gauss(0.0, 1.0) + math.sqrt(1.0 - rho) * own.gauss(0.0, 1.0)


def _profile(first_token_s: float, tokens_per_s: float, sigma: float, rate_sigma: float) -> LatencyProfile:
    return LatencyProfile(first_token_s, first_token_s * math.exp(Z_99 * sigma), tokens_per_s, rate_sigma=rate_sigma)


_FAST = {MINI: _profile(0.35, 110.0, 0.5, 0.3), LARGE: _profile(0.60, 55.0, 0.5, 0.3)}
_SLOW = {MINI: _profile(0.90, 70.0, 0.85, 0.4), LARGE: _profile(0.50, 100.0, 0.85, 0.4)}

LATENCY_MODELS: Mapping[str, LatencyModel] = {
    RECORDED: LatencyModel(RECORDED, _FAST, 0.5),
    "mini-fast": LatencyModel("mini-fast", _FAST, 0.5, prefers_recorded=False),
    "mini-slow": LatencyModel("mini-slow", _SLOW, 0.5, prefers_recorded=False),
}
"""By name: ``mini-fast``, a mini about twice as fast as large; ``mini-slow``, one that is mostly slower; ``recorded``:
recorded latencies where there are any, else ``mini-fast``."""


def latency_model(name: str) -> LatencyModel:
    """Returns the model called ``name``.

    Raises:
        ValueError: there is none; one line with the names.
    """
    if name not in LATENCY_MODELS:
        raise ValueError(f"--latency {name!r}: choose one of {', '.join(LATENCY_MODELS)}")
    return LATENCY_MODELS[name]


def with_profiles(model: LatencyModel, tiers: Mapping[str, LatencyProfile]) -> LatencyModel:
    """Returns ``model`` with the profiles of some tiers replaced."""
    return replace(model, tiers={**model.tiers, **tiers})
