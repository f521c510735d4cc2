"""Scores every row by models that did not see its group, chooses settings by them, and keeps the scores.

Texts are read (n-gram weights, low-rank directions) as all texts say, labels or no; whatever learns from a label has
not seen the group's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import GroupKFold

from specroute.learn.metrics import log_loss
from specroute.learn.training.doubt.density import Density
from specroute.learn.training.doubt.interval import sigmoid
from specroute.learn.training.models.blend import (
    LEAST_OF_A_KIND,
    OK,
    QUESTIONS,
    Corpus,
    Linear,
    Settings,
    fit_linear,
    fit_sized,
    with_constants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOLDS = 5
PENALTIES = (0.5, 1.0, 2.0)
AUXILIARY_WEIGHTS = (0.0, 0.5)

LINEAR, NETWORK, BLEND = "linear", "network", "blend"


@dataclass(frozen=True, slots=True)
class Tried:
    """One recipe's out-of-fold scores: ``kind`` is one of LINEAR, NETWORK, BLEND.

    Attributes:
        settings: a setting that the kind does not have is NaN.
        logits: float64[r], of the first question, before calibration.
        log_loss: on rows of the served pair, nats.
    """

    kind: str
    settings: Settings
    logits: Floats
    log_loss: float


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """What cross-validation gave.

    Attributes:
        folds: int64[r].
        tried: every recipe.
        chosen: the settings of the best blend.
        logits: float64[r, QUESTIONS], out of fold, of the chosen blend, before calibration.
        strangeness: float64[r], out of fold, by the densities of the other folds.
        novelty: float64[r], likewise.
    """

    folds: NDArray[np.int64]
    tried: tuple[Tried, ...]
    chosen: Settings
    logits: Floats
    strangeness: Floats
    novelty: Floats


def steps(auxiliary_weights: Sequence[float]) -> int:
    """Returns how often ``cross_fit`` reports."""
    return FOLDS * (len(PENALTIES) + len(auxiliary_weights) + 1)


def cross_fit(
    corpus: Corpus, auxiliary_weights: Sequence[float], seed: int, report: Callable[[str], None]
) -> CrossFitted:
    """Trains every half on the rows outside each fold and scores the fold's rows; deterministic."""
    folds = folds_of(corpus.groups, seed)
    linear = {penalty: _linear_scores(corpus, folds, OK, penalty, report) for penalty in PENALTIES}
    networks = {weight: _network_scores(corpus, folds, weight, seed, report) for weight in auxiliary_weights}
    tried = [_tried(corpus, LINEAR, Settings(penalty, np.nan), scores) for penalty, scores in linear.items()]
    tried += [_tried(corpus, NETWORK, Settings(np.nan, weight), out[:, OK]) for weight, out in networks.items()]
    blends = [
        _tried(corpus, BLEND, Settings(penalty, weight), 0.5 * (scores + out[:, OK]))
        for penalty, scores in linear.items()
        for weight, out in networks.items()
    ]
    chosen = min(blends, key=lambda item: item.log_loss).settings
    logits = _chosen_logits(corpus, folds, chosen, linear, networks)
    strangeness, novelty = _strangeness(corpus, folds, seed, report)
    return CrossFitted(folds, (*tried, *blends), chosen, logits, strangeness, novelty)


def folds_of(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Returns the fold of each row, in [0, FOLDS): equal groups, equal folds."""
    folds = np.zeros(groups.size, dtype=np.int64)
    splitter = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(groups, groups=groups)):
        folds[held_out] = fold
    return folds


def _linear_scores(
    corpus: Corpus, folds: NDArray[np.int64], question: int, penalty: float, report: Callable[[str], None]
) -> Floats:
    scores = np.zeros(folds.size)
    for fold in range(FOLDS):
        report(f"words, C={penalty:g}, fold {fold + 1}/{FOLDS}")
        half = fit_linear(corpus, folds != fold, question, penalty)
        scores[folds == fold] = half.logits(corpus.matrix)[corpus.text_of[folds == fold]]
    return scores


def _network_scores(
    corpus: Corpus, folds: NDArray[np.int64], weight: float, seed: int, report: Callable[[str], None]
) -> Floats:
    """Returns float64[r, QUESTIONS + 1]."""
    out = np.zeros((folds.size, QUESTIONS + 1))
    inputs = corpus.inputs()
    for fold in range(FOLDS):
        report(f"network, other pairs {weight:g}, fold {fold + 1}/{FOLDS}")
        network = fit_sized(corpus, folds != fold, weight, seed).network
        network = with_constants(network, _constants(corpus, folds != fold))
        out[folds == fold] = network.outputs(inputs)[corpus.text_of[folds == fold]]
    return out


def _constants(corpus: Corpus, rows: NDArray[np.bool_]) -> list[Linear]:
    """Returns the linear halves of questions that are constants on ``rows``; the others' are never used."""
    labels = corpus.labels()
    found = []
    for question in range(QUESTIONS):
        known = labels[rows & corpus.is_own, question]
        known = known[~np.isnan(known)]
        if min(known.sum(), (1.0 - known).sum()) < LEAST_OF_A_KIND:
            found.append(fit_linear(corpus, rows, question, 1.0))
        else:
            found.append(Linear(np.zeros(0), 0.0, is_constant=False))
    return found


def _tried(corpus: Corpus, kind: str, settings: Settings, logits: Floats) -> Tried:
    own = corpus.is_own
    return Tried(kind, settings, logits, log_loss(corpus.mini[own], sigmoid(logits[own])))


def _chosen_logits(
    corpus: Corpus,
    folds: NDArray[np.int64],
    chosen: Settings,
    linear: dict[float, Floats],
    networks: dict[float, Floats],
) -> Floats:
    halves = [linear[chosen.inverse_penalty]]
    halves += [
        _linear_scores(corpus, folds, question, chosen.inverse_penalty, lambda _: None)
        for question in range(1, QUESTIONS)
    ]
    logits: Floats = 0.5 * (np.stack(halves, axis=1) + networks[chosen.auxiliary_weight][:, :QUESTIONS])
    return logits


def _strangeness(
    corpus: Corpus, folds: NDArray[np.int64], seed: int, report: Callable[[str], None]
) -> tuple[Floats, Floats]:
    strangeness, novelty = np.zeros(folds.size), np.zeros(folds.size)
    for fold in range(FOLDS):
        report(f"density, fold {fold + 1}/{FOLDS}")
        density = density_of(corpus, corpus.is_own & (folds != fold), corpus.is_own & (folds == fold), seed)
        features = corpus.density[corpus.text_of[folds == fold]]
        strangeness[folds == fold] = density.strangeness(features)
        novelty[folds == fold] = density.novelty(features)
    return strangeness, novelty


def density_of(corpus: Corpus, learnt: NDArray[np.bool_], held_out: NDArray[np.bool_], seed: int) -> Density:
    """Returns the density of the texts of the rows ``learnt``, measured on those of ``held_out``."""
    texts, unseen = np.unique(corpus.text_of[learnt]), np.unique(corpus.text_of[held_out])
    return Density.fit(corpus.density[texts], corpus.density[unseen], seed)
