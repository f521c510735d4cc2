"""How much risk an answer may carry, given what its rejection would cost.

To accept an answer risks that it is wrong; to reject it pays for the dearer call. A wrong answer does the same harm
whatever it cost, so the risk worth taking grows with the price of the call that it saves (cost-sensitive decisions:
Elkan, The foundations of cost-sensitive learning, IJCAI 2001). With chances that are exactly right it would grow in
proportion; how far to go with those of a model is measured when a certificate is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import numpy as np

from specroute.core.request import estimated_tokens, utf8_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.predictor.verifier.evidence import Evidence

    Floats = NDArray[np.float64]

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
        typical_tokens: at stake with an answer whose factor is 1.
    """

    exponent: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    typical_tokens: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0

    @property
    def in_words(self) -> str:
        """What the risk that a cut allows is multiplied by; "": the cut does not bend."""
        return f"(tokens at stake / {self.typical_tokens:,.0f})^{self.exponent:g}" if self.exponent else ""

    def of(self, evidence: Evidence) -> float:
        """Returns the factor, within ``MOST ** -exponent`` and ``MOST ** exponent``; 1 without the answer's text."""
        if self.exponent == 0.0 or evidence.answer is None:
            return 1.0
        return float(self.factors(np.array([tokens_at_stake(evidence.prompt, evidence.answer)]))[0])

    def factors(self, tokens: Floats) -> Floats:
        """Returns the factor of each answer, float64[n], from the tokens at stake; 1 where those are NaN."""
        size = np.clip(tokens / self.typical_tokens, 1.0 / MOST, MOST) ** self.exponent
        return np.where(np.isnan(size), 1.0, size)


STRAIGHT = Leeway()
"""The same cut for every answer."""


class Cut(NamedTuple):
    """Which answers the verifier accepts.

    Attributes:
        min_p: the least merit, in [0, 1]; ``None``: the model's own cut.
        leeway: bends it with an answer's price.
    """

    min_p: float | None = None
    leeway: Leeway = STRAIGHT


def merit(p: float, factor: float) -> float:
    """Returns what is held against a cut, in [0, 1]: p, with its risk 1 - p divided by ``factor``."""
    return max(0.0, p + (1.0 - p) * (1.0 - 1.0 / factor))  # p itself, to the last bit, where the factor is 1


def merits(p: Floats, factors: Floats) -> Floats:
    """Returns ``merit`` of each answer, float64[n]; NaN where p is."""
    found: Floats = np.maximum(0.0, p + (1.0 - p) * (1.0 - 1.0 / factors))
    return found
