"""Scores texts with a model folder's graphs; the predictor and the verifier of one folder share one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from specroute.predictor.artifact import (
    GOLDEN_TOLERANCE,
    MANIFEST_FILE,
    MODEL_FILE,
    ModelArtifactError,
    read_verified,
)
from specroute.predictor.intents.manifest import INTENTS_FILE
from specroute.predictor.intents.model import NO_INTENTS, IntentModel, Intents
from specroute.predictor.onnx_model import OnnxModel, Scores
from specroute.predictor.recent import Mark, RecentLogits, mark_of
from specroute.predictor.session import ModelGraphError
from specroute.predictor.text.features import FeatureExtractor

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.predictor.artifact import Manifest

RECENT = 1024
"""How many texts' log-odds are kept: more than requests are in flight, so a verdict finds what was planned with."""

GOLDEN_NAMES = ("p_accept", "p_low", "p_high", "novelty")
"""The scores that are checked at load."""

_ScorerKey = tuple[str, tuple[tuple[str, str], ...]]


class Scored(NamedTuple):
    """All that a model says of one text."""

    scores: Scores
    intents: Intents


class Scorer:
    """The graphs of one model and what they read of a text; share one between tasks and threads freely."""

    def __init__(self, model: OnnxModel, extractor: FeatureExtractor, intents: IntentModel | None = None) -> None:
        """Takes the loaded graph, what it reads, and what infers what a request is; ``None``: nothing does."""
        self._model = model
        self._extractor = extractor
        self._intents = intents
        self._recent = RecentLogits(RECENT)

    def score(self, text: str) -> Scores:
        """Returns the graph's scores; non-finite or an exception where the graph is at fault."""
        scores = self._model.run(self._extractor.extract(text))
        self._recent.keep(self._mark(text), scores.logit)
        return scores

    def score_full(self, text: str) -> Scored:
        """Returns all that the model says of ``text``; raises as ``score``."""
        features = self._extractor.extract(text)
        intents = NO_INTENTS if self._intents is None else self._intents.infer(features.tokens)
        scores = self._model.run(features)
        self._recent.keep(self._mark(text), scores.logit)
        return Scored(scores, intents)

    def logit(self, text: str) -> float:
        """Returns the calibrated log-odds of ``text``, as scored a moment ago if it was; raises as ``score``."""
        known = self._recent.get(self._mark(text))
        return self.score(text).logit if known is None else known

    def check_golden(self, folder: Path, manifest: Manifest) -> None:
        """Proves that the golden vectors of ``manifest`` hold.

        Raises:
            ModelArtifactError: one does not.
        """
        for index, golden in enumerate(manifest.golden):
            try:
                scores = self.score_full(golden.text).scores
            except Exception as error:  # the runtime's errors share no public base
                raise ModelArtifactError(folder / MODEL_FILE, f"golden vector {index} cannot be scored") from error
            for name in GOLDEN_NAMES:
                scored, expected = getattr(scores, name), getattr(golden, name)
                if not abs(scored - expected) <= GOLDEN_TOLERANCE:  # so that a NaN fails too
                    problem = f"golden vector {index} scores {name} {scored:.6f}, {MANIFEST_FILE} says {expected:.6f}"
                    raise ModelArtifactError(folder / MODEL_FILE, problem)

    def _mark(self, text: str) -> Mark:
        return mark_of(self._extractor.part_read(text), len(text))


def load_scorer(folder: Path, manifest: Manifest) -> Scorer:
    """Returns the scorer of ``folder``, proven to score as when it was written; one that is in use is shared.

    Raises:
        ModelArtifactError: a file is missing or changed, a graph is not what is run, or a golden vector does not hold.
    """
    contents = read_verified(folder, manifest)
    key = manifest.version, tuple(sorted(manifest.files.items()))
    with _LOADING:
        scorer = _IN_USE.get(key)
        if scorer is None:
            scorer = _opened(folder, manifest, contents)
        scorer.check_golden(folder, manifest)
        _IN_USE[key] = scorer
    return scorer


def _opened(folder: Path, manifest: Manifest, contents: dict[str, bytes]) -> Scorer:
    try:
        model = OnnxModel(contents[MODEL_FILE])
    except ModelGraphError as error:
        raise ModelArtifactError(folder / MODEL_FILE, str(error)) from error
    extractor = FeatureExtractor(manifest.features.settings())
    if manifest.intents is None:
        return Scorer(model, extractor)
    try:
        return Scorer(model, extractor, IntentModel(contents[INTENTS_FILE], manifest.intents, extractor))
    except ModelGraphError as error:
        raise ModelArtifactError(folder / INTENTS_FILE, str(error)) from error


_LOADING = threading.Lock()
_IN_USE: WeakValueDictionary[_ScorerKey, Scorer] = WeakValueDictionary()
