"""When a leg's answer is fixed before it is whole, as a function of what has come of it and of the time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from specroute.core.stream import CommitReason, DeliveryMode, DeliveryWish
from specroute.engine.streaming.commit import CommitRule
from specroute.validators.prefix import PrefixState

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN, SATISFIED, SETTLED = PrefixState.OPEN, PrefixState.SATISFIED, PrefixState.SETTLED
EVERY_WISH = (
    DeliveryWish(),
    DeliveryWish(DeliveryMode.PROVISIONAL),
    DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=10, hold_s=2.0),
)


def hold_back(tokens: int | None = None, seconds: float | None = None) -> DeliveryWish:
    return DeliveryWish(DeliveryMode.HOLD_BACK, tokens, seconds)


def rule(wish: DeliveryWish | None = None, allows: Callable[[int], bool] = lambda leg: True) -> CommitRule:
    return CommitRule(wish or DeliveryWish(), allows)


# --- 1. nothing else can answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", EVERY_WISH)
@pytest.mark.parametrize("prefix", [OPEN, SATISFIED, SETTLED])
def test_the_last_leg_that_can_answer_is_fixed_at_its_first_content(wish: DeliveryWish, prefix: PrefixState) -> None:
    commits = rule(wish, lambda leg: False)
    assert commits.reason(0, 1.0, is_last=True) is None

    commits.heard(0, 1.0, 1, prefix)

    assert commits.reason(0, 1.0, is_last=True) is CommitReason.NOTHING_STRONGER


# --- 2. no continuation can be rejected ---------------------------------------------------------------------------


@pytest.mark.parametrize("wish", EVERY_WISH)
def test_a_settled_beginning_is_fixed_at_once_in_every_mode_whatever_the_measured_error(wish: DeliveryWish) -> None:
    commits = rule(wish, lambda leg: False)

    commits.heard(0, 1.0, 1, SETTLED)

    assert commits.reason(0, 1.0, is_last=False) is CommitReason.PREFIX_SETTLED


def test_a_beginning_is_fixed_at_the_read_that_settles_it() -> None:
    commits = rule()
    commits.heard(0, 1.0, 1, OPEN)
    assert commits.reason(0, 1.0, is_last=False) is None

    commits.heard(0, 2.0, 2, SETTLED)

    assert commits.reason(0, 2.0, is_last=False) is CommitReason.PREFIX_SETTLED


# --- 3. the window has passed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "reason"), [(9, None), (10, CommitReason.HELD_BACK), (11, CommitReason.HELD_BACK)])
def test_a_window_by_tokens_ends_with_the_token_that_fills_it(tokens: int, reason: CommitReason | None) -> None:
    commits = rule(hold_back(10))
    commits.heard(0, 1.0, tokens, SATISFIED)
    assert commits.reason(0, 1e6, is_last=False) is reason


@pytest.mark.parametrize(("now_s", "reason"), [(2.9, None), (3.0, CommitReason.HELD_BACK)])
def test_a_window_by_time_counts_from_the_first_content(now_s: float, reason: CommitReason | None) -> None:
    commits = rule(hold_back(seconds=2.0))
    commits.heard(0, 1.0, 1, SATISFIED)
    commits.heard(0, 2.5, 500, SATISFIED)
    assert commits.reason(0, now_s, is_last=False) is reason


@pytest.mark.parametrize(("now_s", "tokens"), [(1.0, 10), (3.0, 1)])
def test_whichever_comes_first_ends_the_window(now_s: float, tokens: int) -> None:
    commits = rule(hold_back(10, 2.0))
    commits.heard(0, 1.0, 1, SATISFIED)
    assert commits.reason(0, 1.0, is_last=False) is None

    commits.heard(0, now_s, tokens, SATISFIED)

    assert commits.reason(0, now_s, is_last=False) is CommitReason.HELD_BACK


def test_a_window_that_has_passed_waits_for_the_checks() -> None:
    commits = rule(hold_back(10, 2.0))
    commits.heard(0, 1.0, 50, OPEN)
    assert commits.reason(0, 9.0, is_last=False) is None
    assert not commits.has_passed(0)

    commits.heard(0, 9.5, 51, SATISFIED)

    assert commits.reason(0, 9.5, is_last=False) is CommitReason.HELD_BACK


@pytest.mark.parametrize("mode", [DeliveryMode.COMMITTED, DeliveryMode.PROVISIONAL])
def test_only_a_caller_who_asks_for_a_window_gets_one(mode: DeliveryMode) -> None:
    commits = rule(DeliveryWish(mode))
    commits.heard(0, 1.0, 1_000, SATISFIED)
    assert commits.reason(0, 1e6, is_last=False) is None
    assert not commits.has_passed(0)


def test_the_measured_error_is_asked_of_the_very_leg_and_only_once_its_window_has_passed() -> None:
    asked: list[int] = []

    def allows(leg: int) -> bool:
        asked.append(leg)
        return leg != 1

    commits = rule(hold_back(10), allows)
    for leg, tokens in ((0, 1), (1, 10), (2, 10)):
        commits.heard(leg, 1.0, tokens, SATISFIED)

    reasons = [commits.reason(leg, 1.0, is_last=False) for leg in (0, 1, 2)]

    assert reasons == [None, None, CommitReason.HELD_BACK]
    assert asked == [1, 2]


@pytest.mark.parametrize("allowed", [True, False])
def test_an_answer_whose_window_passed_is_one_to_learn_from_whether_it_was_fixed_or_not(allowed: bool) -> None:
    commits = rule(hold_back(10), lambda leg: allowed)
    commits.heard(0, 1.0, 10, SATISFIED)
    assert not commits.has_passed(0)

    commits.reason(0, 1.0, is_last=False)

    assert commits.has_passed(0)
    assert not commits.has_passed(1)


# --- calls that fail, and the timer -------------------------------------------------------------------------------


def test_a_call_that_failed_leaves_nothing_to_the_one_that_takes_its_place() -> None:
    commits = rule(hold_back(10, 2.0))
    commits.heard(0, 1.0, 10, SATISFIED)
    commits.reason(0, 1.0, is_last=False)

    commits.forget(0)

    assert commits.reason(0, 9.0, is_last=True) is None
    assert not commits.has_passed(0)
    assert commits.due_at_s(0, 0.0) == math.inf
    commits.heard(0, 8.0, 1, SATISFIED)
    assert commits.due_at_s(0, 8.0) == 10.0


def test_a_timer_is_due_when_the_window_ends_by_time_and_not_again() -> None:
    commits = rule(hold_back(10, 2.0))
    assert commits.due_at_s(0, 0.0) == math.inf

    commits.heard(0, 1.0, 1, OPEN)

    assert commits.due_at_s(0, 1.0) == 3.0
    assert commits.due_at_s(0, 3.0) == math.inf
    assert commits.due_at_s(1, 1.0) == math.inf


@pytest.mark.parametrize("wish", [DeliveryWish(), DeliveryWish(DeliveryMode.PROVISIONAL), hold_back(10)])
def test_without_a_window_by_time_there_is_no_timer(wish: DeliveryWish) -> None:
    commits = rule(wish)
    commits.heard(0, 1.0, 1, OPEN)
    assert commits.due_at_s(0, 1.0) == math.inf


@pytest.mark.parametrize(
    ("wish", "needs"),
    [
        (DeliveryWish(), False),
        (hold_back(10), False),
        (hold_back(10, 2.0), True),
        (DeliveryWish(DeliveryMode.PROVISIONAL), True),
    ],
)
def test_tasks_are_needed_where_something_is_due_while_a_leg_waits(wish: DeliveryWish, needs: bool) -> None:
    assert rule(wish).needs_tasks is needs
