"""What a policy would have done with recorded answers."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import Completion, FinishReason, Verdict, VerdictKind
from specroute.core.plan import Interval, PlanKind, Prediction
from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI, NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts, PlannedAs, play
from specroute.policy.planner import Planner, Thresholds
from specroute.predictor.verifier.leeway import STRAIGHT, Leeway, merit
from specroute.validators.judge import ConfiguredValidator, OnAbstain, judge
from tests.fakes import LARGE, MINI, request_of
from tests.learn.scored import LARGE_USD, MINI_USD, scored

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest
    from specroute.learn.scoring import ScoredRows

SHARES = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
ROW = st.tuples(
    SHARES, SHARES, SHARES, SHARES | st.just(math.nan), st.booleans(), st.sampled_from([50.0, 100.0, math.nan])
)

LEEWAYS = st.sampled_from([STRAIGHT, Leeway(0.5, 100.0), Leeway(1.0, 60.0)])


class Says:
    """A validator that always says the same."""

    is_contract = False

    def __init__(self, name: str, kind: VerdictKind) -> None:
        self.name = name
        self._kind = kind

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        return Verdict(self.name, self._kind, "said")


def served(rows: ScoredRows, at: int, cuts: Cuts) -> tuple[PlannedAs, bool]:
    """What the service's own planner and judges do with a row: its plan, and whether the large model delivers."""
    prediction = Prediction(
        MappingProxyType({"mini": float(rows.p[at])}),
        intervals={"mini": Interval(float(rows.p_low[at]), float(rows.p_high[at]))},
    )
    plan = Planner((MINI, LARGE), Thresholds(cuts.direct_mini, cuts.direct_large, None)).plan(request_of(), prediction)
    if plan.kind is PlanKind.DIRECT and plan.legs[0].tier == "large":
        return PlannedAs.DIRECT_LARGE, True
    checks = [ConfiguredValidator(Says("contract", VerdictKind.ACCEPT if rows.passes[at] else VerdictKind.REJECT))]
    if plan.kind is PlanKind.CASCADE and cuts.min_p is not None:
        chance = float(rows.verifier_p[at])
        kind = VerdictKind.ABSTAIN
        if not math.isnan(chance):
            factor = float(cuts.leeway.factors(rows.tokens_at_stake[at : at + 1])[0])
            is_likely = merit(chance, factor) >= cuts.min_p
            kind = VerdictKind.ACCEPT if is_likely else VerdictKind.REJECT
        verifier = Says("verifier", kind)
        checks.append(ConfiguredValidator(verifier, OnAbstain.REJECT))
    answer = Completion("a", (), FinishReason.STOP, "m")
    planned = PlannedAs.CASCADE if plan.kind is PlanKind.CASCADE else PlannedAs.DIRECT_MINI
    return planned, not judge(checks, request_of(), answer).accepted


@given(st.lists(ROW, min_size=1, max_size=12), SHARES, SHARES, SHARES | st.none(), LEEWAYS)
def test_the_table_decides_as_the_planner_and_the_judges_do(
    drawn: list[tuple[float, float, float, float, bool, float]],
    one: float,
    other: float,
    min_p: float | None,
    leeway: Leeway,
) -> None:
    p = [sorted(row[:3])[1] for row in drawn]
    rows = scored(
        p, verifier_p=[row[3] for row in drawn], passes=[row[4] for row in drawn], tokens=[row[5] for row in drawn]
    )
    rows.p_low[:] = [min(row[:3]) for row in drawn]
    rows.p_high[:] = [max(row[:3]) for row in drawn]
    low, high = sorted((one, other))
    cuts = Cuts(high if high > low else NEVER_DIRECT_MINI, low, min_p, leeway)

    played = play(rows, cuts)

    assert [(plan, large) for plan, large in zip(played.plan, played.large_delivered, strict=True)] == [
        served(rows, at, cuts) for at in range(len(drawn))
    ]


def test_a_rejected_answer_is_paid_for_and_counted_as_waste() -> None:
    rows = scored([0.5, 0.5], verifier_p=[0.9, 0.2], mini_ok=[1, 0], large_ok=[0, 1])

    played = play(rows, Cuts(NEVER_DIRECT_MINI, NEVER_DIRECT_LARGE, 0.5))

    assert played.correct.tolist() == [1.0, 1.0]
    assert played.cost_usd == pytest.approx([MINI_USD, MINI_USD + LARGE_USD])
    assert played.waste_usd == pytest.approx([0.0, MINI_USD])


def test_a_verifier_that_abstains_leaves_the_answer_to_the_large_model() -> None:
    rows = scored([0.5], verifier_p=[math.nan])

    assert play(rows, Cuts(NEVER_DIRECT_MINI, NEVER_DIRECT_LARGE, 0.0)).large_delivered.all()


def test_the_two_plainest_policies_ask_one_model_each() -> None:
    rows = scored(np.linspace(0.0, 1.0, 11).tolist(), width=0.2)

    assert set(play(rows, ALWAYS_MINI).plan) == {PlannedAs.DIRECT_MINI}
    assert set(play(rows, ALWAYS_LARGE).plan) == {PlannedAs.DIRECT_LARGE}
    assert not play(rows, ALWAYS_LARGE).waste_usd.any()


def test_rows_are_taken_with_all_their_columns() -> None:
    rows = scored([0.1, 0.2, 0.3], groups=[4, 5, 5])

    taken = rows.take(np.array([2, 2, 0]))

    assert taken.p.tolist() == [0.3, 0.3, 0.1]
    assert taken.groups.tolist() == [5, 5, 4]
    assert [row.prompt for row in taken.rows] == ["prompt 2", "prompt 2", "prompt 0"]
