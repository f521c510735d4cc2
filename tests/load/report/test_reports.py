import csv
import io
import json
import re

import pytest

from specroute.load.figures import summarise
from specroute.load.generator import LoadOptions
from specroute.load.records import LoadRun
from specroute.load.report.charts import charts
from specroute.load.report.document import Bench, document, judged
from specroute.load.report.lines import facts, setting, times
from specroute.load.report.page import page
from specroute.load.report.rows_file import COLUMNS, write_rows
from specroute.load.slo import parse_slo
from tests.load.records import call, paid, run_of

RUN = run_of(
    call(0, first_token_s=0.25, receipt=paid(60, 40, 500)),
    call(1, latency_s=2.0, first_token_s=1.5),
    call(2, status="DEADLINE_EXCEEDED", latency_s=5.0),
)


def bench_of(run: LoadRun, *slos: str) -> Bench:
    summary = summarise(run)
    missed = judged(summary, [parse_slo(text) for text in slos])
    return Bench(LoadOptions("h:1", stream=True), "made up <b>", "20", "poisson", 2.0, 0, summary, missed)


def test_the_document_has_every_figure_and_every_objective() -> None:
    facts = json.loads(json.dumps(document(bench_of(RUN, "p50<=3s", "p99<=1s"))))

    assert facts["partial"] is False
    assert facts["figures"]["p50"] == 2.0
    assert facts["intervals"]["p99"].keys() == {"value", "lo", "hi"}
    assert facts["ends"] == {"OK": 2, "DEADLINE_EXCEEDED": 1}
    assert facts["slo"] == [
        {"objective": "p50<=3s", "kept": True, "missed": ""},
        {"objective": "p99<=1s", "kept": False, "missed": "p99 5 s, wanted <= 1 s"},
    ]


def test_an_interrupted_run_without_a_call_is_a_valid_marked_document() -> None:
    bench = bench_of(run_of(intended=9, unfinished=2, is_partial=True), "p50<=3s")
    facts = json.loads(json.dumps(document(bench), allow_nan=False))

    assert (facts["partial"], facts["calls"], facts["unfinished"], facts["figures"]) == (True, 0, 2, {})
    assert facts["slo"][0]["missed"] == "p50 is not known here, wanted <= 3 s"
    assert "stopped before its end" in setting(bench)
    assert "</html>" in page(bench, charts([]), command="x")


def test_the_rows_have_times_plan_and_money_and_no_text() -> None:
    file = io.StringIO()
    write_rows(RUN.records, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))

    assert tuple(rows[0]) == COLUMNS
    assert [row["latency_s"] for row in rows] == ["1.000000", "2.000000", "5.000000"]
    assert (rows[0]["plan"], rows[0]["tier"], rows[0]["waste_nano_usd"]) == ("direct", "mini", "40")
    assert (rows[2]["status"], rows[2]["tier"], rows[2]["first_token_s"]) == ("DEADLINE_EXCEEDED", "", "")
    assert "2 + 2?" not in file.getvalue()


def test_the_lines_name_all_times_and_facts() -> None:
    summary = summarise(RUN)

    assert times(summary)[0] == ("latency", "2.000", "5.000", "5.000", "5.000", "5.000")
    assert [line[0] for line in times(summary)] == [
        "latency",
        "first token",
        "from the actual sending",
        "sent late by",
    ]
    assert ("ends", "OK 2, DEADLINE_EXCEEDED 1") in facts(summary)


def test_the_page_needs_nothing_else_and_escapes_what_comes_from_outside() -> None:
    text = page(bench_of(RUN, "p99<=1s"), (), command="specroute bench --slo 'p99<=1s'")

    assert "made up &lt;b&gt;" in text
    assert "p99 5 s, wanted &lt;= 1 s" in text
    assert "--slo &#x27;p99&lt;=1s&#x27;" in text
    assert not re.search(r"https?://|<script|<link", text)


def test_the_picture_is_embedded_where_matplotlib_is_there() -> None:
    pytest.importorskip("matplotlib")
    drawn = charts(RUN.records)

    assert [chart.name for chart in drawn] == ["latency"]
    assert drawn[0].light.startswith(b"\x89PNG")
    assert "data:image/png;base64," in page(bench_of(RUN), drawn, command="x")
    assert charts([]) == ()
