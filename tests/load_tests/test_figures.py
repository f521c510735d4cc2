from hypothesis import given
from hypothesis import strategies as st

from load_tests.figures import counts_of, figures_of, summary
from specroute.load.slo import METRICS
from tests.load_tests.builders import call, failed


def test_there_are_no_figures_without_calls() -> None:
    assert figures_of([]) == {}


def test_every_metric_of_an_slo_is_there_for_a_graded_stream() -> None:
    assert set(METRICS) <= set(figures_of([call(rpc="RouteStream", first_token_s=0.2)]))


def test_a_percentile_is_a_latency_that_was_measured_and_failed_calls_count() -> None:
    rows = [call(latency_s=float(number)) for number in range(1, 100)] + [failed(latency_s=100.0)]

    figures = figures_of(rows)

    assert (figures["p50"], figures["p99"], figures["max"]) == (50.0, 99.0, 100.0)


def test_first_tokens_and_whole_calls_are_not_mixed() -> None:
    rows = [call(latency_s=2.0), call(rpc="RouteStream", latency_s=2.0, first_token_s=0.5)]

    told = summary(rows)

    assert told["figures"]["p50"] == 2.0
    assert told["figures"]["ttft_p99"] == 0.5
    assert "ttft_p50" not in told["by_rpc"]["Route"]["figures"]
    assert told["by_rpc"]["RouteStream"]["figures"]["calls"] == 1


def test_ratios_are_shares_of_the_calls_and_waste_is_one_of_the_money() -> None:
    rows = [call(), call(escalated=True, degraded=True, is_right=False), failed(), call(late_s=0.2)]

    figures = figures_of(rows)

    assert [figures[f"{name}_ratio"] for name in ("error", "deadline", "escalation", "degraded", "late")] == [0.25] * 5
    assert figures["waste_ratio"] == 0.2
    assert figures["saved_ratio"] == 0.75
    assert figures["cost_usd"] == 100 / 1e9


def test_what_was_not_delivered_is_not_right() -> None:
    assert figures_of([call(), failed()])["quality"] == 0.5


def test_quality_is_unknown_where_nobody_grades() -> None:
    assert "quality" not in figures_of([call(is_right=None)])


def test_an_answer_of_another_tier_is_an_error_and_counted() -> None:
    rows = [call(is_from_its_tier=False), call()]

    assert figures_of(rows)["error_ratio"] == 0.5
    assert counts_of(rows)["mixed_up"] == {"answers": 1}


def test_failures_are_counted_by_reason_and_without_one_by_status() -> None:
    rows = [failed(), failed(status="UNAVAILABLE", reason="OVERLOADED"), failed()]

    assert counts_of(rows)["failures"] == {"DEADLINE_EXCEEDED": 2, "OVERLOADED": 1}


def test_only_answered_calls_make_the_rate() -> None:
    rows = [call(began_s=10.0), call(began_s=12.0, latency_s=2.0), failed(began_s=11.0)]

    assert figures_of(rows)["rps"] == 0.5


@given(st.lists(st.floats(0.0, 60.0), min_size=1, max_size=50))
def test_percentiles_never_fall(latencies: list[float]) -> None:
    figures = figures_of([call(latency_s=latency) for latency in latencies])

    found = [figures[name] for name in ("p50", "p90", "p95", "p99", "max")]
    assert found == sorted(found)
    assert set(found) <= set(latencies)
