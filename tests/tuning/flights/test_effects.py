"""Figures of a policy, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.tuning.flights.effects import Ruler
from specroute.tuning.flights.flight import Flight, fly
from specroute.tuning.flights.policies import (
    ALWAYS_LARGE_SETTING,
    ALWAYS_MINI_SETTING,
    clairvoyant,
    played,
    random_at_cost,
)
from specroute.tuning.targets import Targets
from tests.learn.scored import LARGE_USD, MINI_USD, scored
from tests.tuning.made_rows import answered, knows_nothing, world_of


def test_a_policy_is_measured_by_always_large() -> None:
    world = world_of(knows_nothing(300, seed=1))
    ruler = Ruler.of(world, Targets(), played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)

    large, mini = (ruler.effect(played(world, each).mixture) for each in (ALWAYS_LARGE_SETTING, ALWAYS_MINI_SETTING))

    assert (large.retention.value, large.retention.lo, large.retention.hi) == (1.0, 1.0, 1.0)
    assert large.saved_ratio.value == 0.0
    assert mini.saved_ratio.value == pytest.approx(1.0 - MINI_USD / LARGE_USD)
    assert mini.p50_ratio.value == pytest.approx(0.5)
    assert mini.retention.lo is not None
    assert mini.retention.hi is not None
    assert mini.retention.lo < world.rows.mini_ok.mean() / world.rows.large_ok.mean() < mini.retention.hi


def test_near_duplicates_widen_an_interval() -> None:
    def width(groups: list[int]) -> float:
        rows = answered(scored([0.5] * 400, mini_ok=[float(at % 40 < 20) for at in range(400)], groups=groups))
        world = world_of(rows)
        ruler = Ruler.of(world, Targets(), played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)
        quality = ruler.effect(played(world, ALWAYS_MINI_SETTING).mixture).quality
        assert quality.hi is not None
        assert quality.lo is not None
        return quality.hi - quality.lo

    assert width([at // 20 for at in range(400)]) > 3.0 * width(list(range(400)))


@given(st.lists(st.floats(0.01, 50.0), min_size=1, max_size=40), st.integers(1, 3))
def test_percentiles_are_those_of_all_draws(times: list[float], draws: int) -> None:
    time_s = np.repeat(np.array(times)[:, np.newaxis], draws, axis=1)
    flight = Flight(*(time_s for _ in Flight.__dataclass_fields__))
    weights = np.ones((1, len(times)))

    ruler = Ruler.with_weights(weights, Targets(), [(1.0, flight)])
    own = ruler.values([(1.0, flight)])

    for name, level in (("p50_s", 0.5), ("p90_s", 0.9), ("p99_s", 0.99)):
        assert own[name][0] == np.quantile(time_s, level, method="inverted_cdf")


def test_lots_cost_what_they_shall_and_their_times_are_mixed() -> None:
    world = world_of(knows_nothing(200, seed=2))
    ruler = Ruler.of(world, Targets(), played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)
    wanted = 0.25 * LARGE_USD + 0.75 * MINI_USD

    effect = ruler.effect(random_at_cost(world, wanted))

    assert effect.cost_usd.value == pytest.approx(wanted)
    assert effect.mean_s.value == pytest.approx(0.25 * 1.0 + 0.75 * 0.5)
    assert (effect.p50_s.value, effect.p90_s.value) == (0.5, 1.0)


def test_who_misses_the_deadline_is_counted() -> None:
    rows = answered(scored([0.5] * 100), mini_s=[0.5] * 90 + [5.0] * 10)
    world = world_of(rows)
    ruler = Ruler.of(world, Targets(deadline_s=2.0), played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)

    hit = ruler.effect(played(world, ALWAYS_MINI_SETTING).mixture).deadline_hit_ratio

    assert hit is not None
    assert hit.value == pytest.approx(0.9)


def test_the_clairvoyant_takes_the_cheapest_right_answer() -> None:
    rows = answered(scored([0.5] * 3, mini_ok=[1, 0, 0], large_ok=[1, 1, 0]))
    world = world_of(rows)

    ((_, flight),) = clairvoyant(world, Targets())

    assert flight.large[:, 0].tolist() == [0.0, 1.0, 0.0]
    assert flight.waste_usd.sum() == 0.0


def test_a_clairvoyant_to_whom_time_is_dear_takes_the_faster_of_two_right_answers() -> None:
    world = world_of(answered(scored([0.5] * 2), mini_s=[9.0, 0.5]))

    ((_, flight),) = clairvoyant(world, Targets(latency_value_usd_per_s=1.0))

    assert flight.large[:, 0].tolist() == [1.0, 0.0]
    assert fly(world, ALWAYS_MINI_SETTING).large.sum() == 0.0
