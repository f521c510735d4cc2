"""Trains the predictor of one pair of models from recorded outcomes.

The same file, pair, seed and library versions give the same bytes: rows are sorted, one thread computes, and nothing of
the clock or the machine goes into a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # a part of scikit-learn, ships no types

from specroute.learn.training.calibration import Platt
from specroute.learn.training.doubt.interval import Widths, cells, known_width, novel_width, sigmoid
from specroute.learn.training.doubt.left_out import LeftOut, leave_out
from specroute.learn.training.linear import extract
from specroute.learn.training.models.blend import OK, QUESTIONS, fit_blend
from specroute.learn.training.models.cross import AUXILIARY_WEIGHTS, CrossFitted, cross_fit, density_of
from specroute.learn.training.models.cross import steps as cross_steps
from specroute.learn.training.models.folded import Folded
from specroute.learn.training.models.reading import Reading, Table
from specroute.learn.training.options import TrainingError, TrainOptions, select
from specroute.learn.training.writing.export import to_onnx
from specroute.learn.training.writing.golden import GOLDEN_TEXTS
from specroute.predictor.artifact import GOLDEN_TOLERANCE
from specroute.predictor.onnx_model import OnnxModel, Scores
from specroute.predictor.text.features import FeatureExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome, Outcomes
    from specroute.learn.intents.train import TrainedIntents
    from specroute.learn.training.models.blend import Corpus
    from specroute.learn.verification.train import TrainedVerifier

    Floats = NDArray[np.float64]

__all__ = ["OwnScores", "TrainOptions", "Trained", "TrainingError", "steps", "train"]

_PARITY_TEXTS = 2000
_P = Scores._fields.index("p_accept")


@dataclass(frozen=True, slots=True)
class OwnScores:
    """Calibrated scores of the served pair's n rows by models that did not see a row's group: float64[n] each."""

    logit: Floats
    p: Floats
    p_low: Floats
    p_high: Floats
    p_large_if_bad: Floats
    p_large_if_ok: Floats
    novelty: Floats
    verifier_p: Floats


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained, calibrated and exported model.

    Attributes:
        rows: of the served pair and, where they may be learnt from, of others; r of them, n of the served pair.
        table: ``rows`` as columns.
        folded: the training framework's model: what the exported graph must equal.
        platt: the calibration of each question, fitted on out-of-fold scores.
        rank: of the low-rank basis.
        onnx: the serialized graph.
        parity_max_abs_error: of probabilities between graph and framework, over golden texts and up to 2,000 prompts.
        rounding_max_abs_error: of probabilities, from storing weights in one byte, over the served pair's prompts.
        crossed: what cross-validation gave.
        own: the out-of-fold scores of the served pair's rows.
        left_out: each source scored by models that saw nothing of it.
        intents: ``None``: not wanted.
        verifier: ``None``: not wanted, or too few answers.
    """

    rows: tuple[Outcome, ...]
    table: Table
    extractor: FeatureExtractor
    folded: Folded
    platt: tuple[Platt, ...]
    rank: int
    onnx: bytes
    parity_max_abs_error: float
    rounding_max_abs_error: float
    crossed: CrossFitted
    own: OwnScores
    left_out: tuple[LeftOut, ...]
    intents: TrainedIntents | None
    verifier: TrainedVerifier | None

    @property
    def auxiliary_rows(self) -> int:
        """How many rows of other pairs were learnt from."""
        return int((self.table.pairs != 0).sum()) if self.crossed.chosen.auxiliary_weight > 0.0 else 0

    @property
    def own_rows(self) -> tuple[Outcome, ...]:
        """The served pair's rows, in the order of ``own``."""
        return tuple(row for row, pair in zip(self.rows, self.table.pairs.tolist(), strict=True) if pair == 0)

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """Returns the exported graph's scores of each text, as the service would compute them."""
        return _graph_scores(self.onnx, self.extractor, texts)


def train(outcomes: Outcomes, options: TrainOptions, *, report: Callable[[str], None]) -> Trained:
    """Trains, chooses settings by held-out groups, calibrates on out-of-fold scores, exports and compares.

    Args:
        outcomes: rows of the pair and, as auxiliary data, of others.
        options: what to train.
        report: told of each step, about ``steps(options)`` times.

    Raises:
        TrainingError: too few rows, labels of one kind, no signal, or a graph that differs from the trained model.
    """
    used = select(outcomes, options)
    with threadpool_limits(limits=1):
        return _train(used, options, report)


def steps(options: TrainOptions) -> int:
    """Returns how often ``train`` reports, but for the verifier's steps and those of leaving out sources."""
    return cross_steps(_auxiliary_weights(options)) + 4 + (4 if options.use_intents else 0)


def _auxiliary_weights(options: TrainOptions) -> tuple[float, ...]:
    return AUXILIARY_WEIGHTS if options.use_auxiliary else (0.0,)


