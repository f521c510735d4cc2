"""Scores a request with a verified model; what cannot be scored is uncertain, never an error."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from specroute.core.plan import Interval, Prediction
from specroute.predictor.artifact import MANIFEST_FILE, Manifest, ModelArtifactError, read_manifest
from specroute.predictor.scorer import load_scorer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from specroute.core.request import RouteRequest
    from specroute.predictor.intents.model import Intents
    from specroute.predictor.onnx_model import Scores
    from specroute.predictor.scorer import Scored, Scorer

_LOG = logging.getLogger(__name__)

NO_TEXT = "no_text"
NON_FINITE = "non_finite"
ERROR = "error"

_MOST_LOG_TOKENS = 12.0


class OnnxPredictor:
    """Predicts the chances of both tiers, and what kind of request it is, from the text of the last user message.

    Scoring takes about a tenth of a millisecond and runs inline. Share one between tasks and threads freely.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        tiers: tuple[str, str],
        version: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Names what a scorer says; ``load`` is how a service makes one.

        Args:
            scorer: the loaded graphs.
            tiers: the service's names of the tier that the score is of, and of the strongest.
            version: goes into every prediction.
            clock: seconds, monotonic; times the scoring.
        """
        self.version = version
        self._scorer = scorer
        self._tier, self._strongest = tiers
        self._clock = clock

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        tiers: Sequence[str] = (),
        service_tiers: Sequence[str] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> Self:
        """Loads the model folder ``path`` and proves that it scores as it did when it was written.

        Args:
            path: the folder that ``specroute train`` wrote.
            tiers: the service's tiers that the manifest's stand for, in the manifest's order; empty: those of the same
                name, or where a name is missing and there are as many, those at the same place.
            service_tiers: all tiers of the service, cheapest first; empty: not checked.
            clock: see the constructor.

        Raises:
            ModelArtifactError: a file is missing or changed, the graph is not what the predictor runs, a golden vector
                does not hold, or ``tiers`` does not fit the manifest.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        served = _service_tiers(folder, manifest, tiers, service_tiers)
        return cls(load_scorer(folder, manifest), tiers=served, version=manifest.version, clock=clock)

    @property
    def tier(self) -> str:
        """The service's name of the tier that the score is of."""
        return self._tier

    def predict(self, request: RouteRequest) -> Prediction:
        """Returns what is expected of both tiers, or a prediction that says why there is nothing to expect."""
        started = self._clock()
        text = request.last_user_text
        if not text or text.isspace():
            return self._uncertain(NO_TEXT, started)
        try:
            scores, intents = self.score_full(text)
        except Exception as error:  # noqa: BLE001 - the port never raises; the runtime's errors share no public base
            _LOG.warning("scoring failed: %s", type(error).__name__)
            return self._uncertain(ERROR, started)
        if not _is_sound(scores):
            return self._uncertain(NON_FINITE, started)
        return self._prediction(scores, intents, started)

    def score(self, text: str) -> float:
        """Returns the graph's raw probability for ``text``; non-finite or an exception where the graph is at fault."""
        return self._scorer.score(text).p_accept

    def logit(self, text: str) -> float:
        """Returns the calibrated log-odds for ``text``, what the verifier takes as its prior; raises as ``score``."""
        return self._scorer.logit(text)

    def score_full(self, text: str) -> Scored:
        """Returns all that the model says of ``text``; raises as ``score``."""
        return self._scorer.score_full(text)

    def _prediction(self, scores: Scores, intents: Intents, started: float) -> Prediction:
        low, high = min(scores.p_low, scores.p_accept), max(scores.p_high, scores.p_accept)
        strongest = [_marginal(p, scores) for p in (scores.p_accept, low, high)]
        tokens = round(math.expm1(min(max(scores.log_tokens, 0.0), _MOST_LOG_TOKENS)))
        return Prediction(
            p_accept=MappingProxyType({self._tier: scores.p_accept, self._strongest: strongest[0]}),
            intervals=MappingProxyType(
                {self._tier: Interval(low, high), self._strongest: Interval(min(strongest), max(strongest))}
            ),
            p_rescue=scores.p_large_if_bad,
            output_tokens=tokens if tokens > 0 else None,
            task_type=intents.task_type,
            risk=intents.risk,
            risk_domain=intents.risk_domain,
            novelty=scores.novelty,
            model_version=self.version,
            elapsed_s=self._clock() - started,
        )

    def _uncertain(self, reason: str, started: float) -> Prediction:
        return Prediction(model_version=self.version, fallback_reason=reason, elapsed_s=self._clock() - started)


def _is_sound(scores: Scores) -> bool:
    shares = (scores.p_accept, scores.p_low, scores.p_high, scores.p_large_if_bad, scores.p_large_if_ok, scores.novelty)
    return all(0.0 <= share <= 1.0 for share in shares) and math.isfinite(scores.log_tokens)


def _marginal(p: float, scores: Scores) -> float:
    """Returns P(the strongest tier's answer is acceptable) where the scored tier's is with chance ``p``."""
    return p * scores.p_large_if_ok + (1.0 - p) * scores.p_large_if_bad


def _service_tiers(
    folder: Path, manifest: Manifest, tiers: Sequence[str], service_tiers: Sequence[str]
) -> tuple[str, str]:
    """Returns the service's names of the manifest's cheapest and strongest tier."""
    scored, strongest = manifest.tiers[0], manifest.tiers[-1]
    known = ", ".join(manifest.tiers)
    mend = f"name the service's tiers for its tiers ({known}), in this order, in predictor.tiers"
    path = folder / MANIFEST_FILE
    if tiers:
        if len(tiers) != len(manifest.tiers):
            raise ModelArtifactError(path, f"the model has {len(manifest.tiers)} tiers, {len(tiers)} are given", mend)
        if len(set(tiers)) != len(tiers):
            raise ModelArtifactError(path, "two of its tiers are mapped to one of the service's", mend)
        return tiers[0], tiers[-1]
    if not service_tiers or {scored, strongest} <= set(service_tiers):
        return scored, strongest
    if len(service_tiers) == len(manifest.tiers):
        return service_tiers[0], service_tiers[-1]
    if scored in service_tiers:
        return scored, service_tiers[-1]
    raise ModelArtifactError(path, f"its tier {scored!r} is none of the service's", mend)
