"""The directions in which training texts differ most: a low-rank basis of their n-grams, learnt without labels.

Latent semantic analysis (Deerwester et al. 1990): texts that share no word but the company of their words come close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.extmath import randomized_svd

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

RANK = 256
_TEXTS_PER_DIRECTION = 4
PASSES = 2
"""Passes of the randomised method over all texts; one does for a comparison."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The basis.

    Attributes:
        vectors: float32[buckets, rank], orthonormal columns, the strongest first.
        std: float64[rank], of the training texts' coordinates, > 0.
    """

    vectors: NDArray[np.float32]
    std: NDArray[np.float64]

    @classmethod
    def fit(cls, ngrams: sparse.csr_matrix, seed: int, passes: int = PASSES) -> Basis:
        """Learns up to ``RANK`` directions from ``ngrams``, float64[texts, buckets] of length 1; deterministic."""
        rank = max(1, min(RANK, ngrams.shape[0] // _TEXTS_PER_DIRECTION, ngrams.shape[1] // 2))
        _, _, rows = randomized_svd(ngrams.astype(np.float32), rank, n_iter=passes, random_state=seed)
        vectors = np.ascontiguousarray(rows.T, dtype=np.float32)
        std = np.asarray(ngrams @ vectors, dtype=np.float64).std(axis=0)
        return cls(vectors, np.where(std > 0.0, std, 1.0))

    def coordinates(self, ngrams: sparse.csr_matrix) -> NDArray[np.float32]:
        """Returns float32[texts, rank], standardised as over the training texts."""
        coordinates: NDArray[np.float32] = np.asarray((ngrams.astype(np.float32) @ self.vectors) / self.std, np.float32)
        return coordinates
