"""Bootstrap by group: every figure is one function of row weights, evaluated for the data and for all resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.metrics import CONFIDENCE, Figure, resamples, without_bias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Statistic = Callable[[Floats], Mapping[str, Floats]]
    Values = Mapping[str, Floats]

MAX_UNDEFINED = 0.05
"""Where more of the resamples than this have no value, as a share of a gap of nothing, there is no interval."""

_BLOCK = 2_000_000  # numbers a block of weights may hold: bounds memory, whatever the file's size
_NOISE = 1e-14
_UNDEFINED = Figure(None, None, None)


@dataclass(frozen=True, slots=True)
class Draws:
    """The resamples of one set of rows.

    Attributes:
        weights: float64[resamples, rows], how often each row is drawn.
    """

    weights: Floats

    @classmethod
    def of(cls, groups: NDArray[np.int64], seed: int) -> Draws:
        """Draws whole groups with replacement, 1,000 times."""
        return cls(resamples(groups, seed))

    def blocks(self) -> Iterator[Floats]:
        """Yields float64[k, rows]: first the data as they are, then all resamples, some at a time."""
        count, rows = self.weights.shape
        yield np.ones((1, rows))
        size = max(1, _BLOCK // max(1, rows))
        for start in range(0, count, size):
            yield self.weights[start : start + size]

    def values(self, statistic: Statistic) -> Values:
        """Returns each value of ``statistic`` for the data and, after it, for every resample.

        Args:
            statistic: weights float64[k, rows] -> name -> float64[k], NaN where it is not defined.
        """
        blocks = [statistic(block) for block in self.blocks()]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def figures(self, statistic: Statistic) -> dict[str, Figure]:
        """Returns each value of ``statistic`` with its interval."""
        return as_figures(self.values(statistic))


def as_figures(values: Values) -> dict[str, Figure]:
    """Returns, name by name, the first value and the 95 % percentile interval of the others."""
    return {name: _figure(_less_noise(column) if name == "ece" else column) for name, column in values.items()}


def _less_noise(column: Floats) -> Floats:
    return np.concatenate([column[:1], without_bias(float(column[0]), column[1:])])


def mean(values: Floats, weights: Floats) -> Floats:
    """Returns float64[k]: the weighted means of ``values``, float64[rows], by ``weights``, float64[k, rows]."""
    return ratio(weights @ values, weights.sum(axis=1))


def ratio(part: Floats, whole: Floats) -> Floats:
    """Returns ``part / whole``, NaN where ``whole`` is not above zero."""
    positive = whole > 0.0
    return np.where(positive, part / np.where(positive, whole, 1.0), np.nan)


def _figure(values: Floats) -> Figure:
    value, drawn = float(values[0]), values[1:]
    if np.isnan(value):
        return _UNDEFINED
    defined = drawn[~np.isnan(drawn)]
    if defined.size < (1.0 - MAX_UNDEFINED) * drawn.size or not defined.size:
        return Figure(_rounded(value), None, None)
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.percentile(defined, [tail, 100.0 - tail])
    return Figure(_rounded(value), _rounded(float(lo)), _rounded(float(hi)))


def _rounded(value: float) -> float:
    """Returns ``value`` with eight significant digits, as money per request is small, and noise of a sum as 0."""
    return float(f"{value:.8g}") if abs(value) > _NOISE else 0.0
