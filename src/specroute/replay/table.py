"""Figures of a replay, each with its 95 % interval by bootstrap over groups of near-duplicate prompts.

A percentile is the least value that the stated share of requests does not exceed. Ratios are paired: both sides are
resampled together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from specroute.learn.metrics import Figure, figure, resamples
from specroute.replay.answers import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.replay.run import PlayedRow, ReplayRun

    Floats = NDArray[np.float64]
    Metric = Callable[[Floats], float]

PERCENTILES = (50, 90, 99)
_PER_REQUESTS = 1000.0


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What one policy did.

    Attributes:
        n: rows that were played. ``expected``: that were to be.
        learnt_from: how many of them the model has learnt from, so that others scored them.
        figures: name -> value and interval; those over a baseline are missing where there is none.
        plans: plan -> share of the requests: direct_mini, direct_large, cascade, hedge, race.
        delivered: mini, large, none -> share of the requests.
        errors: reason -> how many requests ended so.
    """

    n: int
    expected: int
    learnt_from: int
    figures: Mapping[str, Figure]
    plans: Mapping[str, float]
    delivered: Mapping[str, float]
    errors: Mapping[str, int]

    @property
    def is_whole(self) -> bool:
        """Whether every row was played."""
        return self.n == self.expected

    def as_dict(self) -> dict[str, Any]:
        """Returns everything as JSON values."""
        return {
            "n": self.n,
            "partial": not self.is_whole,
            "out_of_fold": self.learnt_from,
            **{name: figure.to_json() for name, figure in self.figures.items()},
            "plans": dict(self.plans),
            "delivered": dict(self.delivered),
            "errors": dict(self.errors),
        }


def summarise(run: ReplayRun, baseline: ReplayRun | None, seed: int) -> ReplaySummary:
    """Returns the figures of ``run``.

    Args:
        run: at least one row.
        baseline: always-large on the same rows in the same order, which may go on after those of ``run``; ``None``:
            nothing is compared.
        seed: of the resampling.

    Raises:
        ReplayError: nothing was played, or the baseline does not hold the rows of ``run``.
    """
    played = run.played
    if not played:
        raise ReplayError("no row was played")
    _, groups = np.unique([each.row.group_id for each in played], return_inverse=True)
    draws = resamples(groups.astype(np.int64), seed)
    metrics = _own_metrics(played, run.deadline_s)
    if baseline is not None:
        other = baseline.played[: len(played)]
        if [each.row for each in other] != [each.row for each in played]:
            raise ReplayError("the baseline was not played on the same rows in the same order")
        metrics |= _paired_metrics(played, other)
    return ReplaySummary(
        n=len(played),
        expected=run.expected,
        learnt_from=run.learnt_from,
        figures={name: figure(metric, draws) for name, metric in metrics.items()},
        plans=_shares(f"direct_{each.first_tier}" if each.plan == "direct" else each.plan for each in played),
        delivered=_shares(each.delivered_tier or "none" for each in played),
        errors=dict(sorted(Counter(each.error for each in played if each.error).items())),
    )


def is_late(row: PlayedRow, deadline_s: float | None) -> bool:
    """Returns whether a request ran into its deadline, or ended after it."""
    return row.ran_out_of_time or (deadline_s is not None and row.latency_s > deadline_s)


def _own_metrics(played: Sequence[PlayedRow], deadline_s: float | None) -> dict[str, Metric]:
    correct, cost, waste = (_column(played, name) for name in ("correct", "cost_usd", "waste_usd"))
    latency = _column(played, "latency_s")
    late = np.array([is_late(each, deadline_s) for each in played], dtype=np.float64)
    failed = np.array([bool(each.error) for each in played], dtype=np.float64)
    first = np.array([each.latency_s if each.ttft_s is None else each.ttft_s for each in played])
    return {
        "quality": _mean(correct),
        "cost_usd_per_1000": _mean(_PER_REQUESTS * cost),
        "waste_usd_per_1000": _mean(_PER_REQUESTS * waste),
        "waste_ratio": _ratio(_mean(waste), _mean(cost)),
        "mean_s": _mean(latency),
        **{f"p{percent}_s": _percentile(latency, percent) for percent in PERCENTILES},
        "ttft_p50_s": _percentile(first, PERCENTILES[0]),
        "deadline_ratio": _mean(late),
        "amplification": _mean(_column(played, "calls")),
        "escalation_ratio": _mean(_column(played, "escalated")),
        "degraded_ratio": _mean(_column(played, "degraded")),
        "error_ratio": _mean(failed),
    }


def _paired_metrics(played: Sequence[PlayedRow], other: Sequence[PlayedRow]) -> dict[str, Metric]:
    def ratio(make: Callable[[Floats], Metric], name: str) -> Metric:
        return _ratio(make(_column(played, name)), make(_column(other, name)))

    cost = ratio(_mean, "cost_usd")
    return {
        "retention": ratio(_mean, "correct"),
        "saved_ratio": lambda weights: 1.0 - cost(weights),
        **{f"p{percent}_ratio": ratio(partial(_percentile, percent=percent), "latency_s") for percent in PERCENTILES},
    }


def _column(played: Sequence[PlayedRow], name: str) -> Floats:
    return np.array([getattr(each, name) for each in played], dtype=np.float64)


def _mean(values: Floats) -> Metric:
    return lambda weights: float(weights @ values / weights.sum())


def _percentile(values: Floats, percent: int) -> Metric:
    order = np.argsort(values, kind="stable")
    ordered = values[order]

    def measured(weights: Floats) -> float:
        reached = np.cumsum(weights[order])
        # A hair less, so that rounding does not carry a share that is met exactly over to the next value.
        wanted = reached[-1] * percent / 100.0 - 1e-9
        return float(ordered[min(int(np.searchsorted(reached, wanted)), ordered.size - 1)])

    return measured


def _ratio(above: Metric, below: Metric) -> Metric:
    def measured(weights: Floats) -> float:
        divisor = below(weights)
        return above(weights) / divisor if divisor > 0.0 else float("nan")

    return measured


def _shares(words: Iterable[str]) -> dict[str, float]:
    counts = Counter(words)
    total = sum(counts.values())
    return {word: count / total for word, count in sorted(counts.items())}
