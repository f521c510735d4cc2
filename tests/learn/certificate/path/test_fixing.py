from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.learn.certificate.evidence import losses
from specroute.learn.certificate.options import CalibrateOptions
from specroute.learn.certificate.path.fixing import COARSE, MAX_STEPS, fix_path
from specroute.learn.certificate.path.sequence import Trace
from specroute.learn.play import play
from specroute.predictor.certificate import Policy
from tests.learn.certificate.drawn import drawn


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["full", "cascade", "direct"]), st.sampled_from([0.01, 0.05]))
def test_each_policy_delivers_the_mini_wherever_the_one_before_it_did(seed: int, policy: Policy, alpha: float) -> None:
    tuning, others = drawn(300, seed=seed), drawn(200, seed=seed + 1)

    path = fix_path(tuning, CalibrateOptions(policy=policy, alpha=alpha), COARSE)

    delivered = [~play(others, cuts).large_delivered for cuts in path]
    assert all((~before | after).all() for before, after in pairwise(delivered))
    failures = (Trace.of(others, path).signed > 0.0).sum(axis=1)
    assert (np.diff(failures) >= 0).all()


def test_it_starts_near_always_large_and_gets_cheaper() -> None:
    rows = drawn(1500)

    path = fix_path(rows, CalibrateOptions())

    trace = Trace.of(rows, path)
    saved, loss = trace.saved(), trace.losses("binomial").mean(axis=1)
    assert 20 <= len(path) <= MAX_STEPS
    assert loss[0] < 0.005
    assert saved[0] > 0.0
    assert saved[-1] > 2.0 * saved[0]
    assert loss[-1] > 0.02  # the border is on the path, and not its end


def test_it_is_fine_enough_that_the_border_is_met_closely() -> None:
    rows = drawn(3000)

    path = fix_path(rows, CalibrateOptions())

    loss = Trace.of(rows, path).losses("binomial").mean(axis=1)
    assert np.diff(loss[loss < 0.03]).max() < 0.004


def test_the_cascade_never_sends_to_the_mini_unverified() -> None:
    assert all(cuts.direct_mini > 1.0 for cuts in fix_path(drawn(500), CalibrateOptions(policy="cascade")))


def test_direct_cuts_verify_nothing_and_leave_nothing_between() -> None:
    rows = drawn(800, with_verifier=False)

    path = fix_path(rows, CalibrateOptions(policy="direct", alpha=0.1))

    assert len(path) > 5
    assert all(cuts.min_p is None and cuts.direct_large == 1.0 for cuts in path)
    assert all((play(rows, cuts).plan < 2).all() for cuts in path)


def test_a_mini_that_costs_more_than_the_large_model_has_no_path() -> None:
    rows = drawn(400)
    dear = replace(rows, mini_cost_usd=rows.large_cost_usd * 2.0)

    assert fix_path(dear, CalibrateOptions()) == ()


def test_the_same_rows_give_the_same_path() -> None:
    assert fix_path(drawn(400), CalibrateOptions()) == fix_path(drawn(400), CalibrateOptions())


def test_the_signed_loss_pays_rescues_back_and_failures_do_not() -> None:
    rows = drawn(50)
    correct = play(rows, fix_path(drawn(400), CalibrateOptions(alpha=0.2))[-1]).correct

    signed, failures = losses(rows, correct, "betting"), losses(rows, correct, "binomial")

    assert signed == pytest.approx(rows.large_ok - correct)
    assert failures == pytest.approx(np.maximum(signed, 0.0))
