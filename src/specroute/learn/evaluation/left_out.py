"""Leave-source-out: what the router does with a kind of request that its models have never seen.

For each source a model is trained on everything but that source and the near-duplicates of its prompts, and scores it;
the product's thresholds stay as they were. What is asked is whether it knows that it does not know: are the intervals
wider, is more escalated, and is the delivered quality that of always-large?
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.evaluate import POOLED
from specroute.learn.evaluation.measures.operating import policy_figures, quality_gain
from specroute.learn.evaluation.measures.probabilities import probability_statistic
from specroute.learn.evaluation.measures.sampling import Draws
from specroute.learn.evaluation.policies.lots import always_large
from specroute.learn.evaluation.policies.roster import played_product
from specroute.learn.evaluation.policies.thresholds import ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcomes
    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.measures.operating import PolicyFigures
    from specroute.learn.metrics import Figure
    from specroute.learn.scoring import ScoredRows

    Train = Callable[[Outcomes, Path], None]
    Score = Callable[[Outcomes, Path], ScoredRows]

MIN_ROWS = 50
"""A source with fewer rows is not left out: its intervals would say nothing."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A source as seen by models that were trained without it.

    Attributes:
        n: its rows.
        predictor: AUROC, log-loss, Brier score and ECE of p.
        verifier: of the verifier's p on the rows that it has a verdict on; empty: none.
        interval_width: median of p_high - p_low.
        interval_width_seen: the same rows' median by the model that knows the source.
        interval_width_pooled: the median over all rows by that model.
        product: what the product does, its thresholds unchanged; with the shares of its plans.
        quality_gain: its quality less always-large's, resampled together.
    """

    n: int
    predictor: dict[str, Figure]
    verifier: dict[str, Figure]
    interval_width: float
    interval_width_seen: float
    interval_width_pooled: float
    product: PolicyFigures
    quality_gain: Figure


def sources_to_leave_out(rows: ScoredRows) -> list[str]:
    """Returns the sources with at least ``MIN_ROWS`` rows, sorted; none where there is only one source."""
    names, counts = np.unique([row.source for row in rows.rows], return_counts=True)
    if names.size < 2:
        return []
    return [str(name) for name, count in zip(names, counts, strict=True) if count >= MIN_ROWS]


def leave_out(source: str, evaluation: Evaluation, learnt: Outcomes, *, train: Train, score: Score) -> LeftOut:
    """Trains without ``source`` and measures on it.

    Args:
        source: of the evaluated rows.
        evaluation: of the model that knows it.
        learnt: to train on, of all pairs.
        train: learns from outcomes and writes the folder.
        score: scores the evaluated rows of the outcomes by the folder, in canonical order.
    """
    rows = evaluation.rows
    index = np.flatnonzero(np.array([row.source == source for row in rows.rows]))
    seen = rows.take(index)
    asked = replace(learnt, rows=seen.rows)
    with tempfile.TemporaryDirectory(prefix="specroute-left-out-") as name:
        folder = Path(name)
        train(_without(learnt, source, {row.group_id for row in seen.rows}), folder)
        unseen = score(asked, folder)
    return _measured(unseen, seen, index, evaluation)


def _measured(unseen: ScoredRows, seen: ScoredRows, index: NDArray[np.int64], evaluation: Evaluation) -> LeftOut:
    draws = Draws.of(unseen.groups, evaluation.options.seed)
    judged = np.flatnonzero(~np.isnan(unseen.verifier_p))
    verdicts = probability_statistic(unseen.mini_ok[judged], unseen.verifier_p[judged]) if judged.size else None
    on_judged = replace(draws, weights=draws.weights[:, judged])
    product = played_product(evaluation.roster, unseen, index)
    return LeftOut(
        n=unseen.p.size,
        predictor=draws.figures(probability_statistic(unseen.mini_ok, unseen.p)),
        verifier={} if verdicts is None else on_judged.figures(verdicts),
        interval_width=_width(unseen),
        interval_width_seen=_width(seen),
        interval_width_pooled=evaluation.parts[POOLED].interval_width,
        product=policy_figures(product, ends(unseen), draws),
        quality_gain=quality_gain(product, always_large(unseen), draws),
    )


def _width(rows: ScoredRows) -> float:
    return float(np.median(rows.p_high - rows.p_low))


def _without(learnt: Outcomes, source: str, groups: set[str]) -> Outcomes:
    kept = tuple(row for row in learnt.rows if row.source != source and row.group_id not in groups)
    return replace(learnt, rows=kept, sources=tuple(own for own in learnt.sources if own.name != source))


def train_folder(
    outcomes: Outcomes, folder: Path, *, pair: str, seed: int, report: Callable[[str], None] = lambda step: None
) -> None:
    """Trains as ``specroute train`` does and writes the model's folder; ``report`` is told of each step.

    Raises:
        TrainingError: the rows that are left do not give a model.
    """
    # Heavy, and only this needs them.
    from specroute.learn.training.train import TrainOptions, train  # noqa: PLC0415
    from specroute.learn.training.writing.folder import Run, write_folder  # noqa: PLC0415

    options = TrainOptions(pair=pair, seed=seed, use_intents=False, leave_sources_out=False)
    trained = train(outcomes, options, report=report)
    write_folder(Run(outcomes, options, trained, None), folder)
