"""Decisions as a reviewed list: a change of the policy shows as a change of ``golden_plans.json``.

Each case names a service (two or three tiers, a policy, rules), a request and a prediction in a few words, and the
plan that follows. ``python -m tests.policy.test_golden_plans`` rewrites the plans; read the difference like code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specroute.core.errors import RouteError
from specroute.core.plan import Plan, Prediction
from specroute.core.request import (
    ChoicesOutput,
    Constraints,
    Generation,
    Hints,
    JsonObjectOutput,
    Output,
    Quality,
    Risk,
    RouteRequest,
    Speculation,
    TextOutput,
    Tool,
)
from specroute.policy.planner import Always, Planner, Thresholds
from specroute.policy.rules import AllowOnly, Condition, RaceBetween, RouteTo, Rule, StartAt
from tests.fakes import LARGE, MEDIUM, MINI, request_of, thresholds

GOLDEN = Path(__file__).with_name("golden_plans.json")
Case = dict[str, Any]

OUTPUTS: dict[str, Output] = {
    "text": TextOutput(),
    "json_object": JsonObjectOutput(),
    "choices": ChoicesOutput(("a", "b")),
}
POLICIES: dict[str, Thresholds | Always] = {
    "race": thresholds(0.0),
    "hedge": thresholds(0.25),
    "cascade": thresholds(None),
    "always mini": Always("mini"),
    "always large": Always("large"),
}
RULES = (
    Rule("high-risk", Condition(risks=frozenset({Risk.HIGH})), RouteTo("large"), review=True),
    Rule("strict-json", Condition(outputs=frozenset({"json_object"})), StartAt("mini"), validators=("strict",)),
    Rule("short", Condition(task_types=frozenset({"extraction"}), max_input_tokens=100), RouteTo("mini")),
    Rule("voice", Condition(labels={"channel": frozenset({"voice"})}), RaceBetween(("mini", "large"))),
    Rule("gold", Condition(user_tiers=frozenset({"gold"}), min_turns=1), AllowOnly(frozenset({"large", "medium"}))),
)
TIERS = {"two": (MINI, LARGE), "three": (MINI, MEDIUM, LARGE)}


def request_for(case: Case) -> RouteRequest:
    wish = case.get("request", {})
    tools = (Tool("pay", not_idempotent=True),) if wish.get("unsafe") else ()
    return request_of(
        "word " * wish.get("words", 10),
        output=OUTPUTS[wish.get("output", "text")],
        generation=Generation(tools=tools),
        labels=wish.get("labels", {}),
        hints=Hints(
            task_type=wish.get("task_type", ""),
            risk=Risk(wish["risk"]) if "risk" in wish else None,
            user_tier=wish.get("user_tier", ""),
            quality=Quality(wish.get("quality", "standard")),
        ),
        constraints=Constraints(
            max_cost_nano_usd=wish.get("max_cost_nano_usd"),
            allowed_tiers=tuple(wish.get("allowed_tiers", ())),
            force_tier=wish.get("force_tier", ""),
            speculation=Speculation(wish.get("speculation", "auto")),
        ),
    )


def planned(case: Case) -> Case:
    tiers, policy = TIERS[case.get("tiers", "two")], POLICIES[case.get("policy", "race")]
    rules = RULES if case.get("rules") else ()
    prediction = Prediction(case.get("p", {}), fallback_reason=case.get("fallback", ""))
    try:
        return shown(Planner(tiers, policy, rules).plan(request_for(case), prediction))
    except RouteError as error:
        return {"error": error.reason, "message": error.message}


def shown(plan: Plan) -> Case:
    legs = [f"{leg.tier} at {'rejection' if leg.launch_after_s is None else leg.launch_after_s}" for leg in plan.legs]
    shown: Case = {"kind": plan.kind.value, "legs": legs, "reason": plan.reason, "explanation": plan.explanation}
    if plan.escalation:
        shown["escalation"] = plan.escalation.tier
    if plan.excluded:
        shown["excluded"] = {each.tier: each.reason for each in plan.excluded}
    if plan.validators:
        shown["validators"] = list(plan.validators)
    if plan.needs_review:
        shown["review"] = True
    return shown


CASES: list[Case] = json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_plan_is_the_reviewed_one(case: Case) -> None:
    assert planned(case) == case["plan"]


if __name__ == "__main__":
    rewritten = [{**case, "plan": planned(case)} for case in CASES]
    GOLDEN.write_text(json.dumps(rewritten, indent=1, ensure_ascii=False) + "\n", "utf-8")
