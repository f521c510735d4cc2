"""Learns what a request seems to be: three linear heads on hashed words and stems, in one ONNX graph.

Each head is multinomial logistic regression on the labelled prompts and, where recorded outcomes name a task type or a
subject, a bounded share of those. Its temperature is fitted on held-out prompts. A class is named only
where its probability is high enough that at least ``NAMED_ACCURACY`` of such held-out prompts were of it; high risk is
named from that probability on that ``HIGH_RISK_RECALL`` of them reach, since missing it is the worst error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # a part of scikit-learn, ships no types

from specroute.learn.intents.export import export_heads
from specroute.learn.intents.labels import RISK_DOMAINS, RISKS, TASK_TYPES, risk_domain_of, task_type_of
from specroute.learn.intents.measure import measure_head
from specroute.learn.intents.prompts import labelled_prompts
from specroute.learn.intents.reading import Head, Reading
from specroute.predictor.intents.model import RISK, RISK_DOMAIN, TASK_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome
    from specroute.learn.intents.prompts import LabelledPrompt
    from specroute.predictor.intents.manifest import IntentsManifest
    from specroute.predictor.text.features import FeatureExtractor

    Floats = NDArray[np.float64]

CLASSES = {TASK_TYPE: TASK_TYPES, RISK: RISKS, RISK_DOMAIN: RISK_DOMAINS}
NAMED_ACCURACY = 0.8
HIGH_RISK_RECALL = 0.85
PENALTY = 20.0
"""scikit-learn's ``C``; from 5 to 80 the held-out log-loss hardly moves."""
RECORDED_A_CLASS = 40
"""Most recorded rows of one class: they are thousands, and alike."""
LEAST_TEXTS = 2
"""A word that one text alone has says nothing of another."""
STEPS = len(CLASSES) + 1

_FOLDS = 4
_RECORDED_WEIGHT = 0.5
_TEMPERATURES = np.geomspace(0.3, 3.0, 25)
_HIGH = RISKS.index("high")


@dataclass(frozen=True, slots=True)
class TrainedIntents:
    """The graph, its part of the manifest, and what was measured on prompts by other authors (plain values)."""

    onnx: bytes
    manifest: IntentsManifest
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Examples:
    """Labelled texts of one head: rows 0 to ``prompts`` - 1 are prompts, the rest recorded.

    Attributes:
        matrix: float64[n, c], the columns that ``LEAST_TEXTS`` texts have.
        columns: int64[c], which those are.
        labels: int64[n], indexes into the classes.
    """

    matrix: sparse.csr_matrix
    columns: NDArray[np.int64]
    labels: NDArray[np.int64]
    prompts: int

    @property
    def weights(self) -> Floats:
        """What each row counts: every class as much as any other, a recorded row less than a prompt."""
        shares = self.labels.size / (np.bincount(self.labels) * len(set(self.labels.tolist())))
        return np.where(np.arange(self.labels.size) < self.prompts, 1.0, _RECORDED_WEIGHT) * shares[self.labels]


def train_intents(
    rows: Sequence[Outcome],
    seed: int,
    report: Callable[[str], None],
    *,
    extractor: FeatureExtractor,
    train: Sequence[LabelledPrompt] | None = None,
    test: Sequence[LabelledPrompt] | None = None,
) -> TrainedIntents:
    """Trains the three heads; deterministic.

    Args:
        rows: recorded outcomes, of which those that name a task type or a subject are learnt from as well.
        seed: decides splits and samples.
        report: told of each of ``STEPS`` steps.
        extractor: cuts texts into words, as the service will.
        train: prompts to learn from, some of every class; ``None``: the project's own.
        test: prompts to measure on, by others; ``None``: the project's own.
    """
    train = labelled_prompts("train") if train is None else train
    test = labelled_prompts("test") if test is None else test
    with threadpool_limits(limits=1):
        return _train(rows, seed, report, extractor, train, test)


def _train(
    rows: Sequence[Outcome],
    seed: int,
    report: Callable[[str], None],
    extractor: FeatureExtractor,
    train: Sequence[LabelledPrompt],
    test: Sequence[LabelledPrompt],
) -> TrainedIntents:
    reading = Reading.of(extractor, [prompt.text for prompt in train])
    known, unseen = (reading.encode([prompt.text for prompt in part]) for part in (train, test))
    heads: list[Head] = []
    metrics: dict[str, Any] = {"prompts": {"train": len(train), "test": len(test)}}
    for name in CLASSES:
        report(f"learning {name.replace('_', ' ')}")
        head = _fit_head(name, _examples(name, train, known, _recorded(name, rows, seed), reading), seed)
        heads.append(head)
        metrics[name] = measure_head(head, test, head.p(unseen))
    report("exporting inference")
    graph, manifest = export_heads(reading, heads, [prompt.text for prompt in (*train, *test)])
    return TrainedIntents(graph, manifest, metrics)


