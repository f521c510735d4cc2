import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import AttemptEnd
from specroute.core.plan import PlanKind
from specroute.load.figures import summarise
from specroute.load.slo import METRICS, parse_slo
from tests.demo.builders import FakeCase, attempt, receipt
from tests.load.records import call, paid, run_of


def test_latency_counts_from_the_intended_moment_and_service_time_from_the_actual_one() -> None:
    figures = summarise(run_of(call(latency_s=3.0, late_s=2.0))).as_dict()

    assert (figures["p50"], figures["service_p50"], figures["lateness_p99"]) == (3.0, 1.0, 2.0)


def test_percentiles_are_latencies_that_were_measured() -> None:
    figures = summarise(run_of(*(call(index, latency_s=0.1 * (index + 1)) for index in range(10)))).as_dict()

    assert figures["p50"] == pytest.approx(0.5)
    assert figures["p90"] == pytest.approx(0.9)
    assert figures["p99"] == figures["max"] == pytest.approx(1.0)
    assert figures["mean"] == pytest.approx(0.55)


def test_money_is_summed_from_the_receipts_and_waste_is_a_share_of_all_of_it() -> None:
    run = run_of(call(0, receipt=paid(60, 40, 500)), call(1, receipt=paid(100, 0, 300)))
    figures = summarise(run).as_dict()

    assert figures["cost_usd"] == pytest.approx(100e-9)
    assert figures["waste_ratio"] == pytest.approx(0.2)
    assert figures["saved_ratio"] == pytest.approx(1.0 - 200 / 800)


def test_every_call_that_came_to_its_end_counts_whatever_the_end() -> None:
    escalation = receipt(
        attempt("mini", AttemptEnd.REJECTED, reason="refusal"),
        attempt("large", AttemptEnd.WON, leg=1, cost=5),
        plan=PlanKind.CASCADE,
    )
    run = run_of(
        call(0, receipt=escalation),
        call(1),
        call(2, status="DEADLINE_EXCEEDED"),
        call(3, status="ALL_UPSTREAMS_FAILED"),
    )
    summary = summarise(run)
    figures = summary.as_dict()

    assert (figures["error_ratio"], figures["deadline_ratio"], figures["quality"]) == (0.5, 0.25, 0.5)
    assert figures["escalation_ratio"] == 0.25
    assert summary.ends == {"OK": 2, "ALL_UPSTREAMS_FAILED": 1, "DEADLINE_EXCEEDED": 1}
    assert summary.plans == {"cascade": 1, "direct": 1}
    assert summary.rejected == {"mini: refusal": 1}
    assert any("50.0% of calls failed" in line for line in summary.warnings)


def test_answers_per_second_are_those_of_the_service_and_not_of_its_slowest_answer() -> None:
    steady = [call(index, latency_s=1.0) for index in range(100)]

    assert summarise(run_of(*steady)).as_dict()["rps"] == pytest.approx(1.0)
    assert summarise(run_of(*steady, call(100, latency_s=500.0))).as_dict()["rps"] == pytest.approx(1.0)
    assert summarise(run_of(*(call(index, status="UNAVAILABLE") for index in range(3)))).as_dict()["rps"] == 0.0


def test_what_was_not_measured_is_absent_and_misses_its_objective() -> None:
    figures = summarise(run_of(call())).as_dict()

    assert "ttft_p99" not in figures
    assert parse_slo("ttft_p99<=1s").judge(figures) == "ttft_p99 is not known here, wanted <= 1 s"
    assert summarise(run_of()).as_dict() == {}


def test_the_first_token_counts_from_the_intended_moment() -> None:
    figures = summarise(run_of(call(0, first_token_s=0.4, late_s=0.3), call(1, first_token_s=1.6))).as_dict()

    assert figures["ttft_p50"] == pytest.approx(0.4)
    assert figures["ttft_p99"] == pytest.approx(0.6)


def test_every_metric_of_an_objective_is_a_figure_of_a_streamed_run() -> None:
    figures = summarise(run_of(call(first_token_s=0.2, receipt=paid(60, 40, 500)))).as_dict()

    assert set(METRICS) <= set(figures)
    assert list(figures)[: len(METRICS)] == list(METRICS)


def test_quality_is_unknown_where_another_answer_than_the_recorded_one_came() -> None:
    run = run_of(call(0), call(1, is_from_its_tier=False))

    assert "quality" in summarise(run).as_dict()
    summary = summarise(run, is_recorded=True)
    assert "quality" not in summary.as_dict()
    assert "quality" not in summary.intervals
    assert "1 answers are not those that their tier is recorded with" in summary.warnings[0]


def test_a_late_or_busy_generator_is_named() -> None:
    on_time = [call(index, latency_s=1.0, late_s=0.04) for index in range(100)]
    late = [call(index, latency_s=1.0, late_s=0.06) for index in range(100)]

    assert summarise(run_of(*on_time)).warnings == ()
    assert "more than 60 ms late (allowed 50 ms)" in summarise(run_of(*late)).warnings[0]
    assert "it used 90% of a processor" in summarise(run_of(*on_time, cpu_share=0.9)).warnings[0]
    assert "7 requests were not sent" in summarise(run_of(*on_time, not_sent=7)).warnings[0]


def test_a_fast_service_is_not_held_to_less_than_five_milliseconds() -> None:
    assert summarise(run_of(*(call(index, latency_s=0.01, late_s=0.004) for index in range(50)))).warnings == ()


def test_calls_of_one_case_are_drawn_together() -> None:
    good, bad = FakeCase(), FakeCase()
    half = [call(index, case=(good, bad)[index % 2], is_right=index % 2 == 0) for index in range(200)]
    each = [call(index, is_right=index % 2 == 0) for index in range(200)]

    together, apart = (summarise(run_of(*records)).intervals["quality"] for records in (half, each))

    assert together.value == apart.value == 0.5
    assert (together.lo, together.hi) == (0.0, 1.0)
    assert apart.lo == pytest.approx(0.43, abs=0.03)


def test_intervals_of_percentiles_are_those_of_drawing_with_replacement() -> None:
    draws = np.random.default_rng(0)
    latencies = draws.exponential(size=300)
    found = summarise(run_of(*(call(index, latency_s=float(value)) for index, value in enumerate(latencies))))

    drawn = [np.percentile(draws.choice(latencies, 300), [50, 99], method="inverted_cdf").tolist() for _ in range(2000)]
    for name, own in zip(("p50", "p99"), np.array(drawn).T, strict=True):
        interval = found.intervals[name]
        assert interval.lo == pytest.approx(np.percentile(own, 2.5), rel=0.1)
        assert interval.hi == pytest.approx(np.percentile(own, 97.5), rel=0.1)


@given(
    st.lists(
        st.tuples(st.floats(0.001, 60.0), st.sampled_from(["OK", "DEADLINE_EXCEEDED", "UNAVAILABLE"]), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_figures_are_finite_and_shares_are_shares(calls: list[tuple[float, str, bool]]) -> None:
    records = [
        call(index, latency_s=latency, status=status, is_right=right and status == "OK")
        for index, (latency, status, right) in enumerate(calls)
    ]
    summary = summarise(run_of(*records))

    for name, value in summary.as_dict().items():
        assert math.isfinite(value)
        if (name.endswith("_ratio") and name != "saved_ratio") or name == "quality":
            assert 0.0 <= value <= 1.0
    for interval in summary.intervals.values():
        assert interval.lo is not None
        assert interval.hi is not None
        assert interval.lo <= interval.hi
    assert sum(summary.ends.values()) == summary.calls
