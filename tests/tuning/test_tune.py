"""A whole tuning run on rows whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from specroute.tuning.findings import Answer, Found
from specroute.tuning.flights.policies import RECOMMENDED
from specroute.tuning.splits import TuningError, split
from specroute.tuning.targets import Mode, Targets
from specroute.tuning.tune import tune
from specroute.upstreams.simulated.latency import latency_model
from tests.learn.scored import scored
from tests.tuning.made_rows import PRICES, RECORDED, answered, half_known, knows_nothing

if TYPE_CHECKING:
    from specroute.learn.scoring import ScoredRows
    from specroute.upstreams.simulated.latency import LatencyModel

POLICIES = (
    "recommended",
    "always_mini",
    "always_large",
    "cascade",
    "race_all",
    "fixed_hedge",
    "zones_cascade",
    "zones_race",
    "random",
    "cost_matched_shuffle",
    "clairvoyant",
)


def tuned(
    rows: ScoredRows, targets: Targets | None = None, *, latency: LatencyModel = RECORDED, seed: int = 0
) -> Found:
    tuning, held_out = split(rows, seed=seed)
    return tune(
        tuning,
        held_out,
        targets or Targets(),
        latency=latency,
        prices=PRICES,
        draws=1,
        seed=seed,
        report=lambda step: None,
    )


def test_what_is_known_is_used_and_told_with_its_evidence() -> None:
    found = tuned(half_known(1000))

    best = found.policy(RECOMMENDED).effect
    assert found.advice.answer is Answer.ROUTE, found.advice.reasons
    assert found.optimum.feasible
    assert tuple(policy.name for policy in found.policies) == POLICIES
    assert best.retention.value is not None
    assert best.retention.value >= 0.98
    assert best.saved_ratio.lo is not None
    assert best.saved_ratio.lo > 0.3
    assert found.shuffle is not None
    assert found.shuffle.p_value < 0.01
    assert found.n_tuning + found.n_holdout == 1000
    assert found.left_out == 0
    assert 1 <= len(found.front) <= 40


def test_no_policy_saves_more_than_the_clairvoyant_at_its_quality() -> None:
    found = tuned(half_known(600))
    bound = found.policy("clairvoyant").effect

    assert bound.quality.value == max(policy.effect.quality.value or 0.0 for policy in found.policies)
    assert bound.waste_usd.value == 0.0


def test_noise_recommends_nothing() -> None:
    advices = [tuned(noise(seed), seed=seed).advice for seed in range(20)]

    # The control is a test at 5 %: one of twenty may slip through by construction.
    assert [advice.answer for advice in advices].count(Answer.ALWAYS_LARGE) >= 19
    assert any("noise" in reason for advice in advices for reason in advice.reasons)


def noise(seed: int) -> ScoredRows:
    """Rows whose scores know nothing; two thirds of the seeds have no verifier."""
    rows = knows_nothing(250, seed=seed)
    return rows if seed % 3 == 0 else replace(rows, verifier_p=np.full(250, np.nan))


def test_tiers_that_are_swapped_are_said_to_be() -> None:
    found = tuned(knows_nothing(800, seed=1, mini=0.93, large=0.84))

    assert found.advice.answer is Answer.ALWAYS_MINI
    assert "tiers look swapped: mini is right in 9" in found.advice.reasons[0]
    assert "faster: 0.5 s against 1 s" in found.advice.reasons[0]


def test_a_mini_that_is_as_good_is_recommended_alone() -> None:
    rows = answered(scored(np.random.default_rng(0).random(600).tolist()))

    found = tuned(rows)

    assert found.advice.answer is Answer.ALWAYS_MINI
    assert not any("swapped" in reason for reason in found.advice.reasons)


def test_targets_that_cannot_be_kept_are_named() -> None:
    rows = half_known(600)
    slow = answered(rows, mini_s=[3.0] * 600, large_s=[1.0] * 600)

    found = tuned(slow, Targets(mode=Mode.INTERACTIVE))

    assert found.advice.answer is Answer.ALWAYS_LARGE
    assert "at most 0.95 of always-large's: the best has" in found.advice.reasons[0]


def test_a_slow_mini_is_not_hidden_in_economy() -> None:
    slow = answered(half_known(800), mini_s=[3.0] * 800, large_s=[1.0] * 800)

    found = tuned(slow)

    assert found.advice.answer is Answer.ROUTE
    assert any(reason.startswith("It is slower there: its 99th") for reason in found.advice.reasons)


def test_recommended_cuts_are_certified_where_the_rows_suffice_and_the_note_says_where_not() -> None:
    many, few = (tuned(half_known(count), Targets(max_quality_loss=0.05)) for count in (1500, 150))

    assert many.certified is not None
    assert not many.certified.certificate.always_large
    assert many.certified.effect.saved_ratio.value is not None
    assert many.certified.effect.saved_ratio.value > 0.2
    assert few.certified is not None
    assert "takes at least 59" in few.certified.note


def test_the_same_seed_finds_the_same_and_draws_are_of_the_stated_model() -> None:
    rows = half_known(300)
    one, two = (tuned(rows, latency=latency_model("mini-fast"), seed=3) for _ in range(2))

    assert one == two
    assert one.latency.startswith("mini-fast: ")


def test_rows_in_clusters_that_are_held_out_are_not_tuned_on() -> None:
    rows = half_known(400)
    kept = rows.take(np.arange(200, 400))

    found = tune(rows, kept, Targets(), latency=RECORDED, prices=PRICES, draws=1, seed=0, report=lambda step: None)

    assert (found.n_tuning, found.n_holdout) == (200, 200)
    with pytest.raises(TuningError, match="every prompt of the tuning rows is held out too"):
        tune(rows, rows, Targets(), latency=RECORDED, prices=PRICES, draws=1, seed=0, report=lambda step: None)


def test_rows_without_an_answer_are_left_out_and_counted() -> None:
    rows = half_known(400)
    rows = replace(rows, answered=np.arange(400) % 10 != 0)

    assert tuned(rows).left_out == 40


def test_a_deadline_is_measured_for_every_policy() -> None:
    found = tuned(half_known(300), Targets(deadline_s=2.0))

    assert all(policy.effect.deadline_hit_ratio is not None for policy in found.policies)
