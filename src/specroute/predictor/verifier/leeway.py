"""How much risk an answer may carry, given what its rejection would cost.

To accept an answer risks that it is wrong; to reject it pays for the dearer call. A wrong answer does the same harm
whatever it cost, so the risk worth taking grows with the price of the call that it saves (cost-sensitive decisions:
Elkan, The foundations of cost-sensitive learning, IJCAI 2001). A verifier whose chances are well calibrated would take
risk in proportion; how far to go with one that is not is measured when it is trained (``exponent``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from specroute.core.request import estimated_tokens, utf8_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.predictor.verifier.evidence import Evidence

OUTPUT_TO_INPUT = 4.0
"""What a token of an answer costs in tokens of a prompt: list prices of 2024 to 2026 have 4 to 5."""
MOST = 4.0
"""The most, and one over it the least, that an answer's price counts for: an extreme length is no licence."""


def tokens_at_stake(prompt: str, answer: str) -> float:
    """Returns about how many prompt tokens' worth it costs to have ``prompt`` answered at the length of ``answer``."""
    return estimated_tokens(utf8_length(prompt)) + OUTPUT_TO_INPUT * estimated_tokens(utf8_length(answer))


class Leeway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The factor on the risk that a cut allows: (tokens at stake / those of a typical answer) ** exponent.

    Attributes:
        exponent: 0: every answer is held to the same cut; 1: risk in proportion to price.
        typical_tokens: at stake with an answer whose leeway is 1.
    """

    exponent: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    typical_tokens: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0

    def of(self, evidence: Evidence) -> float:
        """Returns the factor, within ``MOST ** -exponent`` and ``MOST ** exponent``; 1 without the answer's text."""
        if self.exponent == 0.0 or evidence.answer is None:
            return 1.0
        size = tokens_at_stake(evidence.prompt, evidence.answer) / self.typical_tokens
        return float(min(MOST, max(1.0 / MOST, size)) ** self.exponent)


def merit(p: float, leeway: float) -> float:
    """Returns what is held against a cut, in [0, 1]: p, with its risk 1 - p divided by ``leeway``."""
    return max(0.0, p + (1.0 - p) * (1.0 - 1.0 / leeway))  # p itself, to the last bit, where leeway is 1


def merits(p: NDArray[np.float64], leeway: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns ``merit`` of each answer, float64[n]; NaN where p is."""
    found: NDArray[np.float64] = np.maximum(0.0, p + (1.0 - p) * (1.0 - 1.0 / leeway))
    return found
