"""From a request and a prediction to a plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.errors import BudgetExhausted, NoEligibleTier
from specroute.core.plan import Guess, Interval, Leg, Plan, PlanKind, Prediction
from specroute.core.request import Constraints, Generation, Hints, Quality, Risk, RouteRequest, Speculation, Tool
from specroute.policy.planner import Always, Planner, Thresholds
from specroute.policy.rules import (
    Action,
    AllowOnly,
    Condition,
    RaceBetween,
    RouteTo,
    Rule,
    StartAt,
    estimate_cost_nano_usd,
)
from tests.fakes import LARGE, MEDIUM, MINI, request_of, thresholds

ALL = Condition()
PLAIN = request_of()
ALWAYS = request_of(constraints=Constraints(speculation=Speculation.ALWAYS))
NEVER = request_of(constraints=Constraints(speculation=Speculation.NEVER))
UNSAFE = Generation(tools=(Tool("pay", not_idempotent=True),))


def two(policy: Thresholds | Always | None = None, *rules: Rule, max_legs: int = 2) -> Planner:
    return Planner((MINI, LARGE), policy or thresholds(), rules, max_legs)


def three(policy: Thresholds | Always | None = None, *rules: Rule, max_legs: int = 2) -> Planner:
    return Planner((MINI, MEDIUM, LARGE), policy or thresholds(), rules, max_legs)


def p(*chances: float) -> Prediction:
    return Prediction(dict(zip(("mini", "medium"), chances, strict=False)))


def rule(action: Action, *, review: bool = False, validators: tuple[str, ...] = ()) -> Rule:
    return Rule("house", ALL, action, review, validators)


def shape(plan: Plan) -> str:
    """The plan in short: its kind, each leg with its launch time, and what follows."""
    legs = [
        f"{leg.tier}@{'rejection' if leg.launch_after_s is None else f'{leg.launch_after_s:g}'}" for leg in plan.legs
    ]
    return " ".join([plan.kind.value, *legs, *([f"then {plan.escalation.tier}"] if plan.escalation else [])])


@pytest.mark.parametrize(
    ("chance", "wanted"),
    [
        (1.0, "direct mini@0 then large"),
        (0.9, "direct mini@0 then large"),
        (0.899999, "race mini@0 large@0"),
        (0.300001, "race mini@0 large@0"),
        (0.3, "direct large@0"),
        (0.0, "direct large@0"),
    ],
)
def test_both_cuts_are_inclusive(chance: float, wanted: str) -> None:
    assert shape(two().plan(PLAIN, p(chance))) == wanted


@pytest.mark.parametrize(
    ("interval", "wanted"),
    [
        (Interval(0.9, 0.99), "direct mini@0 then large"),
        (Interval(0.85, 0.99), "race mini@0 large@0"),
        (Interval(0.1, 0.95), "race mini@0 large@0"),
        (Interval(0.1, 0.35), "race mini@0 large@0"),
        (Interval(0.1, 0.3), "direct large@0"),
    ],
)
def test_only_an_interval_that_lies_beyond_a_cut_whole_is_clear(interval: Interval, wanted: str) -> None:
    middle = (interval.low + interval.high) / 2
    prediction = Prediction({"mini": middle}, intervals={"mini": interval})

    assert shape(two().plan(PLAIN, prediction)) == wanted


def test_a_rule_on_an_inferred_risk_binds_the_plan() -> None:
    careful = Rule("careful", Condition(risks=frozenset({Risk.HIGH})), RouteTo("large"))
    seems_risky = Prediction({"mini": 0.99}, risk=Guess("high", 0.8))

    assert shape(two(None, careful).plan(PLAIN, seems_risky)) == "direct large@0"
    assert shape(two(None, careful).plan(PLAIN, p(0.99))) == "direct mini@0 then large"


@pytest.mark.parametrize(
    ("delay_s", "wanted"),
    [
        (0.0, "race mini@0 large@0"),
        (0.25, "hedge mini@0 large@0.25"),
        (None, "cascade mini@0 large@rejection"),
    ],
)
def test_the_hedge_delay_decides_the_shape_between_the_cuts(delay_s: float | None, wanted: str) -> None:
    plan = two(thresholds(delay_s)).plan(PLAIN, p(0.5))
    assert shape(plan) == wanted
    assert [leg.speculative for leg in plan.legs] == [False, delay_s is not None]


@pytest.mark.parametrize(
    ("chances", "wanted"),
    [
        ((0.95, 0.0), "direct mini@0 then medium"),
        ((0.2, 0.95), "direct medium@0 then large"),
        ((0.2, 0.5), "race medium@0 large@0"),
        ((0.2, 0.2), "direct large@0"),
        ((0.5, 0.0), "race mini@0 medium@0 then large"),
        ((0.2,), "race medium@0 large@0"),
    ],
)
def test_with_three_tiers_the_cheapest_decides_first(chances: tuple[float, ...], wanted: str) -> None:
    assert shape(three().plan(PLAIN, p(*chances))) == wanted


def test_an_unknown_p_is_uncertain_and_says_why() -> None:
    plan = two().plan(PLAIN, Prediction(fallback_reason="model_error"))
    assert shape(plan) == "race mini@0 large@0"
    assert plan.reason == "fallback:model_error"
    assert two().plan(PLAIN, Prediction()).reason == "threshold"


def test_a_chance_that_is_no_number_is_uncertain() -> None:
    assert shape(two().plan(PLAIN, p(float("nan")))) == "race mini@0 large@0"


def test_always_takes_its_tier_and_escalates_above_it() -> None:
    assert shape(three(Always("mini")).plan(PLAIN, p(0.0))) == "direct mini@0 then medium"
    assert shape(three(Always("large")).plan(PLAIN, p(1.0))) == "direct large@0"


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        (RouteTo("mini"), "direct mini@0"),
        (StartAt("mini"), "cascade mini@0 medium@rejection large@rejection"),
        (StartAt("large"), "direct large@0"),
        (RaceBetween(("mini", "large")), "race mini@0 large@0"),
        (AllowOnly(frozenset({"medium", "large"})), "direct medium@0 then large"),
    ],
)
def test_a_rule_binds_every_leg(action: Action, wanted: str) -> None:
    plan = three(None, rule(action)).plan(PLAIN, p(0.1, 0.95))
    assert shape(plan) == wanted
    assert plan.reason == "rule:house"
    assert "house" in plan.explanation


def test_a_rule_asks_for_review_and_adds_validators() -> None:
    plan = two(None, rule(RouteTo("mini"), review=True, validators=("strict",))).plan(PLAIN, p(0.5))
    assert plan.needs_review
    assert plan.validators == ("strict",)
    assert not two().plan(PLAIN, p(0.5)).needs_review


def test_a_forced_tier_answers_alone_without_escalation() -> None:
    forced = request_of(constraints=Constraints(force_tier="mini", speculation=Speculation.ALWAYS))
    plan = three().plan(forced, p(0.0, 0.0))
    assert shape(plan) == "direct mini@0"
    assert plan.reason == "forced"


def test_a_rule_against_a_forced_tier_names_the_rule() -> None:
    with pytest.raises(NoEligibleTier, match="'house'"):
        two(None, rule(RouteTo("large"))).plan(request_of(constraints=Constraints(force_tier="mini")), p(0.5))


def test_allowed_tiers_also_bound_the_escalation() -> None:
    request = request_of(constraints=Constraints(allowed_tiers=("mini", "large")))
    assert shape(three().plan(request, p(0.95, 0.95))) == "direct mini@0 then large"
    assert shape(three().plan(request_of(constraints=Constraints(allowed_tiers=("mini",))), p(0.0))) == "direct mini@0"


@pytest.mark.parametrize("delay_s", [0.0, 0.5, None])
def test_without_speculation_race_and_hedge_become_a_cascade(delay_s: float | None) -> None:
    plan = two(thresholds(delay_s)).plan(NEVER, p(0.5))
    assert shape(plan) == "cascade mini@0 large@rejection"
    assert not any(leg.speculative for leg in plan.legs)


def test_without_speculation_a_rules_race_becomes_a_cascade() -> None:
    assert (
        shape(two(None, rule(RaceBetween(("mini", "large")))).plan(NEVER, p(0.5))) == "cascade mini@0 large@rejection"
    )


@pytest.mark.parametrize(
    ("chances", "wanted"),
    [
        ((0.95, 0.5), "race mini@0 medium@0 then large"),
        ((0.5, 0.5), "race mini@0 medium@0 then large"),
        ((0.1, 0.95), "race medium@0 large@0"),
        ((0.1, 0.1), "race medium@0 large@0"),
    ],
)
def test_always_speculating_races_every_plan(chances: tuple[float, ...], wanted: str) -> None:
    assert shape(three().plan(ALWAYS, p(*chances))) == wanted


def test_always_speculating_races_a_rules_cascade_but_not_a_route() -> None:
    assert shape(three(None, rule(StartAt("mini"))).plan(ALWAYS, p(0.5))) == "race mini@0 medium@0 large@rejection"
    assert shape(three(None, rule(RouteTo("mini"))).plan(ALWAYS, p(0.5))) == "direct mini@0"


@pytest.mark.parametrize("speculation", list(Speculation))
@pytest.mark.parametrize("action", [None, RaceBetween(("mini", "large"))])
def test_unsafe_tools_are_never_raced(speculation: Speculation, action: Action | None) -> None:
    request = request_of(generation=UNSAFE, constraints=Constraints(speculation=speculation))
    plan = two(None, *([] if action is None else [rule(action)])).plan(request, p(0.5))
    assert shape(plan) == "cascade mini@0 large@rejection"


@pytest.mark.parametrize(("chance", "wanted"), [(0.1, "direct large@0"), (0.95, "direct mini@0 then large")])
def test_a_wish_to_speculate_that_cannot_be_had_leaves_the_policys_plan(chance: float, wanted: str) -> None:
    unsafe = request_of(generation=UNSAFE, constraints=Constraints(speculation=Speculation.ALWAYS))
    assert shape(two().plan(unsafe, p(chance))) == wanted
    assert shape(two(max_legs=1).plan(ALWAYS, p(chance))) == wanted


def test_one_leg_at_most_means_no_leg_beside_another() -> None:
    assert shape(two(max_legs=1).plan(PLAIN, p(0.5))) == "cascade mini@0 large@rejection"


def test_high_quality_never_ends_with_a_weaker_tier_alone() -> None:
    careful = request_of(hints=Hints(quality=Quality.HIGH))
    assert shape(three().plan(careful, p(0.99, 0.99))) == "cascade mini@0 large@rejection"
    assert shape(three().plan(careful, p(0.0, 0.0))) == "direct large@0"
    assert shape(three(Always("mini")).plan(careful, p(0.99))) == "cascade mini@0 large@rejection"


def costs(*tiers: str) -> int:
    return sum(estimate_cost_nano_usd(tier, PLAIN) for tier in (MINI, MEDIUM, LARGE) if tier.name in tiers)


def bounded(nano_usd: int, speculation: Speculation = Speculation.AUTO) -> RouteRequest:
    return request_of(constraints=Constraints(max_cost_nano_usd=nano_usd, speculation=speculation))


def test_a_plan_that_fits_the_money_bound_exactly_is_kept() -> None:
    assert shape(two().plan(bounded(costs("mini", "large")), p(0.5))) == "race mini@0 large@0"


def test_too_little_money_drops_the_speculative_leg_then_tiers_then_refuses() -> None:
    planner = three()
    all_but_one = bounded(costs("mini", "medium") - 1)
    assert shape(planner.plan(all_but_one, p(0.5, 0.5))).startswith("direct mini@0")
    only_mini = planner.plan(bounded(costs("mini")), p(0.0, 0.0))
    assert shape(only_mini) == "direct mini@0"
    assert {each.tier: each.reason for each in only_mini.excluded} == {"medium": "max_cost", "large": "max_cost"}
    with pytest.raises(BudgetExhausted):
        planner.plan(bounded(costs("mini") - 1), p(0.5, 0.5))


def test_a_race_that_only_the_callers_wish_made_falls_back_to_the_policys_tier() -> None:
    request = bounded(costs("mini", "large") - 1, speculation=Speculation.ALWAYS)
    assert shape(two().plan(request, p(0.1))) == "direct large@0"


def test_money_never_makes_high_quality_end_with_a_weaker_tier_alone() -> None:
    request = request_of(
        hints=Hints(quality=Quality.HIGH), constraints=Constraints(max_cost_nano_usd=costs("mini", "large") - 1)
    )
    assert shape(two().plan(request, p(0.95))) == "direct large@0"
    assert shape(two().plan(request, p(0.5))) == "direct large@0"


# --- properties --------------------------------------------------------------------------------------------------

names = st.sampled_from(["mini", "medium", "large"])
actions = st.one_of(
    st.builds(RouteTo, names),
    st.builds(StartAt, names),
    st.sampled_from([RaceBetween(("mini", "large")), RaceBetween(("medium", "large"))]),
    st.builds(AllowOnly, st.frozensets(names, min_size=1)),
)
policies = st.one_of(
    st.builds(Always, names),
    st.builds(
        Thresholds,
        direct_mini=st.floats(0.5, 1.0),
        direct_large=st.floats(0.0, 0.49),
        hedge_delay_s=st.none() | st.just(0.0) | st.floats(0.001, 10.0),
    ),
)
planners = st.builds(
    Planner,
    tiers=st.just((MINI, MEDIUM, LARGE)),
    policy=policies,
    rules=st.lists(st.builds(Rule, st.just("house"), st.just(ALL), actions, st.booleans()), max_size=1),
    max_legs=st.integers(1, 3),
)
requests = st.builds(
    request_of,
    hints=st.builds(Hints, quality=st.sampled_from(Quality)),
    generation=st.sampled_from([Generation(), UNSAFE]),
    constraints=st.builds(
        Constraints,
        max_cost_nano_usd=st.none() | st.integers(0, costs("mini", "medium", "large")),
        allowed_tiers=st.sampled_from([(), ("mini",), ("mini", "large"), ("medium", "large")]),
        force_tier=st.sampled_from(["", "", "", "mini", "large"]),
        speculation=st.sampled_from(Speculation),
    ),
)
predictions = st.dictionaries(names, st.floats(0.0, 1.0)).map(Prediction)


def assert_sound(plan: Plan, planner: Planner, request: RouteRequest) -> None:
    excluded = {each.tier for each in plan.excluded}
    eligible = [tier for tier in planner.tiers if tier.name not in excluded]
    order = [tier.name for tier in eligible]
    legs = [leg.tier for leg in plan.legs]
    followers = [] if plan.escalation is None else [plan.escalation.tier]
    assert legs == sorted(legs, key=order.index), "legs run cheapest first"
    assert len({*legs, *followers}) == len(legs) + len(followers), "no tier runs twice"
    assert {*legs, *followers} <= set(order)
    assert plan.legs[0] == Leg(legs[0])
    launches = [leg.launch_after_s for leg in plan.legs[1:]]
    wanted = (
        PlanKind.DIRECT
        if not launches
        else PlanKind.CASCADE
        if launches[0] is None
        else PlanKind.RACE
        if launches[0] == 0
        else PlanKind.HEDGE
    )
    assert plan.kind is wanted
    beside = [leg for leg in plan.legs[1:] if leg.launch_after_s is not None]
    assert all(leg.speculative is (leg in beside) for leg in plan.legs[1:])
    assert len(beside) < planner.max_legs
    if not request.is_speculation_safe or request.constraints.speculation is Speculation.NEVER:
        assert not beside
    if request.constraints.force_tier:
        assert (plan.kind, legs, plan.escalation) == (PlanKind.DIRECT, [request.constraints.force_tier], None)
    limit = request.constraints.max_cost_nano_usd
    if limit is not None:
        assert sum(estimate_cost_nano_usd(tier, request) for tier in eligible if tier.name in legs) <= limit
    if request.hints.quality is Quality.HIGH and plan.kind is PlanKind.DIRECT:
        assert legs == order[-1:]
    assert plan.explanation.endswith(".")
    assert plan.explanation[0].isupper()
    assert "\n" not in plan.explanation


@given(planners, requests, predictions)
def test_any_plan_is_sound_and_the_same_again(planner: Planner, request: RouteRequest, prediction: Prediction) -> None:
    try:
        plan = planner.plan(request, prediction)
    except (NoEligibleTier, BudgetExhausted) as error:
        with pytest.raises(type(error)):
            planner.plan(request, prediction)
        return
    assert_sound(plan, planner, request)
    assert planner.plan(request, prediction) == plan
