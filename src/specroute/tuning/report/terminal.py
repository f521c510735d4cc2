"""A run as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from specroute.tuning.recommended.words import DASH
from specroute.tuning.report.rows import (
    BEST,
    FRONT_HEAD,
    RECOMMENDED,
    SPAN_WORDS,
    front_rows,
    optimum_rows,
    policy_head,
    policy_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specroute.tuning.confirm.compared import Confirmation
    from specroute.tuning.findings import Found
    from specroute.tuning.report.run import Run

FRONT_LINES = 10
"""A terminal shows so many settings of the front; the page has them all."""


def tables(run: Run) -> Iterator[Table]:
    """Yields the tables in the order of reading, as far as the run came."""
    if run.found is not None:
        yield _policies(run.found)
        yield _front(run.found)
        yield _optimum(run.found)
    if run.confirmation is not None and run.confirmation.rows:
        yield _confirmation(run.confirmation)


def _policies(found: Found) -> Table:
    title = f"{found.n_holdout:,} rows that nothing was tuned on, with 95 % intervals by cluster"
    table = Table(*policy_head(found), title=title)
    for name, *cells in policy_rows(found):
        table.add_row(f"[bold]{name}[/bold]" if name in (RECOMMENDED, BEST) else name, *map(escape, cells))
    return table


def _front(found: Found) -> Table:
    title = f"The front: no other setting has less money, less tail and more quality ({len(found.front)} in all)"
    table = Table(*FRONT_HEAD, title=title)
    for setting, *cells in front_rows(found, FRONT_LINES):
        table.add_row(escape(setting), *cells)
    return table


def _optimum(found: Found) -> Table:
    title = f"The best of {found.optimum.candidates:,} settings, and where resampled tuning rows put it"
    table = Table("what", "chosen", "95 % of resamples", title=title)
    for name, chosen, span in optimum_rows(found):
        table.add_row(SPAN_WORDS.get(name, name), chosen, span)
    return table


def _confirmation(confirmation: Confirmation) -> Table:
    head = ("policy", "by", "rows", "quality", "USD per 1,000", "p50 s", "p99 s", "plans as predicted")
    table = Table(*head, title=f"Confirmed by the real engine, and live: {confirmation.how}")
    for name, by, *cells in confirmation.cells():
        table.add_row(name, by, *(cell or DASH for cell in cells))
    return table
