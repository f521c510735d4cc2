"""What answers cost: list prices of known pairs of models, and the money of one recorded answer.

Prices are the providers' public list prices in US dollars per million tokens, at the time when the answers were
recorded (2024). They matter as a ratio: what is saved is a share.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from specroute.core.request import estimated_tokens, utf8_length

if TYPE_CHECKING:
    from collections.abc import Mapping

MTOK = 1e6
TYPICAL_OUTPUT_TOKENS = 100.0
"""Assumed where neither a count nor an answer is recorded."""


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens, >= 0."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float

    def cost_usd(self, input_tokens: float, output_tokens: float) -> float:
        """Returns the cost of one call."""
        return (input_tokens * self.input_usd_per_mtok + output_tokens * self.output_usd_per_mtok) / MTOK


LIST_PRICES: Mapping[str, ModelPrice] = MappingProxyType(
    {
        "gpt-4o-mini": ModelPrice(0.15, 0.60),
        "gpt-4o": ModelPrice(2.50, 10.00),
        "gpt-4": ModelPrice(10.00, 30.00),
        "claude-3-haiku": ModelPrice(0.25, 1.25),
        "claude-3.5-sonnet": ModelPrice(3.00, 15.00),
        "gemini-1.5-flash": ModelPrice(0.075, 0.30),
        "gemini-1.5-pro": ModelPrice(1.25, 5.00),
        "llama-3.1-8b": ModelPrice(0.18, 0.18),
        "llama-3.1-70b": ModelPrice(0.88, 0.88),
        "mixtral-8x7b": ModelPrice(0.60, 0.60),
        "mistral-small-24b": ModelPrice(0.10, 0.30),
    }
)


class UnknownPrice(ValueError):
    """No price is known of a model; one line with the mend."""


@dataclass(frozen=True, slots=True)
class PairPrices:
    """What the two models of a pair cost."""

    mini: ModelPrice
    large: ModelPrice

    @classmethod
    def of_pair(cls, pair: str) -> PairPrices:
        """Returns the list prices of ``mini|large``.

        Raises:
            UnknownPrice: it is not a pair, or one of its models is not listed.
        """
        mini, separator, large = pair.partition("|")
        unknown = [name for name in (mini, large) if name not in LIST_PRICES]
        if not separator or unknown:
            what = f"no list price of {unknown[0]!r}" if separator else f"pair {pair!r} is not 'mini|large'"
            raise UnknownPrice(f"{what}; give --prices MINI_IN/MINI_OUT,LARGE_IN/LARGE_OUT in USD per million tokens")
        return cls(LIST_PRICES[mini], LIST_PRICES[large])

    @classmethod
    def parse(cls, text: str) -> PairPrices:
        """Returns the prices written ``0.15/0.60,2.50/10``: input/output of the mini, then of the large model.

        Raises:
            UnknownPrice: it is written otherwise, or a price is negative.
        """
        try:
            numbers = [[float(price) for price in model.split("/")] for model in text.split(",")]
            (mini_in, mini_out), (large_in, large_out) = numbers
        except ValueError:
            numbers = [[-1.0]]
        if not all(0.0 <= price < float("inf") for model in numbers for price in model):
            raise UnknownPrice(
                f"--prices {text!r}: write MINI_IN/MINI_OUT,LARGE_IN/LARGE_OUT such as 0.15/0.60,2.50/10"
            )
        return cls(ModelPrice(mini_in, mini_out), ModelPrice(large_in, large_out))


def answer_cost_usd(
    price: ModelPrice, prompt: str, answer: str | None, input_tokens: float | None, output_tokens: float | None
) -> float:
    """Returns what an answer cost by its recorded tokens; what is not recorded is estimated from the texts."""
    if input_tokens is None:
        input_tokens = estimated_tokens(utf8_length(prompt))
    if output_tokens is None:
        output_tokens = TYPICAL_OUTPUT_TOKENS if answer is None else estimated_tokens(utf8_length(answer))
    return price.cost_usd(input_tokens, output_tokens)
