"""The page, the picture, the tables and the folder of a run."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from specroute.config import parse_settings
from specroute.predictor.certificate import read_certificate
from specroute.tuning.findings import PolicyEffect, Span
from specroute.tuning.report.charts import charts
from specroute.tuning.report.folder import write_folder
from specroute.tuning.report.page import page
from specroute.tuning.report.run import Run
from specroute.tuning.report.terminal import FRONT_LINES, tables
from specroute.tuning.targets import Targets
from tests.tuning.found import PAIR, do_not_route, effect, figure, found, front, policies
from tests.tuning.report.made_up import run, whole_run

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.learn.evaluation.report.canvas import Chart


@pytest.fixture(scope="module")
def drawn() -> tuple[Chart, ...]:
    return charts(found())


def test_the_picture_is_drawn_on_light_and_on_dark_ground(drawn: tuple[Chart, ...]) -> None:
    (chart,) = drawn

    assert chart.name == "front"
    assert chart.light.startswith(b"\x89PNG")
    assert chart.dark.startswith(b"\x89PNG")
    assert chart.light != chart.dark


def test_a_policy_that_nobody_knew_is_drawn_too() -> None:
    more = (*policies(effect()), PolicyEffect("of_tomorrow", None, effect(0.3, 0.97)))

    assert charts(found(policies=more))[0].light.startswith(b"\x89PNG")


def test_the_page_fetches_nothing_and_says_all(drawn: tuple[Chart, ...], tmp_path: Path) -> None:
    html = page(whole_run(tmp_path), drawn)

    assert not re.search(r"https?://(?!127)|<script|<link|url\(|@import", html)
    assert html.count("data:image/png;base64,") == 2
    for words in (
        "Route: use the recommended configuration.",
        "It beats its own decisions shuffled.",
        "cost_matched_shuffle",
        "12,345 settings",
        "Recommended configuration (tuned and measured, not certified)",
        "+    hedge_delay: 1.19s",
        "engine, sent live",
        "Search, engine and live service agree",
        "The certified alternative saves 40.0 % (38.0 to 42.0) and keeps",
        "How it was measured",
        "30 rows of the pair without both answers",
    ):
        assert words in html


def test_what_comes_from_outside_is_only_text(drawn: tuple[Chart, ...], tmp_path: Path) -> None:
    html = page(whole_run(tmp_path), drawn)

    assert "<b>.parquet" not in html
    assert "&lt;b&gt;.parquet" in html


def test_do_not_route_comes_first_and_nothing_is_called_recommended(drawn: tuple[Chart, ...], tmp_path: Path) -> None:
    html = page(run(do_not_route(), tmp_path), drawn)

    assert html.index("Do not route") < html.index("<table>")
    assert "<td>recommended</td>" not in html
    assert "<td>best_found</td>" in html
    assert "Nothing could be certified" in html


def test_a_page_of_a_run_that_found_nothing_is_a_page() -> None:
    html = page(Run("specroute tune", PAIR, Targets(), "searching", is_partial=True), ())

    assert "Stopped before an answer was found." in html
    assert html.endswith("</html>\n")


def shown(of: Run) -> str:
    console = Console(width=220, record=True, file=io.StringIO())
    for table in tables(of):
        console.print(table)
    return console.export_text()


def test_the_tables_show_every_policy_with_intervals(tmp_path: Path) -> None:
    text = shown(whole_run(tmp_path))

    for policy in found().policies:
        assert policy.name in text
    assert "60.0 % (58.0 to 62.0)" in text
    assert "0.93 (0.91 to 0.95)" in text
    assert "after 900ms to after 1.5s" in text
    assert "in time" not in text


def test_a_deadline_has_a_column_of_its_own(tmp_path: Path) -> None:
    timed = replace(effect(), deadline_hit_ratio=figure(0.97, 0.01))
    text = shown(run(found(policies=policies(timed)), tmp_path))

    assert "in time" in text
    assert "97.0 % (96.0 to 98.0)" in text


def test_a_cut_that_some_resamples_never_use_is_said_so(tmp_path: Path) -> None:
    spans = {"direct_mini": Span(0.98, 0.9, None), "direct_large": Span(None, None, None)}
    text = shown(run(found(optimum=replace(found().optimum, spans=spans)), tmp_path))

    assert "0.9 to never" in text
    assert "large alone to p " not in text.partition("The best of")[2]


def test_a_terminal_shows_a_long_front_in_part(tmp_path: Path) -> None:
    text = shown(run(found(front=front() * 8), tmp_path))

    assert "(40 in all)" in text
    assert text.count("mini's answer kept from 0.7, large") == FRONT_LINES


def test_the_folder_holds_everything_that_was_promised(tmp_path: Path) -> None:
    out = tmp_path / "tuned"

    files = write_folder(whole_run(tmp_path), out, base_is_made=True)

    assert {path.name for path in files} == {
        *("front.png", "tuning.json", "report.html", "recommended.yaml", "recommended.diff"),
        *("base.yaml", "certified.yaml", "certificate.json"),
    }
    assert json.loads((out / "tuning.json").read_text("utf-8"))["answer"] == "route"
    assert read_certificate(out / "certificate.json").pair == PAIR
    (out / "model").mkdir()
    for name in ("recommended.yaml", "certified.yaml"):
        assert parse_settings((out / name).read_text("utf-8"), name, folder=out, environ=None).policy.tuned is not None


def test_a_folder_never_shows_the_recommendation_of_an_earlier_run(tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    write_folder(whole_run(tmp_path), out, base_is_made=False)

    write_folder(run(do_not_route(), tmp_path), out, base_is_made=False)

    assert {path.name for path in out.iterdir()} == {"front.png", "tuning.json", "report.html"}
