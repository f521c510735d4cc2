"""The whole evaluation: scored rows in, every figure with its interval out.

Definitions are with the functions that compute them (``measures``); how policies come by their thresholds is in
``policies.tuned``. Nothing here reads a clock or draws without the seed: the same rows give the same figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.advice import advise
from specroute.learn.evaluation.measures.operating import frontier_figures, policy_figures, quality_gain
from specroute.learn.evaluation.measures.sampling import Draws
from specroute.learn.evaluation.parts import part_figures
from specroute.learn.evaluation.policies.baselines import FITS, SUBJECT_MEAN, predicted
from specroute.learn.evaluation.policies.lots import permuted
from specroute.learn.evaluation.policies.roster import PRODUCT_WITHOUT_CERTIFICATE, Roster, Scores, make_roster
from specroute.learn.evaluation.policies.thresholds import ends
from specroute.learn.evaluation.policies.tuned import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from specroute.learn.evaluation.advice import Advice
    from specroute.learn.evaluation.measures.operating import FrontierPoint, PolicyFigures
    from specroute.learn.evaluation.parts import PartFigures
    from specroute.learn.evaluation.policies.lots import Permuted
    from specroute.learn.metrics import Figure
    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows

POOLED = "pooled"
SHUFFLE, RANDOM = "cost_matched_shuffle", "random"
STEPS = 5


class EvaluationError(ValueError):
    """The rows cannot be evaluated; the message is one line with the mend."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How to evaluate.

    Attributes:
        target: share of the large model's quality that policies are tuned to keep, in (0, 1.5].
        seed: decides folds, halves, permutations and resamples; >= 0.
    """

    target: float = 0.98
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Attributes:
        rows: what it was measured on.
        tuned_on: rows of the tuning file; ``None``: cross-tuned.
        parts: ``pooled`` and each source -> its figures.
        roster: the policies as played.
        policies: ``pooled`` and each source -> policy -> its figures.
        frontier: policy -> its points, tuned to each of a range of targets.
        gain_over: ``cost_matched_shuffle`` and ``random`` -> what the product's quality is above theirs.
        permutations: of the product's decisions.
    """

    rows: ScoredRows
    options: EvaluateOptions
    tuned_on: int | None
    parts: dict[str, PartFigures]
    roster: Roster
    policies: dict[str, dict[str, PolicyFigures]]
    frontier: dict[str, tuple[FrontierPoint, ...]]
    gain_over: dict[str, Figure]
    permutations: Permuted
    advice: Advice


def evaluate(
    rows: ScoredRows,
    options: EvaluateOptions,
    *,
    tuning: ScoredRows | None = None,
    certified: Cuts | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Measures predictor, verifier and policies on ``rows``.

    Args:
        rows: to measure on.
        options: how.
        tuning: to tune thresholds and fit baselines on; shares no group with ``rows``.
        certified: the thresholds of a certificate, which are the product's then.
        report: told of each of ``STEPS`` steps.

    Raises:
        EvaluationError: too few groups, or a group is in both sets of rows.
    """
    _check(rows, tuning)
    report("fitting the baselines")
    scores = _baseline_scores(rows, tuning, options.seed)
    report("tuning the policies")
    roster = make_roster(rows, scores, tuning, options.target, options.seed, certified)
    index = _index(rows)
    draws = {name: Draws.of(rows.groups[at], options.seed) for name, at in index.items()}
    report("measuring predictor and verifier")
    parts = {
        name: part_figures(rows.take(at), draws[name], [way.take(at) for way in roster.product_frontier],
                           {known: own.measured[at] for known, own in scores.items()})
        for name, at in index.items()
    }  # fmt: skip
    report("measuring the policies")
    policies = {
        name: {
            policy: policy_figures(delivered.take(at), ends(rows.take(at)), draws[name])
            for policy, delivered in roster.policies.items()
        }
        for name, at in index.items()
    }
    report("drawing the frontier")
    frontier = {
        policy: frontier_figures(ways, TARGETS, ends(rows), draws[POOLED]) for policy, ways in roster.frontier.items()
    }
    product = roster.policies[roster.product]
    gain_over = {name: quality_gain(product, roster.policies[name], draws[POOLED]) for name in (SHUFFLE, RANDOM)}
    return Evaluation(
        rows=rows,
        options=options,
        tuned_on=None if tuning is None else tuning.p.size,
        parts=parts,
        roster=roster,
        policies=policies,
        frontier=frontier,
        gain_over=gain_over,
        permutations=permuted(rows, product, seed=options.seed),
        advice=advise(policies[POOLED][roster.product], roster.product, options.target, gain_over[SHUFFLE]),
    )


def _check(rows: ScoredRows, tuning: ScoredRows | None) -> None:
    least = 2
    if np.unique(rows.groups).size < least:
        raise EvaluationError(f"{rows.p.size} rows of fewer than {least} groups; give more rows to measure on")
    if tuning is None:
        return
    shared = {row.group_id for row in rows.rows} & {row.group_id for row in tuning.rows}
    if shared:
        raise EvaluationError(
            f"{len(shared)} groups are in both --outcomes and --tuning; give files without a group in common"
        )


def _index(rows: ScoredRows) -> dict[str, NDArray[np.int64]]:
    sources = np.array([row.source for row in rows.rows])
    parts = {POOLED: np.arange(sources.size)}
    for name in np.unique(sources):
        parts[f"{name} (source)" if name == POOLED else str(name)] = np.flatnonzero(sources == name)
    return parts


def _baseline_scores(rows: ScoredRows, tuning: ScoredRows | None, seed: int) -> dict[str, Scores]:
    names = [name for name in FITS if name != SUBJECT_MEAN or any(row.subject for row in rows.rows)]
    return {
        name: Scores(
            measured=predicted(name, rows, tuning, seed=seed),
            tuning=None if tuning is None else predicted(name, tuning, None, seed=seed),
        )
        for name in names
    }


__all__ = ["PRODUCT_WITHOUT_CERTIFICATE", "EvaluateOptions", "Evaluation", "EvaluationError", "evaluate"]
