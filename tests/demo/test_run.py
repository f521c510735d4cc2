"""The whole demo in this process: simulated tiers, four services and their clients over loopback sockets."""

from collections import Counter
from pathlib import Path

import pytest

from specroute.core.outcome import AttemptEnd
from specroute.demo.figures import Summary
from specroute.demo.policies import SIMULATED_POLICIES
from specroute.demo.report import RECORDED, SIMULATED, Report, build_report
from specroute.demo.run import Demo, DemoOptions
from specroute.demo.tables import for_markdown
from specroute.load.cases import SIMULATED_TIERS, known_answers, workload_cases
from tests.load.recorded_rows import PAIR, ROWS, written

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

CASES = 40


class NotedProgress:
    def __init__(self) -> None:
        self.noted: Counter[str] = Counter()

    def started(self, policy: str, total: int) -> None:
        self.noted[f"{policy} started with"] += total

    def advanced(self, policy: str) -> None:
        self.noted[f"{policy} advanced"] += 1

    def finished(self, policy: str) -> None:
        self.noted[f"{policy} finished"] += 1


def by_policy(report: Report, source: str = "all") -> dict[str, Summary]:
    return {summary.policy: summary for summary in report.summaries if summary.source == source}


async def test_four_policies_are_compared_on_the_same_simulated_tasks() -> None:
    # Without a model every request lies between the cuts, so cascade and race are what they are named after.
    cases = workload_cases(CASES, seed=5)
    options = DemoOptions(concurrency=16, deadline_s=10.0, speed=20.0, seed=5)
    demo = Demo(cases, SIMULATED_POLICIES, known_answers(cases, seed=5), SIMULATED_TIERS, options)
    progress = NotedProgress()

    await demo.run(progress)

    report = build_report(demo, SIMULATED)
    found = by_policy(report)
    assert list(found) == ["always-mini", "always-large", "cascade", "race"]
    assert report.is_whole
    assert report.not_from_tier == 0
    for name, summary in found.items():
        assert progress.noted[f"{name} started with"] == progress.noted[f"{name} advanced"] == CASES
        failures = summary.deadline_hits + sum(summary.errors.values())
        assert sum(summary.answered_by.values()) + failures == summary.results == CASES
        assert sum(summary.plans.values()) == CASES
    assert found["always-large"].quality.value > found["always-mini"].quality.value  # type: ignore[operator]  # never None
    assert found["cascade"].plans == {"cascade": CASES}
    assert found["race"].plans == {"race": CASES}
    assert found["cascade"].escalations > 0
    assert found["race"].burnt_nano_usd > found["cascade"].burnt_nano_usd
    for run in demo.runs:
        paid = {AttemptEnd.WON: 0, AttemptEnd.NOT_LAUNCHED: 0}
        for result in run.results.values():
            assert result.receipt is not None
            for attempt in result.receipt.attempts:
                paid[attempt.end] = paid.get(attempt.end, 0) + attempt.cost.best_nano_usd
        summary = found[run.policy]
        assert summary.delivered_nano_usd == paid.pop(AttemptEnd.WON)
        assert summary.burnt_nano_usd == sum(paid.values())


async def test_recorded_answers_arrive_as_recorded_and_keep_their_grades(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from specroute.load.recorded_cases import recorded_workload
    from specroute.upstreams.simulated.profile import DEFAULT_TIERS

    path = written(tmp_path / "outcomes.parquet", ROWS)
    cases, book = recorded_workload(path, PAIR)
    options = DemoOptions(concurrency=4, deadline_s=10.0, speed=50.0)
    demo = Demo(cases, SIMULATED_POLICIES, book, DEFAULT_TIERS, options)

    await demo.run(NotedProgress())

    report = build_report(demo, RECORDED)
    assert report.not_from_tier == 0
    found = by_policy(report)
    assert found["always-large"].quality.value == 1.0
    assert found["always-large"].answered_by == {"large": 6}
    assert found["always-mini"].errors == {"NO_ACCEPTABLE_ANSWER": 1}
    assert found["always-mini"].rejected == {"mini: empty": 1}
    assert found["always-mini"].quality.value == 0.5
    assert found["cascade"].escalations == 1
    assert found["cascade"].answered_by == {"mini": 5, "large": 1}
    # 20 input and 5 output tokens: 100 * 1000 nano-USD of large, 6 * 1000 of mini.
    assert found["always-large"].delivered_nano_usd == 6 * 100_000
    assert found["cascade"].delivered_nano_usd == 5 * 6_000 + 100_000
    assert by_policy(report, "capitals")["cascade"].escalations == 1
    assert "20 answers delivered" not in for_markdown(report)
    assert "23 answers delivered; 0 differ" in for_markdown(report)
