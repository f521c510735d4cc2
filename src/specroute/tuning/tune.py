"""The whole of a tuning run: search on the tuning rows, then evidence on rows that the search has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.tuning.advice import Evidence, advise
from specroute.tuning.certifying import certified
from specroute.tuning.findings import Found, FrontPoint, PolicyEffect
from specroute.tuning.flights.effects import Ruler, cluster_weights, effect_of
from specroute.tuning.flights.flight import Fate, fates
from specroute.tuning.flights.policies import (
    ALWAYS_LARGE_SETTING,
    CLAIRVOYANT,
    RECOMMENDED,
    SHUFFLE,
    Policy,
    clairvoyant,
    played,
    random_at_cost,
    settings,
)
from specroute.tuning.flights.shuffle import Shuffled, shuffled
from specroute.tuning.flights.world import World
from specroute.tuning.search.choose import Search, choose
from specroute.tuning.search.front import pareto_front
from specroute.tuning.search.lock import lock
from specroute.tuning.search.space import p95_delay, space_of
from specroute.tuning.search.table import tabulate
from specroute.tuning.search.tail import Tail
from specroute.tuning.splits import TuningError, require_enough, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from specroute.learn.prices import PairPrices
    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.findings import Optimum, Setting
    from specroute.tuning.targets import Targets
    from specroute.upstreams.simulated.latency import LatencyModel

SEARCH_RESAMPLES = 200
DRAWS = 8


@dataclass(frozen=True, slots=True)
class _Searched:
    """What the tuning rows gave: the optimum, the front, and when a plain hedge starts."""

    optimum: Optimum
    front: Sequence[Setting]
    p95_s: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the held-out rows say: the table, and what the answer is read from."""

    policies: tuple[PolicyEffect, ...]
    evidence: Evidence


def tune(  # noqa: PLR0913 - two sets of rows, what is wanted, the world they are in, and who watches
    tuning: ScoredRows,
    holdout: ScoredRows,
    targets: Targets,
    *,
    latency: LatencyModel,
    prices: PairPrices,
    draws: int = DRAWS,
    seed: int,
    report: Callable[[str], None],
    files: Mapping[str, str] | None = None,
) -> Found:
    """Finds the setting that keeps the targets at the least money and time, and measures it on other rows.

    Args:
        tuning: rows to search on; those of clusters that ``holdout`` has too, or without both answers, are left out.
        holdout: rows to measure and to certify on; those without both answers are left out.
        targets: what must hold, and what is made small.
        latency: how fast both tiers are.
        prices: of the tiers' tokens, as the rows were scored with.
        draws: of the latency per row, >= 1.
        seed: of all draws.
        report: told what is done next.
        files: name -> SHA-256 of the model's files, for the certificate.

    Raises:
        TuningError: the rows cannot be tuned on; one line with the mend.
    """
    own, other = _disjoint(usable(tuning), usable(holdout))
    require_enough(own, "tuning")
    require_enough(other, "measuring (the held-out rows)")
    report("drawing latencies")
    world = World.of(own, latency, prices, draws=draws, seed=seed)
    searched = _search(world, targets, seed=seed, report=report)
    report(f"measuring on {other.p.size:,} held-out rows")
    held_out = World.of(other, latency, prices, draws=draws, seed=seed)
    ruler = Ruler.of(held_out, targets, played(held_out, ALWAYS_LARGE_SETTING).mixture, seed=seed)
    judged = _judged(held_out, ruler, searched, seed=seed)
    report("measuring the Pareto front")
    front = tuple(FrontPoint(each, ruler.effect(played(held_out, each).mixture)) for each in searched.front)
    report("certifying")
    proven = certified(own, held_out, ruler, searched.optimum.setting, files=files or {}, seed=seed)
    return Found(
        pair=holdout.pair,
        targets=targets,
        latency=latency.described(),
        n_tuning=own.p.size,
        n_holdout=other.p.size,
        left_out=len(tuning.rows) + len(holdout.rows) - own.p.size - other.p.size,
        data_sha256=tuning.data_sha256,
        model_version=holdout.model_version,
        policies=judged.policies,
        front=front,
        optimum=searched.optimum,
        shuffle=judged.evidence.control if judged.evidence.knows else None,
        certified=proven,
        advice=advise(judged.evidence),
    )


def _judged(held_out: World, ruler: Ruler, searched: _Searched, *, seed: int) -> _Judged:
    best = searched.optimum.setting
    control = shuffled(held_out, best, seed=seed)
    policies = _policies(held_out, searched, control, ruler.targets)
    values = {name: ruler.values(policy.mixture) for name, policy in policies.items()}
    fate = fates(held_out.rows, best.cuts)
    shares = tuple((np.bincount(fate, minlength=len(Fate)) / fate.size).tolist())
    return _Judged(
        tuple(PolicyEffect(name, policies[name].setting, effect_of(values[name])) for name in policies),
        Evidence(ruler.targets, searched.optimum, values, shares, control.control),
    )


def _disjoint(tuning: ScoredRows, holdout: ScoredRows) -> tuple[ScoredRows, ScoredRows]:
    """Returns ``tuning`` without the clusters of ``holdout``, which is left as it is."""
    known = {row.group_id for row in holdout.rows}
    own = np.array([row.group_id not in known for row in tuning.rows], dtype=np.bool_)
    if not own.any():
        raise TuningError("every prompt of the tuning rows is held out too; give rows of other prompts")
    return tuning.take(np.flatnonzero(own)), holdout


def _search(world: World, targets: Targets, *, seed: int, report: Callable[[str], None]) -> _Searched:
    weights = cluster_weights(world.rows.groups, SEARCH_RESAMPLES, seed)
    space = space_of(world)
    table = tabulate(world, space, targets, report=report)
    report("locking the quality")
    locked = lock(world.rows, table.fate, targets, weights)
    search = Search(space, table, locked, Tail(world, weights), targets)
    report("choosing, and choosing again in every resample")
    return _Searched(choose(search, weights), pareto_front(search), p95_delay(world))


def _policies(held_out: World, searched: _Searched, control: Shuffled, targets: Targets) -> dict[str, Policy]:
    """Returns the rows of the table by name: the recommended first, the bound last."""
    made = {
        name: played(held_out, setting) for name, setting in settings(searched.optimum.setting, searched.p95_s).items()
    }
    cost_usd = float(made[RECOMMENDED].mixture[0][1].cost_usd.mean())
    made["random"] = Policy(None, random_at_cost(held_out, cost_usd))
    made[SHUFFLE] = Policy(None, control.mixture)
    made[CLAIRVOYANT] = Policy(None, clairvoyant(held_out, targets))
    return made
