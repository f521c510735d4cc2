import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from specroute.learn.training.models.quantised import Quantised


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=1, max_size=20))
def test_no_weight_is_off_by_more_than_half_a_step_of_its_column(rows: list[list[float]]) -> None:
    values = np.array(rows)

    stored = Quantised.of(values)

    step = np.abs(values).max(axis=0) / 127.0
    assert (np.abs(stored.values() - values) <= 0.51 * step + 1e-4).all()
    assert stored.codes.dtype == np.int8
