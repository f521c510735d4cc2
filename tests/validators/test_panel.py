from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.core.outcome import Completion, Judgement, Verdict, VerdictKind
from specroute.core.plan import Leg, Plan, PlanKind
from specroute.validators.completeness import Complete
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator, OnAbstain, with_reviews
from specroute.validators.panel import Configured, Panel, Validation

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

ACCEPT, REJECT, ABSTAIN = VerdictKind.ACCEPT, VerdictKind.REJECT, VerdictKind.ABSTAIN


class Named:
    """A validator, and a reviewer, of a name."""

    def __init__(self, name: str, *, is_contract: bool = False, is_learnt: bool = False) -> None:
        self.name = name
        self.is_contract = is_contract
        self.is_learnt = is_learnt

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        return Verdict(self.name, ACCEPT, "fine")

    async def review(self, request: RouteRequest, completion: Completion, *, tier: str) -> Verdict:
        return Verdict(self.name, ACCEPT, "fine")


def judging(name: str, **fields: bool) -> ConfiguredValidator:
    return ConfiguredValidator(Named(name, **fields))


def reviewing(name: str, *, is_contract: bool = False, on_abstain: OnAbstain = OnAbstain.ACCEPT) -> ConfiguredReviewer:
    return ConfiguredReviewer(Named(name, is_contract=is_contract), on_abstain)


def plan_of(kind: PlanKind, *tiers: str, escalation: str = "", validators: tuple[str, ...] = ()) -> Plan:
    legs = tuple(Leg(tier) for tier in tiers)
    return Plan(kind, legs, "threshold", "", Leg(escalation) if escalation else None, validators=validators)


def names(panel: Panel) -> list[str]:
    everyone: list[Configured] = [*panel.judges, *panel.reviewers]
    return [each.validator.name for each in everyone]


CONFIGURED: tuple[Configured, ...] = (judging("complete"), judging("verifier", is_learnt=True), reviewing("safety"))


@pytest.mark.parametrize(
    ("plan", "doubted"),
    [
        (plan_of(PlanKind.DIRECT, "mini", escalation="large"), [False, False]),
        (plan_of(PlanKind.CASCADE, "mini", "large"), [True, False]),
        (plan_of(PlanKind.RACE, "mini", "medium", escalation="large"), [True, True, False]),
        (plan_of(PlanKind.HEDGE, "medium", "large"), [True, False]),
        (plan_of(PlanKind.DIRECT, "large"), [False]),
    ],
)
def test_a_learnt_validator_judges_what_has_a_stronger_tier_behind_it(plan: Plan, doubted: list[bool]) -> None:
    panels = Validation(CONFIGURED, {}).for_plan(plan)

    assert ["verifier" in names(panel) for panel in panels] == doubted
    assert all({"complete", "safety"} <= set(names(panel)) for panel in panels)


def test_without_a_learnt_validator_every_leg_has_the_same_panel() -> None:
    first, second = Validation((judging("complete"),), {}).for_plan(plan_of(PlanKind.RACE, "mini", "large"))

    assert first is second


def test_what_a_rule_adds_comes_last_and_the_configured_one_is_not_asked_twice() -> None:
    extra = {"safety": CONFIGURED[2], "strict": judging("strict")}
    (panel,) = Validation(CONFIGURED, extra).for_plan(plan_of(PlanKind.DIRECT, "mini", validators=("safety", "strict")))

    assert names(panel) == ["complete", "strict", "safety"]


def test_what_a_rule_adds_with_options_takes_the_place_of_the_configured_one() -> None:
    strict = judging("verifier", is_learnt=True)
    panel, _ = Validation(CONFIGURED, {"rule/verifier": strict}).for_plan(
        plan_of(PlanKind.CASCADE, "mini", "large", validators=("rule/verifier",))
    )

    assert panel.judges == (CONFIGURED[0], strict)


def test_about_a_poor_answer_only_those_are_asked_who_can_forbid_it() -> None:
    style, safety = reviewing("style"), reviewing("safety", is_contract=True)
    panel = Panel.of((style, safety))
    rejected = Verdict("quality", REJECT, "poor")

    assert panel.reviewers_of(Judgement((), "")) == (style, safety)
    assert panel.reviewers_of(Judgement((), "", rejected, only_quality=True)) == (safety,)
    assert panel.reviewers_of(Judgement((), "", rejected)) == ()


def test_reviews_change_a_judgement_as_verdicts_do() -> None:
    accepted = Judgement((Verdict("complete", ACCEPT, "complete"),), "Oslo.")
    style, safety = reviewing("style"), reviewing("safety", is_contract=True)
    no, unsafe = Verdict("style", REJECT, "dull"), Verdict("safety", REJECT, "unsafe")
    yes, unsure = Verdict("safety", ACCEPT, "fine"), Verdict("safety", ABSTAIN, "down")

    assert with_reviews(accepted, [(safety, yes)]).accepted
    dull = with_reviews(accepted, [(style, no), (safety, yes)])
    assert (dull.rejected_by, dull.only_quality, dull.text) == (no, True, "Oslo.")
    assert [verdict.validator for verdict in dull.verdicts] == ["complete", "style", "safety"]
    never = with_reviews(accepted, [(style, no), (safety, unsafe)])
    assert (never.rejected_by, never.only_quality, never.only_end) == (unsafe, False, False)
    assert with_reviews(accepted, [(safety, unsure)]).accepted
    closed = reviewing("safety", is_contract=True, on_abstain=OnAbstain.REJECT)
    assert with_reviews(accepted, [(closed, unsure)]).rejected_by == unsure


def test_a_judgement_that_stands_against_an_answer_stays_the_first() -> None:
    poor = Verdict("quality", REJECT, "poor")
    judgement = Judgement((poor,), "Oslo.", poor, only_quality=True, only_end=True)

    after = with_reviews(judgement, [(reviewing("safety", is_contract=True), Verdict("safety", ACCEPT, "fine"))])

    assert (after.rejected_by, after.only_quality) == (poor, True)


def test_validators_of_the_service_are_not_learnt() -> None:
    first, second = Validation((ConfiguredValidator(Complete()),), {}).for_plan(
        plan_of(PlanKind.CASCADE, "mini", "large")
    )

    assert first is second
