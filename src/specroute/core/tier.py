"""Who can answer, and at what price. Money is integer nano-USD; a price is nano-USD per million tokens."""

from __future__ import annotations

from dataclasses import dataclass

TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """List price of one tier, in nano-USD per million tokens (1 USD per Mtok = 10**9), each >= 0."""

    input_nano_usd_per_mtok: int
    output_nano_usd_per_mtok: int
    cached_input_nano_usd_per_mtok: int

    def cost_of_nano_usd(self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> int:
        """Returns the cost in nano-USD, rounded up: a bill is never understated.

        ``cached_input_tokens`` are part of ``input_tokens`` and have their own price.
        """
        total = (
            max(0, input_tokens - cached_input_tokens) * self.input_nano_usd_per_mtok
            + cached_input_tokens * self.cached_input_nano_usd_per_mtok
            + output_tokens * self.output_nano_usd_per_mtok
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
