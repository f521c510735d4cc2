from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.learn.evaluation.policies import lots
from specroute.learn.evaluation.policies.delivered import MIXTURE, Delivered
from specroute.learn.play import NEVER_DIRECT_MINI, Cuts, play
from tests.learn.evaluation.drawn import drawn, with_labels

_SEEDS = st.integers(0, 10**6)
_CUTS = st.builds(
    Cuts, st.sampled_from([0.6, 0.8, NEVER_DIRECT_MINI]), st.sampled_from([-0.1, 0.2, 0.5]), st.floats(0.1, 0.9)
)


@given(_SEEDS, _CUTS)
@settings(max_examples=40)
def test_nothing_is_right_more_often_than_the_oracle(seed: int, cuts: Cuts) -> None:
    rows = drawn(50, seed=seed)

    best = lots.oracle(rows)
    policy = Delivered.of(rows, play(rows, cuts))

    for other in (policy, lots.always_mini(rows), lots.always_large(rows), lots.shuffled(rows, policy)):
        assert best.correct.mean() >= other.correct.mean() - 1e-12
    assert best.waste_usd.sum() == 0.0


@given(_SEEDS, _CUTS)
@settings(max_examples=40)
def test_shuffled_decisions_cost_what_the_decisions_cost(seed: int, cuts: Cuts) -> None:
    rows = drawn(50, seed=seed)
    policy = Delivered.of(rows, play(rows, cuts))

    dealt = lots.shuffled(rows, policy)

    within = rows.mini_cost_usd.mean() <= policy.cost_usd.mean() <= rows.large_cost_usd.mean()
    if within:
        assert dealt.cost_usd.mean() == pytest.approx(policy.cost_usd.mean())
    assert set(dealt.plan.tolist()) == {MIXTURE}


def test_the_expected_shuffle_is_the_mean_of_permutations() -> None:
    rows = drawn(80, seed=2)
    rows = replace(rows, passes=np.ones(80, dtype=np.bool_))
    policy = Delivered.of(rows, play(rows, Cuts(0.8, 0.2, 0.5)))

    dealt, drawn_one_by_one = lots.shuffled(rows, policy), lots.permuted(rows, policy, seed=0)

    middle = (drawn_one_by_one.quality_lo + drawn_one_by_one.quality_hi) / 2
    assert dealt.correct.mean() == pytest.approx(middle, abs=0.02)


def test_decisions_that_know_something_are_told_from_chance_and_others_are_not() -> None:
    rows = drawn(400, seed=4)
    rows = with_labels(rows, rows.mini_ok, np.ones(400))
    knowing = Delivered.of(rows, play(rows, Cuts(NEVER_DIRECT_MINI, -0.1, 0.5)))
    blind = replace(rows, verifier_p=np.random.default_rng(0).random(400))
    chance = Delivered.of(blind, play(blind, Cuts(NEVER_DIRECT_MINI, -0.1, 0.5)))

    assert lots.permuted(rows, knowing, seed=0).p_value < 0.01
    assert lots.permuted(blind, chance, seed=0).p_value > 0.01


@given(_SEEDS, st.floats(0.0, 1.0))
@settings(max_examples=30)
def test_random_mixing_has_the_share_that_it_is_given(seed: int, share: float) -> None:
    rows = drawn(40, seed=seed)

    mixed = lots.random_with_share(rows, share)

    floor = lots.always_mini(rows).large.mean()  # answers that no policy may deliver
    assert mixed.large.mean() == pytest.approx(max(share, floor))


def test_random_mixing_for_a_target_is_expected_to_meet_it() -> None:
    rows = drawn(300, seed=1)

    mixed = lots.random_with_share(rows, lots.random_share_for(rows, 0.98))

    assert mixed.correct.mean() == pytest.approx(0.98 * rows.large_ok.mean())
