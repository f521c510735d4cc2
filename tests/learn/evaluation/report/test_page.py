from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from specroute.learn.evaluation.report.charts import charts
from specroute.learn.evaluation.report.page import page
from specroute.learn.evaluation.report.terminal import tables
from tests.learn.evaluation.conftest import HOSTILE

if TYPE_CHECKING:
    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.report.canvas import Chart

_VOID = {"meta", "img", "source"}


class _Reader(HTMLParser):
    """Collects the tags and what they point to, and proves that they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture(scope="module")
def drawn_charts(measured: Evaluation) -> tuple[Chart, ...]:
    return charts(measured)


@pytest.fixture(scope="module")
def html(measured: Evaluation, drawn_charts: tuple[Chart, ...]) -> str:
    return page(measured, {}, drawn_charts, command="specroute evaluate --outcomes '<b>.parquet'")


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def test_the_page_fetches_nothing(html: str) -> None:
    reader = _read(html)

    assert all(target.startswith("data:image/png;base64,") for target in reader.targets)
    assert len(reader.targets) == 6
    assert not reader.tags & {"script", "link", "iframe", "object", "embed"}
    assert "url(" not in html
    assert "@import" not in html


def test_a_hostile_name_is_only_text(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script src=&quot;https://evil.example/x.js&quot;&gt;" in html
    assert not re.search(r"https?://", html.replace("https://evil.example", ""))
    assert "&lt;b&gt;.parquet" in html


def test_the_page_says_what_was_found_and_how_to_find_it_again(measured: Evaluation, html: str) -> None:
    assert measured.advice.text.split(":")[0] in html
    for words in (
        "certified (product)",
        "cost_matched_shuffle",
        "specroute evaluate --outcomes",
        "Reproduce",
        "Method",
    ):
        assert words in html
    assert 'name="viewport"' in html
    assert "prefers-color-scheme" in html


def test_pictures_are_png_on_light_and_on_dark_ground(drawn_charts: tuple[Chart, ...]) -> None:
    assert [chart.name for chart in drawn_charts] == ["frontier", "reliability", "sources"]
    for chart in drawn_charts:
        assert chart.light.startswith(b"\x89PNG")
        assert chart.dark.startswith(b"\x89PNG")
        assert chart.light != chart.dark


def test_tables_show_hostile_names_as_they_are(measured: Evaluation) -> None:
    every = list(tables(measured, {}))

    assert [table.row_count for table in every] == [8, 20, 13, 15]
    assert HOSTILE in list(every[0].columns[0].cells)


def test_an_evaluation_without_a_verifier_is_drawn_and_told_too(cross_tuned: Evaluation) -> None:
    html = page(cross_tuned, {}, charts(cross_tuned), command="")

    _read(html)
    assert "tuned on one half of the groups and measured on the other" in html
    assert next(tables(cross_tuned, {})).row_count == 2
