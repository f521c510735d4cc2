"""Predicts without a model: a fixed prior."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from specroute.core.plan import Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specroute.core.request import RouteRequest


class PriorPredictor:
    """Gives every request the same prediction."""

    version = "prior"

    def __init__(self, p_accept: Mapping[str, float]) -> None:
        """Takes tier name -> P(its answer is acceptable), each in [0, 1].

        Raises:
            ValueError: a probability is outside [0, 1] or not a number.
        """
        for tier, p in p_accept.items():
            if not (math.isfinite(p) and 0.0 <= p <= 1.0):
                raise ValueError(f"the prior of tier {tier!r} must be in [0, 1], not {p}")
        self._prediction = Prediction(MappingProxyType(dict(p_accept)), self.version)

    def predict(self, request: RouteRequest) -> Prediction:
        """Returns the prior, whatever is asked."""
        return self._prediction
