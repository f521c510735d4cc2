"""What happens on a source that was never seen: each source in turn is left out of all that is learnt, then scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.training.calibration import Platt
from specroute.learn.training.models.blend import OK, fit_blend
from specroute.learn.training.models.cross import density_of
from specroute.learn.training.models.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from specroute.learn.training.models.blend import Corpus
    from specroute.learn.training.models.cross import CrossFitted
    from specroute.learn.training.models.reading import Table

    Floats = NDArray[np.float64]

LEAST_ROWS = 100
"""The fewest rows that a source must have to be left out, and that must remain."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One source of the served pair, scored by models that saw nothing of it.

    Attributes:
        source: its name.
        rows: int64[m], its rows.
        logit: float64[m], calibrated on the other sources.
        novelty: float64[m].
    """

    source: str
    rows: NDArray[np.int64]
    logit: Floats
    novelty: Floats


def sources_to_leave_out(table: Table) -> list[str]:
    """Returns the served pair's sources that are large enough, and without which enough is left."""
    own = table.pairs == 0
    names, counts = np.unique(table.sources[own], return_counts=True)
    total = int(own.sum())
    return [
        str(name)
        for name, count in zip(names.tolist(), counts.tolist(), strict=True)
        if count >= LEAST_ROWS <= total - count
    ]


def leave_out(table: Table, crossed: CrossFitted, seed: int, report: Callable[[str], None]) -> tuple[LeftOut, ...]:
    """Leaves out each source in turn: its rows under any pair, and whatever is near a duplicate of one."""
    found = []
    for source in sources_to_leave_out(table):
        report(f"leaving out {source}")
        is_source = table.sources == source
        kept = ~np.isin(table.groups, np.unique(table.groups[is_source]))
        own_kept = kept & (table.pairs == 0)
        if own_kept.sum() < LEAST_ROWS or np.unique(table.mini[own_kept]).size < 2:
            continue
        found.append(_left_out(table, crossed, source, kept, seed))
    return tuple(found)


def _left_out(table: Table, crossed: CrossFitted, source: str, kept: NDArray[np.bool_], seed: int) -> LeftOut:
    texts = np.unique(table.text_of[kept])
    reading = Reading.fit(table.ngrams[texts], table.dense[texts], seed, passes=1)
    corpus: Corpus = table.read_by(reading)
    blend = fit_blend(corpus, kept, crossed.chosen, seed)
    own = kept & corpus.is_own
    platt = Platt.fit(crossed.logits[own, OK], corpus.mini[own])
    density = density_of(corpus, own & (crossed.folds != 0), own & (crossed.folds == 0), seed)
    rows = np.flatnonzero((table.sources == source) & corpus.is_own)
    at = corpus.text_of[rows]
    logits = platt.logit(blend.logits(corpus.matrix[at], corpus.inputs()[at])[:, OK])
    return LeftOut(source, rows, logits, density.novelty(corpus.density[at]))
