"""The story of one request: what is recorded, what is raised, what is told."""

from __future__ import annotations

import pytest

from specroute.core.deadline import Deadline
from specroute.core.errors import NoEligibleTier
from specroute.core.outcome import Completion, Verdict, VerdictKind
from specroute.core.plan import PlanKind
from specroute.core.request import Constraints, Hints, OnBudget, Risk, RouteRequest
from specroute.engine.router import Arrival
from specroute.policy.planner import Always
from specroute.policy.rules import Condition, RouteTo, Rule
from specroute.validators.judge import ConfiguredValidator
from tests.engine.stories import story
from tests.fakes import (
    FakeUpstream,
    Hang,
    Script,
    Service,
    breaks,
    on_virtual_clock,
    pair_of,
    request_of,
    router_of,
    says,
    served_of,
)

ARRIVAL = Arrival(1_700_000_000.0, Deadline(0.0, 60.1, 60.0), admit_s=0.001)


def test_a_failed_score_is_recorded_with_its_reason_and_the_request_goes_on() -> None:
    service = router_of(
        served_of("mini", FakeUpstream("mini-0", says("Paris", after_s=1))),
        served_of("large", FakeUpstream("large-0", (Hang(),))),
        fallback_reason="model_error",
    )
    ended = story(service)
    assert ended.text == "Paris"
    assert ended.decision is not None
    assert ended.decision.prediction.fallback_reason == "model_error"
    assert ended.decision.plan.reason == "fallback:model_error"
    assert ended.decision.plan.kind is PlanKind.RACE


def test_the_decision_is_complete() -> None:
    service = pair_of(says("Paris", after_s=1), says("late", after_s=2))
    ended = story(service, request_of(hints=Hints(task_type="chat", risk=Risk.LOW)))
    decision = ended.decision
    assert decision is not None
    assert (decision.request_id, decision.received_time_s) == ("request-1", 1_700_000_000.0)
    assert (decision.input_tokens, decision.output_tokens) == (8, 300)
    assert (decision.profile.task_type, decision.profile.risk) == ("chat", Risk.LOW)
    assert decision.prediction.model_version == "fixed"
    assert decision.plan.policy_version == "test"
    assert decision.used_s == 1.0
    assert [stage for stage, _ in decision.timings_s] == ["admit", "predict", "plan", "judge"]
    assert decision.money.delivered_nano_usd > 0
    won = decision.attempts[0]
    assert (won.upstream, won.model, won.launched_after_s) == ("mini-0", "mini-0-model", 0.0)
    assert (won.time_to_first_token_s, won.ended_after_s, won.reason) == (1.0, 1.0, "")
    assert [verdict.validator for verdict in won.verdicts] == ["complete", "not_refusal", "output_contract", "quality"]


@pytest.mark.parametrize(
    ("mini", "large", "reason", "code"),
    [
        (breaks("http_500"), breaks("connect"), "ALL_UPSTREAMS_FAILED", "UNAVAILABLE"),
        (breaks("http_500"), (RuntimeError("a bug"),), "ALL_UPSTREAMS_FAILED", "UNAVAILABLE"),
        (breaks("http_500"), (Hang(),), "ALL_UPSTREAMS_FAILED", "UNAVAILABLE"),
        (says(""), says(""), "NO_ACCEPTABLE_ANSWER", "FAILED_PRECONDITION"),
        (says(""), breaks("http_500"), "NO_ACCEPTABLE_ANSWER", "FAILED_PRECONDITION"),
        (breaks("http_500"), says(""), "NO_ACCEPTABLE_ANSWER", "FAILED_PRECONDITION"),
    ],
)
@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
def test_the_error_says_whether_all_failed_or_all_were_rejected(
    plan: str, mini: Script, large: Script, reason: str, code: str
) -> None:
    ended = story(pair_of(mini, large, plan=plan))
    assert ended.error is not None
    assert (ended.error.reason, ended.error.code) == (reason, code)
    assert ended.error.decision is not None


def test_time_that_ran_out_is_said_so_even_if_a_leg_had_failed_before() -> None:
    assert story(pair_of(breaks(), (Hang(),)), deadline_s=1.0).reason == "DEADLINE_EXCEEDED"
    fail = request_of(constraints=Constraints(latency_budget_s=0.5, on_budget=OnBudget.FAIL))
    assert story(pair_of(breaks(), (Hang(),)), fail).reason == "LATENCY_BUDGET_EXCEEDED"


def test_an_error_carries_nothing_of_prompt_or_answer() -> None:
    ended = story(pair_of((RuntimeError("SECRET"),), says("I'm sorry, but I can't help with SECRET.")))
    assert ended.error is not None
    assert "SECRET" not in ended.error.message


def test_a_dry_run_predicts_and_plans_and_calls_nothing() -> None:
    service = pair_of(says("unused"), says("unused"))

    async def dry_run() -> None:
        decision = service.router.decide(request_of(), ARRIVAL)
        assert decision.plan.kind is PlanKind.RACE
        assert decision.attempts == ()
        assert [stage for stage, _ in decision.timings_s] == ["admit", "predict", "plan"]

    on_virtual_clock(dry_run)
    assert service.predictor.asked == 1
    assert not service.calls
    assert not service.telemetry.decisions


def refused(service: Service, request: RouteRequest) -> NoEligibleTier:
    async def route() -> NoEligibleTier:
        with pytest.raises(NoEligibleTier) as raised:
            await service.router.route(request, ARRIVAL)
        return raised.value

    return on_virtual_clock(route)


def test_without_a_plan_nothing_is_called_and_there_is_no_decision() -> None:
    rules = [Rule("high-risk", Condition(), RouteTo("large"))]
    service = router_of(
        served_of("mini", FakeUpstream("mini-0")), served_of("large", FakeUpstream("large-0")), rules=rules
    )
    error = refused(service, request_of(constraints=Constraints(force_tier="mini")))
    assert error.decision is None
    assert not service.calls


class Never:
    """Rejects everything."""

    name = "never"
    is_contract = True

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        return Verdict(self.name, VerdictKind.REJECT, "never")


class Broken:
    """A validator with a bug."""

    name = "broken"
    is_contract = True

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        raise ZeroDivisionError


def test_a_rules_validators_judge_beside_the_configured_ones() -> None:
    rules = [Rule("strict", Condition(), RouteTo("mini"), validators=("never",))]
    service = router_of(
        served_of("mini", FakeUpstream("mini-0")),
        rules=rules,
        extra_validators={"never": ConfiguredValidator(Never())},
    )
    ended = story(service)
    assert ended.reason == "NO_ACCEPTABLE_ANSWER"
    assert ended.ends == ["mini rejected never"]


def test_a_broken_validator_does_not_cost_the_answer() -> None:
    served = served_of("mini", FakeUpstream("mini-0", says("Paris")))
    service = router_of(served, policy=Always("mini"), validators=[ConfiguredValidator(Broken())])
    ended = story(service)
    assert ended.text == "Paris"
    assert [(verdict.kind, verdict.reason) for verdict in ended.attempts[0].verdicts] == [
        (VerdictKind.ABSTAIN, "validator_error")
    ]
