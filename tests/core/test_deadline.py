"""One absolute instant, with a margin of our own before the caller's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.deadline import Deadline, DeadlinePolicy


def policy_of(reserve_s: float = 0.02) -> DeadlinePolicy:
    return DeadlinePolicy(default_s=60.0, max_s=600.0, reserve_s=reserve_s)


def test_a_caller_without_a_deadline_gets_the_default() -> None:
    deadline = policy_of().start(100.0, None, None)
    assert deadline == Deadline(100.0, 160.0, 159.9)


def test_a_caller_shortens_the_deadline_but_never_passes_the_maximum() -> None:
    policy = policy_of()
    assert policy.start(0.0, 1.0, None).expires_at_s == 1.0
    assert policy.start(0.0, 1e9, None).expires_at_s == 600.0


@pytest.mark.parametrize(
    ("left_s", "margin_s"), [(0.05, 0.02), (0.1, 0.02), (0.2, 0.04), (0.3, 0.06), (0.5, 0.1), (30.0, 0.1)]
)
def test_the_margin_is_a_fifth_between_the_reserve_and_100_ms(left_s: float, margin_s: float) -> None:
    deadline = policy_of(0.02).start(0.0, left_s, None)
    assert deadline.stop_at_s == pytest.approx(left_s - margin_s)


def test_a_latency_budget_ends_at_the_latest_with_our_own_deadline() -> None:
    policy = policy_of()
    assert policy.start(10.0, 5.0, 2.0).budget_at_s == 12.0
    long = policy.start(10.0, 5.0, 50.0)
    assert long.budget_at_s == long.stop_at_s


@pytest.mark.parametrize("left_s", [0.0, -1.0, 0.0005])
def test_a_deadline_that_is_over_or_nearly_so_leaves_nothing(left_s: float) -> None:
    assert policy_of().start(5.0, left_s, None).remaining_s(5.0) < 0


@given(st.floats(0, 1e6), st.none() | st.floats(-10, 1e9), st.none() | st.floats(1e-6, 1e9), st.floats(0.0, 1.0))
def test_our_own_deadline_never_lies_after_the_callers(
    now_s: float, caller_s: float | None, budget_s: float | None, reserve_s: float
) -> None:
    deadline = policy_of(reserve_s).start(now_s, caller_s, budget_s)
    assert deadline.stop_at_s <= deadline.expires_at_s
    assert deadline.budget_at_s is None or deadline.budget_at_s <= deadline.stop_at_s
    if caller_s is not None:
        assert deadline.expires_at_s <= now_s + caller_s + 1e-6
