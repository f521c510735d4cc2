from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from specroute.core.outcome import Completion, FinishReason, Verdict, VerdictKind
from specroute.core.request import JsonObjectOutput, RouteRequest
from specroute.validators.completeness import Complete
from specroute.validators.contract import OutputContract
from specroute.validators.judge import ConfiguredValidator, OnAbstain, judge
from specroute.validators.refusal import NotRefusal
from tests.validators.builders import a_request, an_answer

BUILT_IN = tuple(ConfiguredValidator(make()) for make in (Complete, NotRefusal, OutputContract))


@dataclass
class Says:
    """A user's validator that always says the same."""

    kind: VerdictKind
    is_contract: bool = False
    name: str = "says"
    asked: int = 0

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        self.asked += 1
        return Verdict(self.name, self.kind, "because")


class Raises:
    name = "raises"
    is_contract = True

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        raise ZeroDivisionError


class ReturnsText:
    name = "returns_text"
    is_contract = True

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        return cast("Verdict", "accept")


def test_an_answer_that_every_validator_accepts_is_accepted() -> None:
    judgement = judge(BUILT_IN, a_request(), an_answer("Paris."))

    assert judgement.accepted
    assert [verdict.validator for verdict in judgement.verdicts] == ["complete", "not_refusal", "output_contract"]
    assert judgement.text == "Paris."


def test_the_first_rejection_by_a_contract_ends_the_judgement() -> None:
    later = Says(VerdictKind.ACCEPT)

    judgement = judge((*BUILT_IN, ConfiguredValidator(later)), a_request(), an_answer(""))

    assert [verdict.validator for verdict in judgement.verdicts] == ["complete"]
    assert judgement.rejected_by == judgement.verdicts[-1]
    assert not judgement.only_quality
    assert later.asked == 0


def test_an_answer_that_only_quality_rejects_keeps_its_contract() -> None:
    quality = ConfiguredValidator(Says(VerdictKind.REJECT))

    judgement = judge((quality, *BUILT_IN), a_request(JsonObjectOutput()), an_answer("```json\n{}\n```"))

    assert judgement.rejected_by == Verdict("says", VerdictKind.REJECT, "because")
    assert judgement.only_quality
    assert judgement.text == "{}"


def test_a_contract_rejection_after_a_quality_rejection_decides() -> None:
    judgement = judge((ConfiguredValidator(Says(VerdictKind.REJECT)), *BUILT_IN), a_request(), an_answer(""))

    assert judgement.rejected_by is not None
    assert judgement.rejected_by.validator == "complete"
    assert not judgement.only_quality


@pytest.mark.parametrize("is_contract", [True, False])
def test_an_abstention_counts_as_it_is_configured(is_contract: bool) -> None:
    validator = Says(VerdictKind.ABSTAIN, is_contract=is_contract)

    passed = judge((ConfiguredValidator(validator),), a_request(), an_answer("Paris."))
    refused = judge((ConfiguredValidator(validator, OnAbstain.REJECT),), a_request(), an_answer("Paris."))

    assert passed.accepted
    assert refused.rejected_by == Verdict("says", VerdictKind.ABSTAIN, "because")
    assert refused.only_quality is not is_contract


@pytest.mark.parametrize("validator", [Raises(), ReturnsText()])
def test_a_bug_in_a_users_validator_is_an_abstention(validator: Raises | ReturnsText) -> None:
    judgement = judge((ConfiguredValidator(validator),), a_request(), an_answer("Paris."))

    assert judgement.accepted
    assert judgement.verdicts == (Verdict(validator.name, VerdictKind.ABSTAIN, "validator_error"),)


def test_json_keeps_its_fence_where_nobody_checked_it() -> None:
    text = "```json\n{}\n```"

    assert judge((), a_request(JsonObjectOutput()), an_answer(text)).text == text


@pytest.mark.parametrize("finish_reason", [FinishReason.LENGTH, FinishReason.CONTENT_FILTER])
def test_what_only_the_end_shows_does_not_break_an_answer_that_is_being_delivered(finish_reason: FinishReason) -> None:
    answer = an_answer("Paris is", finish_reason=finish_reason)

    before = judge(BUILT_IN, a_request(), answer)
    after = judge(BUILT_IN, a_request(), answer, committed=True)

    assert before.rejected_by is not None
    assert not before.only_end
    assert after.rejected_by == before.rejected_by
    assert after.only_end
    assert not after.only_quality
    assert len(after.verdicts) == len(BUILT_IN)


def test_json_that_was_cut_off_is_broken_though_it_is_being_delivered() -> None:
    answer = an_answer('{"a": 1', finish_reason=FinishReason.LENGTH)

    judgement = judge(BUILT_IN, a_request(JsonObjectOutput()), answer, committed=True)

    assert judgement.rejected_by == Verdict("output_contract", VerdictKind.REJECT, "not_json")
    assert not judgement.only_end


def test_a_quality_rejection_is_one_that_an_answer_may_end_with() -> None:
    validators = (ConfiguredValidator(Says(VerdictKind.REJECT)), *BUILT_IN)

    judgement = judge(validators, a_request(), an_answer("Paris."))
    cut_off = judge(validators, a_request(), an_answer("Paris.", finish_reason=FinishReason.LENGTH), committed=True)

    assert (judgement.only_quality, judgement.only_end) == (True, True)
    assert (cut_off.only_quality, cut_off.only_end) == (False, True)
    assert cut_off.rejected_by == judgement.rejected_by
    assert not judge(BUILT_IN, a_request(), an_answer("Paris."), committed=True).only_end
