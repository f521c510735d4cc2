"""Figures of one operating point: a policy as played, with intervals, beside always-large and the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.measures.sampling import mean, ratio
from specroute.learn.evaluation.policies.delivered import MIXTURE
from specroute.learn.play import PlannedAs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.learn.evaluation.measures.curves import Ends
    from specroute.learn.evaluation.measures.sampling import Draws
    from specroute.learn.evaluation.policies.delivered import Delivered
    from specroute.learn.metrics import Figure

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """What a policy is worth; money is US dollars, the mean of a request.

    Attributes:
        figures: ``quality``, ``cost_usd``, ``waste_usd`` (of cost_usd, for answers not delivered), ``retention``
            (quality / always-large's), ``saved_ratio`` (1 - cost / always-large's), ``escalation_ratio`` (large called
            after a rejected mini answer), ``large_ratio`` (large called), ``under_routing_ratio`` (the mini's wrong
            answer delivered where the large model's was right), ``over_routing_ratio`` (large called where the mini's
            was right), ``routing_accuracy`` (1 less both), ``oracle_gap``: (Q_oracle - Q) / (Q_oracle - Q_mini), where
            the oracle may spend what the policy spends.
        plans: share of requests by plan; empty for a policy that draws lots.
    """

    figures: dict[str, Figure]
    plans: dict[str, float]


def policy_figures(policy: Delivered, ends: Ends, draws: Draws) -> PolicyFigures:
    """Returns the figures of ``policy`` over the rows that ``ends`` and ``draws`` are of."""
    oracle = _Oracle(ends)
    columns = np.stack(
        [
            *(policy.correct, policy.cost_usd, policy.waste_usd, policy.escalated, policy.large),
            *(policy.wrong_mini, policy.needless_large),
            *(ends.mini_ok, ends.large_ok, ends.mini_cost_usd, ends.large_cost_usd),
        ],
        axis=1,
    )

    def statistic(weights: Floats) -> Mapping[str, Floats]:
        total = weights.sum(axis=1, keepdims=True)
        quality, cost, waste, escalated, large, wrong, needless, *alone = (weights @ columns / total).T
        mini_quality, large_quality, mini_cost, large_cost = alone
        best = oracle.quality(weights / total, cost, mini_quality, mini_cost)
        return {
            "quality": quality,
            "cost_usd": cost,
            "waste_usd": waste,
            "retention": ratio(quality, large_quality),
            "saved_ratio": 1.0 - ratio(cost, large_cost),
            "escalation_ratio": escalated,
            "large_ratio": large,
            "under_routing_ratio": wrong,
            "over_routing_ratio": needless,
            "routing_accuracy": 1.0 - wrong - needless,
            "oracle_gap": ratio(best - quality, best - mini_quality),
        }

    return PolicyFigures(draws.figures(statistic), _plans(policy))


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A policy tuned to ``target``, as measured: see ``PolicyFigures``."""

    target: float
    retention: Figure
    saved_ratio: Figure
    cost_usd: Figure


def frontier_figures(
    ways: Sequence[Delivered], targets: Sequence[float], ends: Ends, draws: Draws
) -> tuple[FrontierPoint, ...]:
    """Returns what each of ``ways``, a policy tuned to one of ``targets`` each, gives; repeated points once."""
    quality, cost = (np.stack([getattr(way, name) for way in ways], axis=1) for name in ("correct", "cost_usd"))
    large = np.stack([ends.large_ok, ends.large_cost_usd], axis=1)

    def statistic(weights: Floats) -> Mapping[str, Floats]:
        total = weights.sum(axis=1, keepdims=True)
        large_quality, large_cost = (weights @ large / total).T
        qualities, costs = weights @ quality / total, weights @ cost / total
        figures: dict[str, Floats] = {}
        for number in range(len(ways)):
            figures[f"retention {number}"] = ratio(qualities[:, number], large_quality)
            figures[f"saved_ratio {number}"] = 1.0 - ratio(costs[:, number], large_cost)
            figures[f"cost_usd {number}"] = costs[:, number]
        return figures

    figures = draws.figures(statistic)
    points: list[FrontierPoint] = []
    for number, target in enumerate(targets):
        named = {name: figures[f"{name} {number}"] for name in ("retention", "saved_ratio", "cost_usd")}
        point = FrontierPoint(target, **named)
        if not points or (point.retention, point.cost_usd) != (points[-1].retention, points[-1].cost_usd):
            points.append(point)
    return tuple(points)


def quality_gain(policy: Delivered, other: Delivered, draws: Draws) -> Figure:
    """Returns the quality of ``policy`` less that of ``other``, resampled together."""
    return draws.figures(lambda weights: {"gain": mean(policy.correct - other.correct, weights)})["gain"]


class _Oracle:
    """Buys right answers where they cost least: the large model only where it alone is right."""

    def __init__(self, ends: Ends) -> None:
        gains = np.flatnonzero((ends.large_ok > 0.0) & (ends.mini_ok == 0.0))
        extra = ends.large_cost_usd[gains] - ends.mini_cost_usd[gains]
        self._order = gains[np.argsort(extra, kind="stable")]
        self._extra = np.sort(extra, kind="stable")

    def quality(self, shares: Floats, cost: Floats, mini_quality: Floats, mini_cost: Floats) -> Floats:
        """Returns float64[k]: the best quality that ``cost``, float64[k], buys, the last answer perhaps in part.

        ``shares``, float64[k, n], are the rows' weights, 1 in all; the other two are those of the mini alone.
        """
        bought = shares[:, self._order]
        zero = np.zeros((shares.shape[0], 1))
        spent = np.concatenate([zero, np.cumsum(bought * self._extra, axis=1)], axis=1)
        right = np.concatenate([zero, np.cumsum(bought, axis=1)], axis=1)
        gained = [np.interp(at, *row) for at, *row in zip(cost - mini_cost, spent, right, strict=True)]
        return mini_quality + np.array(gained, dtype=np.float64)


def _plans(policy: Delivered) -> dict[str, float]:
    if np.any(policy.plan == MIXTURE):
        return {}
    return {plan.name.lower(): float((policy.plan == plan).mean()) for plan in PlannedAs}
