"""Scored rows with both answers and recorded latencies, and the worlds they live in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.prices import ModelPrice, PairPrices
from specroute.tuning.flights.effects import cluster_weights
from specroute.tuning.flights.world import World
from specroute.tuning.search.choose import Search
from specroute.tuning.search.lock import lock
from specroute.tuning.search.space import space_of
from specroute.tuning.search.table import tabulate
from specroute.tuning.search.tail import Tail
from specroute.upstreams.simulated.latency import latency_model
from tests.learn.scored import scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.targets import Targets
    from specroute.upstreams.simulated.latency import LatencyModel

    Floats = NDArray[np.float64]

PRICES = PairPrices(ModelPrice(0.15, 0.60), ModelPrice(2.50, 10.00))
RECORDED = latency_model("recorded")
TOKENS = 40


def answered(
    rows: ScoredRows, *, mini_s: Sequence[float] | None = None, large_s: Sequence[float] | None = None
) -> ScoredRows:
    """Returns ``rows`` with both answers, 40 tokens each, and recorded latencies, 0.5 s and 1 s where not given."""
    count = rows.p.size
    minis = [0.5] * count if mini_s is None else list(mini_s)
    larges = [1.0] * count if large_s is None else list(large_s)
    whole = tuple(
        replace(
            row,
            mini_response="a",
            large_response="b",
            mini_output_tokens=TOKENS,
            large_output_tokens=TOKENS,
            mini_latency_s=float(minis[at]),
            large_latency_s=float(larges[at]),
        )
        for at, row in enumerate(rows.rows)
    )
    return replace(rows, rows=whole)


def half_known(count: int, *, seed: int = 0) -> ScoredRows:
    """Returns rows of which p tells exactly which the mini gets right: 0.6 and more; half of them; no verifier."""
    draw = np.random.default_rng(seed)
    right = draw.random(count) < 0.5
    p = np.where(right, draw.uniform(0.6, 0.95, count), draw.uniform(0.05, 0.4, count))
    return answered(
        scored(np.round(p, 4).tolist(), mini_ok=right.astype(float).tolist(), verifier_p=[float("nan")] * count)
    )


def knows_nothing(count: int, *, seed: int, mini: float = 0.6, large: float = 0.9) -> ScoredRows:
    """Returns rows whose scores have nothing to do with who is right."""
    draw = np.random.default_rng(seed)
    return answered(
        scored(
            draw.random(count).tolist(),
            verifier_p=draw.random(count).tolist(),
            mini_ok=(draw.random(count) < mini).astype(float).tolist(),
            large_ok=(draw.random(count) < large).astype(float).tolist(),
        )
    )


def world_of(rows: ScoredRows, *, latency: LatencyModel = RECORDED, draws: int = 1, seed: int = 0) -> World:
    return World.of(rows, latency, PRICES, draws=draws, seed=seed)


def search_of(rows: ScoredRows, targets: Targets, *, latency: LatencyModel = RECORDED) -> tuple[Search, Floats]:
    """Returns all that is known of the candidates on ``rows``, and the weights of the resamples."""
    world = world_of(rows, latency=latency)
    weights = cluster_weights(rows.groups, 200, 0)
    space = space_of(world)
    table = tabulate(world, space, targets, report=lambda step: None)
    return Search(space, table, lock(rows, table.fate, targets, weights), Tail(world, weights), targets), weights
