"""Admission: never more than the limit, and every place comes back once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.guards.limits import InFlightLimit, Permit


def test_no_more_than_the_limit_is_admitted() -> None:
    limit = InFlightLimit(2)
    first, second = limit.admit(), limit.admit()
    assert first is not None
    assert second is not None
    assert limit.admit() is None
    first.settle()
    assert limit.admit() is not None


def test_a_permit_comes_back_on_every_path() -> None:
    limit = InFlightLimit(1)
    permit = limit.admit()
    assert permit is not None
    with pytest.raises(ZeroDivisionError), permit:
        raise ZeroDivisionError
    assert limit.in_flight == 0


def test_a_permit_that_is_settled_twice_is_a_bug_and_lets_nobody_in() -> None:
    limit = InFlightLimit(1)
    permit = limit.admit()
    assert permit is not None
    permit.settle()
    with pytest.raises(RuntimeError, match="twice"):
        permit.settle()
    assert limit.in_flight == 0


@given(st.integers(1, 5), st.lists(st.booleans()))
def test_any_order_of_coming_and_going_keeps_the_limit(most: int, comings: list[bool]) -> None:
    limit = InFlightLimit(most)
    out: list[Permit] = []
    for comes in comings:
        if comes:
            permit = limit.admit()
            assert (permit is None) is (len(out) == most)
            out += [] if permit is None else [permit]
        elif out:
            out.pop(0).settle()
        assert limit.in_flight == len(out) <= most
