"""A load run as one HTML page that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from specroute.learn.evaluation.report.markup import picture, table, whole_page
from specroute.load.report.lines import facts, setting, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.learn.evaluation.report.canvas import Chart
    from specroute.load.report.document import Bench

_METHOD = (
    "Open loop: requests are sent when they are due, whether or not earlier ones have been answered. Latency and first "
    "token count from the moment at which a call was meant to be sent, so a generator or a queue that is late cannot "
    "hide it. Failed calls count with the time they took. Intervals: 95 %, bootstrap by case."
)


def page(bench: Bench, charts: Sequence[Chart], *, command: str) -> str:
    """Returns the page; ``command`` is what reproduces it. All that comes from outside is escaped."""
    summary = bench.summary
    missed = [line for line in bench.missed.values() if line]
    verdict = "; ".join(missed) or "all objectives held"
    body = [
        "<h1>Load on a running service</h1>",
        *([f'<p class="advice {"off" if missed else "on"}">{escape(verdict)}</p>'] if bench.missed else ()),
        *(f'<p class="advice off">{escape(warning)}</p>' for warning in summary.warnings),
        f"<p>{escape(setting(bench))}</p>",
        *map(picture, charts),
        table(("seconds", "p50", "p90", "p95", "p99", "max"), times(summary)),
        table(("what", "found"), facts(summary)),
        *_objectives(bench),
        f"<h2>Method</h2><p>{escape(_METHOD)}</p>",
        f"<h2>Reproduce</h2><pre>{escape(command)}</pre>",
    ]
    return whole_page("specroute bench", body)


def _objectives(bench: Bench) -> list[str]:
    if not bench.missed:
        return []
    return [table(("objective", "held"), [(str(slo), line or "yes") for slo, line in bench.missed.items()])]
