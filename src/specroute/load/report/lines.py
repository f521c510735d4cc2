"""The figures of a load run as lines of text, the same for a terminal and for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specroute.load.figures import LoadSummary
    from specroute.load.report.document import Bench

UNKNOWN = "-"


def setting(bench: Bench) -> str:
    """Returns what was asked for, in one line."""
    rpc = "RouteStream" if bench.options.stream else "Route"
    stopped = ", stopped before its end" if bench.summary.is_partial else ""
    return (
        f"{rpc} at {bench.options.server}: {bench.summary.calls:,} of {bench.summary.intended:,} calls, "
        f"{bench.rate} per second ({bench.arrivals}), deadline {bench.options.deadline_s:g} s, seed {bench.seed}; "
        f"{bench.mix}{stopped}"
    )


def times(summary: LoadSummary) -> list[tuple[str, ...]]:
    """Returns latency, first token, service time and lateness: what, p50, p90, p95, p99, max; in seconds."""
    figures = summary.as_dict()
    ranks = ("p50", "p90", "p95", "p99", "max")
    lines = [("latency", *(_seconds(figures, rank) for rank in ranks))]
    for name, what in (("ttft", "first token"), ("service", "from the actual sending"), ("lateness", "sent late by")):
        if f"{name}_p50" in figures:
            lines.append((what, *(_seconds(figures, f"{name}_{rank}") for rank in ranks)))
    return lines


def facts(summary: LoadSummary) -> list[tuple[str, str]]:
    """Returns everything else, a name and a value each."""
    figures = summary.as_dict()
    quality = "quality" in figures
    return [
        ("calls per second answered", _number(figures, "rps", "{:.2f}")),
        ("latency p50, p99, 95 %", f"{_interval(summary, 'p50', 1.0, 3)} s, {_interval(summary, 'p99', 1.0, 3)} s"),
        ("right answers, % [95 %]", _interval(summary, "quality", 100.0, 1) if quality else UNKNOWN),
        ("USD per 1,000 [95 %]", _interval(summary, "cost_usd", 1000.0, 4)),
        ("burnt, % of all money", _number(figures, "waste_ratio", "{:.1f}", 100.0)),
        ("saved against always-large, %", _number(figures, "saved_ratio", "{:.1f}", 100.0)),
        ("plans", _counts(summary.plans)),
        ("answered by", _counts(summary.answered_by)),
        ("rejected", _counts(summary.rejected)),
        ("escalated, %", _number(figures, "escalation_ratio", "{:.1f}", 100.0)),
        ("degraded, %", _number(figures, "degraded_ratio", "{:.1f}", 100.0)),
        ("deadline hits, %", _number(figures, "deadline_ratio", "{:.1f}", 100.0)),
        ("ends", _counts(summary.ends)),
    ]


def _seconds(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.3f}" if name in figures else UNKNOWN


def _number(figures: Mapping[str, float], name: str, form: str, scale: float = 1.0) -> str:
    return form.format(scale * figures[name]) if name in figures else UNKNOWN


def _interval(summary: LoadSummary, name: str, scale: float, digits: int) -> str:
    found = summary.intervals.get(name)
    if found is None or found.value is None or found.lo is None or found.hi is None:
        return UNKNOWN
    value, lo, hi = (f"{scale * number:.{digits}f}" for number in (found.value, found.lo, found.hi))
    return f"{value} [{lo}, {hi}]"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or UNKNOWN
