"""The trained model as the graph computes it: everything between features and scores folded into one table of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.training.doubt.interval import Widths, sigmoid
from specroute.learn.training.linear import DENSE_SCALE, Encoder, extract
from specroute.learn.training.models.blend import QUESTIONS, Blend
from specroute.learn.training.models.quantised import Quantised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.training.calibration import Platt
    from specroute.learn.training.doubt.density import Density
    from specroute.learn.training.models.reading import Reading
    from specroute.predictor.text.features import FeatureExtractor

    Floats = NDArray[np.float64]

OUTPUTS = QUESTIONS + 1  # the questions, then the length of the mini's answer
LEAST_SQUARE = 1e-12  # the squared norm of no n-gram at all
_LINE = 64  # rows of whole cache lines: a text touches hundreds of rows, each a wait for memory


@dataclass(frozen=True, slots=True)
class Folded:
    """A model ready to be exported.

    ``table`` has a row for each bucket. Its columns, summed over a text's n-grams, are: the square of the norm; then,
    to be divided by the norm, the linear half of ``OUTPUTS``, the hidden units, the directions of the density; then
    padding.

    Attributes:
        encoder: standardises the surface measures.
        table: [buckets, 1 + columns + padding].
        surface: float64[DENSE_SIZE, columns] and bias: float64[columns], added after the division.
        hidden, directions: how many columns are of which kind.
        outer: float64[hidden, OUTPUTS].
        density, widths: of novelty and interval.
    """

    encoder: Encoder
    table: Quantised
    surface: Floats
    bias: Floats
    hidden: int
    directions: int
    outer: Floats
    density: Density
    widths: Widths

    @classmethod
    def of(
        cls,
        blend: Blend,
        reading: Reading,
        platt: Sequence[Platt],
        density: Density,
        widths: Widths,
    ) -> Folded:
        """Folds the parts together, calibration included."""
        encoder, basis, network = reading.encoder, reading.basis, blend.network
        size, rank = encoder.idf.size, basis.std.size
        directions = reading.directions.scale.size
        inner = network.inner.astype(np.float64)
        slopes = np.array([0.5 * item.slope for item in platt] + [blend.token_std])
        offsets = np.array([item.intercept for item in platt] + [blend.token_mean])
        linear = np.concatenate([blend.weights, np.zeros((blend.weights.shape[0], 1))], axis=1) * slopes
        intercepts = (np.append(blend.intercepts, 0.0) + network.outer_bias) * slopes + offsets
        hidden = basis.vectors.astype(np.float64) @ (inner[:rank] / basis.std[:, np.newaxis])
        weights = [linear[:size], hidden]
        parts = [Quantised.of(part * encoder.idf[:, np.newaxis]) for part in weights]
        parts = [Quantised.of(encoder.idf[:, np.newaxis] ** 2), *parts[:2], reading.directions]
        columns = sum(part.scale.size for part in parts)
        parts.append(Quantised.of(np.zeros((size, -columns % _LINE))))
        surface = [DENSE_SCALE * linear[size:], inner[rank:], np.zeros((inner.shape[0] - rank, directions))]
        bias = [intercepts, network.inner_bias, np.zeros(directions)]
        return cls(
            encoder=encoder,
            table=Quantised.joined(parts),
            surface=np.concatenate(surface, axis=1),
            bias=np.concatenate(bias),
            hidden=inner.shape[1],
            directions=directions,
            outer=network.outer * slopes,
            density=density,
            widths=widths,
        )

    @property
    def parts(self) -> list[int]:
        """The number of columns of each kind after the norm: outputs, hidden, directions."""
        return [OUTPUTS, self.hidden, self.directions]

    def scores(self, extractor: FeatureExtractor, texts: Sequence[str]) -> Floats:
        """Returns float64[texts, SCORE_COUNT], the columns of ``Scores``, in double precision."""
        ngrams, dense = extract(extractor, texts)
        surface = self.encoder.surface(dense)
        codes = np.asarray(ngrams @ self.table.codes.astype(np.float64)) * self.table.scale
        norms = np.sqrt(np.maximum(codes[:, :1], LEAST_SQUARE))
        columns = codes[:, 1 : 1 + self.bias.size] / norms + surface @ self.surface + self.bias
        linear, hidden, directions = np.split(columns, np.cumsum(self.parts)[:-1], axis=1)
        out = linear + np.maximum(hidden, 0.0) @ self.outer
        novelty = self.density.novelty(np.concatenate([directions, surface], axis=1))
        low, high = self.widths.bounds(out[:, 0], novelty)
        p = sigmoid(out[:, :QUESTIONS])
        return np.stack([out[:, 0], p[:, 0], low, high, p[:, 1], p[:, 2], out[:, QUESTIONS], novelty], axis=1)