def _recorded(name: str, rows: Sequence[Outcome], seed: int) -> list[tuple[str, int]]:
    """Returns up to ``RECORDED_A_CLASS`` texts of each class that recorded rows name, with the class's index."""
    by_class: dict[str, set[str]] = {}
    for row in rows:
        label = {TASK_TYPE: task_type_of(row.task_type) or None, RISK_DOMAIN: risk_domain_of(row.subject)}.get(name)
        if label is not None:
            by_class.setdefault(label, set()).add(row.prompt)
    generator = np.random.default_rng(seed)
    chosen = []
    for label in sorted(by_class):
        texts = sorted(by_class[label])
        drawn = generator.permutation(len(texts))[:RECORDED_A_CLASS]
        chosen += [(texts[at], CLASSES[name].index(label)) for at in sorted(drawn)]
    return chosen


def _examples(
    name: str,
    train: Sequence[LabelledPrompt],
    encoded: sparse.csr_matrix,
    recorded: list[tuple[str, int]],
    reading: Reading,
) -> _Examples:
    labels = [CLASSES[name].index(getattr(prompt, name)) for prompt in train]
    matrix = encoded
    if recorded:
        matrix = sparse.vstack([encoded, reading.encode([text for text, _ in recorded])], format="csr")
    columns = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]) >= LEAST_TEXTS)
    all_labels = np.array([*labels, *(label for _, label in recorded)])
    return _Examples(matrix[:, columns], columns, all_labels, len(train))


def _fit_head(name: str, examples: _Examples, seed: int) -> Head:
    labels = examples.labels[: examples.prompts]
    held_out = _held_out_scores(examples, seed)
    temperature = _best_temperature(held_out, labels)
    p = softmax(held_out / temperature, axis=1)
    estimator = _estimator().fit(examples.matrix, examples.labels, sample_weight=examples.weights)
    return Head.of(
        name,
        CLASSES[name],
        _cuts(name, p, labels),
        examples.columns,
        estimator.coef_.T / temperature,
        estimator.intercept_ / temperature,
    )


def _estimator() -> LogisticRegression:
    return LogisticRegression(C=PENALTY, max_iter=400, tol=1e-4)


def _held_out_scores(examples: _Examples, seed: int) -> Floats:
    """Returns float64[prompts, classes]: the log-odds of each prompt by a model that did not see it."""
    count = examples.prompts
    scores = np.zeros((count, int(examples.labels.max()) + 1))
    recorded = np.arange(count, examples.labels.size)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for train, unseen in folds.split(np.zeros(count), examples.labels[:count]):
        used = np.concatenate([train, recorded])
        estimator = _estimator()
        estimator.fit(examples.matrix[used], examples.labels[used], sample_weight=examples.weights[used])
        scores[unseen] = estimator.decision_function(examples.matrix[unseen])
    return scores


def _best_temperature(scores: Floats, labels: NDArray[np.int64]) -> float:
    """Returns the temperature of the least held-out log-loss."""
    losses = [
        -float(log_softmax(scores / temperature, axis=1)[np.arange(labels.size), labels].mean())
        for temperature in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def _cuts(name: str, p: Floats, labels: NDArray[np.int64]) -> tuple[float, ...]:
    likeliest = p.argmax(axis=1)
    cuts = [
        _cut(p[likeliest == index, index], labels[likeliest == index] == index, default=1.0)
        for index in range(p.shape[1])
    ]
    if name == RISK:
        cuts[_HIGH] = float(np.quantile(p[labels == _HIGH, _HIGH], 1.0 - HIGH_RISK_RECALL))
    return tuple(round(cut, 4) for cut in cuts)


def _cut(p: Floats, is_right: NDArray[np.bool_], *, default: float) -> float:
    """Returns the least probability from which on ``NAMED_ACCURACY`` were right; ``default`` where there is none."""
    order = np.argsort(-p, kind="stable")
    accuracy = np.cumsum(is_right[order]) / np.arange(1, p.size + 1)
    enough = np.flatnonzero(accuracy >= NAMED_ACCURACY)
    return float(p[order[enough[-1]]]) if enough.size else default
