"""A report for people: on a terminal or as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from specroute.demo.figures import NANO_USD, POOLED
from specroute.demo.report import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from specroute.demo.figures import Summary
    from specroute.demo.report import Explained, Report
    from specroute.learn.metrics import Figure

SHOWN_CHARS = 600
UNKNOWN = "-"

_LEGEND = (
    "burnt: paid for answers that were not delivered. saved: against always-large, net of what was burnt. "
    "always-mini and always-large have one tier, so nothing escalates."
)
_DEADLINE_LEGEND = "deadline hits: requests whose time ran out."
_SOURCES = {
    "bfcl_fc": "function calling",
    "zeroeval_crux": "predicting a program's output",
    "zeroeval_gsm8k": "school mathematics",
    "zeroeval_numersense": "comparing numbers",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """A table before it is drawn: every row has as many cells as there are ``columns``."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_rich(self) -> Table:
        """Returns it for a terminal; a line separates what differs in the first cell."""
        table = Table(*self.columns)
        for column in table.columns[1:]:
            column.overflow = "fold"
        for row, after in zip(self.rows, (*self.rows[1:], ("",)), strict=True):
            table.add_row(*map(escape, row), end_section=self.columns[0] == "source" and row[0] != after[0])
        return table

    def to_markdown(self) -> str:
        """Returns it as a Markdown table."""
        lines = (self.columns, ("---",) * len(self.columns), *self.rows)
        return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def grids(report: Report) -> tuple[Grid, ...]:
    """Returns the tables of a report of its kind."""
    if report.kind == SIMULATED:
        return _paid_and_got(report), _what_happened(report)
    return (_recorded(report),)


def for_terminal(report: Report) -> Iterator[RenderableType]:
    """Yields what is printed, in order; text is escaped."""
    yield f"[bold]{report.kind}[/bold]{'' if report.is_whole else ' (stopped before its end)'}"
    yield escape(report.note)
    yield escape(report.setting)
    for table in grids(report):
        yield table.to_rich()
    for line in _below(report):
        yield escape(line)
    if report.explained is not None:
        yield ""
        yield escape(in_words(report.explained))


def for_markdown(report: Report) -> str:
    """Returns the heading, what the figures mean, and the table."""
    stopped = "" if report.is_whole else " (stopped before its end)"
    head = f"**{report.kind.capitalize()}**{stopped}"
    tables = (table.to_markdown() for table in grids(report))
    return "\n\n".join((head, report.note, f"{report.setting}.", *tables, *_below(report)))


def in_words(explained: Explained) -> str:
    """Returns one request with its prompt, its answer and its decision."""
    return (
        f"One decision in words (policy {explained.policy})\n"
        f"asked      {_cut(explained.prompt)}\n"
        f"answered   by {explained.answered_by}: {_cut(explained.answer)}\n"
        f"{explained.words}"
    )


def _paid_and_got(report: Report) -> Grid:
    columns = ("policy", "requests", "quality % [95 %]", "delivered $", "burnt $", "saved %", "p50 s", "p99 s")
    rows = (
        (
            summary.policy,
            _requests(summary),
            _percent(summary.quality),
            _usd(summary.delivered_nano_usd),
            _usd(summary.burnt_nano_usd),
            _percent(summary.saved, interval=False),
            f"{summary.p50_s:.2f}",
            f"{summary.p99_s:.2f}",
        )
        for summary in report.summaries
    )
    return Grid(columns, tuple(rows))


def _what_happened(report: Report) -> Grid:
    columns = ("policy", "plans", "answered by", "escalated", "rejected", "deadline hits", "other errors")
    rows = (
        (
            summary.policy,
            _shares(summary.plans, summary.results),
            _counts(summary.answered_by),
            str(summary.escalations),
            _rejected(summary.rejected),
            str(summary.deadline_hits),
            _counts(summary.errors),
        )
        for summary in report.summaries
    )
    return Grid(columns, tuple(rows))


def _recorded(report: Report) -> Grid:
    columns = (
        "source", "policy", "n", "quality % [95 %]", "of large's %", "delivered $", "burnt $", "saved % [95 %]",
        "answered by", "escalated", "rejected", "errors",
    )  # fmt: skip
    rows = (
        (
            summary.source,
            summary.policy,
            _requests(summary),
            _percent(summary.quality),
            _percent(summary.retention, interval=False),
            _usd(summary.delivered_nano_usd),
            _usd(summary.burnt_nano_usd),
            _percent(summary.saved),
            _counts(summary.answered_by),
            str(summary.escalations),
            _rejected(summary.rejected),
            _counts(summary.errors, deadline_hits=summary.deadline_hits),
        )
        for summary in report.summaries
    )
    return Grid(columns, tuple(rows))


def _below(report: Report) -> tuple[str, ...]:
    if report.kind == SIMULATED:
        return (f"{_LEGEND} {_DEADLINE_LEGEND}",)
    present = {summary.source for summary in report.summaries}
    known = ", ".join(f"{source}: {what}" for source, what in _SOURCES.items() if source in present)
    return (
        f"{_LEGEND} of large's: quality as a share of always-large's.",
        *([f"{known}."] if known else []),
        _proof(report),
    )


def _proof(report: Report) -> str:
    delivered = sum(sum(item.answered_by.values()) for item in report.summaries if item.source == POOLED)
    return (
        f"{delivered} answers delivered; {report.not_from_tier} differ from what the tier that the decision names is "
        "recorded with."
    )


def _requests(summary: Summary) -> str:
    return str(summary.results) if summary.results == summary.cases else f"{summary.results} of {summary.cases}"


def _percent(figure: Figure | None, *, interval: bool = True) -> str:
    if figure is None or figure.value is None or figure.lo is None or figure.hi is None:
        return UNKNOWN
    value = f"{100.0 * figure.value:.1f}"
    return f"{value} [{100.0 * figure.lo:.1f}, {100.0 * figure.hi:.1f}]" if interval else value


def _usd(nano_usd: int) -> str:
    return f"{nano_usd / NANO_USD:.4f}"


def _shares(counts: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{name} {100.0 * count / total:.0f} %" for name, count in counts.items()) or UNKNOWN


def _counts(counts: Mapping[str, int], *, deadline_hits: int = 0) -> str:
    named = [f"{name.lower()} {count}" for name, count in counts.items()]
    if deadline_hits:
        named.append(f"deadline_exceeded {deadline_hits}")
    return ", ".join(named) or "0"


def _rejected(counts: Mapping[str, int]) -> str:
    """Returns ``{"mini: empty": 1}`` with each tier named once."""
    by_tier: dict[str, list[str]] = {}
    for name, count in counts.items():
        tier, _, reason = name.partition(": ")
        by_tier.setdefault(tier, []).append(f"{reason} {count}")
    return "; ".join(f"{tier}: {', '.join(reasons)}" for tier, reasons in by_tier.items()) or "0"


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= SHOWN_CHARS else f"{one_line[:SHOWN_CHARS]} ..."


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
