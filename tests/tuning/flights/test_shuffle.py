"""The control: a policy's own decisions, dealt out at random at its own cost."""

from __future__ import annotations

import pytest

from specroute.learn.play import NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts
from specroute.tuning.findings import Setting
from specroute.tuning.flights.effects import Ruler
from specroute.tuning.flights.policies import ALWAYS_LARGE_SETTING, played
from specroute.tuning.flights.shuffle import shuffled
from specroute.tuning.targets import Targets
from tests.tuning.made_rows import half_known, knows_nothing, world_of


def test_a_policy_that_knows_is_better_than_every_deal() -> None:
    control = shuffled(world_of(half_known(300)), Setting(Cuts(0.6, 0.4, None), None), seed=0).control

    assert control.p_value < 0.001
    assert control.quality_hi < 1.0


def test_a_policy_that_knows_nothing_is_one_deal_of_many() -> None:
    p_values = [
        shuffled(world_of(knows_nothing(300, seed=seed)), Setting(Cuts(0.7, 0.3, 0.5), 0.3), seed=seed).control.p_value
        for seed in range(8)
    ]

    assert min(p_values) > 0.01
    assert max(p_values) > 0.4


@pytest.mark.parametrize("delay_s", [None, 0.0, 0.3])
def test_the_control_costs_what_the_policy_costs(delay_s: float | None) -> None:
    world = world_of(half_known(300))
    setting = Setting(Cuts(NEVER_DIRECT_MINI, 0.4, None), delay_s)
    ruler = Ruler.of(world, Targets(), played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)

    control = ruler.effect(shuffled(world, setting, seed=0).mixture)

    assert control.cost_usd.value == pytest.approx(ruler.effect(played(world, setting).mixture).cost_usd.value)


def test_a_hedge_is_dealt_out_with_its_cost_and_time() -> None:
    world = world_of(half_known(300))
    setting = Setting(Cuts(NEVER_DIRECT_MINI, NEVER_DIRECT_LARGE, None), 0.0)

    mixture = shuffled(world, setting, seed=0).mixture

    assert sum(share for share, _ in mixture) == pytest.approx(1.0)
    assert max(float(flight.calls.mean()) for share, flight in mixture if share > 0.0) == 2.0
