import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.load.arrivals import MAX_REQUESTS, Rate, parse_rate, poisson, schedule


def test_gaps_are_exponential_with_the_mean_of_the_rate() -> None:
    gaps = np.diff(poisson(20.0, count=20_000, seed=1))

    assert gaps.mean() == pytest.approx(0.05, rel=0.03)
    assert gaps.std() == pytest.approx(0.05, rel=0.05)
    assert (gaps > 0.05).mean() == pytest.approx(math.exp(-1.0), abs=0.02)


def test_the_same_seed_gives_the_same_schedule_and_another_one_another() -> None:
    assert poisson(5.0, count=50, seed=3) == poisson(5.0, count=50, seed=3)
    assert poisson(5.0, count=50, seed=3) != poisson(5.0, count=50, seed=4)


def test_a_longer_schedule_begins_as_the_shorter_one() -> None:
    assert poisson(5.0, count=80, seed=3)[:50] == poisson(5.0, count=50, seed=3)


def test_constant_arrivals_have_even_gaps_from_the_first_moment() -> None:
    assert schedule(Rate(4.0, 4.0), duration_s=1.0, seed=0, is_constant=True) == pytest.approx((0.0, 0.25, 0.5, 0.75))


def test_a_ramp_sends_more_and_more() -> None:
    times = np.array(schedule(Rate(10.0, 50.0), duration_s=100.0, seed=0))

    assert times.size == pytest.approx(3000, rel=0.06)
    assert np.sum(times < 10.0) == pytest.approx(120, rel=0.3)
    assert np.sum(times >= 90.0) == pytest.approx(480, rel=0.2)


def test_a_ramp_of_so_many_requests_ends_when_that_many_are_due() -> None:
    times = schedule(Rate(50.0, 10.0), count=3001, seed=0, is_constant=True)

    assert len(times) == 3001
    assert times[-1] == pytest.approx(100.0, rel=0.01)


@given(st.floats(0.5, 200.0), st.floats(0.5, 200.0), st.floats(0.1, 20.0), st.integers(0, 1000), st.booleans())
def test_every_schedule_is_ascending_and_lies_within_its_duration(
    start: float, end: float, duration_s: float, seed: int, is_constant: bool
) -> None:
    times = schedule(Rate(start, end), duration_s=duration_s, seed=seed, is_constant=is_constant)

    assert list(times) == sorted(times)
    assert all(0.0 <= due_s < duration_s for due_s in times)


@pytest.mark.parametrize(("text", "rate"), [("20", Rate(20, 20)), ("0.5", Rate(0.5, 0.5)), ("10..50", Rate(10, 50))])
def test_a_rate_is_a_number_or_a_ramp_and_is_read_back(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "10..", "..5", "1..2..3", "inf", "nan"])
def test_what_is_no_rate_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"--rate .*: write requests per second, more than 0: 20, or 10\.\.50"):
        parse_rate(text)


def test_a_schedule_that_would_not_fit_into_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="10,000,000 requests are due, more than 1,000,000"):
        schedule(Rate(1000.0, 1000.0), duration_s=10.0 * MAX_REQUESTS / 1000.0, seed=0)
    with pytest.raises(ValueError, match="--duration or --requests, not both"):
        schedule(Rate(1.0, 1.0), seed=0)
