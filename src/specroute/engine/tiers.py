"""The tiers as the engine runs them: each upstream with its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from specroute.core.ports import Upstream
    from specroute.core.tier import Tier


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds on one call, in seconds, each > 0; the request's deadline stands above them.

    Attributes:
        first_token_s: from the call to the first part of the answer.
        idle_s: between two parts of the answer; a keep-alive comment is not a part.
        total_s: from the call to its end.
        min_tokens_per_s: the least rate of output tokens since the first one, judged once ``rate_window_s`` have passed
            and only while the answer may still lose to another leg's; 0: none.
    """

    first_token_s: float = 20.0
    idle_s: float = 15.0
    total_s: float = 120.0
    min_tokens_per_s: float = 0.0
    rate_window_s: float = 5.0


@dataclass(frozen=True, slots=True)
class BoundedUpstream:
    """An upstream with its bounds.

    Attributes:
        max_concurrency: calls that may run at once; more wait for a permit, within their deadline.
        max_retries: calls sent again to the same upstream after the connection died before any byte of a response.
        cancel_stops_billing: whether the provider stops counting when the connection is closed.
    """

    upstream: Upstream
    max_concurrency: int = 64
    timeouts: Timeouts = Timeouts()
    max_retries: int = 1
    cancel_stops_billing: bool = True
    permits: anyio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        permits = anyio.Semaphore(self.max_concurrency, max_value=self.max_concurrency, fast_acquire=True)
        object.__setattr__(self, "permits", permits)


@dataclass(frozen=True, slots=True)
class ServedTier:
    """A tier and the upstreams that serve it, in the order they are tried."""

    tier: Tier
    upstreams: tuple[BoundedUpstream, ...]
