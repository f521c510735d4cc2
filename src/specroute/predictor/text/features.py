"""Turns text into what the model reads: hashed word n-grams and a few surface measures.

A request carries its text and nothing else that a model may rely on, so the text of the last user message is all that
is read, and of a long one its head and tail: the cost of scoring is bounded whatever a caller sends.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.predictor.text.ngrams import NgramHasher, Tokens
from specroute.predictor.text.surface import SURFACE_NAMES, measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEATURES_VERSION = 1
"""Raised whenever the same text and settings would give other features; an artifact records it."""

DENSE_SIZE = len(SURFACE_NAMES)


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """What is read of a text and how it is hashed.

    Attributes:
        head_chars: characters read from the start, > 0.
        tail_chars: characters read from the end, where a text is longer than head and tail together, >= 0.
        hash_bits: log2 of the number of buckets, in [8, 24].
        max_ngram: 1 for words, 2 for words and word pairs.

    Raises:
        ValueError: a value is out of its range.
    """

    head_chars: int = 1000
    tail_chars: int = 500
    hash_bits: int = 17
    max_ngram: int = 2

    def __post_init__(self) -> None:
        if self.head_chars <= 0 or self.tail_chars < 0:
            raise ValueError("head_chars must be > 0 and tail_chars >= 0")
        if not 8 <= self.hash_bits <= 24:
            raise ValueError("hash_bits must be in [8, 24]")
        if self.max_ngram not in {1, 2}:
            raise ValueError("max_ngram must be 1 or 2")

    @property
    def buckets(self) -> int:
        """The number of buckets; ids are below it."""
        return 1 << self.hash_bits

    @property
    def max_chars(self) -> int:
        """The most characters read of any text."""
        return self.head_chars + self.tail_chars


@dataclass(frozen=True, slots=True)
class Features:
    """What one text becomes.

    Attributes:
        ids: int64[n], the distinct n-gram buckets, ascending, each in [0, buckets); n < 2 * max_chars, and 0 for a
            text without a letter or digit.
        dense: float32[DENSE_SIZE], finite, in the order of ``SURFACE_NAMES``.
        tokens: the words that were read.
    """

    ids: NDArray[np.int64]
    dense: NDArray[np.float32]
    tokens: Tokens


class FeatureExtractor:
    """Extracts features; stateless after construction, safe to share between threads."""

    def __init__(self, settings: FeatureSettings) -> None:
        self.settings = settings
        self._hasher = NgramHasher(settings.hash_bits, settings.max_ngram, settings.max_chars)

    def extract(self, text: str) -> Features:
        """Returns the features of ``text``; never raises, whatever its code points, lone surrogates included."""
        read = self.part_read(text)
        tokens = self._hasher.tokens(self._folded(read))
        ids = self._hasher.buckets(tokens)
        return Features(ids, measure(read, len(text), tokens, ids.size), tokens)

    def part_read(self, text: str) -> str:
        """Returns head and tail of a long text: the features are of these, and of how long the whole is."""
        if len(text) <= self.settings.max_chars:
            return text
        return text[: self.settings.head_chars] + text[len(text) - self.settings.tail_chars :]

    def _folded(self, text: str) -> str:
        if text.isascii():
            return text.lower()
        folded = unicodedata.normalize("NFKC", text).casefold()
        return self.part_read(folded)  # one character may have become up to 18
