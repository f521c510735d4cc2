"""Policies that know nothing of the request, or everything: random mixtures, shuffled decisions, the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.policies.delivered import Delivered
from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI, PlannedAs, delivered_by, play

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

PERMUTATIONS = 2000


def always_mini(rows: ScoredRows) -> Delivered:
    """Returns what the mini alone gives; an answer that fails the deterministic validators still escalates."""
    return Delivered.of(rows, play(rows, ALWAYS_MINI))


def always_large(rows: ScoredRows) -> Delivered:
    """Returns what the large model alone gives."""
    return Delivered.of(rows, play(rows, ALWAYS_LARGE))


def random_with_share(rows: ScoredRows, large: float) -> Delivered:
    """Returns the expected values of sending rows to the large model at random, so that it gives ``large`` of all."""
    mini = always_mini(rows)
    floor = float(mini.large.mean())
    share = 0.0 if floor >= 1.0 else float(np.clip((large - floor) / (1.0 - floor), 0.0, 1.0))
    return mini.mixed(always_large(rows), share)


def random_share_for(rows: ScoredRows, target: float) -> float:
    """Returns the least share of large answers at which random mixing is expected to keep ``target`` on ``rows``."""
    mini = always_mini(rows)
    weak, strong, floor = float(mini.correct.mean()), float(rows.large_ok.mean()), float(mini.large.mean())
    if weak >= target * strong:
        return floor
    share = 1.0 if strong <= weak else min(1.0, (target * strong - weak) / (strong - weak))
    return floor + share * (1.0 - floor)


def shuffled(rows: ScoredRows, policy: Delivered) -> Delivered:
    """Returns the expected values of dealing ``policy``'s own decisions out to the rows at random, at its cost.

    Who asks the mini and who gets the large model's answer keeps its share, and who is who is drawn: the mean over all
    permutations. As rows differ in what they cost, that is mixed with always-large or always-mini until it costs what
    the policy costs: what is left of the policy's gain is what it knows about the requests.
    """
    shares = _shares(policy)
    accepted, rejected, at_once = _dealt(rows)
    asked = accepted.mixed(rejected, 0.0 if shares[1] == 0.0 else shares[1] / (shares[0] + shares[1]))
    return _at_cost_of(rows, asked.mixed(at_once, shares[2]), policy)


@dataclass(frozen=True, slots=True)
class Permuted:
    """What single permutations of a policy's decisions give, at its cost.

    Attributes:
        permutations: how many were drawn.
        quality_lo, quality_hi: 95 % of them lie between.
        p_value: chance of one at least as good as the policy, counting the policy itself.
    """

    permutations: int
    quality_lo: float
    quality_hi: float
    p_value: float


def permuted(rows: ScoredRows, policy: Delivered, *, seed: int) -> Permuted:
    """Deals ``policy``'s decisions out to the rows ``PERMUTATIONS`` times, each brought to its cost."""
    draw = np.random.default_rng(seed)
    asked = (policy.plan != PlannedAs.DIRECT_LARGE).astype(np.float64)
    target, cheap, dear = (
        float(values.mean()) for values in (policy.cost_usd, rows.mini_cost_usd, rows.large_cost_usd)
    )
    weak, strong = float(rows.mini_ok.mean()), float(rows.large_ok.mean())
    qualities = np.empty(PERMUTATIONS)
    for number in range(PERMUTATIONS):
        order = draw.permutation(rows.p.size)
        large = policy.large[order]
        quality = float((rows.mini_ok + large * (rows.large_ok - rows.mini_ok)).mean())
        cost = float(((1.0 - large) * rows.mini_cost_usd + large * rows.large_cost_usd).mean())
        cost += float((asked[order] * large * rows.mini_cost_usd).mean())
        end_cost, end_quality = (dear, strong) if cost < target else (cheap, weak)
        share = 0.0 if end_cost == cost else float(np.clip((target - cost) / (end_cost - cost), 0.0, 1.0))
        qualities[number] = quality + share * (end_quality - quality)
    lo, hi = np.percentile(qualities, [2.5, 97.5])
    better = int(np.count_nonzero(qualities >= policy.correct.mean() - 1e-12))
    return Permuted(PERMUTATIONS, float(lo), float(hi), (better + 1) / (PERMUTATIONS + 1))


def oracle(rows: ScoredRows) -> Delivered:
    """Returns the cheapest right answer of each row, and where both are wrong the cheapest."""
    dearer = rows.large_cost_usd > rows.mini_cost_usd
    better = rows.large_ok - rows.mini_ok
    large = (better > 0.0) | ((better == 0.0) & ~dearer)
    plan = np.where(large, PlannedAs.DIRECT_LARGE, PlannedAs.DIRECT_MINI).astype(np.int8)
    return Delivered.of(rows, delivered_by(rows, plan, large))


def _shares(policy: Delivered) -> tuple[float, float, float]:
    """Returns the shares of: the mini's answer; the large model's after the mini's; the large model's at once."""
    at_once = policy.plan == PlannedAs.DIRECT_LARGE
    return (
        float((1.0 - policy.large).mean()),
        float((policy.large * ~at_once).mean()),
        float((policy.large * at_once).mean()),
    )


def _dealt(rows: ScoredRows) -> tuple[Delivered, Delivered, Delivered]:
    return (
        _all(rows, PlannedAs.CASCADE, large=False),
        _all(rows, PlannedAs.CASCADE, large=True),
        _all(rows, PlannedAs.DIRECT_LARGE, large=True),
    )


def _all(rows: ScoredRows, plan: PlannedAs, *, large: bool) -> Delivered:
    n = rows.p.size
    return Delivered.of(rows, delivered_by(rows, np.full(n, plan, dtype=np.int8), np.full(n, large, dtype=np.bool_)))


def _at_cost_of(rows: ScoredRows, mixture: Delivered, policy: Delivered) -> Delivered:
    cost, target = float(mixture.cost_usd.mean()), float(policy.cost_usd.mean())
    is_dearer = cost < target
    end = _all(rows, PlannedAs.DIRECT_LARGE if is_dearer else PlannedAs.DIRECT_MINI, large=is_dearer)
    distance = float(end.cost_usd.mean()) - cost
    share = 0.0 if distance == 0.0 else float(np.clip((target - cost) / distance, 0.0, 1.0))
    return mixture.mixed(end, share)
