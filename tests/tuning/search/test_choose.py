"""The search, where the optimum is known by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from specroute.tuning.findings import Setting
from specroute.tuning.flights.flight import fly
from specroute.tuning.search.choose import choose
from specroute.tuning.search.lock import lock
from specroute.tuning.targets import Mode, Targets
from specroute.upstreams.simulated.latency import latency_model
from tests.learn.scored import LARGE_USD, MINI_USD, scored
from tests.tuning.made_rows import answered, half_known, knows_nothing, search_of, world_of


def test_cuts_that_separate_right_from_wrong_are_found_within_their_spans() -> None:
    rows = half_known(600)
    ends = float(rows.p[rows.mini_ok == 0].max()), float(rows.p[rows.mini_ok > 0].min())
    search, weights = search_of(rows, Targets(max_quality_loss=0.0))

    optimum = choose(search, weights)

    flight = fly(world_of(rows), optimum.setting)
    assert optimum.feasible
    assert flight.correct.min() == 1.0
    best_usd = np.where(rows.mini_ok > 0, MINI_USD, LARGE_USD).mean()
    assert flight.cost_usd.mean() == pytest.approx(best_usd, rel=0.1)
    # Without a verifier the mini's answers between the cuts are kept, so the upper end of one cut does for both.
    span = optimum.spans["direct_large"]
    assert span.lo is not None
    assert span.hi is not None
    assert span.lo <= ends[1]
    assert span.hi >= ends[0]


def test_the_hedge_delay_of_a_mini_with_two_speeds_is_the_best_of_all_tried_one_by_one() -> None:
    count = 600
    slow = np.random.default_rng(4).random(count) < 0.1
    rows = answered(scored([0.5] * count), mini_s=np.where(slow, 10.0, 0.5).tolist(), large_s=[1.0] * count)
    # A second is worth half a large call: waiting 10 s for the mini is dear, and a race for the 90 % is, too.
    value = 0.5 * LARGE_USD
    search, weights = search_of(rows, Targets(latency_value_usd_per_s=value))
    world = world_of(rows)

    optimum = choose(search, weights)

    def objective(delay_s: float | None) -> float:
        flight = fly(world, Setting(optimum.setting.cuts, delay_s))
        return float((flight.cost_usd + value * flight.time_s).mean())

    tried = {round(0.01 * step, 2): objective(0.01 * step) for step in range(1101)}
    best_s = min(tried, key=tried.__getitem__)
    span = optimum.spans["hedge_delay_s"]
    assert 0.0 < best_s < 0.52
    assert objective(optimum.setting.hedge_delay_s) <= 1.01 * tried[best_s]
    assert objective(None) > 1.2 * tried[best_s]
    assert span.lo is not None
    assert span.hi is not None
    assert span.lo <= best_s <= span.hi
    assert optimum.candidates == search.space.size


def test_where_time_is_worth_nothing_the_large_model_waits_for_a_rejection() -> None:
    search, weights = search_of(half_known(300), Targets(max_quality_loss=0.05))

    optimum = choose(search, weights)

    assert optimum.setting.hedge_delay_s is None
    assert optimum.missed == {}


def test_a_tail_that_no_setting_has_is_named_with_the_nearest() -> None:
    rows = answered(half_known(300), mini_s=[3.0] * 300, large_s=[1.0] * 300)
    search, weights = search_of(rows, Targets(mode=Mode.INTERACTIVE))

    optimum = choose(search, weights)

    assert not optimum.feasible
    assert "p99 of at most 0.95 of always-large's: the best has" in optimum.missed["p99_ratio"]


def test_a_tail_is_kept_with_its_bound_and_not_just_as_measured() -> None:
    rows = answered(
        knows_nothing(400, seed=2, mini=0.95, large=0.9),
        mini_s=np.random.default_rng(0).lognormal(-0.7, 0.6, 400).tolist(),
        large_s=np.random.default_rng(1).lognormal(0.0, 0.5, 400).tolist(),
    )
    search, weights = search_of(rows, Targets(mode=Mode.INTERACTIVE, confidence=0.9))

    optimum = choose(search, weights)

    at = (search.space.cuts.index(optimum.setting.cuts), search.space.delays_s.index(optimum.setting.hedge_delay_s))
    assert optimum.feasible
    assert search.tail_ratios(at)[0] <= search.tail_bound(at) <= 0.95


def test_a_deadline_keeps_right_answers_in_time() -> None:
    rows = answered(scored([0.5] * 300), mini_s=[9.0] * 30 + [0.5] * 270, large_s=[1.0] * 300)
    search, weights = search_of(rows, Targets(deadline_s=2.0))

    optimum = choose(search, weights)

    flight = fly(world_of(rows), optimum.setting)
    assert (flight.time_s <= 2.0).mean() >= 0.98


@pytest.mark.parametrize("name", ["recorded", "mini-fast", "mini-slow"])
@pytest.mark.parametrize("value", [0.0, 0.01])
def test_which_cuts_are_admissible_depends_on_neither_latency_nor_what_time_is_worth(name: str, value: float) -> None:
    rows = half_known(200)
    plain, _ = search_of(rows, Targets())

    search, _ = search_of(rows, Targets(latency_value_usd_per_s=value), latency=latency_model(name))

    before, after = (dict(zip(of.space.cuts, of.lock.admissible.tolist(), strict=True)) for of in (plain, search))
    shared = before.keys() & after.keys()
    assert len(shared) >= 100
    assert [cuts for cuts in shared if before[cuts] != after[cuts]] == []


def test_more_confidence_admits_fewer_cuts_and_none_that_less_does_not() -> None:
    rows = knows_nothing(400, seed=5, mini=0.8, large=0.85)
    search, weights = search_of(rows, Targets())

    loose, strict = (
        lock(rows, search.table.fate, Targets(confidence=each), weights).admissible for each in (0.5, 0.95)
    )

    assert strict.sum() < loose.sum()
    assert not (strict & ~loose).any()
    assert strict[0], "always-large loses nothing"


def test_the_table_says_what_the_flights_say() -> None:
    rows = replace(knows_nothing(300, seed=6), passes=np.arange(300) % 7 != 0)
    targets = Targets(deadline_s=1.2)
    search, _ = search_of(rows, targets, latency=latency_model("mini-fast"))
    world = world_of(rows, latency=latency_model("mini-fast"))

    for at in ((0, 0), (1, 3), (400, 2), (900, len(search.space.delays_s) - 1)):
        flight = fly(world, search.setting(at))
        assert search.table.cost_usd[at] == pytest.approx(flight.cost_usd.mean(), rel=1e-4)
        assert search.table.mean_s[at] == pytest.approx(flight.time_s.mean(), rel=1e-4)
        assert search.table.quality[at] == pytest.approx(flight.correct.mean(), rel=1e-4)
        assert search.table.timely[at] == pytest.approx((flight.correct * (flight.time_s <= 1.2)).mean(), rel=1e-4)
        assert search.table.p99_ratio[at] == pytest.approx(search.tail_ratios(at)[0], rel=0.05)
