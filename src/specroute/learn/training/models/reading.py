"""What is made of texts before any label is looked at: encoding, low-rank coordinates, and what a density is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.training.doubt.density import DIRECTIONS
from specroute.learn.training.linear import Encoder
from specroute.learn.training.models.blend import Corpus
from specroute.learn.training.models.lowrank import PASSES, Basis
from specroute.learn.training.models.quantised import Quantised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from specroute.learn.dataset import Outcome

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts are read; learnt from texts alone.

    Attributes:
        encoder: n-grams and surface measures to a row.
        basis: the low-rank directions of the rows.
        directions: [buckets, d]: the first of them times the n-grams' weights, as the graph has them.
    """

    encoder: Encoder
    basis: Basis
    directions: Quantised

    @classmethod
    def fit(cls, ngrams: sparse.csr_matrix, dense: NDArray[np.float32], seed: int, passes: int = PASSES) -> Reading:
        """Learns from distinct texts; deterministic."""
        encoder = Encoder.fit(ngrams, dense)
        basis = Basis.fit(encoder.scaled(ngrams), seed, passes)
        first = basis.vectors[:, :DIRECTIONS].astype(np.float64) * encoder.idf[:, np.newaxis]
        return cls(encoder, basis, Quantised.of(first))

    def density_features(self, ngrams: sparse.csr_matrix, dense: NDArray[np.float32]) -> Floats:
        """Returns float64[texts, f]."""
        sums = np.asarray(ngrams @ self.directions.values().astype(np.float64))
        coordinates = sums / self.encoder.norms(ngrams)[:, np.newaxis]
        return np.concatenate([coordinates, self.encoder.surface(dense)], axis=1)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of outcomes as columns, and the features of their t distinct texts, before anything is learnt.

    Attributes:
        ngrams: float64[t, buckets], 0 or 1.
        dense: float32[t, DENSE_SIZE].
        text_of, pairs, mini, large, tokens, groups, sources: see ``Corpus``.
    """

    ngrams: sparse.csr_matrix
    dense: NDArray[np.float32]
    text_of: NDArray[np.int64]
    pairs: NDArray[np.int64]
    mini: Floats
    large: Floats
    tokens: Floats
    groups: NDArray[np.int64]
    sources: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        rows: Sequence[Outcome],
        pair: str,
        texts: Sequence[str],
        ngrams: sparse.csr_matrix,
        dense: NDArray[np.float32],
    ) -> Table:
        """Collects ``rows``, whose distinct prompts are ``texts``."""
        position = {text: index for index, text in enumerate(texts)}
        pairs = [pair, *sorted({row.pair for row in rows} - {pair})]
        _, groups = np.unique([row.group_id for row in rows], return_inverse=True)
        return cls(
            ngrams,
            dense,
            np.array([position[row.prompt] for row in rows]),
            np.array([pairs.index(row.pair) for row in rows]),
            np.array([row.mini_correct for row in rows], dtype=np.float64),
            np.array([np.nan if row.large_correct is None else row.large_correct for row in rows], dtype=np.float64),
            np.array(
                [np.nan if row.mini_output_tokens is None else row.mini_output_tokens for row in rows], np.float64
            ),
            groups,
            np.array([row.source for row in rows]),
        )

    def read_by(self, reading: Reading) -> Corpus:
        """Returns the rows as ``reading`` reads them."""
        encoder = reading.encoder
        return Corpus(
            matrix=encoder.encode(self.ngrams, self.dense),
            coordinates=reading.basis.coordinates(encoder.scaled(self.ngrams)),
            surface=encoder.surface(self.dense).astype(np.float32),
            density=reading.density_features(self.ngrams, self.dense),
            text_of=self.text_of,
            pairs=self.pairs,
            mini=self.mini,
            large=self.large,
            tokens=self.tokens,
            groups=self.groups,
            sources=self.sources,
        )
