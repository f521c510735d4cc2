"""How far a probability may be off: little where training texts lie densely, much where there are none.

Two half-widths in log-odds are measured, not assumed. ``known``: over bins of equal mass of each source, how far the
observed frequency is from the predicted one where the models had seen the source but not the rows. ``novel``: the same
with the whole source left out of training. A text's half-width lies between the two, by its novelty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COVERAGE = 0.9
BINS = 10
_LEAST_BIN = 20
_LEAST_NOVEL = 3.5
"""A source that was never seen may be further off than any that was left out: predicted .85 where .52 was right."""

_DEFAULT_KNOWN = 0.4


@dataclass(frozen=True, slots=True)
class Widths:
    """Half-widths of the interval, in log-odds: ``known`` at novelty 0, ``novel`` at novelty 1; 0 < known <= novel."""

    known: float
    novel: float

    def half_width(self, novelty: Floats) -> Floats:
        """Returns float64[texts]."""
        return self.known + (self.novel - self.known) * novelty

    def bounds(self, logit: Floats, novelty: Floats) -> tuple[Floats, Floats]:
        """Returns the lower and the upper end of each probability."""
        half = self.half_width(novelty)
        return sigmoid(logit - half), sigmoid(logit + half)


@dataclass(frozen=True, slots=True)
class Cell:
    """Some rows of one source whose predictions are alike: mean prediction and observed frequency, in (0, 1)."""

    rows: int
    predicted: float
    observed: float
    index: NDArray[np.int64]

    @property
    def distance(self) -> float:
        """How far the two are apart, in log-odds; the frequency is shrunk by half a row of each kind."""
        return float(abs(logit(np.array([self.observed]))[0] - logit(np.array([self.predicted]))[0]))


def cells(labels: Floats, p: Floats, sources: NDArray[np.str_]) -> list[Cell]:
    """Splits the rows of each source into up to ``BINS`` bins of equal mass by prediction."""
    found = []
    for source in np.unique(sources):
        at = np.flatnonzero(sources == source)
        bins = max(1, min(BINS, at.size // _LEAST_BIN))
        for index in np.array_split(at[np.argsort(p[at], kind="stable")], bins):
            observed = (labels[index].sum() + 0.5) / (index.size + 1.0)
            found.append(Cell(index.size, float(p[index].mean()), float(observed), index))
    return found


def known_width(found: Sequence[Cell]) -> float:
    """Returns the half-width that covers ``COVERAGE`` of the cells, their sampling noise included."""
    if not found:
        return _DEFAULT_KNOWN
    weights = np.array([cell.rows for cell in found], dtype=np.float64)
    distances = np.array([cell.distance for cell in found])
    order = np.argsort(distances, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    return max(0.05, float(distances[order][int(np.searchsorted(share, COVERAGE))]))


def novel_width(known: float, found: Sequence[Cell]) -> float:
    """Returns the half-width that covers ``COVERAGE`` of the cells of left-out sources, ``known`` at least."""
    return max(known, _LEAST_NOVEL, known_width(found) if found else 0.0)


def covered(found: Sequence[Cell], low: Floats, high: Floats) -> float:
    """Returns the share of rows in cells whose observed frequency is within the cell's mean interval."""
    rows = sum(cell.rows for cell in found)
    inside = sum(cell.rows for cell in found if low[cell.index].mean() <= cell.observed <= high[cell.index].mean())
    return inside / rows if rows else float("nan")


def sigmoid(x: Floats) -> Floats:
    """Returns 1 / (1 + exp(-x)) without overflow."""
    p: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return p


def logit(p: Floats) -> Floats:
    """Returns the log-odds of ``p``, cut to +-13.8."""
    p = np.clip(p, 1e-6, 1.0 - 1e-6)
    odds: Floats = np.log(p) - np.log1p(-p)
    return odds
