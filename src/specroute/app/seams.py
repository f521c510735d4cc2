"""Where a router touches the world: what else than the service, such as a replay, may put in its place."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.app.refused import naming
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.prior import PriorPredictor
from specroute.predictor.verifier.loading import load_verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from specroute.config import Settings
    from specroute.config.schema.tiers import UpstreamSettings
    from specroute.core.ports import Predictor, Upstream, Validator
    from specroute.predictor.verifier.leeway import Cut


def build_predictor(settings: Settings) -> Predictor:
    """Returns the configured predictor: a loaded and checked model, a fixed prior, or none (every tier uncertain)."""
    if settings.predictor is not None and settings.predictor.model is not None:
        with naming("predictor", "model"):
            return OnnxPredictor.load(
                settings.predictor.model, tiers=settings.predictor.tiers, service_tiers=settings.tier_names
            )
    return PriorPredictor(settings.prior_by_tier)


@dataclass(frozen=True, slots=True)
class Seams:
    """What makes the parts of a router that touch the world; the defaults are the service's.

    Attributes:
        clock: seconds, monotonic. The default is the clock of asyncio's loop, taken straight: asking which loop runs
            costs more than reading the time.
        predictor: makes what scores requests.
        verifier: makes the verifier of a model folder, with a cut.
        upstream: makes an upstream of the tier with a name; ``None``: it is called over HTTP.
    """

    clock: Callable[[], float] = time.monotonic
    predictor: Callable[[Settings], Predictor] = build_predictor
    verifier: Callable[[Path, Cut], Validator] = load_verifier
    upstream: Callable[[str, UpstreamSettings], Upstream] | None = None
