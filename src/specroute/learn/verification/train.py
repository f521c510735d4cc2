"""Trains the verifier of one pair from recorded answers.

Chosen by grouped cross-validation, calibrated on out-of-fold scores, exported to ONNX and compared with the framework.
The same rows, folds, seed and library versions give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # a part of scikit-learn, ships no types

from specroute.learn.metrics import auroc, log_loss
from specroute.learn.verification.golden import GOLDEN_ANSWERS
from specroute.learn.verification.out_of_fold import cross_validated, limits_of, score_with, stacked, train_members
from specroute.learn.verification.parts.forest import Settings
from specroute.learn.verification.parts.graph import to_onnx
from specroute.learn.verification.report import by_source, cut_that_keeps, operating_points
from specroute.learn.verification.samples import collect
from specroute.predictor.verifier.evidence import Evidence
from specroute.predictor.verifier.features import FEATURE_NAMES, FEATURES_VERSION, Kind, Measured
from specroute.predictor.verifier.manifest import VerifierGolden, VerifierManifest
from specroute.predictor.verifier.model import GOLDEN_TOLERANCE, VerifierModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome
    from specroute.learn.verification.out_of_fold import Members, Scores
    from specroute.learn.verification.parts.stack import Stack
    from specroute.learn.verification.samples import Samples

MIN_ROWS = 300
"""The fewest answered rows of the own pair; with fewer there is no verifier."""
MIN_LABELS = 30
"""The fewest of them of either label."""

CANDIDATES = (Settings(auxiliary_weight=0.0), Settings(auxiliary_weight=1.0))
QUALITY_KEPT = 0.98
"""The share of always-large's quality that the default cut keeps, out of fold; a certificate sets a better one."""
MIN_P = 0.5
"""The default cut where the large model's grades are not known, or no cut keeps as much."""
MEMBERS = 2
"""How many ensembles with seeds of their own are averaged."""
PARITY_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate and its cross-validated log-loss in nats and AUROC on own answers."""

    settings: Settings
    log_loss: float
    auroc: float


@dataclass(frozen=True, slots=True)
class TrainedVerifier:
    """A trained, calibrated and exported verifier.

    Attributes:
        onnx: the serialized graph.
        manifest: what goes beside it.
        out_of_fold_p: float64[rows], of the own pair's minis, by models that did not see the row's group; NaN where the
            verifier abstains and for rows of other pairs.
        parity_max_abs_error: between graph and framework.
        metrics: for the model card: per source, and per kind at the default cut.
        tried: the candidates.
    """

    onnx: bytes
    manifest: VerifierManifest
    out_of_fold_p: NDArray[np.float64]
    parity_max_abs_error: float
    metrics: Mapping[str, Any]
    tried: tuple[Tried, ...]


def train_verifier(
    rows: Sequence[Outcome],
    prior_logits: NDArray[np.float64],
    own_pair: str,
    seed: int,
    folds: NDArray[np.int64],
    report: Callable[[str], None],
) -> TrainedVerifier | None:
    """Trains, calibrates, exports and measures; ``None`` where there are too few answers to learn from.

    Args:
        rows: of all pairs; those of others are learnt from too.
        prior_logits: float64[rows], the predictor's out-of-fold log-odds for each prompt.
        own_pair: the pair that is served.
        seed: decides the trees and the centres; >= 0.
        folds: int64[rows], rows of one group in one fold.
        report: told of each step.

    Returns:
        The verifier, or ``None`` with fewer than ``MIN_ROWS`` answered rows of the own pair, or fewer than
        ``MIN_LABELS`` of them acceptable or unacceptable.

    Raises:
        ValueError: the exported graph differs from the trained model.
    """
    report("verifier: measuring answers")
    samples = collect(rows, folds, own_pair, seed)
    own = samples.take(samples.is_own)
    right = int(own.labels.sum())
    if own.labels.size < MIN_ROWS or min(right, own.labels.size - right) < MIN_LABELS:
        return None
    with threadpool_limits(limits=1):
        return _train(rows, samples, prior_logits, seed, report)


def _train(
    rows: Sequence[Outcome],
    samples: Samples,
    prior_logits: NDArray[np.float64],
    seed: int,
    report: Callable[[str], None],
) -> TrainedVerifier | None:
    own = samples.take(samples.is_own)
    priors = np.asarray(prior_logits, dtype=np.float64)[own.rows]
    found = [_candidate(samples, own, priors, settings, seed, report) for settings in CANDIDATES]
    if any(np.isnan(each.scores.score).all() for each in found):
        return None
    best = min(found, key=lambda each: each.tried.log_loss)
    report("verifier: training on all answers")
    limits = limits_of(own, best.scores)
    # A kind with enough answers in all, but too few in each fold's share, was never measured: it is not served.
    measured = samples.take(np.isin(samples.kinds, list(limits)))
    trained = train_members(measured, best.tried.settings, seed, MEMBERS)
    unfamiliar = best.scores.distance > np.array([limits.get(kind, np.inf) for kind in own.kinds.tolist()])
    judged = np.where(unfamiliar, np.nan, best.p)

    report("verifier: exporting and comparing")
    graph = to_onnx(trained.ensembles, best.stack, trained.regions, {Kind(each): limits[each] for each in limits})
    tried = tuple(each.tried for each in found)
    metrics = {
        "by_source": by_source([rows[index].source for index in own.rows], own.labels, judged, own.kinds),
        "stack": _described(best.stack, trained),
        "tried": [msgspec.to_builtins(each) for each in tried],
    }
    bare = _manifest(samples, judged, trained, metrics, _default_cut(rows, own, judged))
    model = VerifierModel(graph, bare)
    error = _parity(model, own, priors, best.stack.p(score_with(trained.ensembles, own), priors, own.kinds))
    manifest = msgspec.structs.replace(bare, parity_max_abs_error=error, golden=_golden(model))
    out_of_fold = np.full(len(rows), np.nan)
    out_of_fold[own.rows] = judged
    return TrainedVerifier(graph, manifest, out_of_fold, error, metrics, tried)


def _manifest(
    samples: Samples, judged: NDArray[np.float64], trained: Members, metrics: dict[str, Any], min_p: float
) -> VerifierManifest:
    """Returns the manifest without what only the loaded graph can tell: parity and golden vectors."""
    own = samples.take(samples.is_own)
    return VerifierManifest(
        features_version=FEATURES_VERSION,
        features=FEATURE_NAMES,
        kinds=tuple(sorted(kind.name.lower() for kind in trained.ensembles)),
        novelty_limit=1.0,
        min_p=min_p,
        operating_points=operating_points(own.kinds, own.labels, judged, min_p),
        parity_max_abs_error=0.0,
        rows=own.labels.size,
        auxiliary_rows=samples.labels.size - own.labels.size,
        metrics=metrics,
        golden=(),
    )


def _default_cut(rows: Sequence[Outcome], own: Samples, judged: NDArray[np.float64]) -> float:
    """Returns the cut that keeps 98 % of the large model's quality out of fold, on answers with text where possible."""
    large = [rows[index].large_correct for index in own.rows.tolist()]
    known = np.array([each is not None for each in large])
    with_text = known & (own.kinds != Kind.CONFIDENCE)
    part = np.flatnonzero(with_text if with_text.sum() >= MIN_ROWS else known)
    if part.size < MIN_ROWS:
        return MIN_P
    cut = cut_that_keeps(QUALITY_KEPT, own.labels[part], np.array([float(bool(large[i])) for i in part]), judged[part])
    return MIN_P if cut is None else round(cut, 6)


