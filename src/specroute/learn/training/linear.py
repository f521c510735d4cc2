"""How features become a row of numbers: n-grams weighted by rarity and scaled to length 1, then surface measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from specroute.predictor.text.features import DENSE_SIZE, FeatureExtractor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DENSE_LIMIT = 4.0
"""Standardised surface measures are cut to +-4: a text longer than any seen is no stranger than the longest."""

DENSE_SCALE = 0.3
"""Makes a surface measure about as loud as a word, so that one penalty fits both."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns features into a row of the matrix; what the exported graph does too.

    Attributes:
        idf: float64[buckets], the weight of an n-gram: the rarer, the larger.
        mean, std: float64[DENSE_SIZE], of the surface measures.
    """

    idf: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def fit(cls, ngrams: sparse.csr_matrix, dense: NDArray[np.float32]) -> Encoder:
        """Learns the weights from distinct texts, without their labels."""
        frequency = np.bincount(ngrams.indices, minlength=ngrams.shape[1])
        idf = np.log((1.0 + ngrams.shape[0]) / (1.0 + frequency))
        std = dense.std(axis=0, dtype=np.float64)
        return cls(idf, dense.mean(axis=0, dtype=np.float64), np.where(std > 0.0, std, 1.0))

    def encode(self, ngrams: sparse.csr_matrix, dense: NDArray[np.float32]) -> sparse.csr_matrix:
        """Returns n-grams weighted and scaled to length 1, then the surface measures."""
        surface = self.surface(dense) * DENSE_SCALE
        return sparse.hstack([self.scaled(ngrams), sparse.csr_matrix(surface)], format="csr")

    def scaled(self, ngrams: sparse.csr_matrix) -> sparse.csr_matrix:
        """Returns n-grams weighted and scaled to length 1: float64[texts, buckets]."""
        return sparse.diags(1.0 / self.norms(ngrams)) @ (ngrams @ sparse.diags(self.idf))

    def norms(self, ngrams: sparse.csr_matrix) -> NDArray[np.float64]:
        """Returns the length of the weighted n-grams, 1 where there are none: float64[texts]."""
        norms = np.sqrt(np.asarray(ngrams @ self.idf**2).ravel())
        return np.where(norms > 0.0, norms, 1.0)

    def surface(self, dense: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the surface measures standardised and cut to +-``DENSE_LIMIT``."""
        surface: NDArray[np.float64] = np.clip((dense - self.mean) / self.std, -DENSE_LIMIT, DENSE_LIMIT)
        return surface


def extract(extractor: FeatureExtractor, texts: Sequence[str]) -> tuple[sparse.csr_matrix, NDArray[np.float32]]:
    """Returns the n-grams (float64[texts, buckets], 0 or 1) and the surface measures (float32[texts, DENSE_SIZE])."""
    features = [extractor.extract(text) for text in texts]
    starts = np.cumsum([0, *(item.ids.size for item in features)])
    columns = np.concatenate([item.ids for item in features]) if features else np.zeros(0, dtype=np.int64)
    shape = (len(features), extractor.settings.buckets)
    ngrams = sparse.csr_matrix((np.ones(columns.size), columns, starts), shape=shape)
    return ngrams, np.array([item.dense for item in features], dtype=np.float32).reshape(-1, DENSE_SIZE)
