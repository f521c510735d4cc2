from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tests.inside.shapes import SHAPES, users_at


@pytest.mark.parametrize("shape", SHAPES)
@given(at=st.floats(0.0, 1.0, exclude_max=True), users=st.integers(1, 500))
def test_there_is_always_a_user_and_never_more_than_were_asked_for(shape: str, at: float, users: int) -> None:
    found = users_at(shape, at * 60.0, run_time_s=60.0, users=users)

    assert found is not None
    assert 1 <= found <= users


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_ends_with_the_run_and_reaches_all_users_within_it(shape: str) -> None:
    counts = [users_at(shape, float(second), run_time_s=60.0, users=40) for second in range(60)]

    assert max(count or 0 for count in counts) == 40
    assert users_at(shape, 60.0, run_time_s=60.0, users=40) is None


def test_a_ramp_never_falls() -> None:
    counts = [users_at("ramp", float(second), run_time_s=60.0, users=40) or 0 for second in range(60)]

    assert counts == sorted(counts)
    assert counts[0] == 1


def test_a_burst_comes_twice_and_goes_again() -> None:
    counts = [users_at("burst", float(second), run_time_s=100.0, users=40) for second in range(100)]

    assert set(counts) == {10, 40}
    assert sum(left != right for left, right in pairwise(counts)) == 4


def test_a_day_begins_and_ends_at_night() -> None:
    counts = [users_at("diurnal", float(second), run_time_s=100.0, users=50) or 0 for second in range(100)]

    assert counts[0] == counts[99] == 10
    assert counts[50] == 50
