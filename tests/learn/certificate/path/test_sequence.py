import math

import numpy as np
import pytest

from specroute.learn.certificate.evidence import best_bet
from specroute.learn.certificate.options import CalibrateOptions
from specroute.learn.certificate.path.fixing import fix_path
from specroute.learn.certificate.path.sequence import LossTest, Trace, prepare
from specroute.predictor.certificate import Method
from tests.learn.certificate.drawn import drawn

ALPHA, DELTA = 0.02, 0.05
BINOMIAL = LossTest("binomial", ALPHA, DELTA, ())


def signed(*failures: int, n: int = 600) -> np.ndarray:
    values = np.zeros((len(failures), n))
    for row, count in zip(values, failures, strict=True):
        row[:count] = 1.0
    return values


def test_the_walk_stops_at_the_first_failure_even_if_later_policies_would_pass() -> None:
    losses = signed(0, 2, 30, 1)

    assert [p_value <= DELTA for p_value in BINOMIAL.walk(losses)] == [True, True, False]
    assert BINOMIAL.passed(losses) == 2


def test_nothing_passes_where_the_first_policy_fails() -> None:
    assert BINOMIAL.passed(signed(30, 0)) == 0


def test_a_path_may_pass_to_its_end_or_be_empty() -> None:
    assert BINOMIAL.passed(signed(0, 1, 2)) == 3
    assert BINOMIAL.passed(np.empty((0, 600))) == 0


@pytest.mark.parametrize("method", ["binomial", "betting"])
def test_a_bad_policy_is_reached_at_most_as_often_as_delta(method: Method) -> None:
    """40 policies around the border, their losses drawn independently: no nesting comes to the rescue."""
    generator, n, trials = np.random.default_rng(3), 800, 300
    rates = np.linspace(0.002, 0.03, 40)
    test = LossTest(method, ALPHA, DELTA, (best_bet(0.001, n, ALPHA, DELTA),) * rates.size)

    reached_bad = 0
    for _ in range(trials):
        losses = (generator.random((rates.size, n)) < rates[:, None]).astype(np.float64)
        passed = test.passed(losses)
        reached_bad += passed > 0 and rates[passed - 1] > ALPHA

    assert reached_bad <= trials * DELTA + 3.0 * math.sqrt(trials * DELTA * (1.0 - DELTA))


@pytest.mark.parametrize("method", ["binomial", "betting"])
def test_over_300_redraws_the_deployed_policy_is_too_bad_in_at_most_a_delta_share(method: Method) -> None:
    tuning, population = drawn(800, seed=1), drawn(4000, seed=2)
    path = fix_path(tuning, CalibrateOptions(method=method))
    test = prepare(tuning, path, method, 600, (ALPHA, DELTA))
    trace = Trace.of(population, path)
    true_loss = trace.losses(method).mean(axis=1)
    generator, broken, deployed = np.random.default_rng(4), 0, 0

    for _ in range(300):
        passed = test.passed(trace.take(generator.integers(0, 4000, 600)).signed)
        deployed += passed > 0
        broken += passed > 0 and true_loss[passed - 1] > ALPHA

    assert broken <= 300 * DELTA + 3.0 * math.sqrt(300 * DELTA * (1.0 - DELTA))
    assert deployed > 200


def test_a_trace_counts_money_against_the_large_model_alone() -> None:
    trace = Trace(np.zeros((1, 2)), np.array([[1.0, 3.0]]), np.array([4.0, 4.0]))

    assert trace.saved().tolist() == [0.5]
    assert trace.take(np.array([0, 0])).saved().tolist() == [0.75]
