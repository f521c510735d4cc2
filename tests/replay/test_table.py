"""Figures of a replay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from specroute.replay.answers import ReplayError
from specroute.replay.policies import baselines
from specroute.replay.run import PlayedRow, ReplayRun, replay
from specroute.replay.table import summarise
from specroute.upstreams.simulated.latency import latency_model
from tests.replay.world import PAIR, row, settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def played(number: int, **changed: object) -> PlayedRow:
    made = PlayedRow(
        row=row(number),
        plan="cascade",
        first_tier="mini",
        delivered_tier="mini",
        correct=True,
        cost_usd=0.001,
        waste_usd=0.0,
        latency_s=1.0,
        ttft_s=0.2,
        calls=1,
        escalated=False,
        degraded=False,
        error="",
        p_accept=0.5,
        p_low=0.4,
        p_high=0.6,
        verifier_p=0.7,
    )
    return replace(made, **changed)  # type: ignore[arg-type]  # attributes of any type


def run_of(*rows: PlayedRow, expected: int | None = None, deadline_s: float | None = None) -> ReplayRun:
    return ReplayRun(rows, len(rows) if expected is None else expected, deadline_s, 0)


def value(run: ReplayRun, name: str, baseline: ReplayRun | None = None) -> float | None:
    return summarise(run, baseline, 0).figures[name].value


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    run = run_of(*(played(number, latency_s=float(number)) for number in range(1, 101)))

    assert [value(run, name) for name in ("p50_s", "p90_s", "p99_s")] == [50.0, 90.0, 99.0]


def test_ratios_are_to_always_large() -> None:
    run = run_of(*(played(number, latency_s=2.0, cost_usd=0.5, correct=number % 2 == 0) for number in range(10)))
    large = run_of(*(played(number, latency_s=4.0, cost_usd=2.0) for number in range(10)))

    assert value(run, "p50_ratio", large) == 0.5
    assert value(run, "saved_ratio", large) == 0.75
    assert value(run, "retention", large) == 0.5


def test_a_run_that_was_cut_short_is_compared_on_the_rows_that_it_has() -> None:
    large = run_of(*(played(number, cost_usd=1.0 + number) for number in range(10)))
    run = run_of(*(played(number, cost_usd=1.0) for number in range(3)), expected=10)

    summary = summarise(run, large, 0)

    assert summary.figures["saved_ratio"].value == pytest.approx(1.0 - 3.0 / 6.0)
    assert summary.as_dict()["partial"] is True


def test_another_baseline_than_one_of_the_same_rows_is_refused() -> None:
    with pytest.raises(ReplayError, match="not played on the same rows"):
        summarise(run_of(played(1), played(2)), run_of(played(2), played(1)), 0)


def test_nothing_played_is_nothing_to_summarise() -> None:
    with pytest.raises(ReplayError, match="no row was played"):
        summarise(run_of(expected=5), None, 0)


def test_a_request_is_late_by_its_error_or_by_its_time() -> None:
    late = played(1, error="deadline_exceeded", delivered_tier="", correct=False, ttft_s=None, latency_s=1.9)
    run = run_of(late, played(2, latency_s=2.5), played(3), played(4), deadline_s=2.0)

    summary = summarise(run, None, 0)

    assert summary.figures["deadline_ratio"].value == 0.5
    assert summary.figures["error_ratio"].value == 0.25
    assert summary.errors == {"deadline_exceeded": 1}
    assert summary.delivered == {"mini": 0.75, "none": 0.25}


def test_direct_plans_are_told_apart_by_their_tier() -> None:
    run = run_of(
        played(1, plan="direct"), played(2, plan="direct", first_tier="large"), played(3, plan="race"), played(4)
    )

    assert summarise(run, None, 0).plans == {"cascade": 0.25, "direct_large": 0.25, "direct_mini": 0.25, "race": 0.25}


def test_near_duplicates_are_drawn_together_so_that_they_do_not_narrow_an_interval() -> None:
    apart = [played(number, correct=number % 2 == 0) for number in range(40)]
    copies = [replace(each, row=replace(each.row)) for each in apart for _ in range(10)]

    alone, tenfold = (summarise(run_of(*rows), None, 0).figures["quality"] for rows in (apart, copies))

    assert alone == tenfold


def test_every_figure_can_be_computed_again_from_the_rows_file(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    from specroute.replay.report.rows_file import write_rows

    own = settings("500ms")
    rows = [
        row(number, mini_ok=number % 3 > 0, mini_response="" if number % 7 == 0 else "Yes.") for number in range(60)
    ]
    model = latency_model("mini-fast")
    policies = {"configured": own, "always_large": baselines(own, ["always_large"], hedge_delay_s=1.0)[0].settings}
    runs = {
        name: replay(each, rows, pair=PAIR, latency=model, seed=3, deadline_s=2.0, advance=lambda: None)
        for name, each in policies.items()
    }
    assert write_rows(runs, tmp_path / "new" / "rows.parquet") == 120

    table = parquet.read_table(tmp_path / "new" / "rows.parquet").to_pydict()
    of = {name: np.array([policy == name for policy in table["policy"]]) for name in runs}

    def column(name: str, policy: str = "configured") -> NDArray[np.float64]:
        values: NDArray[np.float64] = np.array(table[name], dtype=np.float64)[of[policy]]
        return values

    def percentile(policy: str, percent: int) -> float:
        return float(np.quantile(column("latency_s", policy), percent / 100.0, method="inverted_cdf"))

    figures = summarise(runs["configured"], runs["always_large"], 0).figures
    large_cost = column("cost_usd", "always_large").mean()
    first = [late if first is None else first for first, late in zip(table["ttft_s"], table["latency_s"], strict=True)]
    again = {
        "quality": column("delivered_correct").mean(),
        "retention": column("delivered_correct").mean() / column("delivered_correct", "always_large").mean(),
        "cost_usd_per_1000": 1000.0 * column("cost_usd").mean(),
        "waste_usd_per_1000": 1000.0 * column("waste_usd").mean(),
        "waste_ratio": column("waste_usd").sum() / column("cost_usd").sum(),
        "saved_ratio": 1.0 - column("cost_usd").mean() / large_cost,
        "mean_s": column("latency_s").mean(),
        **{f"p{percent}_s": percentile("configured", percent) for percent in (50, 90, 99)},
        **{
            f"p{percent}_ratio": percentile("configured", percent) / percentile("always_large", percent)
            for percent in (50, 90, 99)
        },
        "ttft_p50_s": float(np.quantile(np.array(first)[of["configured"]], 0.5, method="inverted_cdf")),
        "deadline_ratio": column("deadline_exceeded").mean(),
        "amplification": column("calls").mean(),
        "escalation_ratio": column("escalated").mean(),
        "degraded_ratio": column("degraded").mean(),
        "error_ratio": np.mean([bool(error) for error in np.array(table["error"])[of["configured"]]]),
    }
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(again, abs=1e-6)
