"""Trains the predictor of one pair of models from recorded outcomes and writes a model folder.

The same file, pair, seed and library versions give the same bytes: rows are sorted, one thread computes, and nothing of
the clock or the machine goes into a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # a part of scikit-learn, ships no types

from specroute.learn.training.calibration import Platt, is_for_calibration
from specroute.learn.training.export import to_onnx
from specroute.learn.training.golden import GOLDEN_TEXTS
from specroute.learn.training.linear import (
    CANDIDATES,
    Candidate,
    Encoder,
    LinearModel,
    Rows,
    Score,
    cross_validate,
    extract,
    fit,
)
from specroute.predictor.artifact import GOLDEN_TOLERANCE
from specroute.predictor.features import FeatureExtractor, FeatureSettings
from specroute.predictor.onnx_model import OnnxModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome, Outcomes

FOLDS = 3
MIN_ROWS = 100
_PARITY_TEXTS = 2000


class TrainingError(ValueError):
    """The data do not give a model that may be served; the message is one line with the mend."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What to train.

    Attributes:
        pair: ``mini|large``, as in the outcomes' column.
        seed: decides splits and resampling; >= 0.
        use_auxiliary: whether rows of other pairs may be learnt from, where cross-validation finds that they help.
        features: what is read of a text.
    """

    pair: str = "gpt-4o-mini|gpt-4o"
    seed: int = 0
    use_auxiliary: bool = True
    features: FeatureSettings = field(default_factory=FeatureSettings)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The training framework's model: what the exported graph must equal."""

    extractor: FeatureExtractor
    encoder: Encoder
    model: LinearModel
    platt: Platt

    def p(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns the probability of each text."""
        return self.platt.p(self.model.decision(self.encoder.encode(*extract(self.extractor, texts))))


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained, calibrated and exported model.

    Attributes:
        onnx: the serialized graph.
        parity_max_abs_error: between graph and training framework, over golden texts and up to 2,000 prompts.
        scores: cross-validated log-loss of each candidate.
        rows, auxiliary_rows: how many rows of the pair and of others the weights were learnt from.
        calibration_labels: float64[n], of the rows that only the calibration has seen.
        calibration_scores: float64[n], their log-odds before calibration.
    """

    fitted: Fitted
    onnx: bytes
    parity_max_abs_error: float
    scores: tuple[Score, ...]
    rows: int
    auxiliary_rows: int
    calibration_labels: NDArray[np.float64]
    calibration_scores: NDArray[np.float64]

    @property
    def chosen(self) -> Candidate:
        """The candidate with the least log-loss."""
        return self.fitted.model.candidate

    def p(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns the exported graph's probability of each text, as the service would compute it."""
        return _graph_p(self.onnx, self.fitted.extractor, texts)


def train(outcomes: Outcomes, options: TrainOptions, *, report: Callable[[str], None]) -> Trained:
    """Trains, chooses settings by held-out groups, calibrates on a split of its own, exports and compares.

    Args:
        outcomes: rows of the pair and, as auxiliary data, of others.
        options: what to train.
        report: told of each step, ``steps(options)`` times.

    Raises:
        TrainingError: too few rows, labels of one kind, no signal, or a graph that differs from the trained model.
    """
    used = _select(outcomes, options)
    with threadpool_limits(limits=1):
        return _train(used, options, report)


def steps(options: TrainOptions) -> int:
    """Returns how often ``train`` reports."""
    return FOLDS * len(_candidates(options)) + 4


def _candidates(options: TrainOptions) -> tuple[Candidate, ...]:
    return tuple(item for item in CANDIDATES if options.use_auxiliary or item.auxiliary_weight == 0.0)


def _select(outcomes: Outcomes, options: TrainOptions) -> tuple[Outcome, ...]:
    own = [row for row in outcomes.rows if row.pair == options.pair]
    if not own:
        known = ", ".join(repr(pair) for pair in outcomes.pairs)
        raise TrainingError(f"no rows of pair {options.pair!r}; choose one of {known} with --pair")
    labels = {row.mini_correct for row in own}
    if len(own) < MIN_ROWS or len(labels) < 2:
        raise TrainingError(
            f"pair {options.pair!r} has {len(own)} rows and {len(labels)} kind(s) of label; "
            f"give at least {MIN_ROWS} rows with both acceptable and unacceptable answers"
        )
    return tuple(row for row in outcomes.rows if options.use_auxiliary or row.pair == options.pair)


def _train(used: Sequence[Outcome], options: TrainOptions, report: Callable[[str], None]) -> Trained:
    report("extracting features")
    extractor = FeatureExtractor(options.features)
    held_out = is_for_calibration([row.group_id for row in used], options.seed)
    encoder, rows = _encode(used, held_out, options.pair, extractor)
    learnt = rows.take(np.flatnonzero(~held_out))
    calibration = rows.take(np.flatnonzero(held_out & (rows.pairs == 0)))
    _check_splits(learnt, calibration)

    scores = cross_validate(learnt, _candidates(options), folds=FOLDS, seed=options.seed, report=report)
    report("training the chosen model")
    chosen = min(scores, key=lambda score: score.log_loss).candidate
    model = fit(learnt, chosen, int(rows.pairs.max()) + 1)

    report("calibrating")
    decision = model.decision(calibration.matrix)
    fitted = Fitted(extractor, encoder, model, Platt.fit(decision, calibration.labels))
    if fitted.platt.slope <= 0.0:
        raise TrainingError("held-out scores do not rise with acceptance, so there is nothing to serve; give more rows")

    report("exporting and comparing")
    graph = to_onnx(model, encoder, fitted.platt)
    own = int(np.count_nonzero(learnt.pairs == 0))
    return Trained(
        fitted=fitted,
        onnx=graph,
        parity_max_abs_error=_parity(fitted, graph, [row.prompt for row in used]),
        scores=scores,
        rows=own,
        auxiliary_rows=learnt.labels.size - own if chosen.auxiliary_weight > 0.0 else 0,
        calibration_labels=calibration.labels,
        calibration_scores=decision,
    )


def _encode(
    used: Sequence[Outcome], held_out: NDArray[np.bool_], pair: str, extractor: FeatureExtractor
) -> tuple[Encoder, Rows]:
    texts = list(dict.fromkeys(row.prompt for row in used))
    position = {text: index for index, text in enumerate(texts)}
    text_of = np.array([position[row.prompt] for row in used])
    ngrams, dense = extract(extractor, texts)
    learnt = np.unique(text_of[~held_out])
    encoder = Encoder.fit(ngrams[learnt], dense[learnt])
    pairs = [pair, *sorted({row.pair for row in used} - {pair})]
    _, groups = np.unique([row.group_id for row in used], return_inverse=True)
    rows = Rows(
        matrix=encoder.encode(ngrams, dense)[text_of],
        labels=np.array([row.mini_correct for row in used], dtype=np.float64),
        pairs=np.array([pairs.index(row.pair) for row in used]),
        groups=groups,
    )
    return encoder, rows


def _check_splits(learnt: Rows, calibration: Rows) -> None:
    own = learnt.pairs == 0
    if np.unique(learnt.groups[own]).size < FOLDS:
        raise TrainingError(f"fewer than {FOLDS} groups to learn from; give prompts of more than one group_id")
    if np.unique(learnt.labels[own]).size < 2 or np.unique(calibration.labels).size < 2:
        raise TrainingError("a split has labels of one kind only; give more rows, or another --seed")


def _graph_p(graph: bytes, extractor: FeatureExtractor, texts: Sequence[str]) -> NDArray[np.float64]:
    session = OnnxModel(graph)
    return np.array([session.score(extractor.extract(text)) for text in texts], dtype=np.float64)


def _parity(fitted: Fitted, graph: bytes, prompts: Sequence[str]) -> float:
    spread = prompts[:: max(1, len(prompts) // _PARITY_TEXTS)]
    texts = [*GOLDEN_TEXTS, *spread]
    error = float(np.abs(_graph_p(graph, fitted.extractor, texts) - fitted.p(texts)).max())
    if not error <= GOLDEN_TOLERANCE:  # so that a NaN fails too
        raise TrainingError(
            f"the exported graph differs from the trained model by {error:.1e}, more than {GOLDEN_TOLERANCE:.0e}; "
            "nothing was written: report this with your onnxruntime version"
        )
    return error
