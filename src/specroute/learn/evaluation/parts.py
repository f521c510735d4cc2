"""The figures of predictor and verifier on the rows of one source, or on all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.measures.calibration import reliability
from specroute.learn.evaluation.measures.curves import Path, money_statistic, routellm_statistic
from specroute.learn.evaluation.measures.probabilities import gains, probability_statistic, shuffled_statistic
from specroute.learn.evaluation.measures.sampling import Draws, as_figures, mean
from specroute.learn.evaluation.policies.lots import always_large
from specroute.learn.evaluation.policies.thresholds import (
    cascade_sweep,
    ends,
    expected_gain_score,
    label_sweep,
    prompt_sweep,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.learn.evaluation.measures.calibration import Bucket
    from specroute.learn.evaluation.measures.curves import Ends
    from specroute.learn.evaluation.measures.sampling import Values
    from specroute.learn.evaluation.policies.delivered import Delivered
    from specroute.learn.metrics import Figure
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

SHUFFLE = "cost_matched_shuffle"


@dataclass(frozen=True, slots=True)
class Alone:
    """Each model alone: share of right answers and mean cost in USD of a request; ``cost_usd`` bounds AIQ."""

    mini_quality: float
    large_quality: float
    mini_cost_usd: float
    large_cost_usd: float


@dataclass(frozen=True, slots=True)
class PartFigures:
    """What was measured on n rows.

    Attributes:
        predictor: of p: AUROC and the rest; of the ranking by expected gain: RouteLLM's figures and those in money.
        verifier: of the verifier's p on the ``judged`` rows that it has a verdict on, and of the cascade over all rows;
            empty: it judged none.
        both: of the path of zones, with always-large at its end, in calls and in money.
        gain_over: baseline -> what the predictor is better by in AUROC, log-loss, Brier score, APGR: above zero.
        baselines: baseline -> its own figures.
        interval_width: median of p_high - p_low.
        predictor_reliability, verifier_reliability: by rising p.
    """

    n: int
    judged: int
    alone: Alone
    predictor: dict[str, Figure]
    verifier: dict[str, Figure]
    both: dict[str, Figure]
    gain_over: dict[str, dict[str, Figure]]
    baselines: dict[str, dict[str, Figure]]
    interval_width: float
    predictor_reliability: tuple[Bucket, ...]
    verifier_reliability: tuple[Bucket, ...]


def part_figures(
    rows: ScoredRows, draws: Draws, path: Sequence[Delivered], baselines: Mapping[str, Floats]
) -> PartFigures:
    """Measures ``rows``; ``path`` and the ``baselines``' float64[n, 2] are of the same rows."""
    alone = ends(rows)
    ranking = expected_gain_score(rows)
    model = _ranked(rows.mini_ok, rows.p, ranking, rows, draws)
    known = {name: _ranked(rows.mini_ok, own[:, 0], 1.0 - own[:, 1], rows, draws) for name, own in baselines.items()}
    known[SHUFFLE] = _shuffled(rows, draws)
    money = draws.figures(partial(money_statistic, prompt_sweep(rows, ranking), alone))
    judged = np.flatnonzero(~np.isnan(rows.verifier_p))
    on_judged = replace(draws, weights=draws.weights[:, judged])
    verdicts, labels = rows.verifier_p[judged], rows.mini_ok[judged]
    return PartFigures(
        n=rows.p.size,
        judged=judged.size,
        alone=Alone(*(float(values.mean()) for values in (alone.mini_ok, alone.large_ok,
                                                         alone.mini_cost_usd, alone.large_cost_usd))),
        predictor=as_figures(model) | money,
        verifier=_verified(rows, labels, verdicts, alone, draws, on_judged) if judged.size else {},
        both=_along(_path([*path, always_large(rows)]), alone, draws),
        gain_over={name: as_figures(gains(model, own)) for name, own in known.items()},
        baselines={name: as_figures(own) for name, own in known.items()},
        interval_width=float(np.median(rows.p_high - rows.p_low)),
        predictor_reliability=reliability(rows.mini_ok, rows.p, draws),
        verifier_reliability=reliability(labels, verdicts, on_judged) if judged.size else (),
    )  # fmt: skip


def _ranked(labels: Floats, p: Floats, ranking: Floats, rows: ScoredRows, draws: Draws) -> Values:
    """Returns the values of probabilities ``p`` and of the curve over ``ranking``, as RouteLLM draws it."""
    curve = partial(routellm_statistic, label_sweep(rows, ranking), ends(rows))
    return {**draws.values(probability_statistic(labels, p)), **draws.values(curve)}


def _shuffled(rows: ScoredRows, draws: Draws) -> Values:
    """Returns the expected values of the predictor's own p and ranking, dealt out to the rows at random."""
    values = draws.values(shuffled_statistic(rows.mini_ok, rows.p))

    def apgr(weights: Floats) -> Mapping[str, Floats]:
        gap = mean(rows.large_ok - rows.mini_ok, weights)
        half = np.where(gap > 0.0, 0.5, np.nan)
        return {"apgr_10": half, "apgr_deciles": half, "apgr_trapezoid": half}

    return {**values, **draws.values(apgr)}


def _verified(
    rows: ScoredRows, labels: Floats, verdicts: Floats, alone: Ends, draws: Draws, on_judged: Draws
) -> dict[str, Figure]:
    sweep = cascade_sweep(rows)
    return {
        **on_judged.figures(probability_statistic(labels, verdicts)),
        **draws.figures(partial(routellm_statistic, sweep, alone)),
        **draws.figures(partial(money_statistic, sweep, alone)),
    }


def _along(path: Path, alone: Ends, draws: Draws) -> dict[str, Figure]:
    return {
        **draws.figures(partial(routellm_statistic, path, alone)),
        **draws.figures(partial(money_statistic, path, alone)),
    }


def _path(ways: Sequence[Delivered]) -> Path:
    return Path(
        large=np.stack([way.large for way in ways]),
        correct=np.stack([way.correct for way in ways]),
        cost_usd=np.stack([way.cost_usd for way in ways]),
    )
