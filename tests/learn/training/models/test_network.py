import numpy as np

from specroute.learn.training.doubt.interval import sigmoid
from specroute.learn.training.models.network import Targets, fit_network

_X = np.random.default_rng(0).normal(size=(600, 5)).astype(np.float32)
_IS_HARD = (_X[:, 0] * _X[:, 1] > 0).astype(np.float32)


def _targets(second: np.ndarray) -> Targets:
    values = np.stack([_IS_HARD, second.astype(np.float32), 3.0 * _X[:, 2]], axis=1)
    return Targets(values, np.ones(3, np.float32), np.array([False, False, True]))


def test_it_learns_what_no_line_divides_and_a_number_beside_it() -> None:
    network = fit_network(_X, _targets(_IS_HARD), seed=1)

    out = network.outputs(_X)
    assert ((out[:, 0] > 0) == (_IS_HARD > 0.5)).mean() > 0.6
    assert np.corrcoef(out[:, 2], _X[:, 2])[0, 1] > 0.9


def test_unknown_values_of_one_output_do_not_hinder_another() -> None:
    network = fit_network(_X, _targets(np.full(600, np.nan)), seed=1)

    assert ((network.outputs(_X)[:, 0] > 0) == (_IS_HARD > 0.5)).mean() > 0.6
    assert np.abs(sigmoid(network.outputs(_X)[:, 1]) - 0.5).max() < 0.4


def test_one_seed_gives_one_network_and_another_another() -> None:
    first, again, other = (fit_network(_X, _targets(_IS_HARD), seed=seed) for seed in (1, 1, 2))

    assert (first.inner == again.inner).all()
    assert (first.inner != other.inner).any()