def _described(stack: Stack, trained: Members) -> dict[str, dict[str, float]]:
    parts = {"slope": stack.slope, "prior": stack.prior, "offset": stack.offset}
    return {
        kind.name.lower(): {name: round(float(part[kind]), 6) for name, part in parts.items()}
        for kind in trained.ensembles
    }


@dataclass(frozen=True, slots=True)
class _Candidate:
    tried: Tried
    scores: Scores
    stack: Stack
    p: NDArray[np.float64]


def _candidate(
    samples: Samples,
    own: Samples,
    priors: NDArray[np.float64],
    settings: Settings,
    seed: int,
    report: Callable[[str], None],
) -> _Candidate:
    scores = cross_validated(samples, settings, seed, MEMBERS, report)
    stack, p = stacked(own, scores, priors)
    known = ~np.isnan(p)
    labels = own.labels[known]
    tried = Tried(settings, round(log_loss(labels, p[known]), 6), round(auroc(labels, p[known]), 6))
    return _Candidate(tried, scores, stack, p)


def _golden(model: VerifierModel) -> tuple[VerifierGolden, ...]:
    found = []
    for prompt, answer in GOLDEN_ANSWERS:
        for prior in (-1.0, 2.0):
            assessment = model.assess(Evidence(prompt, answer), prior)
            found.append(VerifierGolden(prompt, answer, prior, assessment.p, assessment.reason))
    return tuple(found)


def _parity(model: VerifierModel, own: Samples, priors: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    known = np.flatnonzero(~np.isnan(wanted))
    spread = known[:: max(1, known.size // PARITY_ROWS)]
    error = 0.0
    for index in spread.tolist():
        p, _ = model.run(Measured(Kind(int(own.kinds[index])), own.values[index]), float(priors[index]))
        error = max(error, abs(p - float(wanted[index])))
    if not error <= GOLDEN_TOLERANCE:  # so that a NaN fails too
        raise ValueError(
            f"the exported verifier differs from the trained one by {error:.1e}, more than {GOLDEN_TOLERANCE:.0e}; "
            "nothing was written: report this with your onnxruntime version"
        )
    return error
