"""One threshold that moves over a score: on the prompt alone, or on the verifier's view of the mini's answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.measures.curves import Ends, State, Sweep
from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI, NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts, play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.play import Played
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

ALL, NONE = 0.0, 1.1
"""Cuts on a verifier's p that accept every answer it judged, or no answer."""


def with_score(rows: ScoredRows, score: Floats) -> ScoredRows:
    """Returns ``rows`` with ``score``, float64[n] in [0, 1], in place of the predictor's p, and nothing uncertain."""
    return replace(rows, p=score, p_low=score, p_high=score)


def expected_gain_score(rows: ScoredRows) -> Floats:
    """Returns 1 - P(mini wrong and large right): what speaks for the mini when money is to buy right answers."""
    return 1.0 - (1.0 - rows.p) * rows.p_rescue


def prompt_cuts(threshold: float) -> Cuts:
    """Returns the policy that asks the mini alone from ``threshold`` and the large model alone below it."""
    return Cuts(threshold, float(np.nextafter(threshold, -np.inf)), None)


def cascade_cuts(min_p: float) -> Cuts:
    """Returns the policy that always asks the mini and delivers its answer where the verifier gives it ``min_p``."""
    return Cuts(NEVER_DIRECT_MINI, NEVER_DIRECT_LARGE, min_p)


def ends(rows: ScoredRows) -> Ends:
    """Returns each model alone, by its recorded answers."""
    return Ends(rows.mini_ok, rows.large_ok, rows.mini_cost_usd, rows.large_cost_usd)


def label_sweep(rows: ScoredRows, score: Floats) -> Sweep:
    """Returns RouteLLM's curve: each row has one model's recorded answer and its cost, and nothing checks it."""
    none = np.zeros(score.size)
    low = State(none, rows.mini_ok, rows.mini_cost_usd)
    return Sweep(score, low, State(none + 1.0, rows.large_ok, rows.large_cost_usd))


def prompt_sweep(rows: ScoredRows, score: Floats) -> Sweep:
    """Returns the curve of ``prompt_cuts`` as played, over ``score``."""
    return Sweep(score, _state(play(rows, ALWAYS_MINI)), _state(play(rows, ALWAYS_LARGE)))


def cascade_sweep(rows: ScoredRows) -> Sweep:
    """Returns the curve of ``cascade_cuts`` as played; a row without a verdict always goes to the large model."""
    score = np.where(np.isnan(rows.verifier_p), -1.0, rows.verifier_p)
    return Sweep(score, _state(play(rows, cascade_cuts(ALL))), _state(play(rows, cascade_cuts(NONE))))


def tuned_prompt(rows: ScoredRows, targets: Sequence[float]) -> list[Cuts]:
    """Returns per target the ``prompt_cuts`` on p that keep it at least cost on ``rows``."""
    return [prompt_cuts(threshold) for threshold in _cheapest(rows, prompt_sweep(rows, rows.p), targets)]


def tuned_cascade(rows: ScoredRows, targets: Sequence[float]) -> list[Cuts]:
    """Returns per target the ``cascade_cuts`` that keep it at least cost on ``rows``."""
    return [cascade_cuts(threshold) for threshold in _cheapest(rows, cascade_sweep(rows), targets)]


def chosen(quality: Floats, cost: Floats, needed: float) -> int:
    """Returns the index of the cheapest point with the quality ``needed``; where none has it, the best there is."""
    enough = quality >= min(needed, float(quality.max())) - 1e-12
    return int(np.argmin(np.where(enough, cost, np.inf)))


def _cheapest(rows: ScoredRows, sweep: Sweep, targets: Sequence[float]) -> list[float]:
    points = sweep.points(np.ones((1, rows.p.size)))
    thresholds = _between(sweep.score)
    quality, cost, large = points.quality[0], points.cost_usd[0], float(rows.large_ok.mean())
    return [float(thresholds[chosen(quality, cost, target * large)]) for target in targets]


def _between(score: Floats) -> Floats:
    """Returns the threshold of each point of a sweep: below the least score, between two, above the greatest."""
    values = np.unique(score)
    middle = (values[1:] + values[:-1]) / 2.0
    return np.concatenate([[ALL], np.where(middle > values[:-1], middle, values[1:]), [NONE]])


def _state(played: Played) -> State:
    return State(played.large_delivered.astype(np.float64), played.correct, played.cost_usd)
