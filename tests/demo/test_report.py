import io
import json

import pytest
from rich.console import Console

from specroute.core.outcome import AttemptEnd
from specroute.core.plan import PlanKind
from specroute.demo.policies import SIMULATED_POLICIES
from specroute.demo.report import RECORDED, SIMULATED, build_report
from specroute.demo.run import Demo, DemoOptions, PolicyRun
from specroute.demo.tables import Grid, for_markdown, for_terminal, grids
from specroute.upstreams.simulated.answers import KnownAnswers
from tests.demo.builders import FakeCase, attempt, delivered, failed, receipt, run_of

REJECTED_RACE = receipt(
    attempt("mini", AttemptEnd.REJECTED, reason="refusal", cost=7),
    attempt("large", AttemptEnd.WON, leg=1, speculative=True, cost=100),
    plan=PlanKind.RACE,
)
CANCELLED_RACE = receipt(
    attempt("mini", AttemptEnd.WON, cost=7),
    attempt("large", AttemptEnd.CANCELLED, leg=1, speculative=True, cost=50),
    plan=PlanKind.RACE,
)


def demo_of(*runs: PolicyRun, sources: tuple[str, ...] = ("maths", "maths")) -> Demo:
    cases = [FakeCase(source) for source in sources]
    return Demo(cases, SIMULATED_POLICIES[: len(runs)], KnownAnswers((), ()), (), DemoOptions(), list(runs))


WHOLE = demo_of(
    run_of("always-mini", delivered("mini"), failed("NO_ACCEPTABLE_ANSWER")),
    run_of("always-large", delivered("large"), failed("DEADLINE_EXCEEDED")),
    run_of("race", delivered("mini", CANCELLED_RACE), delivered("large", REJECTED_RACE)),
)


def text_of(demo: Demo, kind: str, width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for part in for_terminal(build_report(demo, kind)):
        console.print(part, highlight=False)
    return console.export_text()


def test_simulated_figures_say_that_they_show_the_mechanism() -> None:
    text = text_of(WHOLE, SIMULATED)
    assert text.startswith("simulated tiers\n")
    assert "the mechanism, not the saving" in text
    for name in (
        "always-mini",
        "always-large",
        "race",
        "no_acceptable_answer 1",
        "One decision in words (policy race)",
    ):
        assert name in text


@pytest.mark.parametrize("kind", [SIMULATED, RECORDED])
def test_markdown_holds_every_table_with_as_many_cells_in_every_row(kind: str) -> None:
    report = build_report(WHOLE, kind)
    text = for_markdown(report)
    for table in grids(report):
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert table.to_markdown() in text


def test_a_bar_in_a_cell_does_not_break_a_markdown_table() -> None:
    assert Grid(("a",), (("x|y",),)).to_markdown() == "| a |\n| --- |\n| x\\|y |"


def test_the_explained_decision_is_a_race_whose_mini_was_rejected_where_there_is_one() -> None:
    explained = build_report(WHOLE, SIMULATED).explained
    assert explained is not None
    assert (explained.policy, explained.answered_by, explained.prompt) == ("race", "large", "2 + 2?")


def test_without_a_rejection_a_race_with_a_cancelled_loser_is_explained() -> None:
    demo = demo_of(run_of("always-mini", delivered("mini")), run_of("race", delivered("mini", CANCELLED_RACE)))
    explained = build_report(demo, SIMULATED).explained
    assert explained is not None
    assert explained.policy == "race"
    assert explained.answered_by == "mini"


def test_recorded_figures_come_by_source_and_pooled() -> None:
    runs = (
        run_of("always-mini", delivered("mini", source="a"), delivered("mini", source="b")),
        run_of("always-large", delivered("large", source="a"), delivered("large", source="b")),
    )
    report = build_report(demo_of(*runs, sources=("a", "b")), RECORDED)
    assert [(item.source, item.policy, item.cases) for item in report.summaries] == [
        ("a", "always-mini", 1),
        ("a", "always-large", 1),
        ("b", "always-mini", 1),
        ("b", "always-large", 1),
        ("all", "always-mini", 2),
        ("all", "always-large", 2),
    ]
    assert "4 answers delivered; 0 differ" in for_markdown(report)


def test_a_report_of_a_stopped_demo_says_so_and_how_far_it_came() -> None:
    stopped = demo_of(run_of("always-mini", delivered("mini"), expected=2))
    report = build_report(stopped, SIMULATED)
    assert not report.is_whole
    assert "stopped before its end" in for_markdown(report)
    assert "| 1 of 2 |" in for_markdown(report)


def test_a_report_of_nothing_has_no_rows() -> None:
    report = build_report(demo_of(), SIMULATED)
    assert report.summaries == ()
    assert report.explained is None


def test_json_holds_every_figure_of_the_tables() -> None:
    facts = json.loads(json.dumps(build_report(WHOLE, SIMULATED).to_json()))
    race = next(item for item in facts["summaries"] if item["policy"] == "race")
    assert facts["complete"] is True
    assert facts["explained"]["policy"] == "race"
    assert race["quality"]["value"] == 1.0
    assert race["delivered_usd"] == pytest.approx(107e-9)
    assert race["burnt_usd"] == pytest.approx(57e-9)
    assert race["saved_ratio"]["value"] == pytest.approx(1 - 164 / 100)
    assert race["answered_by"] == {"large": 1, "mini": 1}
    assert race["plans"] == {"race": 2}
    assert set(race) == {
        "policy", "source", "cases", "results", "quality", "retention", "saved_ratio", "delivered_usd", "burnt_usd",
        "latency_s", "deadline_hits", "errors", "plans", "answered_by", "escalations", "rejected", "not_from_tier",
    }  # fmt: skip
