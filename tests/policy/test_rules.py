"""Which tiers may answer, and why the others may not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from specroute.core.errors import BudgetExhausted, NoEligibleTier
from specroute.core.plan import ExcludedTier, Guess, Prediction, Profile
from specroute.core.request import (
    ChoicesOutput,
    Constraints,
    Generation,
    Hints,
    JsonObjectOutput,
    JsonSchemaOutput,
    Message,
    Output,
    Quality,
    RegexOutput,
    Risk,
    Role,
    RouteRequest,
    TextOutput,
    Tool,
)
from specroute.policy.rules import (
    Action,
    AllowOnly,
    Condition,
    Eligibility,
    RaceBetween,
    RouteTo,
    Rule,
    StartAt,
    eligible,
    estimate_cost_nano_usd,
    expected_output_tokens,
)
from tests.fakes import LARGE, MEDIUM, MINI, request_of, tier_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TIERS = (MINI, MEDIUM, LARGE)
ALL = Condition()
NOTHING = Prediction()


def matches(when: Condition, request: RouteRequest, prediction: Prediction = NOTHING) -> bool:
    return when.matches(request, Profile.of(request, prediction))


def who_may_answer(rules: Sequence[Rule], request: RouteRequest) -> Eligibility:
    return eligible(TIERS, rules, request, Profile.of(request, NOTHING))


def names_left(request: RouteRequest, *rules: Rule) -> list[str]:
    return [tier.name for tier in who_may_answer(rules, request).tiers]


def turns(count: int) -> RouteRequest:
    return request_of(messages=[Message(Role.USER, "hi")] * count)


HIGH_RISK = request_of(hints=Hints(risk=Risk.HIGH))
PLAIN = request_of()


@pytest.mark.parametrize(
    ("when", "matching", "other"),
    [
        (Condition(task_types=frozenset({"math", "code"})), request_of(hints=Hints(task_type="math")), PLAIN),
        (
            Condition(task_types=frozenset({"math"})),
            request_of(hints=Hints(task_type="math")),
            request_of(hints=Hints(task_type="chat")),
        ),
        (Condition(risks=frozenset({Risk.HIGH})), HIGH_RISK, PLAIN),
        (Condition(risks=frozenset({Risk.HIGH})), HIGH_RISK, request_of(hints=Hints(risk=Risk.LOW))),
        (Condition(user_tiers=frozenset({"gold"})), request_of(hints=Hints(user_tier="gold")), PLAIN),
        (Condition(outputs=frozenset({"json_object"})), request_of(output=JsonObjectOutput()), PLAIN),
        (Condition(qualities=frozenset({Quality.HIGH})), request_of(hints=Hints(quality=Quality.HIGH)), PLAIN),
        (Condition(min_input_tokens=2), request_of("12345678"), request_of("1234")),
        (Condition(max_input_tokens=2), request_of("12345678"), request_of("123456789")),
        (Condition(has_tools=True), request_of(generation=Generation(tools=(Tool("t"),))), PLAIN),
        (Condition(has_tools=False), PLAIN, request_of(generation=Generation(tools=(Tool("t"),)))),
        (Condition(min_turns=2), turns(2), turns(1)),
        (Condition(labels={"team": frozenset({"a", "b"})}), request_of(labels={"team": "b", "x": "y"}), PLAIN),
        (
            Condition(labels={"team": frozenset({"a"}), "env": frozenset({"prod"})}),
            request_of(labels={"team": "a", "env": "prod"}),
            request_of(labels={"team": "a", "env": "test"}),
        ),
    ],
)
def test_a_condition_matches_what_it_names_and_nothing_else(
    when: Condition, matching: RouteRequest, other: RouteRequest
) -> None:
    assert matches(when, matching)
    assert not matches(when, other)


@pytest.mark.parametrize(
    "output", [TextOutput(), JsonObjectOutput(), JsonSchemaOutput("{}"), RegexOutput("a"), ChoicesOutput(("a",))]
)
def test_every_kind_of_output_has_its_word(output: Output) -> None:
    assert matches(Condition(outputs=frozenset({output.kind})), request_of(output=output))


def test_what_the_caller_does_not_say_is_taken_as_it_was_inferred() -> None:
    seems = Prediction(task_type=Guess("math", 0.9), risk=Guess("high", 0.8), risk_domain=Guess("finance", 0.7))
    maths, risky = Condition(task_types=frozenset({"math"})), Condition(risks=frozenset({Risk.HIGH}))
    money = Condition(risk_domains=frozenset({"finance"}))

    assert all(matches(when, PLAIN, seems) for when in (maths, risky, money))
    assert not any(matches(when, PLAIN) for when in (maths, risky, money))


def test_what_the_caller_says_stands_whatever_was_inferred() -> None:
    seems = Prediction(task_type=Guess("math", 0.9), risk=Guess("low", 0.9))
    said = request_of(hints=Hints(task_type="chat", risk=Risk.HIGH))

    assert Profile.of(said, seems) == Profile("chat", Risk.HIGH)
    assert matches(Condition(risks=frozenset({Risk.HIGH})), said, seems)
    assert not matches(Condition(task_types=frozenset({"math"})), said, seems)


def test_a_guess_below_its_cut_is_no_guess() -> None:
    unsure = Prediction(task_type=Guess("", 0.3), risk=Guess("", 0.4))

    assert Profile.of(PLAIN, unsure) == Profile()


def test_an_empty_condition_matches_every_request() -> None:
    assert matches(ALL, PLAIN)


def test_all_parts_must_hold() -> None:
    both = Condition(risks=frozenset({Risk.HIGH}), max_input_tokens=2)
    assert matches(both, request_of("1234", hints=Hints(risk=Risk.HIGH)))
    assert not matches(both, request_of("1234"))
    assert not matches(both, request_of("123456789", hints=Hints(risk=Risk.HIGH)))


def test_the_first_rule_that_matches_wins() -> None:
    first = Rule("first", Condition(risks=frozenset({Risk.HIGH})), RouteTo("large"))
    second = Rule("second", ALL, RouteTo("mini"))
    assert names_left(HIGH_RISK, first, second) == ["large"]
    assert names_left(HIGH_RISK, second, first) == ["mini"]
    assert names_left(PLAIN, first, second) == ["mini"]
    assert who_may_answer((first, second), PLAIN).rule is second


@pytest.mark.parametrize(
    ("action", "left"),
    [
        (RouteTo("medium"), ["medium"]),
        (StartAt("medium"), ["medium", "large"]),
        (StartAt("mini"), ["mini", "medium", "large"]),
        (RaceBetween(("mini", "large")), ["mini", "large"]),
        (RaceBetween(("large", "mini")), ["mini", "large"]),
        (AllowOnly(frozenset({"large", "mini"})), ["mini", "large"]),
    ],
)
def test_an_action_leaves_its_tiers_cheapest_first_and_names_the_rule_for_the_others(
    action: Action, left: list[str]
) -> None:
    who = who_may_answer([Rule("strict", ALL, action)], PLAIN)
    assert [tier.name for tier in who.tiers] == left
    assert who.excluded == tuple(ExcludedTier(tier.name, "rule:strict") for tier in TIERS if tier.name not in left)


@pytest.mark.parametrize("constraints", [Constraints(force_tier="mini"), Constraints(allowed_tiers=("mini", "medium"))])
def test_a_rule_against_the_callers_wish_is_an_error_that_names_the_rule(constraints: Constraints) -> None:
    rule = Rule("high-risk", ALL, RouteTo("large"))
    with pytest.raises(NoEligibleTier, match="'high-risk'") as raised:
        who_may_answer([rule], request_of(constraints=constraints))
    assert "mini" in raised.value.message


def test_contradicting_wishes_leave_no_tier() -> None:
    wish = Constraints(force_tier="mini", allowed_tiers=("large",))
    with pytest.raises(NoEligibleTier, match="force_tier 'mini'"):
        who_may_answer((), request_of(constraints=wish))


def test_force_tier_and_allowed_tiers_say_why_the_others_are_out() -> None:
    forced = who_may_answer((), request_of(constraints=Constraints(force_tier="medium")))
    assert forced.excluded == (ExcludedTier("mini", "not_forced"), ExcludedTier("large", "not_forced"))
    allowed = who_may_answer((), request_of(constraints=Constraints(allowed_tiers=("large", "mini"))))
    assert allowed.excluded == (ExcludedTier("medium", "not_allowed"),)


def test_a_rule_and_a_wish_that_agree_leave_what_both_allow() -> None:
    rule = Rule("pair", ALL, AllowOnly(frozenset({"mini", "large"})))
    request = request_of(constraints=Constraints(allowed_tiers=("medium", "large")))
    who = who_may_answer([rule], request)
    assert who.tiers == (LARGE,)
    assert who.excluded == (ExcludedTier("mini", "not_allowed"), ExcludedTier("medium", "rule:pair"))


def test_a_tier_that_alone_passes_the_money_bound_is_out_and_at_the_bound_is_in() -> None:
    cost = estimate_cost_nano_usd(MEDIUM, PLAIN)
    at_bound = who_may_answer((), request_of(constraints=Constraints(max_cost_nano_usd=cost)))
    assert at_bound.tiers == (MINI, MEDIUM)
    assert at_bound.excluded == (ExcludedTier("large", "max_cost"),)
    below = who_may_answer((), request_of(constraints=Constraints(max_cost_nano_usd=cost - 1)))
    assert below.tiers == (MINI,)


def test_a_bound_below_every_tier_exhausts_the_budget_also_of_a_rule() -> None:
    request = request_of(constraints=Constraints(max_cost_nano_usd=0))
    with pytest.raises(BudgetExhausted, match="max_cost_nano_usd is 0"):
        who_may_answer((), request)
    cheap = replace(request, constraints=Constraints(max_cost_nano_usd=estimate_cost_nano_usd(MINI, PLAIN)))
    with pytest.raises(BudgetExhausted):
        who_may_answer([Rule("strong", ALL, RouteTo("large"))], cheap)


def test_the_expected_answer_is_bounded_by_what_the_request_allows() -> None:
    tier = tier_of("mini", output_tokens=300)
    assert expected_output_tokens(tier, PLAIN) == 300
    assert expected_output_tokens(tier, request_of(generation=Generation(max_output_tokens=20))) == 20
    assert expected_output_tokens(tier, request_of(generation=Generation(max_output_tokens=9_000))) == 300
