"""Which rows are tuned on, and which the result is measured on; and the error of rows that allow neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.split import split_by_group

if TYPE_CHECKING:
    from specroute.learn.scoring import ScoredRows

TUNING_SHARE = 0.6
MIN_ROWS = 50
"""With fewer rows a single answer moves the quality by more than most targets allow to lose."""


class TuningError(ValueError):
    """The rows cannot be tuned on; the message is one line with the mend."""


def split(rows: ScoredRows, *, seed: int) -> tuple[ScoredRows, ScoredRows]:
    """Returns about 60 % of the clusters' rows to tune on and the others to hold out; no cluster is in both.

    Raises:
        TuningError: there is no row, or one side is empty.
    """
    require_rows(rows)
    first, second = split_by_group(rows.rows, seed, TUNING_SHARE)
    if not first.size or not second.size:
        clusters = len({row.group_id for row in rows.rows})
        problem = f"{len(rows.rows)} rows in {clusters} clusters leave one side of the split empty"
        raise TuningError(f"{problem}; give more rows, or rows of their own with --holdout")
    return rows.take(first), rows.take(second)


def usable(rows: ScoredRows) -> ScoredRows:
    """Returns the rows with both recorded answers.

    Raises:
        TuningError: there is none.
    """
    whole = rows.answered & np.array([row.large_response is not None for row in rows.rows], dtype=np.bool_)
    chosen = rows.take(np.flatnonzero(whole))
    require_rows(chosen)
    return chosen


def require_rows(rows: ScoredRows) -> None:
    """Refuses rows without a recorded answer.

    Raises:
        TuningError: there is none.
    """
    if not rows.answered.any():
        problem = f"no row of pair {rows.pair!r} has both recorded answers"
        raise TuningError(f"{problem}; give a file with 'mini_response' and 'large_response'")


def require_enough(rows: ScoredRows, what: str) -> None:
    """Refuses too few rows.

    Args:
        rows: one side of the split.
        what: what it is for, in a word or two.

    Raises:
        TuningError: there are fewer than ``MIN_ROWS``, or the large model costs or is never right.
    """
    if rows.p.size < MIN_ROWS:
        problem = f"{rows.p.size} rows with both answers are too few for {what}"
        raise TuningError(f"{problem}; give at least {MIN_ROWS} of pair {rows.pair!r}")
    if not rows.large_cost_usd.sum() > 0.0:
        raise TuningError("the large model's answers cost nothing, so nothing can be saved; see --prices")
    if not rows.large_ok.any():
        problem = f"the large model is right in none of the {rows.p.size} rows for {what}"
        raise TuningError(f"{problem}, so there is no quality to keep; check 'large_correct'")
