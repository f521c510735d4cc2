"""How fast both tiers are on recorded rows."""

from __future__ import annotations

import numpy as np
import pytest

from specroute.upstreams.simulated.latency import latency_model
from tests.learn.scored import scored
from tests.tuning.made_rows import TOKENS, answered, world_of


def test_recorded_latencies_are_the_same_in_every_draw() -> None:
    world = world_of(answered(scored([0.5, 0.6]), mini_s=[0.4, 2.0], large_s=[1.0, 3.0]), draws=3)

    assert world.mini.whole_s == pytest.approx(np.repeat([[0.4], [2.0]], 3, axis=1))
    assert world.large.whole_s == pytest.approx(np.repeat([[1.0], [3.0]], 3, axis=1))


def test_drawn_latencies_are_those_that_the_simulated_tiers_show() -> None:
    model = latency_model("mini-fast")
    rows = answered(scored([0.5, 0.6]))

    world = world_of(rows, latency=model, draws=2, seed=7)

    pace = model.pace("large", rows.rows[1].prompt, output_tokens=TOKENS, recorded_s=None, seed=7, draw=1)
    assert world.large.first_s[1, 1] == pytest.approx(pace.ttft_s)
    assert world.large.whole_s[1, 1] == pytest.approx(pace.ttft_s + TOKENS * pace.per_token_s)
    assert world.draws == 2


def test_a_cancelled_call_pays_its_input_and_the_tokens_that_came() -> None:
    tier = world_of(answered(scored([0.5]))).large
    ends = [tier.cancelled_usd(np.array([[at]]))[0, 0] for at in (0.0, float(tier.first_s[0, 0]), 0.99, 5.0)]

    assert ends[0] == ends[1] == tier.input_usd[0, 0]
    assert ends[1] < ends[2] < ends[3] == pytest.approx(tier.whole_usd[0, 0])
