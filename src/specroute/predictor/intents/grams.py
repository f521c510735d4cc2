"""Hashes the first and the last words of a text, their neighbours and their stems.

What a request is stands where it begins or ends, before or behind what was pasted into it. Stems carry it over between
the forms of a word, and between related languages, so that few examples of each suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.text.hashing import SALT, constant, distinct_ids, mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.predictor.text.ngrams import Tokens

GRAMS_VERSION = 2
"""Raised whenever the same words would give other ids; an artifact records it."""

HEAD_WORDS = 30
TAIL_WORDS = 15
HASH_BITS = 16
BUCKETS = 1 << HASH_BITS

_WORDS = HEAD_WORDS + TAIL_WORDS
_READ = np.concatenate((np.arange(HEAD_WORDS), np.arange(-TAIL_WORDS, 0)))
_SHIFT = constant(64 - HASH_BITS)
_SIZES = np.array([[3], [4], [5], [3]])  # first characters three times, and the last three
_STEMS = np.arange(1, 5, dtype=np.uint64)[:, np.newaxis] * SALT
_PAIR = constant(0x9FB21C651E98DF25)
_LAST = 3  # the row of the last characters


def gram_ids(tokens: Tokens) -> NDArray[np.int64]:
    """Returns the distinct buckets of the words that are read, ascending, each in [0, BUCKETS); none without words."""
    words, starts, lengths = tokens.hashes, tokens.starts, tokens.lengths
    if words.size > _WORDS:
        words, starts, lengths = words.take(_READ), starts.take(_READ), lengths.take(_READ)
    # A word that is shorter than a stem is its own stem: to leave it out would cost more than it is worth.
    sizes = np.minimum(_SIZES, lengths)
    firsts = np.empty_like(sizes)
    firsts[:] = starts
    firsts[_LAST] += lengths - sizes[_LAST]
    stems = tokens.runs(firsts, firsts + sizes) + _STEMS
    return distinct_ids(mixed(np.concatenate((words, words[:-1] * _PAIR + words[1:], stems.ravel()))), _SHIFT)
