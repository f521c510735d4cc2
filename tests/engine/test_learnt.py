"""A learnt validator tells whether to go on to a stronger tier: it judges only answers that have one behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.core.plan import PlanKind
from specroute.core.request import Constraints, Hints, OnBudget, Quality
from specroute.engine.referee import Prefer, RaceRules
from specroute.policy.planner import Always
from specroute.policy.rules import Condition, RouteTo, Rule, StartAt
from specroute.validators.judge import ConfiguredValidator, OnAbstain
from tests.engine.reviewers import ABSTAIN, Learnt
from tests.engine.stories import story, streamed
from tests.fakes import (
    PREFIX_VALIDATORS,
    FakeUpstream,
    breaks,
    pair_of,
    request_of,
    router_of,
    says,
    served_of,
    thresholds,
    tokens,
)

if TYPE_CHECKING:
    from specroute.engine.tiers import ServedTier

FAIL = Constraints(on_budget=OnBudget.FAIL)
HIGH = Hints(quality=Quality.HIGH)


def with_(learnt: Learnt, on_abstain: OnAbstain = OnAbstain.REJECT) -> tuple[ConfiguredValidator, ...]:
    return (*PREFIX_VALIDATORS, ConfiguredValidator(learnt, on_abstain))


def two_tiers() -> list[ServedTier]:
    return [served_of(name, FakeUpstream(f"{name}-0", says(name))) for name in ("mini", "large")]


@pytest.mark.parametrize("plan", ["cascade", "hedge", "race"])
def test_a_doubted_answer_gives_way_to_a_stronger_tier_which_is_not_doubted(plan: str) -> None:
    verifier = Learnt()

    ended = story(pair_of(says("maybe"), says("it is", after_s=3), plan=plan, validators=with_(verifier)))

    assert ended.tier == "large"
    assert ended.ends == ["mini rejected unlikely", "large won"]
    assert verifier.asked == ["maybe"]
    assert ended.attempts[0].verdicts[-1].p_accept == 0.25
    assert all(verdict.validator != "verifier" for verdict in ended.attempts[1].verdicts)


def test_a_direct_plan_is_not_doubted_nor_is_what_it_escalates_to() -> None:
    verifier = Learnt()

    kept = story(pair_of(says("maybe"), says("it is"), plan="direct", validators=with_(verifier)))
    escalated = story(pair_of(says(""), says("it is"), plan="direct", validators=with_(verifier)))

    assert (kept.tier, escalated.tier) == ("mini", "large")
    assert verifier.asked == []


def test_of_three_tiers_all_but_the_last_are_doubted() -> None:
    verifier = Learnt()
    upstreams = [FakeUpstream(f"{name}-0", says(f"{name} thinks")) for name in ("mini", "medium", "large")]
    tiers = [served_of(name, each) for name, each in zip(("mini", "medium", "large"), upstreams, strict=True)]

    ended = story(router_of(*tiers, policy=thresholds(None), validators=with_(verifier)))

    assert verifier.asked == ["mini thinks", "medium thinks"]
    assert ended.tier == "large"


def test_the_strongest_tier_that_may_answer_is_not_doubted() -> None:
    verifier = Learnt()
    upstreams = [FakeUpstream(f"{name}-0", says(f"{name} thinks")) for name in ("mini", "medium", "large")]
    tiers = [served_of(name, each) for name, each in zip(("mini", "medium", "large"), upstreams, strict=True)]
    request = request_of(constraints=Constraints(allowed_tiers=("mini", "medium")))

    ended = story(router_of(*tiers, policy=thresholds(None), validators=with_(verifier)), request)

    assert verifier.asked == ["mini thinks"]
    assert ended.tier == "medium"


@pytest.mark.parametrize("prefer", [Prefer.FIRST_VALID, Prefer.CHEAPEST])
def test_a_doubted_answer_does_not_win_whatever_is_preferred(prefer: Prefer) -> None:
    service = pair_of(
        says("maybe", after_s=2), says("it is", after_s=1), race=RaceRules(prefer, 5), validators=with_(Learnt())
    )

    ended = story(service)

    assert ended.tier == "large"
    assert ended.at_s == (1 if prefer is Prefer.FIRST_VALID else 2)


def test_an_answer_that_is_trusted_is_waited_for_where_the_cheapest_is_preferred() -> None:
    race = RaceRules(Prefer.CHEAPEST, 5)
    service = pair_of(says("sure", after_s=2), says("it is", after_s=1), race=race, validators=with_(Learnt()))

    assert (story(service).tier, service.calls_of("large-0")[0].completed) == ("mini", True)


@pytest.mark.parametrize("plan", ["cascade", "race"])
def test_a_doubted_answer_is_delivered_as_degraded_when_nothing_better_comes(plan: str) -> None:
    def service() -> tuple[str, bool]:
        ended = story(pair_of(says("maybe"), breaks(after_s=1), plan=plan, validators=with_(Learnt())))
        assert ended.routed is not None
        return ended.text, ended.routed.delivery.degraded

    assert service() == ("maybe", True)
    refused = story(
        pair_of(says("maybe"), breaks(), plan=plan, validators=with_(Learnt())), request_of(constraints=FAIL)
    )
    assert refused.reason == "NO_ACCEPTABLE_ANSWER"


def test_an_abstention_counts_as_it_is_configured() -> None:
    ends = {}
    for on_abstain in OnAbstain:
        service = pair_of(says("maybe"), says("it is"), plan="cascade", validators=with_(Learnt(ABSTAIN), on_abstain))
        ends[on_abstain] = story(service).tier

    assert ends == {OnAbstain.ACCEPT: "mini", OnAbstain.REJECT: "large"}


@pytest.mark.parametrize("plan", ["cascade", "hedge", "race"])
def test_a_stream_shows_nothing_of_an_answer_before_it_was_trusted(plan: str) -> None:
    mini = tokens("may", "be", first_s=1, gap_s=0.25)
    service = pair_of(mini, tokens("it ", "is", first_s=1, gap_s=1), plan=plan, validators=with_(Learnt()))

    ended, reader = streamed(service)

    assert ended.tier == "large"
    assert reader.standing_text == "it is"
    assert not any("may" in line for line in reader.story)


def test_a_trusted_stream_is_committed_when_it_is_whole() -> None:
    mini = tokens("su", "re", first_s=1, gap_s=0.25)

    _, reader = streamed(pair_of(mini, tokens("it is", first_s=9), plan="hedge", hedge_delay_s=5,
                                 validators=with_(Learnt())))  # fmt: skip

    assert reader.story == ["0 decided", "1.5 committed 0 validated", "1.5 delta 0 'sure'"]


def test_the_last_leg_streams_as_if_there_were_no_verifier() -> None:
    large = tokens("it ", "is", first_s=1, gap_s=1)

    _, reader = streamed(pair_of(says("maybe"), large, plan="cascade", validators=with_(Learnt())))

    assert reader.story[1] == "1 committed 1 nothing_stronger"


def test_where_a_rule_adds_it_the_same_holds_and_it_judges_once() -> None:
    verifier = Learnt()
    configured = ConfiguredValidator(verifier, OnAbstain.REJECT)
    rule = Rule("careful", Condition(), StartAt("mini"), validators=("verifier",))
    routed = Rule("bound", Condition(), RouteTo("mini"), validators=("verifier",))

    for rules, validators, tier, asked in (
        ([rule], PREFIX_VALIDATORS, "large", 1),
        ([rule], (*PREFIX_VALIDATORS, configured), "large", 1),
        ([routed], PREFIX_VALIDATORS, "mini", 0),
    ):
        verifier.asked.clear()
        extra = {"verifier": configured}
        ended = story(router_of(*two_tiers(), rules=rules, validators=validators, extra_validators=extra))
        assert (ended.tier, len(verifier.asked)) == (tier, asked)


def test_high_quality_has_a_direct_answer_doubted_unless_a_rule_or_the_caller_binds_the_tier() -> None:
    route = [Rule("bound", Condition(), RouteTo("mini"))]
    plans = {}
    for name, rules, constraints in (
        ("policy", [], Constraints()),
        ("rule", route, Constraints()),
        ("forced", [], Constraints(force_tier="mini")),
    ):
        verifier = Learnt()
        service = router_of(*two_tiers(), policy=Always("mini"), rules=rules, validators=with_(verifier))
        ended = story(service, request_of(hints=HIGH, constraints=constraints))
        assert ended.decision is not None
        plans[name] = (ended.decision.plan.kind, ended.tier, verifier.asked)

    assert plans == {
        "policy": (PlanKind.CASCADE, "large", ["mini"]),
        "rule": (PlanKind.DIRECT, "mini", []),
        "forced": (PlanKind.DIRECT, "mini", []),
    }
