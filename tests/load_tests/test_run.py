from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from load_tests.inside.options import Settings
from load_tests.inside.run import Run, mix_of
from load_tests.inside.shown import as_page, as_text
from load_tests.rows import read_rows
from specroute.edge.client.aio import Answered
from specroute.edge.client.receipts import read_receipt
from specroute.learn.readers import OutcomesError
from specroute.load.cases import workload_cases
from specroute.load.mix import Mix
from specroute.load.slo import parse_slo
from specroute.v1 import decision_pb2
from tests.load_tests.builders import call, failed

CASES = workload_cases(3, seed=1)
SETTINGS = Settings("localhost:1", 8.0, 30.0, 0, "steady", "graded", None, None, "a|b", (), None, None)


def run(settings: Settings = SETTINGS, **fields: object) -> Run:
    return Run(settings, Mix("three tasks", CASES, is_recorded=False), "localhost:1", 8.0, **fields)  # type: ignore[arg-type]


def answer(text: str, *, tier: str = "mini", model: str = "mini") -> Answered:
    return Answered("1", text, (), "stop", tier, "mini-0", model, False, read_receipt(decision_pb2.Decision()))


def test_answers_are_graded_and_must_be_their_tiers_own() -> None:
    case = CASES[0]

    assert run().judge(case, answer(case.task.right_answer)) == (True, True)
    assert run().judge(case, answer(case.task.wrong_answer)) == (False, True)
    assert run().judge(case, answer("x", model="large"))[1] is False


def test_grades_and_the_check_of_the_tier_can_be_left_out() -> None:
    case, other = CASES[0], answer("x", model="gpt-5")

    assert run(replace(SETTINGS, check="tier")).judge(case, other) == (None, False)
    assert run(replace(SETTINGS, check="none")).judge(case, other) == (None, True)


def test_a_worker_hands_its_calls_to_the_master_once() -> None:
    worker, master = run(is_worker=True), run()
    worker.collected(call())

    master.added(worker.taken())
    master.added(worker.taken())

    assert master.rows == [call()]
    assert worker.rows == []


def test_the_run_ends_with_the_last_wanted_call() -> None:
    told: list[str] = []
    counted = run(replace(SETTINGS, requests=2), on_last=lambda: told.append("over"))

    for _ in range(2):
        assert counted.report()["partial"] is True
        counted.collected(call())

    assert told == ["over"]
    assert counted.report()["partial"] is False


def test_a_new_test_of_the_web_ui_begins_with_nothing() -> None:
    again = run()
    first = again.feed.take()
    again.collected(call())

    again.restart()

    assert again.rows == []
    assert again.feed.take() is first


def test_the_report_judges_every_slo() -> None:
    slos = (parse_slo("p99<=2s"), parse_slo("error_ratio<=0.1"), parse_slo("ttft_p50<=1s"))
    judged = run(replace(SETTINGS, slos=slos))
    judged.added([call().to_json(), failed().to_json()])

    kept, missed, unknown = judged.report()["slos"]

    assert (kept["kept"], kept["said"]) == (True, "")
    assert (missed["kept"], unknown["kept"]) == (False, False)
    assert "0.5" in missed["said"]
    assert "not known" in unknown["said"]


def test_report_and_rows_are_files_without_a_prompt(tmp_path: Path) -> None:
    settings = replace(SETTINGS, report=tmp_path / "new" / "r.json", rows=tmp_path / "rows.jsonl")
    written = run(settings)
    written.collected(call())

    told = written.write()

    assert orjson.loads((tmp_path / "new" / "r.json").read_bytes()) == told
    assert read_rows(tmp_path / "rows.jsonl") == [call()]
    assert not any(case.task.prompt in (tmp_path / "new" / "r.json").read_text() for case in CASES)


def test_a_run_without_calls_is_a_valid_report() -> None:
    told = run().report()

    assert told["figures"] == {}
    assert "partial" in as_text(told)
    assert as_page(told).startswith("<!doctype html>")


def test_the_table_shows_each_rpc_beside_all_calls_and_never_an_aggregate_of_first_tokens() -> None:
    both = run(replace(SETTINGS, slos=(parse_slo("p99<=2s"),)))
    both.added([call().to_json(), call(rpc="RouteStream", first_token_s=0.25).to_json()])

    text = as_text(both.report())

    assert text.splitlines()[1].split() == ["all", "calls", "Route", "RouteStream"]
    assert "SLO p99<=2s: kept" in text
    assert "0.250" in text
    assert "Aggregated" not in text


def test_the_page_escapes_what_it_shows() -> None:
    shown = run()
    shown.added([failed(reason="<b>").to_json()])

    assert "&lt;b&gt;" in as_page(shown.report())


def test_outcomes_that_are_not_there_are_named() -> None:
    with pytest.raises(OutcomesError, match=r"nowhere\.parquet"):
        mix_of(replace(SETTINGS, outcomes=Path("nowhere.parquet")))
