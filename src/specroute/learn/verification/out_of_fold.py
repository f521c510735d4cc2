"""Scores own answers by models that did not see their group: what the stack, the limits and the reports stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.verification.parts.forest import fit
from specroute.learn.verification.parts.novelty import FAMILIAR_SHARE, fit_region
from specroute.learn.verification.parts.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.learn.verification.parts.forest import Ensemble, Settings
    from specroute.learn.verification.parts.novelty import Region
    from specroute.learn.verification.samples import Samples
    from specroute.predictor.verifier.features import Kind


@dataclass(frozen=True, slots=True)
class Scores:
    """Of own answers: log-odds before the stack, and the distance from what was learnt from; NaN: kind not learnt."""

    score: NDArray[np.float64]
    distance: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Members:
    """What is trained: of each kind the ensembles, whose scores are averaged, and where the own answers lie."""

    ensembles: Mapping[Kind, Sequence[Ensemble]]
    regions: Mapping[Kind, Region]


def train_members(samples: Samples, settings: Settings, seed: int, members: int) -> Members:
    """Trains ``members`` ensembles of each kind of which there are enough own answers."""
    found: dict[Kind, list[Ensemble]] = {}
    for member in range(members):
        for kind, ensemble in fit(samples, settings, seed + member).items():
            found.setdefault(kind, []).append(ensemble)
    own = samples.take(samples.is_own)
    return Members(found, {kind: fit_region(own.values[own.kinds == kind], kind, seed) for kind in found})


def distance_with(regions: Mapping[Kind, Region], samples: Samples) -> NDArray[np.float64]:
    """Returns how far each answer lies from those of its kind; NaN where its kind is not learnt."""
    distances = np.full(samples.labels.size, np.nan)
    for kind, region in regions.items():
        part = samples.kinds == kind
        distances[part] = region.distance(samples.values[part])
    return distances


def limits_of(own: Samples, scores: Scores) -> dict[int, float]:
    """Returns of each kind the distance within which lies the familiar share of own answers, out of fold."""
    known = ~np.isnan(scores.distance)
    return {
        int(kind): max(1e-6, float(np.quantile(scores.distance[known & (own.kinds == kind)], FAMILIAR_SHARE)))
        for kind in np.unique(own.kinds[known])
    }


def score_with(ensembles: Mapping[Kind, Sequence[Ensemble]], samples: Samples) -> NDArray[np.float64]:
    """Returns the mean log-odds of the members of each answer's kind; NaN where its kind is not learnt."""
    scores = np.full(samples.labels.size, np.nan)
    for kind, members in ensembles.items():
        part = samples.kinds == kind
        if part.any():
            scores[part] = np.mean([member.score(samples.values[part]) for member in members], axis=0)
    return scores


def cross_validated(
    samples: Samples, settings: Settings, seed: int, members: int, report: Callable[[str], None]
) -> Scores:
    """Returns the scores of the own answers, in their order; ``report`` is told of each fold."""
    own = np.flatnonzero(samples.is_own)
    score, distance = np.full(own.size, np.nan), np.full(own.size, np.nan)
    folds = sorted(set(samples.folds.tolist()))
    for number, fold in enumerate(folds, start=1):
        report(f"verifier: auxiliary={settings.auxiliary_weight:g} fold {number}/{len(folds)}")
        held_out = np.flatnonzero(samples.folds[own] == fold)
        if not held_out.size:
            continue
        trained = train_members(samples.take(samples.folds != fold), settings, seed, members)
        unseen = samples.take(own[held_out])
        score[held_out] = score_with(trained.ensembles, unseen)
        distance[held_out] = distance_with(trained.regions, unseen)
    return Scores(score, distance)


def stacked(own: Samples, scores: Scores, priors: NDArray[np.float64]) -> tuple[Stack, NDArray[np.float64]]:
    """Returns the stack of all own answers, and their probabilities by stacks that did not see their fold."""
    known = ~np.isnan(scores.score)
    p = np.full(known.size, np.nan)

    def fitted(part: NDArray[np.bool_]) -> Stack:
        return Stack.fit(scores.score[part], priors[part], own.kinds[part], own.labels[part])

    for fold in sorted(set(own.folds.tolist())):
        held_out = known & (own.folds == fold)
        learnt = known & (own.folds != fold)
        if held_out.any() and np.unique(own.labels[learnt]).size == 2:
            p[held_out] = fitted(learnt).p(scores.score[held_out], priors[held_out], own.kinds[held_out])
    return fitted(known), p