def _train(used: tuple[Outcome, ...], options: TrainOptions, report: Callable[[str], None]) -> Trained:
    report("extracting features")
    extractor = FeatureExtractor(options.features)
    texts = list(dict.fromkeys(row.prompt for row in used))
    ngrams, dense = extract(extractor, texts)
    table = Table.of(used, options.pair, texts, ngrams, dense)
    report("finding low-rank directions")
    reading = Reading.fit(ngrams, dense, options.seed)
    corpus = table.read_by(reading)
    crossed = cross_fit(corpus, _auxiliary_weights(options), options.seed, report)
    platt = _calibrated(corpus, crossed)
    left_out = leave_out(table, crossed, options.seed, report) if options.leave_sources_out else ()
    widths = _widths(corpus, crossed, platt, left_out)

    report("training on all rows")
    everything = np.ones(len(used), dtype=np.bool_)
    blend = fit_blend(corpus, everything, crossed.chosen, options.seed)
    density = density_of(corpus, corpus.is_own, corpus.is_own, options.seed)
    density = density.measured_on(crossed.strangeness[corpus.is_own])
    intents = _intents(used, options, report)
    logits = np.stack([item.logit(crossed.logits[:, at]) for at, item in enumerate(platt)], axis=1)
    verifier = _verifier(used, logits[:, OK], crossed.folds, options, report)

    report("exporting and comparing")
    folded = Folded.of(blend, reading, platt, density, widths)
    graph = to_onnx(folded)
    return Trained(
        rows=used,
        table=table,
        extractor=extractor,
        folded=folded,
        platt=platt,
        rank=reading.basis.std.size,
        onnx=graph,
        parity_max_abs_error=_parity(folded, extractor, graph, texts),
        rounding_max_abs_error=_rounding(
            platt[OK].p(blend.logits(corpus.matrix, corpus.inputs())[:, OK]), corpus, folded, extractor, texts
        ),
        crossed=crossed,
        own=_own_scores(corpus, logits, crossed, widths, verifier),
        left_out=left_out,
        intents=intents,
        verifier=verifier,
    )


def _calibrated(corpus: Corpus, crossed: CrossFitted) -> tuple[Platt, ...]:
    labels = corpus.labels()
    found = []
    for question in range(QUESTIONS):
        known = corpus.is_own & ~np.isnan(labels[:, question])
        found.append(Platt.fit(crossed.logits[known, question], labels[known, question]))
        if question == OK and found[OK].slope <= 0.0:
            raise TrainingError(
                "held-out scores do not rise with acceptance, so there is nothing to serve; give more rows"
            )
    return tuple(item if item.slope > 0.0 else Platt(0.0, item.intercept) for item in found)


def _widths(corpus: Corpus, crossed: CrossFitted, platt: tuple[Platt, ...], left_out: Sequence[LeftOut]) -> Widths:
    own = corpus.is_own
    p = platt[OK].p(crossed.logits[own, OK])
    known = known_width(cells(corpus.mini[own], p, corpus.sources[own]))
    found = []
    for item in left_out:
        found += cells(corpus.mini[item.rows], sigmoid(item.logit), corpus.sources[item.rows])
    return Widths(known, novel_width(known, found))


def _intents(used: Sequence[Outcome], options: TrainOptions, report: Callable[[str], None]) -> TrainedIntents | None:
    if not options.use_intents:
        return None
    from specroute.learn.intents.train import train_intents  # noqa: PLC0415 - it has prompts to read

    return train_intents(used, options.seed, report, extractor=FeatureExtractor(options.features))


def _verifier(
    used: Sequence[Outcome],
    logits: Floats,
    folds: NDArray[np.int64],
    options: TrainOptions,
    report: Callable[[str], None],
) -> TrainedVerifier | None:
    if not options.use_verifier or not any(row.mini_response for row in used):
        return None
    from specroute.learn.verification.train import train_verifier  # noqa: PLC0415 - only where there are answers

    return train_verifier(used, logits, options.pair, options.seed, folds, report)


def _own_scores(
    corpus: Corpus, logits: Floats, crossed: CrossFitted, widths: Widths, verifier: TrainedVerifier | None
) -> OwnScores:
    own = corpus.is_own
    low, high = widths.bounds(logits[own, OK], crossed.novelty[own])
    p = sigmoid(logits[own])
    verified = np.full(int(own.sum()), np.nan) if verifier is None else verifier.out_of_fold_p[own]
    return OwnScores(logits[own, OK], p[:, 0], low, high, p[:, 1], p[:, 2], crossed.novelty[own], verified)


def _graph_scores(graph: bytes, extractor: FeatureExtractor, texts: Sequence[str]) -> list[Scores]:
    session = OnnxModel(graph)
    return [session.run(extractor.extract(text)) for text in texts]


def _rounding(
    exact: Floats, corpus: Corpus, folded: Folded, extractor: FeatureExtractor, texts: Sequence[str]
) -> float:
    """Returns the largest difference of the served pair's probabilities to ``exact``, float64[t], of all texts."""
    at = np.unique(corpus.text_of[corpus.is_own])
    rounded = folded.scores(extractor, [texts[index] for index in at])[:, _P]
    return float(np.abs(exact[at] - rounded).max())


def _parity(folded: Folded, extractor: FeatureExtractor, graph: bytes, prompts: Sequence[str]) -> float:
    texts = [*GOLDEN_TEXTS, *prompts[:: max(1, len(prompts) // _PARITY_TEXTS)]]
    exported = np.array(_graph_scores(graph, extractor, texts))
    expected = folded.scores(extractor, texts)
    shares = [name not in {"logit", "log_tokens"} for name in Scores._fields]
    error = float(np.abs(exported - expected)[:, shares].max())
    if not error <= GOLDEN_TOLERANCE:  # so that a NaN fails too
        raise TrainingError(
            f"the exported graph differs from the trained model by {error:.1e}, more than {GOLDEN_TOLERANCE:.0e}; "
            "nothing was written: report this with your onnxruntime version"
        )
    return error
