"""Runs the verifier's graph on the measures of an answer, and says nothing where it has no evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from specroute.predictor.session import ModelGraphError, bare_run, open_session
from specroute.predictor.verifier.evidence import Evidence
from specroute.predictor.verifier.features import FEATURE_NAMES, FEATURES_VERSION, Kind, measure, measure_confidence

if TYPE_CHECKING:
    import onnxruntime

    from specroute.predictor.verifier.features import Measured
    from specroute.predictor.verifier.manifest import VerifierGolden, VerifierManifest

INPUT_ANSWER = "answer"
INPUT_PRIOR = "prior_logit"
OUTPUT_P = "p_accept"
OUTPUT_NOVELTY = "novelty"
GOLDEN_TOLERANCE = 1e-5

SCORED: Final = "scored"
OPEN_ENDED: Final = "open_ended"
EMPTY: Final = "empty"
UNFAMILIAR: Final = "unfamiliar"
NO_ANSWER_TEXT: Final = "no_answer_text"
NO_PRIOR: Final = "no_prior"
NON_FINITE: Final = "non_finite"

MAX_CONFIDENT_CHARS = 600
"""The longest answer that is judged by its confidence alone, where its text shows nothing that was learnt from."""
_MAX_PRIOR_LOGIT = 12.0
_OUTPUTS = [OUTPUT_P, OUTPUT_NOVELTY]
_ONE = (("tensor(float)", [1]),) * 2


class VerifierModelError(ValueError):
    """The graph or its manifest must not be served; the message is one line."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is made of an answer: ``p`` in [0, 1], or ``None`` where nothing can be said, and why in snake_case."""

    p: float | None
    reason: str


class VerifierModel:
    """One inference session, run inline on the caller's thread; share it freely between tasks and threads.

    The graph is a posterior: a logistic stack of the prompt's own log-odds and of what the answer shows. With weights w
    and v of answer score s and prior, to accept where p >= theta is to accept where
    ``w s >= log(theta / (1 - theta)) - v prior - c``: the likelihood-ratio rule f1/f0 >= theta/(1-theta) * (1-p)/p with
    both weights learnt, since score and prior share evidence.
    """

    def __init__(self, model: bytes, manifest: VerifierManifest) -> None:
        """Loads a serialized graph and proves that it scores as it did when it was written.

        Raises:
            VerifierModelError: the graph cannot be run, has another signature, was trained on other features, or a
                golden vector does not hold.
        """
        if manifest.features_version != FEATURES_VERSION or manifest.features != FEATURE_NAMES:
            raise VerifierModelError(
                f"verifier.features_version is {manifest.features_version}, this version of specroute extracts "
                f"{FEATURES_VERSION}; train the model anew"
            )
        self.manifest = manifest
        self._kinds = frozenset(kind for kind in Kind if kind.name.lower() in manifest.kinds)
        self._run = bare_run(_session(model), _OUTPUTS)
        for index, golden in enumerate(manifest.golden):
            self._check_golden(index, golden)

    def assess(self, evidence: Evidence, prior_logit: float) -> Assessment:
        """Returns the chance that the answer is acceptable, or why there is none.

        Args:
            evidence: the two texts and what is known of the tokens.
            prior_logit: the predictor's log-odds for the prompt; cut to +-12.
        """
        measured = self._measured(evidence)
        if isinstance(measured, str):
            return Assessment(None, measured)
        if math.isnan(prior_logit):
            return Assessment(None, NO_PRIOR)
        p, novelty = self.run(measured, prior_logit)
        if not (math.isfinite(p) and 0.0 <= p <= 1.0 and math.isfinite(novelty)):
            return Assessment(None, NON_FINITE)
        if novelty > self.manifest.novelty_limit:
            return Assessment(None, UNFAMILIAR)
        return Assessment(p, SCORED)

    def run(self, measured: Measured, prior_logit: float) -> tuple[float, float]:
        """Returns the graph's raw probability and its distance from what was learnt from."""
        prior = np.array([min(_MAX_PRIOR_LOGIT, max(-_MAX_PRIOR_LOGIT, prior_logit))], dtype=np.float32)
        p, novelty = self._run({INPUT_ANSWER: measured.values, INPUT_PRIOR: prior})
        return float(p[0]), float(novelty[0])

    def _measured(self, evidence: Evidence) -> Measured | str:
        """Returns the measures of an answer that can be judged, or the reason why it cannot be."""
        answer = evidence.answer
        has_confidence = evidence.mean_logprob is not None or evidence.stated_confidence is not None
        if answer is not None and (not answer or answer.isspace()):
            return EMPTY
        if answer is not None:
            measured = measure(evidence.prompt, answer)
            if measured.kind in self._kinds:
                return measured
            if not has_confidence or len(answer) > MAX_CONFIDENT_CHARS:
                return OPEN_ENDED if measured.kind is Kind.OPEN else UNFAMILIAR
        elif not has_confidence:
            return NO_ANSWER_TEXT
        if Kind.CONFIDENCE not in self._kinds:
            return NO_ANSWER_TEXT if answer is None else UNFAMILIAR
        return measure_confidence(evidence.mean_logprob, evidence.stated_confidence, evidence.output_tokens)

    def _check_golden(self, index: int, golden: VerifierGolden) -> None:
        found = self.assess(Evidence(golden.prompt, golden.answer), golden.prior_logit)
        holds = found.reason == golden.reason and (found.p is None) == (golden.p is None)
        if holds and found.p is not None and golden.p is not None:
            holds = abs(found.p - golden.p) <= GOLDEN_TOLERANCE
        if not holds:
            raise VerifierModelError(
                f"golden vector {index} of the verifier does not hold: {found.reason}, p {found.p}"
            )


def _session(model: bytes) -> onnxruntime.InferenceSession:
    try:
        session = open_session(model)
    except ModelGraphError as error:
        raise VerifierModelError(str(error)) from error
    inputs = {node.name: (node.type, node.shape) for node in session.get_inputs()}
    outputs = {node.name: (node.type, node.shape) for node in session.get_outputs()}
    wanted = {INPUT_ANSWER: ("tensor(float)", [len(FEATURE_NAMES)]), INPUT_PRIOR: ("tensor(float)", [1])}
    if inputs != wanted or outputs != dict(zip(_OUTPUTS, _ONE, strict=True)):
        raise VerifierModelError(
            f"the graph's signature is not inputs {INPUT_ANSWER}[{len(FEATURE_NAMES)}], {INPUT_PRIOR}[1] and outputs "
            f"{OUTPUT_P}[1], {OUTPUT_NOVELTY}[1], all float"
        )
    return session
