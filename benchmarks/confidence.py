"""Prints what the confidence of recorded answers says of them, over a grid of thresholds.

Usage: ``python -m benchmarks.confidence --outcomes FILE`` (default: SPECROUTE_OUTCOMES)

Of every source whose rows have ``mini_verbal_conf`` (what the mini stated) or ``mini_logprob_conf`` (exp of the mean
log-probability of its tokens): the area under the ROC curve, and for each threshold the share of answers that lie below
it, and how many of those and of the others are correct. Intervals are of 95 %.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.shares import Share, outcomes_of
from specroute.learn.metrics import auroc, resamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.learn.dataset import Outcome

STATED = (0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
LOGPROB = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
SEED = 20_240_601


def main() -> None:
    """Prints one table per source and kind of confidence."""
    rows = outcomes_of("What the confidence of recorded answers says of them.")
    for source, pair in sorted({(row.source, row.pair) for row in rows}):
        here = [row for row in rows if (row.source, row.pair) == (source, pair)]
        title = f"{source} {pair.partition('|')[0]}"
        _table(f"{title}: stated confidence (min_stated)", here, [row.mini_verbal_conf for row in here], STATED)
        _table(f"{title}: exp of the mean log-probability (min_mean_logprob is its logarithm)", here,
               [row.mini_logprob_conf for row in here], LOGPROB)  # fmt: skip


def _table(title: str, rows: Sequence[Outcome], values: Sequence[float | None], grid: Sequence[float]) -> None:
    known = [(row, value) for row, value in zip(rows, values, strict=True) if value is not None]
    if not known:
        return
    labels = np.array([row.mini_correct for row, _ in known], dtype=np.float64)
    p = np.array([value for _, value in known])
    draws = resamples(np.unique([row.group_id for row, _ in known], return_inverse=True)[1], SEED)
    low, high = np.nanpercentile([auroc(labels, p, weights) for weights in draws], [2.5, 97.5])
    print(f"\n{title}: {len(known):,} answers, {labels.mean():.1%} correct")
    print(f"AUROC {auroc(labels, p):.3f} [{low:.3f}, {high:.3f}]")
    print(f"{'below':>6} {'log':>7} {'rejected':>26} {'correct of rejected':>26} {'correct of accepted':>26}")
    for cut in grid:
        is_below = p < cut
        rejected = Share(int(is_below.sum()), len(known))
        wrongly = Share(int(labels[is_below].sum()), rejected.hits)
        rightly = Share(int(labels[~is_below].sum()), len(known) - rejected.hits)
        print(f"{cut:6.2f} {math.log(cut):7.3f} {rejected!s:>26} {wrongly!s:>26} {rightly!s:>26}")


if __name__ == "__main__":
    main()
