"""Who can answer, and at what price. Money is integer nano-USD; a price is nano-USD per million tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specroute.core.outcome import Usage

TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """List price of one tier, in nano-USD per million tokens (1 USD per Mtok = 10**9), each >= 0."""

    input_nano_usd_per_mtok: int
    output_nano_usd_per_mtok: int
    cached_input_nano_usd_per_mtok: int

    def cost_nano_usd(self, usage: Usage) -> int:
        """Returns the cost of ``usage`` in nano-USD, rounded up: a bill is never understated."""
        fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
        total = (
            fresh * self.input_nano_usd_per_mtok
            + usage.cached_input_tokens * self.cached_input_nano_usd_per_mtok
            + usage.output_tokens * self.output_nano_usd_per_mtok
        )
        return -(-total // TOKENS_PER_PRICE)


@dataclass(frozen=True, slots=True)
class Tier:
    """A quality and price class.

    Attributes:
        name: as in the configuration.
        price: what its tokens cost.
        output_tokens: expected output tokens of one answer, > 0; the estimate behind ``max_cost_nano_usd``.
    """

    name: str
    price: Price
    output_tokens: int = 300
