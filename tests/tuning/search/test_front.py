"""The Pareto front of the search."""

from __future__ import annotations

from specroute.tuning.search.front import MAX_POINTS, pareto_front
from specroute.tuning.targets import Targets
from specroute.upstreams.simulated.latency import latency_model
from tests.tuning.made_rows import half_known, search_of


def test_no_point_of_the_front_is_beaten_by_another_beyond_noise() -> None:
    search, _ = search_of(half_known(300), Targets(), latency=latency_model("mini-fast"))

    front = pareto_front(search)

    points = []
    for setting in front:
        at = search.space.cuts.index(setting.cuts), search.space.delays_s.index(setting.hedge_delay_s)
        points.append((search.table.cost_usd[at], search.table.p99_ratio[at], -search.table.quality[at]))
    beaten = [(own, other) for own in points for other in points if all(b < a for a, b in zip(own, other, strict=True))]
    assert 3 <= len(front) <= MAX_POINTS
    assert beaten == []
    assert [cost for cost, _, _ in points] == sorted(cost for cost, _, _ in points)
