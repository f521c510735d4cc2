"""What the heads read of a text, and the heads themselves, as the training framework computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import softmax

from specroute.predictor.intents.grams import BUCKETS, gram_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.predictor.text.features import FeatureExtractor

    Floats = NDArray[np.float64]

_STEPS = 127  # of an int8 on either side of zero


@dataclass(frozen=True, slots=True)
class Reading:
    """Words, their neighbours and their stems, weighted by rarity and scaled to length 1.

    Attributes:
        extractor: cuts texts into words.
        idf: float32[BUCKETS], the weight of a word or stem: the rarer, the larger.
    """

    extractor: FeatureExtractor
    idf: NDArray[np.float32]

    @classmethod
    def of(cls, extractor: FeatureExtractor, texts: Sequence[str]) -> Reading:
        """Learns the weights from texts, without their labels."""
        counts = np.bincount(np.concatenate([_ids(extractor, text) for text in texts]), minlength=BUCKETS)
        return cls(extractor, (np.log((1.0 + len(texts)) / (1.0 + counts)) + 1.0).astype(np.float32))

    def encode(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Returns float64[texts, BUCKETS]."""
        ids = [_ids(self.extractor, text) for text in texts]
        columns = np.concatenate(ids)
        rows = np.repeat(np.arange(len(ids)), [each.size for each in ids])
        weights = self.idf[columns].astype(np.float64)
        lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(ids)))
        scaled = weights / lengths[rows]
        return sparse.csr_matrix((scaled, (rows, columns)), shape=(len(ids), BUCKETS))


def _ids(extractor: FeatureExtractor, text: str) -> NDArray[np.int64]:
    return gram_ids(extractor.extract(text).tokens)


@dataclass(frozen=True, slots=True)
class Head:
    """One classifier, its weights rounded to what the graph stores.

    Attributes:
        cuts: least probability at which each class is named.
        steps: int8[BUCKETS, k], the weights in units of ``scales``.
        scales: float32[k].
        intercept: float32[k].
    """

    name: str
    classes: tuple[str, ...]
    cuts: tuple[float, ...]
    steps: NDArray[np.int8]
    scales: NDArray[np.float32]
    intercept: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        name: str,
        classes: tuple[str, ...],
        cuts: tuple[float, ...],
        columns: NDArray[np.int64],
        weights: Floats,
        intercept: Floats,
    ) -> Head:
        """Rounds ``weights``, float64[columns, k]; all other columns weigh nothing."""
        scales = (np.abs(weights).max(axis=0) / _STEPS).astype(np.float32)
        steps = np.zeros((BUCKETS, len(classes)), dtype=np.int8)
        steps[columns] = np.rint(weights / scales).astype(np.int8)
        return cls(name, classes, cuts, steps, scales, intercept.astype(np.float32))

    def p(self, encoded: sparse.csr_matrix) -> Floats:
        """Returns float64[texts, k], the probabilities of encoded texts."""
        scores = (encoded @ self.steps.astype(np.float64)) * self.scales + self.intercept
        probabilities: Floats = softmax(scores, axis=1)
        return probabilities
