from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.core.request import JsonObjectOutput, RouteRequest
from specroute.validators.completeness import Complete
from specroute.validators.contract import OutputContract
from specroute.validators.judge import ConfiguredValidator, OnAbstain
from specroute.validators.prefix import SHORT_CHARACTERS, PrefixReview, PrefixState
from specroute.validators.refusal import NotRefusal
from tests.validators.builders import a_request

BUILT_IN = tuple(ConfiguredValidator(make()) for make in (Complete, NotRefusal, OutputContract))
ACCEPT = PrefixVerdict(PrefixKind.ACCEPT, "fine")
SETTLED = PrefixVerdict(PrefixKind.ACCEPT, "fine", is_settled=True)
UNDECIDED = PrefixVerdict(PrefixKind.UNDECIDED, "early")
REJECT = PrefixVerdict(PrefixKind.REJECT, "bad")


@dataclass
class WholeOnly:
    is_contract: bool = False
    name: str = "whole_only"

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        return Verdict(self.name, VerdictKind.ACCEPT, "fine")


@dataclass
class Says(WholeOnly):
    """A validator that says one thing after the other of the beginnings that it is shown."""

    says: list[PrefixVerdict] = field(default_factory=list)
    name: str = "says"
    end_reasons: frozenset[str] = frozenset()
    asked: int = 0

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        self.asked += 1
        return self.says.pop(0)


class Raises(WholeOnly):
    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        raise ZeroDivisionError


class ReturnsText(WholeOnly):
    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        return cast("PrefixVerdict", "accept")


def review(*validators: WholeOnly, on_abstain: OnAbstain = OnAbstain.ACCEPT) -> PrefixReview:
    return PrefixReview([ConfiguredValidator(each, on_abstain) for each in validators], a_request())


@pytest.mark.parametrize(
    ("validators", "state"),
    [
        ([], PrefixState.SETTLED),
        ([Says(says=[SETTLED]), Says(says=[SETTLED])], PrefixState.SETTLED),
        ([Says(says=[SETTLED]), Says(says=[ACCEPT])], PrefixState.SATISFIED),
        ([Says(says=[ACCEPT]), Says(says=[SETTLED])], PrefixState.SATISFIED),
        ([Says(says=[UNDECIDED]), Says(says=[ACCEPT])], PrefixState.OPEN),
        ([Says(says=[ACCEPT]), Says(says=[UNDECIDED])], PrefixState.OPEN),
        ([Says(says=[UNDECIDED]), Says(says=[REJECT])], PrefixState.REJECTED),
        ([Says(says=[SETTLED]), WholeOnly()], PrefixState.SATISFIED),
        ([Says(says=[SETTLED]), WholeOnly(is_contract=True)], PrefixState.OPEN),
        ([WholeOnly(is_contract=True), WholeOnly()], PrefixState.OPEN),
        ([WholeOnly()], PrefixState.SATISFIED),
        ([Raises()], PrefixState.OPEN),
        ([ReturnsText()], PrefixState.OPEN),
    ],
)
def test_what_the_validators_say_combines(validators: list[WholeOnly], state: PrefixState) -> None:
    reviewed = review(*validators)

    assert reviewed.read(Prefix("text")) is state
    assert reviewed.state is state


def test_a_rejection_is_kept_with_how_much_had_come() -> None:
    reviewed = review(Says(says=[ACCEPT, REJECT]))

    reviewed.read(Prefix("te", tokens=1))
    before = reviewed.rejected_by
    reviewed.read(Prefix("text more", tokens=3))

    assert before is None
    assert reviewed.rejected_by == Verdict("says", VerdictKind.REJECT, "bad", prefix_tokens=3)
    assert reviewed.read(Prefix("text more again")) is PrefixState.REJECTED
    assert not reviewed.due(100)


def test_a_validator_that_has_settled_is_not_asked_again() -> None:
    settled, going = Says(says=[SETTLED]), Says(says=[UNDECIDED, SETTLED])
    reviewed = review(settled, going)

    states = [reviewed.read(Prefix("text")) for _ in range(2)]

    assert states == [PrefixState.OPEN, PrefixState.SETTLED]
    assert (settled.asked, going.asked) == (1, 2)
    assert not reviewed.due(10)


def test_where_an_abstention_rejects_nothing_is_settled_before_the_end() -> None:
    assert review(Says(says=[SETTLED]), on_abstain=OnAbstain.REJECT).read(Prefix("text")) is PrefixState.SATISFIED


def test_a_short_text_is_read_each_time_and_a_long_one_when_it_has_grown_by_an_eighth() -> None:
    reviewed = review(Says(says=[UNDECIDED] * 3))

    assert reviewed.due(0)
    reviewed.read(Prefix("x" * (SHORT_CHARACTERS - 1)))
    assert reviewed.due(SHORT_CHARACTERS - 1)
    reviewed.read(Prefix("x" * 800))
    assert not reviewed.due(899)
    assert reviewed.due(900)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=2_000))
def test_all_reviews_together_read_a_fixed_multiple_of_the_text(steps: list[int]) -> None:
    reviewed = review(Says(says=[UNDECIDED] * len(steps)))
    length = read = 0
    for step in steps:
        length += step
        if reviewed.due(length):
            reviewed.read(Prefix("x" * length))
            read += length

    assert read <= SHORT_CHARACTERS * SHORT_CHARACTERS + 10 * length


def test_the_built_in_validators_settle_on_plain_text_within_a_word() -> None:
    reviewed = PrefixReview(BUILT_IN, a_request())

    assert reviewed.read(Prefix("")) is PrefixState.OPEN
    assert reviewed.read(Prefix("The")) is PrefixState.SETTLED


def test_the_built_in_validators_are_satisfied_with_json_as_far_as_it_goes() -> None:
    reviewed = PrefixReview(BUILT_IN, a_request(JsonObjectOutput()))

    assert reviewed.read(Prefix('{"answer')) is PrefixState.SATISFIED
    assert reviewed.read(Prefix('{"answer": 42}')) is PrefixState.SATISFIED
    assert reviewed.read(Prefix('{"answer": 42} ok')) is PrefixState.REJECTED
