import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.load.slo import METRICS, RATIOS, SECONDS, Slo, parse_slo


@pytest.mark.parametrize(
    ("text", "slo"),
    [
        ("p99<=1.5s", Slo("p99", "<=", 1.5)),
        (" p50 < 250ms ", Slo("p50", "<", 0.25)),
        ("ttft_p95<=.5s", Slo("ttft_p95", "<=", 0.5)),
        ("waste_ratio<=0.3", Slo("waste_ratio", "<=", 0.3)),
        ("error_ratio<1%", Slo("error_ratio", "<", 0.01)),
        ("quality>=0.9", Slo("quality", ">=", 0.9)),
        ("cost_usd<=1e-3", Slo("cost_usd", "<=", 0.001)),
        ("rps>10", Slo("rps", ">", 10.0)),
    ],
)
def test_an_objective_is_a_metric_a_comparison_and_a_limit(text: str, slo: Slo) -> None:
    assert parse_slo(text) == slo


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "such as 'p99<=1.5s'"),
        ("p99=1s", "such as 'p99<=1.5s'"),
        ("p99<=-1s", "such as 'p99<=1.5s'"),
        ("p98<=1s", "there is no metric 'p98'; did you mean p9"),
        ("wast_ratio<=0.1", "did you mean waste_ratio?"),
        ("zzz<=1", "one of p50, p90"),
        ("p99<=1500", "p99 is a time; write p99<=1500s or ..ms"),
        ("p99<=5%", "p99 is a time"),
        ("waste_ratio<=30", "give a limit from 0 to 1, or in %"),
        ("waste_ratio<=1s", "give a limit from 0 to 1, or in %"),
        ("rps>=5s", "rps takes a plain number; leave out 's'"),
    ],
)
def test_what_is_no_objective_is_refused_in_one_line_with_the_mend(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"--slo ") as caught:
        parse_slo(text)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_miss_says_what_was_found_and_what_was_wanted() -> None:
    assert parse_slo("p99<=1.5s").judge({"p99": 1.83}) == "p99 1.83 s, wanted <= 1.5 s"
    assert parse_slo("quality>=0.9").judge({"quality": 0.8512}) == "quality 0.8512, wanted >= 0.9"
    assert parse_slo("p99<=1.5s").judge({"p99": 1.5}) == ""


def test_what_nobody_measured_is_not_good_enough() -> None:
    said = "quality is not known here, wanted >= 0.9"
    assert parse_slo("quality>=0.9").judge({}) == said
    assert parse_slo("quality>=0.9").judge({"quality": float("nan")}) == said


@given(
    st.sampled_from(METRICS), st.sampled_from(["<=", ">=", "<", ">"]), st.integers(0, 1000), st.integers(0, 1_000_000)
)
def test_text_is_read_back_and_the_judgement_is_the_comparison(
    metric: str, comparison: str, thousandths: int, found: int
) -> None:
    limit = thousandths / 1000.0
    slo = Slo(metric, comparison, limit)
    value = found / 1000.0
    held = {"<=": value <= limit, ">=": value >= limit, "<": value < limit, ">": value > limit}[comparison]

    assert parse_slo(str(slo)) == slo
    assert (slo.judge({metric: value}) == "") is held


def test_every_metric_has_one_unit() -> None:
    assert not set(SECONDS) & set(RATIOS)
    assert {*SECONDS, *RATIOS, "cost_usd", "rps"} == set(METRICS)
