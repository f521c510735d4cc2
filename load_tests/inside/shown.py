"""A report for people: a table for the terminal, and a page beside Locust's own."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECONDS = ("p50", "p90", "p95", "p99", "max", "mean", "ttft_p50", "ttft_p95", "ttft_p99")
_RATIOS = {
    "error_ratio": "failed calls",
    "deadline_ratio": "deadline hits",
    "escalation_ratio": "escalations",
    "degraded_ratio": "degraded answers",
    "late_ratio": "sent late",
    "quality": "right answers",
    "waste_ratio": "waste, of all money",
    "saved_ratio": "saved against always-large",
}


def lines_of(report: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yields a name and its values, in columns: all calls together, then each RPC where there are several."""
    columns = [report, *(report["by_rpc"].values() if len(report["by_rpc"]) > 1 else ())]
    figures = [column["figures"] for column in columns]

    def row(name: str, key: str, form: str) -> tuple[str, list[str]]:
        return name, [form.format(found[key]) if key in found else "-" for found in figures]

    yield row("calls", "calls", "{:.0f}")
    yield row("answered per second", "rps", "{:.1f}")
    for key in _SECONDS:
        yield row(key.replace("ttft_", "first token ") + " (s)", key, "{:.3f}")
    for key, name in _RATIOS.items():
        yield row(name, key, "{:.1%}")
    yield row("USD per 1,000 requests", "cost_usd", "{:.6f}")
    yield "plans", [_counts(column["counts"]["plans"]) for column in columns]
    yield "answered by", [_counts(column["counts"]["answered_by"]) for column in columns]
    yield "failures", [_counts(column["counts"]["failures"]) for column in columns]
    yield "answers of another tier", [_counts(column["counts"]["mixed_up"]) for column in columns]


def headings(report: Mapping[str, Any]) -> list[str]:
    """Returns the names of the columns."""
    names = list(report["by_rpc"])
    return ["all calls", *names] if len(names) > 1 else names or ["all calls"]


def as_text(report: Mapping[str, Any]) -> str:
    """Returns the table, for a terminal."""
    rows = [("", headings(report)), *((name, values) for name, values in lines_of(_per_1000(report)))]
    rows = [(name, values) for name, values in rows if name == "" or any(value != "-" for value in values)]
    first = max(len(name) for name, _ in rows)
    widths = [max(len(values[column]) for _, values in rows) for column in range(len(rows[0][1]))]
    table = [
        "  ".join([name.ljust(first), *(value.rjust(width) for value, width in zip(values, widths, strict=True))])
        for name, values in rows
    ]
    partial = " (partial: stopped before its end)" if report["partial"] else ""
    setting = report["settings"]
    title = f"specroute{partial}: {setting['workload']}; {setting['rate']:g} requests/s by {setting['users']} users"
    return "\n".join([title, *(line.rstrip() for line in table), *(_slo(slo) for slo in report["slos"])])


def as_page(report: Mapping[str, Any]) -> str:
    """Returns a self-contained page that keeps itself up to date."""
    told = _per_1000(report)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ["", *headings(told)])
    body = "".join(
        f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{html.escape(value)}</td>' for value in values)}</tr>"
        for name, values in lines_of(told)
    )
    slos = "".join(f"<li>{html.escape(_slo(slo))}</li>" for slo in report["slos"])
    workload = html.escape(str(report["settings"]["workload"]))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        "<title>specroute load test</title><style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#1a1a1a;"
        "background:#fff}table{border-collapse:collapse}th,td{padding:.25rem .9rem;border-bottom:1px solid #ddd;"
        "text-align:right;font-variant-numeric:tabular-nums}tr>th:first-child{text-align:left;font-weight:400}</style>"
        f"<h1>What the router did</h1><p>{workload}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f'</table><ul>{slos}</ul><p><a href="specroute.json">as JSON</a></p></html>'
    )


def _per_1000(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ``report`` with the cost of a thousand requests in place of one's."""

    def scaled(part: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(part["figures"])
        if "cost_usd" in found:
            found["cost_usd"] *= 1000.0
        return {**part, "figures": found}

    return {**scaled(report), "by_rpc": {name: scaled(part) for name, part in report["by_rpc"].items()}}


def _slo(slo: Mapping[str, Any]) -> str:
    return f"SLO {slo['slo']}: {'kept' if slo['kept'] else 'MISSED: ' + slo['said']}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "-"
