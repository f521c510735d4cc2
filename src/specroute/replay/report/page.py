"""A comparison as a JSON document, as lines of a table, and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from specroute.learn.evaluation.report.markup import interval, table, whole_page
from specroute.learn.metrics import Figure
from specroute.replay.policies import ALWAYS_LARGE, BASELINES
from specroute.replay.table import ReplaySummary

if TYPE_CHECKING:
    from specroute.replay.comparison import Comparison

NOT_DEFINED = Figure(None, None, None)

COLUMNS = (
    ("quality %", "quality", 100.0, 1),
    ("quality kept %", "retention", 100.0, 1),
    ("saved %", "saved_ratio", 100.0, 1),
    ("USD per 1,000", "cost_usd_per_1000", 1.0, 3),
    ("wasted %", "waste_ratio", 100.0, 1),
    ("p50 s", "p50_s", 1.0, 2),
    ("p90 s", "p90_s", 1.0, 2),
    ("p99 s", "p99_s", 1.0, 2),
    ("p50 / large", "p50_ratio", 1.0, 2),
    ("p90 / large", "p90_ratio", 1.0, 2),
    ("p99 / large", "p99_ratio", 1.0, 2),
    ("late %", "deadline_ratio", 100.0, 1),
    ("calls", "amplification", 1.0, 2),
    ("escalated %", "escalation_ratio", 100.0, 1),
    ("degraded %", "degraded_ratio", 100.0, 1),
    ("errors %", "error_ratio", 100.0, 1),
)
"""Heading, figure, what it is multiplied by, and decimals."""

_METHOD = """
Every policy is run by the service's own planner, validators and executor on a virtual clock; upstream calls are
answered from the record, at the pace of the latency model. Money is by the prices of the config, of all calls; wasted:
of it, the calls whose answer was not delivered, counted up to the cancel. Late: ended by the deadline, or after it.
Intervals: 95 %, 1,000 resamples of whole groups of near-duplicate prompts, paired with always_large. A dash: not
defined.
"""


Summaries = Mapping[str, ReplaySummary]
"""By policy, as ``Comparison.summaries`` returns them."""


def to_document(comparison: Comparison, summaries: Summaries, about: Mapping[str, Any]) -> dict[str, Any]:
    """Returns everything that was found as JSON values; ``about``: what is to stand above it."""
    world = comparison.world
    return {
        **about,
        "pair": world.pair,
        "latency": world.latency.described(),
        "deadline_s": world.deadline_s,
        "seed": world.seed,
        "rows": len(world.rows),
        "left_out": world.left_out,
        "partial": not comparison.is_whole,
        "baseline": ALWAYS_LARGE,
        "policies": {
            name: {"meaning": meaning(comparison, name), **summary.as_dict()} for name, summary in summaries.items()
        },
    }


def facts(comparison: Comparison) -> str:
    """Returns in one line what was replayed."""
    world = comparison.world
    learnt = max((run.learnt_from for run in comparison.runs.values()), default=0)
    deadline = "as configured" if world.deadline_s is None else f"{world.deadline_s:g} s"
    return (
        f"{len(world.rows):,} rows of pair {world.pair} ({world.left_out:,} left out: no recorded answer or grade of "
        f"both, or a repeated prompt; {learnt:,} that the model has learnt from are scored by models that did not see "
        f"them); latency {world.latency.described()}; deadline {deadline}; seed {world.seed}"
    )


def meaning(comparison: Comparison, name: str) -> str:
    """Returns what a policy is, in words."""
    return "as configured" if name in comparison.configured else BASELINES[name]


def cells(summary: ReplaySummary, *, with_intervals: bool) -> list[str]:
    """Returns a summary as the cells below ``COLUMNS``."""
    found = []
    for _, name, scale, digits in COLUMNS:
        figure = summary.figures.get(name, NOT_DEFINED)
        shown = figure if with_intervals else Figure(figure.value, None, None)
        found.append(interval(shown, scale, digits))
    return found


def page(comparison: Comparison, summaries: Summaries, *, command: str) -> str:
    """Returns the page; ``command`` is what reproduces it. All that comes from the data is escaped."""
    head = ("policy", "n", *(heading for heading, *_ in COLUMNS))
    lines = [(name, f"{summary.n:,}", *cells(summary, with_intervals=True)) for name, summary in summaries.items()]
    body = [
        f"<h1>Replay: {escape(comparison.world.pair)}</h1>",
        "" if comparison.is_whole else '<p class="advice off">Interrupted: what was played before is shown.</p>',
        f"<p>{escape(facts(comparison))}</p>",
        *("<h2>Policies</h2>", table(head, lines)),
        "<ul>",
        *(f"<li><b>{escape(name)}</b>: {escape(meaning(comparison, name))}</li>" for name in summaries),
        "</ul>",
        *("<h2>Plans, and who delivered</h2>", table(("policy", "plans", "delivered", "errors"), _ways(summaries))),
        f"<h2>Method</h2><p>{escape(_METHOD)}</p>",
        f"<h2>Reproduce</h2><pre>{escape(command)}</pre>",
    ]
    return whole_page(f"specroute replay: {comparison.world.pair}", body)


def _ways(summaries: Summaries) -> list[tuple[str, str, str, str]]:
    return [
        (name, shares(summary.plans), shares(summary.delivered), _counts(summary.errors))
        for name, summary in summaries.items()
    ]


def shares(of: Mapping[str, float]) -> str:
    """Returns shares in words: ``race 62 %, direct_mini 38 %``, the largest first."""
    ordered = sorted(of.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100.0 * share:.0f} %" for name, share in ordered)


def _counts(of: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in of.items()) or "none"
