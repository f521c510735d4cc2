"""How fast, how dear and how right both tiers are on every row, over several draws of the latency model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.core.request import estimated_tokens, utf8_length
from specroute.learn.prices import TYPICAL_OUTPUT_TOKENS
from specroute.upstreams.simulated.answers import pieces_of
from specroute.upstreams.simulated.latency import LARGE, MINI

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome
    from specroute.learn.prices import ModelPrice, PairPrices
    from specroute.learn.scoring import ScoredRows
    from specroute.upstreams.simulated.latency import LatencyModel

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TierWorld:
    """One tier's answers to n rows, in d draws.

    Attributes:
        first_s: float64[n, d], seconds to the first token.
        whole_s: float64[n, d], seconds to the end of the answer, >= ``first_s``.
        input_usd: float64[n, 1], paid once a call is launched.
        whole_usd: float64[n, 1], of a whole answer.
        correct: float64[n, 1], 0 or 1.
    """

    first_s: Floats
    whole_s: Floats
    input_usd: Floats
    whole_usd: Floats
    correct: Floats

    def cancelled_usd(self, run_s: Floats) -> Floats:
        """Returns float64[n, d]: what a call costs that is cancelled after ``run_s``, float64[n, d], seconds.

        Tokens are paid as they have streamed until then, the input always.
        """
        writing_s = self.whole_s - self.first_s
        share = np.clip((run_s - self.first_s) / np.maximum(writing_s, 1e-12), 0.0, 1.0)
        cost: Floats = self.input_usd + share * (self.whole_usd - self.input_usd)
        return cost

    def take(self, index: NDArray[np.int64]) -> TierWorld:
        """Returns the rows at ``index``."""
        return TierWorld(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class World:
    """Rows, and what both tiers do with them.

    Attributes:
        rows: n scored rows.
        mini, large: the two tiers.
        draws: d, how often the latency model is drawn for each row, >= 1.
    """

    rows: ScoredRows
    mini: TierWorld
    large: TierWorld

    @property
    def draws(self) -> int:
        """How many draws there are of each row."""
        return int(self.mini.whole_s.shape[1])

    @classmethod
    def of(cls, rows: ScoredRows, latency: LatencyModel, prices: PairPrices, *, draws: int, seed: int) -> World:
        """Draws the paces of both tiers, the very ones that simulated tiers with the same seed show.

        Args:
            rows: with both recorded answers.
            latency: has the tiers ``mini`` and ``large``.
            prices: of their tokens.
            draws: per row, >= 1; where a latency is recorded and the model prefers it, they are alike.
            seed: of all draws.
        """
        asked = _Draw(latency, draws, seed)
        return cls(
            rows,
            asked.tier(MINI, rows, prices.mini, (rows.mini_cost_usd, rows.mini_ok)),
            asked.tier(LARGE, rows, prices.large, (rows.large_cost_usd, rows.large_ok)),
        )


@dataclass(frozen=True, slots=True)
class _Draw:
    latency: LatencyModel
    draws: int
    seed: int

    def tier(self, tier: str, rows: ScoredRows, price: ModelPrice, known: tuple[Floats, Floats]) -> TierWorld:
        first_s, whole_s = np.empty((2, len(rows.rows), self.draws))
        for at, row in enumerate(rows.rows):
            tokens = _output_tokens(row, tier)
            recorded_s = row.mini_latency_s if tier == MINI else row.large_latency_s
            for draw in range(self.draws):
                pace = self.latency.pace(
                    tier, row.prompt, output_tokens=tokens, recorded_s=recorded_s, seed=self.seed, draw=draw
                )
                first_s[at, draw] = pace.ttft_s
                whole_s[at, draw] = pace.ttft_s + tokens * pace.per_token_s
        whole_usd, correct = (values[:, np.newaxis] for values in known)
        input_usd = np.array([[price.cost_usd(_input_tokens(row, tier), 0.0)] for row in rows.rows])
        return TierWorld(first_s, whole_s, np.minimum(input_usd, whole_usd), whole_usd, correct)


def _output_tokens(row: Outcome, tier: str) -> int:
    """Returns the length that paces are drawn for: recorded, else counted as the simulated tiers count."""
    if tier == MINI:
        recorded, answer = row.mini_output_tokens, row.mini_response
    else:
        recorded, answer = row.large_output_tokens, row.large_response
    if recorded is not None:
        return round(recorded)
    return round(TYPICAL_OUTPUT_TOKENS) if answer is None else len(pieces_of(answer))


def _input_tokens(row: Outcome, tier: str) -> float:
    recorded = row.mini_input_tokens if tier == MINI else row.large_input_tokens
    return estimated_tokens(utf8_length(row.prompt)) if recorded is None else recorded
