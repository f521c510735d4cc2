"""Scores a request with a verified model; what cannot be scored is uncertain, never an error."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from specroute.core.plan import Prediction
from specroute.predictor.artifact import (
    GOLDEN_TOLERANCE,
    MANIFEST_FILE,
    MODEL_FILE,
    Manifest,
    ModelArtifactError,
    read_manifest,
    read_verified,
)
from specroute.predictor.features import FeatureExtractor
from specroute.predictor.onnx_model import ModelGraphError, OnnxModel

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from specroute.core.request import RouteRequest

_LOG = logging.getLogger(__name__)

NO_TEXT = "no_text"
NON_FINITE = "non_finite"
ERROR = "error"


class OnnxPredictor:
    """Predicts the chance of the cheapest tier from the text of the last user message.

    Scoring takes about a tenth of a millisecond and runs inline. Share one between tasks and threads freely.
    """

    def __init__(
        self,
        model: OnnxModel,
        extractor: FeatureExtractor,
        *,
        tier: str,
        version: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Wires a loaded graph to its features; ``load`` is how a service makes one.

        Args:
            model: the graph.
            extractor: extracts what the graph was trained on.
            tier: the service's name of the tier that the score is of.
            version: goes into every prediction.
            clock: seconds, monotonic; times the scoring.
        """
        self.version = version
        self._model = model
        self._extractor = extractor
        self._tier = tier
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
                name, or where none has it and there are as many, those at the same place.
            service_tiers: all tiers of the service, cheapest first; empty: not checked.
            clock: see the constructor.

        Raises:
            ModelArtifactError: a file is missing or changed, the graph is not what the predictor runs, a golden vector
                does not hold, or ``tiers`` does not fit the manifest.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        tier = _service_tier(folder, manifest, tiers, service_tiers)
        contents = read_verified(folder, manifest)
        try:
            model = OnnxModel(contents[MODEL_FILE])
        except ModelGraphError as error:
            raise ModelArtifactError(folder / MODEL_FILE, str(error)) from error
        predictor = cls(
            model, FeatureExtractor(manifest.features.settings()), tier=tier, version=manifest.version, clock=clock
        )
        predictor._check_golden(folder, manifest)
        return predictor

    @property
    def tier(self) -> str:
        """The service's name of the tier that the score is of."""
        return self._tier

    def predict(self, request: RouteRequest) -> Prediction:
        """Returns the calibrated chance of the cheapest tier, or a prediction that says why there is none."""
        started = self._clock()
        text = request.last_user_text
        if not text or text.isspace():
            return self._uncertain(NO_TEXT, started)
        try:
            p = self.score(text)
        except Exception as error:  # noqa: BLE001 - the port never raises; the runtime's errors share no public base
            _LOG.warning("scoring failed: %s", type(error).__name__)
            return self._uncertain(ERROR, started)
        if not (math.isfinite(p) and 0.0 <= p <= 1.0):
            return self._uncertain(NON_FINITE, started)
        return Prediction(MappingProxyType({self._tier: p}), self.version, elapsed_s=self._clock() - started)

    def score(self, text: str) -> float:
        """Returns the graph's raw probability for ``text``; non-finite or an exception where the graph is at fault."""
        return self._model.score(self._extractor.extract(text))

    def _uncertain(self, reason: str, started: float) -> Prediction:
        return Prediction(model_version=self.version, fallback_reason=reason, elapsed_s=self._clock() - started)

    def _check_golden(self, folder: Path, manifest: Manifest) -> None:
        for index, golden in enumerate(manifest.golden):
            try:
                p = self.score(golden.text)
            except Exception as error:  # as above
                raise ModelArtifactError(folder / MODEL_FILE, f"golden vector {index} cannot be scored") from error
            if not abs(p - golden.p_accept) <= GOLDEN_TOLERANCE:  # so that a NaN fails too
                problem = f"golden vector {index} scores {p:.6f}, {MANIFEST_FILE} says {golden.p_accept:.6f}"
                raise ModelArtifactError(folder / MODEL_FILE, problem)


def _service_tier(folder: Path, manifest: Manifest, tiers: Sequence[str], service_tiers: Sequence[str]) -> str:
    scored = manifest.tiers[0]
    known = ", ".join(manifest.tiers)
    mend = f"name the service's tiers for its tiers ({known}), in this order, in predictor.tiers"
    path = folder / MANIFEST_FILE
    if tiers:
        if len(tiers) != len(manifest.tiers):
            raise ModelArtifactError(path, f"the model has {len(manifest.tiers)} tiers, {len(tiers)} are given", mend)
        if len(set(tiers)) != len(tiers):
            raise ModelArtifactError(path, "two of its tiers are mapped to one of the service's", mend)
        return tiers[0]
    if not service_tiers or scored in service_tiers:
        return scored
    if len(service_tiers) != len(manifest.tiers):
        raise ModelArtifactError(path, f"its tier {scored!r} is none of the service's", mend)
    return service_tiers[0]
