"""The tables of the delivery benchmark, for a terminal or as Markdown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.delivery_cases import Damage
from benchmarks.delivery_figures import EARLY, Share
from specroute.core.stream import CommitReason
from specroute.demo.tables import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.delivery_figures import KindSummary, StressSummary, Summary
    from specroute.learn.metrics import Figure

NONE = "-"


def main_table(rows: Sequence[Summary]) -> Grid:
    """Returns the table of policies and deliveries."""
    columns = (
        "policy and delivery", "n", "first useful token p50 s", "of large's [95 %]", "p99 s", "of large's [95 %]",
        "early commits %", "of them wrong % [95 %]", "taken back %", "failed %", "large tokens",
        "saved on race, whole %", "quality % [95 %]", "cost saved %",
    )  # fmt: skip
    cells = (
        (
            row.name,
            str(row.n),
            _number(row.p50_s.value),
            _ratio(row.p50_ratio),
            _number(row.p99_s.value),
            _ratio(row.p99_ratio),
            _percent(row.early.figure, interval=False),
            _percent(row.wrong.figure),
            _percent(row.taken_back.figure, interval=False),
            _percent(row.failed.figure, interval=False),
            f"{row.large_tokens:,}",
            _percent(row.large_tokens_saved, interval=False),
            _percent(row.quality),
            _percent(row.cost_saved, interval=False),
        )
        for row in rows
    )
    return Grid(columns, tuple(cells))


def kind_table(rows: Sequence[KindSummary]) -> Grid:
    """Returns the table of when answers of each kind are committed."""
    columns = (
        "delivery", "mini's answer", "n", "first useful token p50 s",
        *(f"{reason.value.replace('_', ' ')} %" for reason in CommitReason),
        "tokens at an early commit, p50", "held by the guard %",
    )  # fmt: skip
    cells = (
        (
            row.name,
            row.kind,
            str(row.n),
            _number(row.p50_s),
            *(f"{100.0 * row.reasons.get(reason.value, 0) / row.n:.1f}" for reason in CommitReason),
            NONE if row.early_tokens_p50 is None else f"{row.early_tokens_p50:g}",
            f"{100.0 * row.guarded / row.n:.1f}",
        )
        for row in rows
    )
    return Grid(columns, tuple(cells))


def stress_table(rows: Sequence[StressSummary]) -> Grid:
    """Returns the table of what early commits do with broken answers."""
    columns = (
        "delivery", "early commits %", "of them wrong % [95 %]", *(f"{damage.value}: early" for damage in Damage),
        "held by the guard", "degraded", "failed", "error the guard measured %",
    )  # fmt: skip
    cells = (
        (
            row.name,
            _percent(row.early.figure, interval=False),
            _percent(row.wrong.figure),
            *(_of(row.committed[damage.value]) for damage in Damage),
            str(row.guarded),
            str(row.degraded),
            str(row.failed),
            ", ".join(f"{kind}: {100.0 * ratio:.1f}" for kind, ratio in row.error_ratios.items()) or NONE,
        )
        for row in rows
    )
    return Grid(columns, tuple(cells))


LEGEND = (
    "First useful token: the first delta that is never taken back; for whole answers the instant at which the answer "
    "returns. Early commits: the winner was fixed before its answer was whole while another leg could still answer "
    f"({' or '.join(reason.value for reason in EARLY)}); wrong: its whole answer was then rejected. Taken back: "
    "streams that showed text and superseded it. Failed: ended in a status instead of an answer, which counts as not "
    "right. Large tokens: output tokens of large's calls, whole or cut off. Cost saved: net of what was burnt, against "
    "always-large. Intervals: bootstrap over groups of near-duplicate prompts; of the wrong commits the exact binomial."
)


def _of(share: Share) -> str:
    return f"{share.hits} of {share.of}"


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return "never" if math.isinf(value) else f"{value:.2f}"


def _ratio(figure: Figure) -> str:
    return f"{_number(figure.value)} [{_number(figure.lo)}, {_number(figure.hi)}]"


def _percent(figure: Figure, *, interval: bool = True) -> str:
    if figure.value is None or figure.lo is None or figure.hi is None:
        return NONE
    value = f"{round(100.0 * figure.value, 1) + 0.0:.1f}"  # no -0.0
    return f"{value} [{100.0 * figure.lo:.1f}, {100.0 * figure.hi:.1f}]" if interval else value
