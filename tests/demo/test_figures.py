import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import AttemptEnd
from specroute.core.plan import PlanKind
from specroute.demo.figures import escalated, percentile, rejections, sources, summarise
from tests.demo.builders import attempt, delivered, failed, receipt, run_of

RACE_LOST_BY_MINI = receipt(
    attempt("mini", AttemptEnd.REJECTED, reason="refusal", cost=7),
    attempt("large", AttemptEnd.WON, leg=1, speculative=True, cost=100),
    plan=PlanKind.RACE,
)
CASCADE_UP = receipt(
    attempt("mini", AttemptEnd.REJECTED, reason="cut_off", cost=7),
    attempt("large", AttemptEnd.WON, leg=1, cost=100),
    plan=PlanKind.CASCADE,
)
CASCADE_STAYED = receipt(
    attempt("mini", AttemptEnd.WON, cost=7),
    attempt("large", AttemptEnd.NOT_LAUNCHED, leg=1),
    plan=PlanKind.CASCADE,
)


def test_counts_of_a_summary_add_up_to_the_requests() -> None:
    run = run_of(
        "race",
        delivered("large", RACE_LOST_BY_MINI),
        delivered("mini", right=False),
        failed("DEADLINE_EXCEEDED", receipt(attempt("mini", AttemptEnd.TIMED_OUT, cost=3))),
        failed("NO_ACCEPTABLE_ANSWER", receipt(attempt("mini", AttemptEnd.REJECTED, reason="empty", cost=2))),
        failed("INVALID_REQUEST"),
    )

    summary = summarise(run, baseline=None)

    assert summary is not None
    assert summary.results == summary.cases == 5
    assert summary.quality.value == pytest.approx(1 / 5)
    assert summary.deadline_hits == 1
    assert summary.errors == {"INVALID_REQUEST": 1, "NO_ACCEPTABLE_ANSWER": 1}
    assert summary.answered_by == {"large": 1, "mini": 1}
    assert sum(summary.answered_by.values()) + summary.deadline_hits + sum(summary.errors.values()) == 5
    assert summary.plans == {"direct": 3, "race": 1}
    assert summary.rejected == {"mini: empty": 1, "mini: refusal": 1}


def test_money_is_the_sum_of_the_receipts_with_that_of_failed_calls() -> None:
    run = run_of(
        "race",
        delivered("large", RACE_LOST_BY_MINI),
        failed("DEADLINE_EXCEEDED", receipt(attempt("mini", AttemptEnd.TIMED_OUT, cost=3))),
    )

    summary = summarise(run, baseline=None)

    assert summary is not None
    assert (summary.delivered_nano_usd, summary.burnt_nano_usd) == (100, 7 + 3)


def test_saving_and_retention_are_against_always_large_on_the_same_cases() -> None:
    large = run_of("always-large", *(delivered("large", right=index > 0) for index in range(4)))
    mini = run_of("always-mini", *(delivered("mini", right=index > 1) for index in range(4)))

    summary = summarise(mini, baseline=large)

    assert summary is not None
    assert summary.saved is not None
    assert summary.saved.value == pytest.approx(1 - 40 / 400)
    assert summary.retention is not None
    assert summary.retention.value == pytest.approx(2 / 3, abs=1e-6)


def test_saving_is_negative_when_more_was_burnt_than_saved() -> None:
    race = run_of("race", delivered("large", RACE_LOST_BY_MINI))
    summary = summarise(race, baseline=run_of("always-large", delivered("large")))
    assert summary is not None
    assert summary.saved is not None
    assert summary.saved.value == pytest.approx(-0.07)


def test_nothing_is_compared_with_an_always_large_that_was_stopped() -> None:
    stopped = run_of("always-large", delivered("large"), expected=2)
    summary = summarise(run_of("race", delivered("mini")), baseline=stopped)
    assert summary is not None
    assert summary.saved is None
    assert summary.retention is None


def test_only_results_of_the_asked_source_are_summarised() -> None:
    run = run_of("race", delivered("mini", source="a"), delivered("large", source="b"), delivered("mini", source="b"))
    summary = summarise(run, baseline=None, source="b", cases=2)
    assert sources([run]) == ["a", "b"]
    assert summary is not None
    assert summary.results == 2
    assert summary.answered_by == {"large": 1, "mini": 1}
    assert summarise(run, baseline=None, source="c") is None


def test_a_leg_launched_on_rejection_is_an_escalation_and_a_speculative_one_is_not() -> None:
    assert escalated(CASCADE_UP)
    assert not escalated(CASCADE_STAYED)
    assert not escalated(RACE_LOST_BY_MINI)
    assert rejections(CASCADE_UP) == ["mini: cut_off"]


def test_an_interval_holds_its_value_and_narrows_with_more_cases() -> None:
    def width(count: int) -> float:
        run = run_of("race", *(delivered("mini", right=index % 4 > 0) for index in range(count)))
        summary = summarise(run, baseline=None, seed=3)
        assert summary is not None
        quality = summary.quality
        assert quality.lo is not None
        assert quality.hi is not None
        assert quality.value is not None
        assert quality.lo <= quality.value <= quality.hi
        return quality.hi - quality.lo

    assert width(400) < width(40)
    assert width(400) == pytest.approx(2 * 1.96 * (0.75 * 0.25 / 400) ** 0.5, rel=0.15)


@given(st.lists(st.floats(0.0, 1e3), min_size=1, max_size=60), st.floats(0.0, 100.0))
def test_a_percentile_is_a_measured_value_that_enough_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(np.array(values), percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100.0 * len(values) - 1e-6
